/* tcp_option_json.h - TCP flags and options as Joy prints them, and back to octets.
 *
 * An option is an object with one key: {"mss":1460}, {"noop":null}, {"ws":7}, {"sackp":null},
 * {"ts":{"val":1,"ecr":0}}; others {"kind":9,"data":"00ff"}; one of a wrong length {"malformed":{...}}. What
 * follows an end-of-list option, or an option that does not fit, is not printed, so it comes back as zeros.
 */
#ifndef FLOWTRACK_TCP_OPTION_JSON_H
#define FLOWTRACK_TCP_OPTION_JSON_H

#include <stdint.h>

#include "flowtrack/json_scan.h"

/* Flags as letters, FIN first: 0x12 is SA. At most 8 octets. Return: behind them. */
char *tcp_flags_put(char *at, uint8_t flags);

/* The flags that letters stand for; letters that are none are passed over. */
uint8_t tcp_flags_parse(const char *letters, size_t length);

/* Print the objects with commas between them: at most 24 octets for each of `length`. Return: behind them. */
char *tcp_options_put(char *at, const uint8_t *options, unsigned length);

struct tcp_options_read {
    uint8_t octets[40]; /* as they stand in the TCP header */
    uint8_t length;
};

/* Read the list of such objects; an option that does not fit any more is dropped. */
bool tcp_options_read(struct json_scan *scan, struct tcp_options_read *list);

/* Take back length octets until the list is not longer than it was in the header: an option that was printed
 * without data in front of a no-operation may have had that one as its length. */
void tcp_options_fit(struct tcp_options_read *list, unsigned length);

#endif

/* verdict_log.h - one JSON line for each flow, in the EVE envelope that Suricata's readers know.
 *
 *     {"timestamp":"2026-01-31T12:00:00.123456+00:00","event_type":"flowclass","flow_id":7,"in_iface":"eth0",
 *      "src_ip":"192.0.2.1","src_port":50000,"dest_ip":"198.51.100.2","dest_port":443,"proto":"TCP",
 *      "community_id":"1:...",
 *      "flow":{"pkts_toserver":9,"pkts_toclient":8,"bytes_toserver":1000,"bytes_toclient":20000,
 *              "start":"...","end":"...","reason":"idle"},
 *      "flowclass":{"state":"classified","label":"news","confidence":0.93,
 *                   "scores":{"news":0.93,"socialmedia":0.05,"videostreaming":0.02},
 *                   "model":"0123456789ab","engine":"cpu"}}
 *
 * Times are capture time in UTC; timestamp is that of the last packet. The server is the end that the record
 * calls its destination; bytes are payload octets, as in the record. A flow without a verdict has
 * "flowclass":{"state":"not_classified","label":"unknown","cause":"overload"}. Left out where the record does
 * not say: ports, community_id, reason.
 */
#ifndef DAEMON_VERDICT_LOG_H
#define DAEMON_VERDICT_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/flow_batch.h"

enum { VERDICT_LINE_MAX = 16384 }; /* octets that are always enough, newline included */

/* What the lines of a run have in common. */
struct verdict_context {
    const char *const *interfaces; /* (n_interfaces) by record.interface */
    size_t n_interfaces;           /* 0: packets do not come from interfaces */
    bool icmp_unknown;             /* records come from archives, which do not tell ICMP types */
};

/* Write the line of one flow of a batch.
 *
 * line: (VERDICT_LINE_MAX)
 *
 * Return: octets of the line, newline included; no NUL follows.
 */
size_t verdict_log_line(char *line, const struct verdict_context *context, const struct flow_batch *batch,
                        size_t flow);

#endif

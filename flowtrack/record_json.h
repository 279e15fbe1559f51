/* record_json.h - one record as one line of JSON, as Cisco Joy 4.5.0 prints it, and back.
 *
 * Writing gives Joy's text octet for octet: key order, number forms, "rep" for packets of 32768 octets and
 * more, seconds and microseconds of a time printed apart (joy-records sections 9 and 11). `probable_os` and
 * the features that a record does not keep (tls, dns, http, ppi, ...) are left out.
 *
 * Reading takes what any Joy version wrote: keys in any order, unknown keys of any content, no `ip`, no `in`,
 * numbers with a fraction (cut off) or an exponent. Every record has `packets`, if empty (joy-records section
 * 9): without that key a line is damaged, not a flow without payload. The text has to be JSON, with one
 * exception: in 2018 Joy did not escape the backslashes of its strings.
 */
#ifndef FLOWTRACK_RECORD_JSON_H
#define FLOWTRACK_RECORD_JSON_H

#include <stddef.h>

#include "flowtrack/error.h"
#include "flowtrack/record.h"

enum {
    RECORD_JSON_MAX = 16384, /* octets of the longest line that a record becomes, newline included */
};

enum record_json_kind {
    RECORD_JSON_RECORD = 0,
    RECORD_JSON_HEADER = 1, /* an object without "sa": Joy's configuration */
};

/* Write a record as a line.
 *
 * line: not NUL-terminated; ends with a newline.
 *
 * Return: octets, newline included.
 */
size_t record_json_write(char line[RECORD_JSON_MAX], const struct record *record);

/* Read a line.
 *
 * record: filled for RECORD_JSON_RECORD; else undefined. Fields that JSON does not carry are 0, `reason` is
 *     what expire_type stands for.
 * line: (length) without the newline; need not end in a NUL.
 * cutp: how many entries of packets and ids were beyond the limits of a record and left out.
 * err: "column N: KEY: reason".
 *
 * Return: enum record_json_kind; -EBADMSG with err filled.
 */
int record_json_read(struct record *record, const char *line, size_t length, unsigned *cutp,
                     struct error *err);

#endif

/* record_cjson.h - a second reader of record lines, by way of cJSON's tree: slow, plain, and independent of
 * flowtrack/json_scan. What record_json_read() makes of a line is held against it. */
#ifndef TESTS_REFERENCE_RECORD_CJSON_H
#define TESTS_REFERENCE_RECORD_CJSON_H

#include <stdbool.h>

#include "flowtrack/record.h"

enum record_cjson_kind {
    RECORD_CJSON_RECORD = 0,
    RECORD_CJSON_HEADER = 1,
    RECORD_CJSON_NO_RECORD = 2, /* JSON, but a key is missing, twice there, or of a wrong type or range */
    RECORD_CJSON_NO_JSON = 3,
};

/* Read a line.
 *
 * record: filled for RECORD_CJSON_RECORD.
 * line: NUL-terminated.
 * exactp: false if a number was too large for a double to hold all its digits.
 */
enum record_cjson_kind record_cjson_read(struct record *record, const char *line, bool *exactp);

#endif

/* json_scan.h - a reader of JSON text that calls back by key, without building a tree.
 *
 * A table of keys says which member of an object goes where; members that are in no table are checked and
 * skipped. Text in the order of the table costs one comparison a key. A failed call leaves the reason, the
 * place and the path of keys in the scanner, and every caller just passes `false` on.
 *
 * The text has to be JSON (RFC 8259) up to a nesting of JSON_DEPTH_MAX; octets of 0x80 and above are not
 * looked at. Memory is not allocated.
 */
#ifndef FLOWTRACK_JSON_SCAN_H
#define FLOWTRACK_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/error.h"

enum {
    JSON_DEPTH_MAX = 32,
    JSON_PATH_MAX = 64,
    JSON_TEXT_MAX = 64, /* decoded octets kept of a string with escapes */
};

struct json_scan {
    const char *at; /* after a failure: where */
    const char *end;
    const char *begin;
    bool plain_backslash; /* a backslash stands for itself, as in Joy's output of 2018 */
    void *user;           /* the caller's */
    unsigned depth;
    const char *reason;       /* NULL: nothing has failed */
    char path[JSON_PATH_MAX]; /* "packets[3].b" of what failed; "": the text as a whole */
};

/* A number as the fields of a record want it: whole part, six decimals, sign. */
struct json_number {
    uint64_t whole;
    uint32_t millionths;
    bool negative;
    bool too_large; /* for 64 bits; whole is UINT64_MAX */
};

/* A string without its quotes; points into the text if it has no escapes. */
struct json_text {
    const char *octets;
    size_t length; /* of an escaped string at most JSON_TEXT_MAX, the rest is dropped */
    char buffer[JSON_TEXT_MAX];
};

struct json_key;

/* Reads the value of a key. into: what json_read_object() was given. */
typedef bool json_key_read(struct json_scan *scan, const struct json_key *key, void *into);

struct json_key {
    const char *name;
    json_key_read *read;
    uint16_t offset; /* of a field in `into` */
    uint8_t size;    /* of that field */
    uint8_t length;  /* of name */
};

#define JSON_KEY(name, read)                                                                                 \
    {                                                                                                        \
        (name), (read), 0, 0, sizeof(name) - 1                                                               \
    }
#define JSON_KEY_FIELD(name, read, type, field)                                                              \
    {                                                                                                        \
        (name), (read), offsetof(type, field), sizeof(((type *)0)->field), sizeof(name) - 1                  \
    }
#define JSON_KEY_UNSIGNED(name, type, field) JSON_KEY_FIELD(name, json_read_unsigned, type, field)

/* Number of rows of a table of keys. */
#define JSON_KEYS(keys) (sizeof(keys) / sizeof((keys)[0]))

void json_scan_init(struct json_scan *scan, const char *text, size_t length);

/* Set the reason of a failure at the current place. Return: false. */
bool json_scan_fail(struct json_scan *scan, const char *reason);

/* Name the key that a failure to come is about. */
void json_scan_place(struct json_scan *scan, const char *name);

/* Only white space is left. */
bool json_scan_finish(struct json_scan *scan);

/* Fill an error with "column N: PATH: reason". Return: -EBADMSG. */
int json_scan_error(const struct json_scan *scan, struct error *err);

/* First octet of the next value: '{', '[', '"', 'n', '-', a digit, ...; 0 at the end. */
char json_scan_peek(struct json_scan *scan);

bool json_scan_null(struct json_scan *scan);
bool json_scan_number(struct json_scan *scan, struct json_number *number);
bool json_scan_text(struct json_scan *scan, struct json_text *text);

/* Check and pass over a value of any kind. */
bool json_scan_skip(struct json_scan *scan);

/* Read an object. A key of the table that comes twice is an error.
 *
 * keys: (n_keys), at most 32.
 * seenp: bit i is set if keys[i] was there.
 */
bool json_read_object(struct json_scan *scan, const struct json_key *keys, unsigned n_keys, void *into,
                      uint32_t *seenp);

/* Read an array. item: called for each element, has to read it. */
bool json_read_array(struct json_scan *scan, bool (*item)(struct json_scan *scan, unsigned index, void *into),
                     void *into);

/* Read a number of at most `max`; a fraction is cut off. */
bool json_scan_unsigned(struct json_scan *scan, uint64_t max, uint64_t *valuep);

/* An unsigned number into the field at key->offset, of 1, 2, 4 or 8 octets. */
json_key_read json_read_unsigned;

#endif

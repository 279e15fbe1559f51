/* json_check.h - reading JSON strictly: where a value stands, and refusals that say so.
 *
 * A struct json_at is a place in a document; it lives on the stack of whoever walks down and knows the one
 * above, so that a refusal can name the way: "FILE: root.children[2].layers[0]: reason".
 */
#ifndef CORE_JSON_CHECK_H
#define CORE_JSON_CHECK_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "flowtrack/error.h"

enum { JSON_KEYS_MAX = 2048 }; /* of one object: keeps the search for double keys short */

struct json_at {
    const struct json_at *above; /* NULL: the document */
    const char *key;             /* in an object; NULL: an item of an array. Of the document: the file */
    size_t index;                /* in an array */
    struct error *err;           /* of the document */
};

/* The place below another, by key or by index. */
static inline struct json_at json_at_key(const struct json_at *above, const char *key)
{
    return (struct json_at){above, key, 0, above->err};
}

static inline struct json_at json_at_index(const struct json_at *above, size_t index)
{
    return (struct json_at){above, NULL, index, above->err};
}

/* Refuse what stands here. Return: -EBADMSG, err filled. */
int json_refuse(const struct json_at *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write the way to a place into text ("root.children[2]"). */
void json_path(const struct json_at *at, char *text, size_t size);

/* Parse a whole document: nothing may follow the value.
 *
 * name: stands for the file in messages.
 *
 * Return: 0, -EBADMSG (err names the file and the line), -ENOMEM.
 */
int json_parse(cJSON **valuep, const char *name, const char *text, size_t length, struct error *err);

/* Check that a value is an object of at most JSON_KEYS_MAX keys, none twice, none but those listed.
 *
 * keys: ends with NULL; NULL: any keys. A value of NULL is refused as missing, here and below.
 */
int json_object(const struct json_at *at, const cJSON *value, const char *const *keys);

/* The member of an object with exactly this key. Return: it, NULL if there is none. */
const cJSON *json_member(const cJSON *object, const char *key);

/* Check that a value is a whole number within bounds. */
int json_whole(const struct json_at *at, const cJSON *value, size_t min, size_t max, size_t *number);

/* Check that a value is a string of 1..size-1 octets, UTF-8 without '/' and control characters, and copy it.
 */
int json_name(const struct json_at *at, const cJSON *value, char *name, size_t size);

/* Check that a value is true or false, a finite number. */
int json_bool(const struct json_at *at, const cJSON *value, bool *truth);
int json_float(const struct json_at *at, const cJSON *value, float *number);

/* Read a whole file into memory.
 *
 * max: octets; a longer file is refused with -EBADMSG.
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR, -EIO, -EBADMSG, -ENOMEM with err filled.
 */
int json_read_file(const char *path, size_t max, char **textp, size_t *length, struct error *err);

#endif

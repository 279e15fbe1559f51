/* json_build.h - JSON built member by member: whether memory was short is asked once, at the end.
 *
 * All functions take a parent of NULL (its own making failed) and note that; so a builder goes through its
 * members without looking back, and nothing is lost without a word.
 */
#ifndef CORE_JSON_BUILD_H
#define CORE_JSON_BUILD_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct json_build {
    bool failed; /* memory was short: the result is to be thrown away */
};

/* Add a value.
 *
 * parent: an object, or with key NULL an array.
 * value: taken; NULL: its making failed.
 *
 * Return: value, borrowed from the parent; NULL when it is not in it.
 */
cJSON *json_build_add(struct json_build *build, cJSON *parent, const char *key, cJSON *value);

/* Add an empty object or array. Return: it, as above. */
cJSON *json_build_object(struct json_build *build, cJSON *parent, const char *key);
cJSON *json_build_array(struct json_build *build, cJSON *parent, const char *key);

/* Add a string. text: NULL: an empty one. */
void json_build_text(struct json_build *build, cJSON *parent, const char *key, const char *text);

/* Add a number; what is not finite becomes null, which is all that JSON has for it. */
void json_build_number(struct json_build *build, cJSON *parent, const char *key, double number);

void json_build_bool(struct json_build *build, cJSON *parent, const char *key, bool truth);

/* The end. Return: root; NULL, and root is freed, when anything failed. */
cJSON *json_build_end(const struct json_build *build, cJSON *root);

#endif

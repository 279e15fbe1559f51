/* config_value.h - the types that a configuration value can have: text to value, value to text.
 *
 *     text     anything; may be empty
 *     flag     yes, no
 *     count    123
 *     size     octets: 4096, 64K, 16M, 2G (powers of 1024)
 *     time     250ms, 10s, 5m, 1h, 7d; 0
 *     share    0.25, between 0 and 1
 *     choice   one of a list of names
 */
#ifndef DAEMON_CONFIG_VALUE_H
#define DAEMON_CONFIG_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "flowtrack/error.h"

enum config_type {
    CONFIG_TEXT,   /* char *, owned, never NULL */
    CONFIG_FLAG,   /* bool */
    CONFIG_COUNT,  /* uint32_t */
    CONFIG_SIZE,   /* uint64_t, octets */
    CONFIG_TIME,   /* int64_t, microseconds */
    CONFIG_SHARE,  /* double */
    CONFIG_CHOICE, /* int, index into the names */
    CONFIG_TYPES
};

/* What a value may be. */
struct config_domain {
    enum config_type type;
    int64_t min, max;           /* count, size, time: both included */
    const char *const *choices; /* choice: names, NULL at the end */
};

enum { CONFIG_VALUE_TEXT_MAX = 4096 };

/* Read a value.
 *
 * value: of the type's C type; a text that is there is freed first. Not touched on failure.
 *
 * Return: 0; -EINVAL, err says what is wrong with the text (not where it stands); -ENOMEM.
 */
int config_value_parse(void *value, const struct config_domain *domain, const char *text, struct error *err);

/* Write a value so that config_value_parse() reads the same one. text: (CONFIG_VALUE_TEXT_MAX). */
void config_value_print(char *text, const struct config_domain *domain, const void *value);

#endif

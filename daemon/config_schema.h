/* config_schema.h - the table of configuration keys: the one place where a key is made. */
#ifndef DAEMON_CONFIG_SCHEMA_H
#define DAEMON_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config_value.h"

enum { CONFIG_KEYS_MAX = 128 };

struct config_key {
    const char *section;
    const char *name;
    struct config_domain domain;
    size_t offset;        /* of the value in struct config */
    const char *standard; /* the default, as text */
    const char *meaning;  /* one line */
    bool reload;          /* SIGHUP can change it */
    const char *full;     /* "section.name" */
};

extern const struct config_key config_keys[]; /* sorted by section: keys of a section stand together */
extern const size_t config_n_keys;

#endif

/* configure.h - the configuration that a command line leads to: defaults, files, --set. */
#ifndef DAEMON_CONFIGURE_H
#define DAEMON_CONFIGURE_H

#include "daemon/config.h"
#include "daemon/options.h"
#include "flowtrack/error.h"

enum configure_fault {
    CONFIGURE_FILE,    /* the configuration is wrong: EX_CONFIG */
    CONFIGURE_OPTIONS, /* the command line is: EX_USAGE */
};

/* Read it.
 *
 * config: initialised and filled on success; config_deinit() frees it.
 * fault: where the error is, on failure; may be NULL.
 *
 * Return: 0; what config_load(), config_set() and config_check() return.
 */
int configure(struct config *config, const struct options *options, enum configure_fault *fault,
              struct error *err);

#endif

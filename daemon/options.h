/* options.h - the command line.
 *
 * One table (options.c) says what there is: it makes --help, and knows which option goes with which command.
 * Options that only change a configuration key (-m, -e, --rules) are kept as assignments and checked where
 * every key is checked, in config.c.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flowtrack/error.h"

enum command {
    COMMAND_LIVE,       /* -i, and when no other is given */
    COMMAND_READ,       /* -r */
    COMMAND_CLASSIFY,   /* --classify */
    COMMAND_TRAIN,      /* --train */
    COMMAND_EVALUATE,   /* --evaluate */
    COMMAND_DESCRIBE,   /* --describe */
    COMMAND_TEST,       /* -T */
    COMMAND_DUMP,       /* --dump-config */
    COMMAND_HELP,       /* -h */
    COMMAND_VERSION,    /* -V */
    COMMAND_BUILD_INFO, /* --build-info */
    COMMANDS
};

struct options {
    enum command command;
    size_t n_inputs;
    const char **inputs; /* (n_inputs) FILE..., DIR..., in order; the strings are argv's */
    size_t n_assignments;
    char **assignments; /* (n_assignments) "section.key=value", in order; owned */
    const char *config; /* NULL: the default one, which may be missing */
    const char *write_records;
    const char *output;
    const char *tree;
    const char *report;
    const char *against; /* a model that the new one is to replace */
    bool records_only;
    bool without_other; /* learn the classes alone */
    bool verbose;
    uint32_t epochs; /* 0: as the recipe says */
    uint32_t batch;  /* 0: as the recipe says */
    uint64_t seed;
    double holdout; /* share of the captures; below 0: not given */
    uint32_t folds; /* of a cross-validation */
    uint32_t seeds; /* it is repeated with */
};

/* Read the command line.
 *
 * options: filled on success; options_deinit() frees it.
 *
 * Return: 0; -EINVAL: wrong use, err says what; -ENOMEM.
 */
int options_parse(struct options *options, int argc, char *argv[], struct error *err);

void options_deinit(struct options *options);

/* Print --help. */
void options_help(FILE *to);

#endif

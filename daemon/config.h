/* config.h - the configuration: one struct, one table of keys, read strictly.
 *
 * Files are INI (config.c holds the table; --dump-config prints it with the defaults). What is unknown, given
 * twice, out of range or of the wrong form is an error that names file and line; nothing is ignored. Later
 * sources win: the defaults, the file, its drop-ins FILE.d/ *.conf in order of name, --set in order.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flowtrack/error.h"

enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_CPU, CONFIG_ENGINE_CUDA };

struct config {
    struct config_capture {
        char *interface;  /* names, separated by blanks */
        char *filter;     /* BPF expression; "": none */
        uint32_t snaplen; /* octets of a packet that are captured */
        uint64_t buffer;  /* octets of the kernel's rings, for each interface */
        bool promiscuous;
        uint32_t workers; /* threads for each interface; 1: the main loop */
    } capture;
    struct config_flows {
        int rules;              /* index into config_rules_names */
        int64_t idle_timeout;   /* microseconds */
        int64_t active_timeout; /* microseconds */
        uint32_t packets;       /* list entries of a side */
        uint32_t ids;           /* of a side */
        uint32_t max_flows;     /* open at once */
        uint64_t memory;        /* octets of the flow table */
        bool byte_dist;
    } flows;
    struct config_classify {
        char *model;      /* file; "": the installed one */
        int engine;       /* enum config_engine */
        char *module;     /* file of the GPU engine; "": the installed one */
        int64_t retry;    /* microseconds for which a GPU that has failed is left alone */
        uint32_t batch;   /* flows that make a batch full */
        int64_t delay;    /* microseconds after which a batch leaves though it is not full */
        uint32_t queue;   /* batches that may wait, for the model and for the disk */
        double threshold; /* below it a verdict is "unknown"; 0: the thresholds of the model */
        uint32_t threads; /* of the engine; 0: one for each processor */
    } classify;
    struct config_log {
        char *verdicts;  /* file; "-": standard output; "journal"; "none" */
        uint64_t rotate; /* octets of a file; 0: no limit but the quota's */
        int64_t period;  /* microseconds until a file is finished; 0: no limit */
        uint64_t quota;  /* octets of all files; 0: no limit */
    } log;
    struct config_archive {
        char *directory; /* "": no archives */
        char *label;     /* folder in it, so that --train finds it; "": none */
        uint64_t rotate;
        int64_t period;
        uint64_t quota;
    } archive;
    struct config_retrain {
        char *store;       /* folder of models */
        char *directories; /* of labelled archives, separated by blanks; "": no retraining */
        char *tree;        /* file; "": the one that came with the program */
        int64_t interval;  /* microseconds; 0: on request only */
        uint32_t min_flows;
        double holdout; /* share of the captures */
        uint32_t keep;  /* earlier models */
    } retrain;
    struct config_sandbox {
        bool capabilities; /* drop all but CAP_NET_RAW */
        bool files;        /* Landlock: reach only what the configuration names */
        int system_calls;  /* enum sandbox_seccomp */
    } sandbox;
    struct config_control {
        char *socket;       /* "": none */
        char *group;        /* of the socket; "": that of the process */
        char *metrics_file; /* "": none */
    } control;
};

/* Names of rule sets, NULL at the end: the choices of flows.rules. */
extern const char *const config_rules_names[];

/* Set every key to its default. Return: 0, -ENOMEM. */
int config_init(struct config *config);

/* Another one with the same values. Return: 0, -ENOMEM. */
int config_copy(struct config *config, const struct config *from);

/* Free what the values own. */
void config_deinit(struct config *config);

/* Read a file and its drop-ins.
 *
 * path: the main file; drop-ins are looked for in the folder of that name with ".d" appended.
 * required: false: no such file is no error.
 *
 * Return: 0; -EINVAL: what it says is wrong, err has "FILE:LINE: reason"; -ENOENT, -EACCES, -EISDIR, -EIO,
 * -ENOMEM. The configuration may be half changed on failure: read into a fresh one and exchange.
 */
int config_load(struct config *config, const char *path, bool required, struct error *err);

/* The same for one text in memory (tests, fuzzers). name: stands for the file in messages. */
int config_parse(struct config *config, const char *name, const char *text, struct error *err);

/* Set one key.
 *
 * assignment: "section.key=value".
 *
 * Return: 0; -EINVAL, err has "section.key: reason"; -ENOMEM.
 */
int config_set(struct config *config, const char *assignment, struct error *err);

/* Whether the values go together. Return: 0; -EINVAL, err names the keys. */
int config_check(const struct config *config, struct error *err);

/* The first key that differs and cannot be changed while the program runs: "section.key"; NULL: there is
 * none.
 */
const char *config_fixed_change(const struct config *before, const struct config *after);

/* Exchange the values of the keys that can be changed while the program runs. The others stay where they are,
 * so that what points to them goes on pointing to them. */
void config_exchange(struct config *config, struct config *other);

/* Print every key with its meaning and value, in a form that config_load() reads. Return: 0, -EIO. */
int config_dump(const struct config *config, FILE *to);

/* Call a function for every key, with its value as text: what the manual is checked against. */
void config_walk(const struct config *config,
                 void (*visit)(void *context, const char *section, const char *key, const char *value,
                               const char *meaning),
                 void *context);

#endif

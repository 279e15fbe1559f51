/* retrain.h - keeping the model up to date: on an interval and on request, a child process trains on the
 * archives; the gate decides; the store promotes.
 *
 *     idle --interval, retrain verb--> training --child ends--> gate: promoted | refused | failed --> idle
 *
 * The daemon itself only starts the child (`flowclassd --train`, idle priority), reads its lines for
 * progress, checks the candidate it wrote, obeys the gate's answer in it, and moves one symbolic link.
 * Whatever fails on the way, the old model goes on.
 */
#ifndef DAEMON_RETRAIN_H
#define DAEMON_RETRAIN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/learn/gate.h"
#include "daemon/model_store.h"
#include "flowtrack/error.h"

enum { RETRAIN_TEXT_MAX = 512, RETRAIN_DIRECTORIES_MAX = 16 };

enum retrain_outcome {
    RETRAIN_NEVER,    /* no run has ended yet */
    RETRAIN_PROMOTED, /* the candidate was better and is current now */
    RETRAIN_REFUSED,  /* the gate said no */
    RETRAIN_FAILED,   /* no candidate, or it could not be promoted; the text says why */
};

struct retrain_status {
    bool training;
    int64_t started;                 /* of the run in hand, microseconds since 1970; 0: none */
    char progress[RETRAIN_TEXT_MAX]; /* last line of the child */
    uint64_t runs, promoted, refused, failed;
    enum retrain_outcome outcome;    /* of the last run */
    int64_t ended;                   /* of the last run, microseconds since 1970 */
    double seconds;                  /* it took */
    char text[RETRAIN_TEXT_MAX];     /* what became of it, one sentence */
    char model[MODEL_ID_LENGTH + 1]; /* id of its candidate; "": it left none that can be read */
    struct gate gate;                /* figures of the last run, where it came so far */
    bool has_gate;
};

struct retrain_config {
    struct event_base *base;
    struct model_store *store; /* borrowed, used on the loop's thread only */
    const char *program;       /* path of flowclassd */
    const char *configuration; /* file that it reads; NULL: the usual one */
    char *const *settings;     /* (n_settings) "section.key=value" that it is given besides */
    size_t n_settings;
    const char *fallback; /* the model in use when the store has none yet; NULL: none */
    const char *tree;     /* file */
    const char *directories[RETRAIN_DIRECTORIES_MAX + 1]; /* labelled archives, NULL at the end */
    int64_t interval;                                     /* microseconds; 0: on request only */
    uint32_t min_flows;                                   /* a candidate that learnt from fewer is refused */
    double holdout;                                       /* share of the captures */
    /* A run has ended; on promotion the store's current model is the new one already, and path names it. */
    void (*on_end)(void *context, const struct retrain_status *status, const char *path);
    void *context;
};

struct retrain;

/* Make it; the first run comes after one interval. Strings of the configuration are borrowed.
 *
 * Return: 0, -ENOMEM.
 */
int retrain_new(struct retrain **retrainp, const struct retrain_config *config, struct error *err);

/* Free it; a child that runs is killed, its candidate stays for model_store_open() to remove. NULL is fine.
 */
void retrain_free(struct retrain *retrain);

/* Start a run now.
 *
 * Return: 0; -EALREADY: one is under way; -ENOENT: no directories to learn from; -EAGAIN, -ENOMEM, ... : the
 * child could not be started. err says which.
 */
int retrain_start(struct retrain *retrain, struct error *err);

const struct retrain_status *retrain_status(const struct retrain *retrain);

/* "never", "promoted", "refused", "failed". */
const char *retrain_outcome_name(enum retrain_outcome outcome);

#endif

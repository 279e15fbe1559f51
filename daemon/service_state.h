/* service_state.h - what the daemon consists of, for the few files that share it: service.c (from start to
 * end), service_events.c (signals and timers), service_reload.c (SIGHUP), service_retrain.c,
 * service_sandbox.c, service_verbs.c (what the control socket answers).
 */
#ifndef DAEMON_SERVICE_STATE_H
#define DAEMON_SERVICE_STATE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conditions.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/installed.h"
#include "daemon/live.h"
#include "daemon/model_store.h"
#include "daemon/options.h"
#include "daemon/pipeline.h"
#include "daemon/recent.h"
#include "daemon/retrain.h"
#include "flowtrack/error.h"

enum { SERVICE_INTERFACES_MAX = 16, SERVICE_EVENTS_MAX = 16 };

struct service {
    const struct options *options;
    struct config config; /* in force; owned */
    struct event_base *base;

    /* The path of the data. */
    size_t n_interfaces;
    char *interface_list;                           /* capture.interface, cut into the names below; owned */
    const char *interfaces[SERVICE_INTERFACES_MAX]; /* (n_interfaces) */
    struct live *live[SERVICE_INTERFACES_MAX];      /* (n_interfaces) */
    struct pipeline *pipeline;
    struct recent *recent;

    /* Retraining; NULL: none. */
    struct retrain *retrain;
    struct model_store store;
    char *retrain_list;                      /* retrain.directories, cut into names; owned */
    char model_at_start[INSTALLED_PATH_MAX]; /* what a candidate is compared with while the store is empty */

    /* Around it. */
    struct control *control; /* NULL: no socket */
    size_t n_events;
    struct event *events[SERVICE_EVENTS_MAX]; /* signals and timers; owned */
    uint64_t watched;                         /* position in `recent` up to which watchers have been served */
    int64_t started;                          /* microseconds since 1970 UTC */
    uint64_t reloads, reloads_failed;
    struct conditions conditions;
    bool metrics_failing;  /* said already */
    bool stalled;          /* said already */
    uint64_t batches_seen; /* by the watchdog, at its last look */
    uint64_t packets_said; /* in the status line, with the time of it (CLOCK_MONOTONIC) */
    uint64_t flows_said;
    int64_t said;
};

/* SIGHUP, as one transaction: new configuration and model are read and made ready; if anything is wrong the
 * old state stays.
 *
 * Return: 0; -EINVAL and others with err filled.
 */
int service_reload(struct service *service, struct error *err);

/* Put up the fences that the configuration asks for (pipeline_options.before_threads).
 *
 * context: the service.
 *
 * Return: 0; -EPERM, -EIO with err filled; what the kernel does not have is said and done without. */
int service_sandbox(void *context, struct error *err);

/* Signals and timers of the loop, the service manager's watchdog among them. Return: 0, -ENOMEM. */
int service_events_make(struct service *service, struct error *err);

/* Put the counters into the verdict log as an event. */
void service_log_stats(struct service *service);

/* Load a model and judge with it from now on. Return: 0; what loading returns: the one in use goes on. */
int service_serve(struct service *service, const char *path, double threshold, struct error *err);

/* Start retraining if it is configured. Return: 0; what model_store_open() and retrain_new() return. */
int service_retrain_open(struct service *service, struct error *err);

/* Go back to the model before. Return: 0; -ENOENT: there is none; and others. */
int service_rollback(struct service *service, struct model_store_entry *entry, struct error *err);

/* What the control socket answers; the context of each verb is the service. */
extern const struct control_verb service_verbs[];
extern const size_t service_n_verbs;

/* All counters as a JSON object, owned by the caller; NULL: no memory. */
cJSON *service_stats(struct service *service);

/* The same as OpenMetrics text, owned by the caller; NULL: no memory. */
char *service_metrics(struct service *service);

/* Write it to control.metrics_file. Return: as metrics_write(). */
int service_metrics_write(struct service *service, struct error *err);

#endif

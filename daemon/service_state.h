/* service_state.h - what the daemon consists of, for the few files that share it: service.c (from start to
 * end), service_reload.c (SIGHUP), service_verbs.c (what the control socket answers).
 */
#ifndef DAEMON_SERVICE_STATE_H
#define DAEMON_SERVICE_STATE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/live.h"
#include "daemon/options.h"
#include "daemon/pipeline.h"
#include "daemon/recent.h"
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

    /* Around it. */
    struct control *control; /* NULL: no socket */
    size_t n_events;
    struct event *events[SERVICE_EVENTS_MAX]; /* signals and timers; owned */
    uint64_t watched;                         /* position in `recent` up to which watchers have been served */
    int64_t started;                          /* microseconds since 1970 UTC */
    uint64_t reloads, reloads_failed;
    bool metrics_failing;  /* said already */
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

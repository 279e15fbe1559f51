/* service_events.c - what the daemon does when a signal comes or a timer is due. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/classifier.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/service_state.h"
#include "daemon/writer.h"

enum {
    LOG_STATS_EVERY = 60, /* seconds */
    METRICS_EVERY = 15,
    STATUS_EVERY = 10,
    CONDITIONS_EVERY = 1,
    WATCH_EVERY = 100000,    /* microseconds: how often watchers get what is new */
    WATCH_AT_ONCE = 1 << 16, /* octets */
};

static void on_end(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;

    const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";

    log_event(LOG_EVENT_stopping, &(struct log_fields){.reason = name}, "%s: finishing what was captured",
              name);
    (void)event_base_loopbreak(service->base);
}

static void on_reload(evutil_socket_t number, short what, void *context)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, clock_monotonic());
    (void)service_reload(context, NULL);
    (void)sd_notify(0, "READY=1");
}

static void on_usr1(evutil_socket_t number, short what, void *context)
{
    cJSON *stats = service_stats(context);
    char *text = cJSON_PrintUnformatted(stats);

    if (text != NULL)
        log_notice("stats %s", text);
    cJSON_free(text);
    cJSON_Delete(stats);
}

void service_log_stats(struct service *service)
{
    cJSON *event = cJSON_CreateObject();
    int64_t now = clock_wall();
    time_t seconds = (time_t)(now / 1000000);
    char stamp[64], *text, *line;
    struct tm civil;

    (void)gmtime_r(&seconds, &civil);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &civil);
    (void)snprintf(stamp + strlen(stamp), sizeof stamp - strlen(stamp), ".%06d+00:00", (int)(now % 1000000));
    (void)cJSON_AddStringToObject(event, "timestamp", stamp);
    (void)cJSON_AddStringToObject(event, "event_type", "stats");
    (void)cJSON_AddItemToObject(event, "stats", service_stats(service));
    text = cJSON_PrintUnformatted(event);
    if (text != NULL && asprintf(&line, "%s\n", text) > 0 && pipeline_writer(service->pipeline) != NULL)
        writer_say(pipeline_writer(service->pipeline), line);
    cJSON_free(text);
    cJSON_Delete(event);
}

static void on_log_stats(evutil_socket_t number, short what, void *context)
{
    service_log_stats(context);
}

static void on_metrics(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct error err = {0};
    bool failing;

    if (service->config.control.metrics_file[0] == '\0')
        return;
    failing = service_metrics_write(service, &err) < 0;
    if (failing && !service->metrics_failing)
        log_event(LOG_EVENT_write_failed, &(struct log_fields){.output = "metrics", .reason = err.text},
                  "metrics are not written: %s", err.text);
    if (!failing && service->metrics_failing)
        log_event(LOG_EVENT_write_works, &(struct log_fields){.output = "metrics"},
                  "metrics are written again");
    service->metrics_failing = failing;
}

/* One line for `systemctl status`. */
static void on_status(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct stats_snapshot counts;
    int64_t now = clock_monotonic();
    double seconds = (double)(now - service->said) / 1e6;
    uint64_t packets, dropped;

    stats_read(pipeline_stats(service->pipeline), &counts);
    packets = stats_seen(&counts.total);
    dropped = stats_dropped(&counts.total);
    (void)sd_notifyf(
        0, "STATUS=%.0f packets/s, %.0f flows/s, %" PRIu64 " flows open, %" PRIu64 " packets dropped",
        (double)(packets - service->packets_said) / seconds,
        (double)(counts.finished - service->flows_said) / seconds, counts.total.tracker.flows_active,
        dropped);
    service->packets_said = packets;
    service->flows_said = counts.finished;
    service->said = now;
}

/* Say when a counter grows that should stand still. */
static void on_conditions(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct stats_snapshot counts;

    stats_read(pipeline_stats(service->pipeline), &counts);
    conditions_look(&service->conditions, &counts, service->config.capture.interface, clock_monotonic());
}

/* Say why the watchdog is not fed, before it bites. which: the classifier or an interface; NULL: all goes
 * well. */
static void stalled_say(struct service *service, const char *which)
{
    if (which != NULL && !service->stalled)
        log_event(LOG_EVENT_stalled, &(struct log_fields){.reason = which},
                  "%s makes no progress; if that stays so, the service manager ends the daemon", which);
    if (which == NULL && service->stalled)
        log_event(LOG_EVENT_moving, NULL, "capture and classifier make progress again");
    service->stalled = which != NULL;
}

/* Feed the service manager's watchdog: every capture loop has had its turn since the last time, and the
 * classifier has done something, unless it had nothing to do. */
static void on_watchdog(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct classifier_status status = {0};
    const char *stalled = NULL;

    if (classifier != NULL)
        classifier_status(classifier, &status);
    if (status.waiting > 0 && status.batches == service->batches_seen)
        stalled = "the classifier";
    for (size_t i = 0; i < service->n_interfaces; i++)
        stalled = live_progressed(service->live[i]) ? stalled : service->interfaces[i];
    if (stalled == NULL)
        (void)sd_notify(0, "WATCHDOG=1");
    stalled_say(service, stalled);
    service->batches_seen = status.batches;
}

/* Give watchers the lines that are new. */
static void on_watch(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    static char text[WATCH_AT_ONCE];
    size_t size;

    if (service->control == NULL || control_stats(service->control)->watchers == 0)
        return;
    while ((size = recent_read(service->recent, &service->watched, text, sizeof text)) > 0)
        control_publish(service->control, text, size);
}

/* One signal or timer of the loop. microseconds: of a timer. */
static int event_make(struct service *service, int signal_number, int64_t microseconds, event_callback_fn act,
                      struct error *err)
{
    struct timeval every = {microseconds / 1000000, microseconds % 1000000};
    struct event *event = signal_number > 0 ? evsignal_new(service->base, signal_number, act, service)
                                            : event_new(service->base, -1, EV_PERSIST, act, service);

    if (event == NULL || event_add(event, signal_number > 0 ? NULL : &every) < 0) {
        if (event != NULL)
            event_free(event);
        return error_set(err, -ENOMEM, "out of memory");
    }
    service->events[service->n_events++] = event;
    return 0;
}

int service_events_make(struct service *service, struct error *err)
{
    static const struct {
        int signal_number;
        int64_t microseconds;
        event_callback_fn act;
    } rows[] = {
        {SIGTERM, 0, on_end},
        {SIGINT, 0, on_end},
        {SIGHUP, 0, on_reload},
        {SIGUSR1, 0, on_usr1},
        {0, WATCH_EVERY, on_watch},
        {0, CONDITIONS_EVERY * 1000000, on_conditions},
        {0, STATUS_EVERY * 1000000, on_status},
        {0, METRICS_EVERY * 1000000, on_metrics},
        {0, LOG_STATS_EVERY * 1000000, on_log_stats},
    };
    uint64_t watchdog;
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof rows / sizeof rows[0]; i++)
        r = event_make(service, rows[i].signal_number, rows[i].microseconds, rows[i].act, err);
    if (r == 0 && sd_watchdog_enabled(0, &watchdog) > 0)
        r = event_make(service, 0, (int64_t)(watchdog / 2), on_watchdog, err);
    return r;
}

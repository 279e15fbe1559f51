#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/classifier.h"
#include "daemon/clock.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/service_state.h"
#include "daemon/summary.h"
#include "daemon/writer.h"

enum {
    LOG_STATS_EVERY = 60, /* seconds */
    METRICS_EVERY = 15,
    STATUS_EVERY = 10,
    WATCH_EVERY = 100000,    /* microseconds: how often watchers get what is new */
    WATCH_AT_ONCE = 1 << 16, /* octets */
};

/* ---- what signals and timers do ---- */

static void on_end(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;

    log_notice("%s: finishing what was captured", number == SIGINT ? "SIGINT" : "SIGTERM");
    (void)event_base_loopbreak(service->base);
}

static void on_reload(evutil_socket_t number, short what, void *context)
{
    struct error err;

    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, clock_monotonic());
    if (service_reload(context, &err) == 0)
        log_notice("configuration and model have been read again");
    else
        log_error("nothing has been changed: %s", err.text);
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

/* The counters as an event in the verdict log. */
static void on_log_stats(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
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

static void on_metrics(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct error err = {0};

    if (service->config.control.metrics_file[0] == '\0')
        return;
    if (service_metrics_write(service, &err) < 0 && !service->metrics_failing)
        log_error("%s", err.text);
    service->metrics_failing = err.code < 0;
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

/* Feed the service manager's watchdog. This timer runs on the loop of the captures, so it says that they get
 * their turn; the classifier must have done something since the last time, unless it had nothing to do. */
static void on_watchdog(evutil_socket_t number, short what, void *context)
{
    struct service *service = context;
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct classifier_status status = {0};

    if (classifier != NULL)
        classifier_status(classifier, &status);
    if (status.waiting == 0 || status.batches != service->batches_seen)
        (void)sd_notify(0, "WATCHDOG=1");
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

/* ---- from start to end ---- */

/* Cut capture.interface into names. */
static int interfaces_name(struct service *service, struct error *err)
{
    char *rest;

    service->interface_list = strdup(service->config.capture.interface);
    if (service->interface_list == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    for (char *name = strtok_r(service->interface_list, " \t,", &rest); name != NULL;
         name = strtok_r(NULL, " \t,", &rest)) {
        if (service->n_interfaces == SERVICE_INTERFACES_MAX)
            return error_set(err, -EINVAL, "capture.interface names more than %d interfaces",
                             SERVICE_INTERFACES_MAX);
        service->interfaces[service->n_interfaces++] = name;
    }
    if (service->n_interfaces == 0)
        return error_set(err, -EINVAL,
                         "nothing to do: -i IFACE or capture.interface says where packets come from; "
                         "see --help");
    return 0;
}

/* archive.directory with archive.label below it. path: (size) */
static int archive_folder(const struct config_archive *config, char *path, size_t size, struct error *err)
{
    int n =
        snprintf(path, size, "%s%s%s", config->directory, config->label[0] != '\0' ? "/" : "", config->label);

    if (n < 0 || (size_t)n >= size)
        return error_set(err, -EINVAL, "archive.directory is too long");
    if (config->label[0] != '\0' && mkdir(config->directory, 0777) < 0 && errno != EEXIST)
        return error_set(err, -errno, "%s: %s", config->directory, strerror(errno));
    return 0;
}

static int path_open(struct service *service, struct error *err)
{
    const struct config *config = &service->config;
    const struct options *options = service->options;
    const char *verdicts = options->output != NULL ? options->output : config->log.verdicts;
    struct log_file_options log = {.path = verdicts,
                                   .endless = true,
                                   .size = config->log.rotate,
                                   .period = config->log.period,
                                   .quota = config->log.quota};
    char folder[4096];
    struct archive_rotate_options archive = {
        .directory = folder,
        .size = config->archive.rotate,
        .period = config->archive.period,
        .quota = config->archive.quota,
        .flush_interval = 1000000,
        .writer = {.interface = service->interfaces[0], .byte_dist = config->flows.byte_dist}};
    struct pipeline_options path = {
        .config = config,
        .classify = !options->records_only,
        .recent = service->recent,
        .records = options->write_records,
        .pressure = INTAKE_SHEDS,
        .n_intakes = service->n_interfaces,
        .context = {.interfaces = service->interfaces, .n_interfaces = service->n_interfaces},
    };
    int r = archive_folder(&config->archive, folder, sizeof folder, err);

    if (r < 0)
        return r;
    if (!options->records_only && strcmp(verdicts, "none") != 0)
        path.verdicts = &log;
    if (folder[0] != '\0')
        path.archives = &archive;
    return pipeline_new(&service->pipeline, &path, err);
}

static int interfaces_open(struct service *service, struct error *err)
{
    const struct config_capture *config = &service->config.capture;
    int r = 0;

    for (size_t i = 0; r == 0 && i < service->n_interfaces; i++) {
        struct live_config live = {
            .base = service->base,
            .intake = pipeline_intake(service->pipeline, i),
            .capture = {.interface = service->interfaces[i],
                        .filter = config->filter[0] != '\0' ? config->filter : NULL,
                        .snap_length = config->snaplen,
                        .buffer_octets = (uint32_t)config->buffer,
                        .promiscuous = config->promiscuous,
                        .fanout_group = -1},
        };

        r = live_open(&service->live[i], &live, err);
    }
    return r;
}

static int socket_open(struct service *service, struct error *err)
{
    const struct config_control *config = &service->config.control;
    struct control_options options = {
        .base = service->base,
        .path = config->socket,
        .inherited = sd_listen_fds(1) == 1 ? SD_LISTEN_FDS_START : -1,
        .group = config->group[0] != '\0' ? config->group : NULL,
        .verbs = service_verbs,
        .n_verbs = service_n_verbs,
        .context = service,
    };

    if (options.inherited < 0 && config->socket[0] == '\0')
        return 0;
    return control_open(&service->control, &options, err);
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

static int events_make(struct service *service, struct error *err)
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

/* What has to be there before the daemon is ready, in this order: whoever fails takes back those before it.
 */
static int service_open(struct service *service, struct error *err)
{
    int r = interfaces_name(service, err);

    service->base = r == 0 ? event_base_new() : NULL;
    if (r == 0 && (service->base == NULL || recent_new(&service->recent) < 0))
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0)
        r = path_open(service, err);
    if (r == 0)
        r = interfaces_open(service, err);
    if (r == 0)
        r = socket_open(service, err);
    if (r == 0)
        r = events_make(service, err);
    return r;
}

/* The end in order: no more packets, then everything that was taken in is judged and written. */
static int service_drain(struct service *service)
{
    struct summary summary = {.packets = true, .files = service->n_interfaces};
    struct served_model *served = NULL;
    struct stats_snapshot counts;
    struct error err;
    int r;

    for (size_t i = 0; i < service->n_interfaces; i++) {
        live_close(service->live[i]);
        service->live[i] = NULL;
    }
    if (pipeline_classifier(service->pipeline) != NULL)
        served = classifier_model(pipeline_classifier(service->pipeline));
    on_log_stats(-1, 0, service);
    r = pipeline_drain(service->pipeline);
    stats_read(pipeline_stats(service->pipeline), &counts);
    summary.counts = &counts;
    summary.seconds = (double)(clock_wall() - service->started) / 1e6;
    summary.model = served != NULL ? served->model : NULL;
    summary.engine = served != NULL ? pipeline_engine(service->pipeline) : NULL;
    summary.records = service->options->write_records != NULL;
    (void)summary_print(stderr, &summary);
    served_model_unref(served);
    if (stats_check(&counts, &err) < 0) {
        log_error("%s", err.text);
        r = -ENOTRECOVERABLE;
    }
    return r;
}

static void service_close(struct service *service)
{
    for (size_t i = 0; i < service->n_events; i++)
        event_free(service->events[i]);
    control_close(service->control);
    for (size_t i = 0; i < service->n_interfaces; i++)
        live_close(service->live[i]);
    pipeline_free(service->pipeline);
    recent_free(service->recent);
    if (service->base != NULL)
        event_base_free(service->base);
    free(service->interface_list);
    config_deinit(&service->config);
}

static void say_ready(const struct service *service)
{
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct served_model *served = classifier != NULL ? classifier_model(classifier) : NULL;

    log_notice("capturing on %s; model %s, engine %s", service->config.capture.interface,
               served != NULL ? served->model->id : "none",
               served != NULL ? pipeline_engine(service->pipeline) : "none");
    served_model_unref(served);
    (void)sd_notify(0, "READY=1");
}

int service_run(const struct options *options, const struct config *config, const volatile sig_atomic_t *stop)
{
    struct service service = {.options = options, .started = clock_wall(), .said = clock_monotonic()};
    struct error err;
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    r = config_copy(&service.config, config);
    if (r < 0)
        return r;
    r = service_open(&service, &err);
    if (r < 0)
        log_error("%s", err.text);
    if (r == 0 && *stop == 0) {
        say_ready(&service);
        (void)event_base_dispatch(service.base);
        (void)sd_notify(0, "STOPPING=1");
        r = service_drain(&service);
    }
    service_close(&service);
    return r;
}

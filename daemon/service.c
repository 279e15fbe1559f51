#include "daemon/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "daemon/classifier.h"
#include "daemon/clock.h"
#include "daemon/journal.h"
#include "daemon/log.h"
#include "daemon/log_file.h"
#include "daemon/memory_limit.h"
#include "daemon/service_state.h"
#include "daemon/summary.h"

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
    if (service->n_interfaces * service->config.capture.workers > STATS_SOURCES_MAX)
        return error_set(err, -EINVAL,
                         "capture.workers: %zu interfaces of %" PRIu32 " workers are more than %d threads",
                         service->n_interfaces, service->config.capture.workers, STATS_SOURCES_MAX);
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
        .n_interfaces = service->n_interfaces,
        .n_workers = config->capture.workers,
        .before_threads = service_sandbox,
        .fence = service,
        .context = {.interfaces = service->interfaces, .n_interfaces = service->n_interfaces},
    };
    int r = archive_folder(&config->archive, folder, sizeof folder, err);

    if (r < 0)
        return r;
    if (!options->records_only && strcmp(verdicts, "journal") == 0)
        path.journal = JOURNAL_SOCKET;
    else if (!options->records_only && strcmp(verdicts, "none") != 0)
        path.verdicts = &log;
    if (folder[0] != '\0')
        path.archives = &archive;
    return pipeline_new(&service->pipeline, &path, err);
}

static int interfaces_open(struct service *service, struct error *err)
{
    const struct config_capture *config = &service->config.capture;
    const struct rules *rules = rules_find(config_rules_names[service->config.flows.rules]);
    int r = 0;

    for (size_t i = 0; r == 0 && i < service->n_interfaces; i++) {
        struct live_config live = {
            .base = service->base,
            .n_workers = config->workers,
            .capture = {.interface = service->interfaces[i],
                        .filter = config->filter[0] != '\0' ? config->filter : NULL,
                        .snap_length = config->snaplen,
                        .buffer_octets = (uint32_t)(config->buffer / config->workers),
                        .promiscuous = config->promiscuous,
                        .look_through = rules->look_through},
        };

        for (size_t j = 0; j < live.n_workers; j++)
            live.intakes[j] = pipeline_intake(service->pipeline, i, j);
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

/* What has to be there before the daemon is ready, in this order: whoever fails takes back those before it.
 */
static int service_open(struct service *service, struct error *err)
{
    int r = memory_limit_check(MEMORY_LIMIT_GROUPS, MEMORY_LIMIT_ROOT, "flows.memory",
                               service->config.flows.memory, err);

    if (r == 0)
        r = interfaces_name(service, err);
    service->base = r == 0 ? event_base_new() : NULL;
    if (r == 0 && (service->base == NULL || recent_new(&service->recent) < 0))
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0)
        r = path_open(service, err);
    if (r == 0)
        r = interfaces_open(service, err);
    if (r == 0)
        r = service_retrain_open(service, err);
    if (r == 0)
        r = socket_open(service, err);
    if (r == 0)
        r = service_events_make(service, err);
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
    service_log_stats(service);
    r = pipeline_drain(service->pipeline);
    stats_read(pipeline_stats(service->pipeline), &counts);
    summary.counts = &counts;
    summary.seconds = (double)(clock_wall() - service->started) / 1e6;
    summary.model = served != NULL ? served->model : NULL;
    summary.records = service->options->write_records != NULL;
    (void)summary_print(stderr, &summary);
    served_model_unref(served);
    if (stats_check(&counts, &err) < 0) {
        log_event(LOG_EVENT_unbalanced, &(struct log_fields){.reason = err.text}, "%s", err.text);
        r = -ENOTRECOVERABLE;
    }
    return r;
}

static void service_close(struct service *service)
{
    for (size_t i = 0; i < service->n_events; i++)
        event_free(service->events[i]);
    control_close(service->control);
    retrain_free(service->retrain);
    for (size_t i = 0; i < service->n_interfaces; i++)
        live_close(service->live[i]);
    pipeline_free(service->pipeline);
    recent_free(service->recent);
    if (service->base != NULL)
        event_base_free(service->base);
    free(service->interface_list);
    free(service->retrain_list);
    config_deinit(&service->config);
}

static void say_ready(const struct service *service)
{
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct log_fields about = {.interface = service->config.capture.interface};
    struct classifier_status status;
    struct served_model *served;

    if (classifier == NULL) {
        log_event(LOG_EVENT_started, &about, "capturing on %s; records only", about.interface);
    } else {
        classifier_status(classifier, &status);
        served = classifier_model(classifier);
        about.model = served->model->id;
        about.engine = status.engine;
        log_event(LOG_EVENT_started, &about, "capturing on %s; model %s, engine %s", about.interface,
                  about.model, about.engine);
        served_model_unref(served);
    }
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

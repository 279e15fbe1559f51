#include "daemon/offline.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/log_file.h"
#include "daemon/pipeline.h"
#include "daemon/progress.h"
#include "daemon/summary.h"
#include "flowtrack/archive.h"
#include "flowtrack/capture.h"

enum {
    DAMAGE_SAID = 10,  /* places that are said for each file; the rest is only counted */
    LOOK_UP = 1 << 12, /* packets or records between two looks at the clock */
};

struct offline {
    const struct options *options;
    const struct rules *rules;
    const char *filter; /* BPF expression, "": every packet */
    const volatile sig_atomic_t *stop;
    struct pipeline *pipeline;
    struct intake *intake;
    struct tracker *tracker;
    struct progress progress;
    uint64_t done, total; /* octets of files, for the progress line; total 0: unknown */
    uint64_t n;           /* packets or records */
    int64_t last_time;    /* of the packet before; INT64_MIN: none */
    struct summary summary;
    int result; /* 0, or the code of the first error */
};

/* Something went wrong: say it, and remember how the program is to end. */
static void complain(struct offline *run, const struct error *what)
{
    log_error("%s", what->text);
    if (run->result == 0)
        run->result = what->code;
}

/* A place in a file was skipped. said: how many of this file were before. */
static void damage(struct offline *run, const struct error *what, unsigned *said)
{
    run->summary.damaged++;
    if (run->result == 0)
        run->result = what->code;
    if (*said < DAMAGE_SAID)
        log_error("%s", what->text);
    else if (*said == DAMAGE_SAID)
        log_error("more damage in this file is only counted");
    (*said)++;
}

static void refuse(struct offline *run, const struct error *what)
{
    run->summary.refused++;
    complain(run, what);
}

static void look_up(struct offline *run, const char *what, uint64_t position)
{
    intake_poll(run->intake, clock_monotonic());
    progress_update(&run->progress, what, run->n, run->done + position, run->total, NULL);
}

/* Before the first packet of a file. Flows go on from one file to the next unless time runs backwards. */
static void capture_begin(struct offline *run, int64_t time)
{
    if (time < run->last_time)
        tracker_finish(run->tracker);
}

static void packets_read(struct offline *run, struct capture *capture)
{
    struct capture_packet packet;
    struct error what;
    unsigned said = 0;
    bool first = true;
    int r;

    while ((r = capture_next(capture, &packet, &what)) != 0) {
        if (r == -EBADMSG) {
            damage(run, &what, &said);
            tracker_read_error(run->tracker);
            continue;
        }
        if (r < 0) {
            complain(run, &what);
            return;
        }
        if (first)
            capture_begin(run, packet.time);
        first = false;
        run->last_time = packet.time;
        tracker_packet(run->tracker, packet.time, packet.captured, packet.wire, packet.bytes);
        if (++run->n % LOOK_UP == 0) {
            if (*run->stop)
                return;
            look_up(run, "packets", capture_position(capture));
        }
    }
}

static void capture_read(struct offline *run, const char *path)
{
    struct capture *capture;
    struct error what;
    int r = capture_open_file(&capture, path, run->rules->first_interface, &what);

    if (r < 0) {
        refuse(run, &what);
        return;
    }
    if (run->filter[0] != '\0' && capture_set_filter(capture, run->filter, &what) < 0) {
        complain(run, &what);
        capture_close(capture);
        return;
    }
    run->summary.files++;
    if (tracker_set_link_type(run->tracker, capture_link_type(capture)) < 0) {
        (void)error_set(&what, -EPROTONOSUPPORT, "%s: packets of link type %d (%s) are not decoded", path,
                        capture_link_type(capture), capture_link_type_name(capture));
        complain(run, &what);
    }
    packets_read(run, capture);
    run->done += capture_size(capture);
    capture_close(capture);
    if (run->rules->expire_in_batches)
        tracker_finish(run->tracker); /* to Joy every capture is a run of its own */
    else
        tracker_flush(run->tracker);
}

static void archive_read(struct offline *run, const char *path)
{
    struct archive_reader *reader;
    struct record record;
    struct error what;
    unsigned said = 0;
    int r = archive_reader_open(&reader, path, &what);

    if (r < 0) {
        refuse(run, &what);
        return;
    }
    run->summary.files++;
    while (!*run->stop && (r = archive_reader_next(reader, &record, &what)) != 0) {
        if (r == -EBADMSG) {
            damage(run, &what, &said);
            continue;
        }
        if (r < 0) {
            complain(run, &what);
            break;
        }
        record.flow_id = ++run->n;
        intake_record(run->intake, &record);
        if (run->n % LOOK_UP == 0)
            look_up(run, "flows", 0);
    }
    archive_reader_close(reader);
}

/* What all files have together, for the time left; archives are mostly compressed and do not tell. */
static uint64_t octets_of(const struct options *options)
{
    struct stat status;
    uint64_t sum = 0;

    for (size_t i = 0; i < options->n_inputs; i++) {
        if (stat(options->inputs[i], &status) < 0 || !S_ISREG(status.st_mode))
            return 0;
        sum += (uint64_t)status.st_size;
    }
    return sum;
}

static int outputs_check(const struct options *options, const char *verdicts, struct error *err)
{
    if (options->records_only && options->output != NULL)
        return error_set(err, -EINVAL, "--output has no meaning with --records-only");
    if (verdicts != NULL && options->write_records != NULL && strcmp(verdicts, "-") == 0 &&
        strcmp(options->write_records, "-") == 0)
        return error_set(err, -EINVAL, "verdicts and records cannot both go to standard output");
    return 0;
}

/* All is read: end the path, and say what it came to. */
static void finish(struct offline *run)
{
    struct stats_snapshot counts;
    struct error what;
    int r = pipeline_drain(run->pipeline);

    if (run->result == 0)
        run->result = r;
    progress_end(&run->progress);
    stats_read(pipeline_stats(run->pipeline), &counts);
    run->summary.counts = &counts;
    run->summary.seconds = progress_seconds(&run->progress);
    run->summary.model = pipeline_model(run->pipeline);
    (void)summary_print(stderr, &run->summary);
    if (stats_check(&counts, &what) < 0) {
        what.code = -ENOTRECOVERABLE;
        complain(run, &what);
    }
}

int offline_run(const struct options *options, const struct config *config, const volatile sig_atomic_t *stop)
{
    bool packets = options->command == COMMAND_READ;
    const char *verdicts = options->records_only ? NULL : options->output != NULL ? options->output : "-";
    const struct log_file_options log = {.path = verdicts};
    struct pipeline_options path = {
        .config = config,
        .classify = !options->records_only,
        .verdicts = verdicts != NULL ? &log : NULL,
        .records = options->write_records,
        .pressure = INTAKE_WAITS,
        .n_interfaces = 1,
        .n_workers = 1,
        .context = {.icmp_unknown = !packets},
    };
    struct offline run = {
        .options = options,
        .rules = rules_find(config_rules_names[config->flows.rules]),
        .filter = config->capture.filter,
        .stop = stop,
        .last_time = INT64_MIN,
        .summary = {.packets = packets, .records = options->write_records != NULL},
    };
    struct error what;

    if (outputs_check(options, verdicts, &what) < 0 || pipeline_new(&run.pipeline, &path, &what) < 0) {
        log_error("%s", what.text);
        return what.code;
    }
    run.intake = pipeline_intake(run.pipeline, 0, 0);
    run.tracker = intake_tracker(run.intake);
    run.total = packets ? octets_of(options) : 0;
    progress_init(&run.progress);
    for (size_t i = 0; i < options->n_inputs && !*stop; i++) {
        if (packets)
            capture_read(&run, options->inputs[i]);
        else
            archive_read(&run, options->inputs[i]);
    }
    finish(&run);
    pipeline_free(run.pipeline);
    return run.result;
}

#include "daemon/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/episode.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/thread.h"

enum {
    LOOK_AFTER = 1000000, /* microseconds between two looks after the files */
    QUIET = 5000000,      /* microseconds without a failure after which writing works again */
};

/* One kind of output, and how it fares. */
struct output {
    const char *what;           /* for messages */
    struct stats_output counts; /* since they were reported last */
    struct episode failing;
    bool works; /* something was written since it failed last */
    int first;  /* code of the first failure that counts at the end, 0: none */
};

struct writer {
    struct writer_config config;
    struct queue *queue;
    pthread_t thread;
    struct output verdicts;
    struct output records;
    int64_t looked; /* CLOCK_MONOTONIC, microseconds: when files were looked after last */
    atomic_bool asked[WRITER_REQUESTS];
    _Atomic(char *) line; /* from writer_say(); NULL: none */
};

/* How writing went: say it when failing begins. lost: lines or records, if it failed. */
static void output_report(const struct writer *writer, struct output *output, uint64_t lost,
                          const struct error *failure)
{
    const struct log_fields about = {.output = output->what, .reason = failure->text};
    bool failed = failure->code < 0;

    output->works = !failed;
    if (failed && episode_bad(&output->failing, clock_monotonic(), lost))
        log_event(LOG_EVENT_write_failed, &about, "%s are not written as they should be: %s", output->what,
                  failure->text);
    if (failed && output->first == 0)
        output->first = failure->code;
    if (!failed && writer->config.endless)
        output->first = 0;
}

/* Say it when failing is over. */
static void output_look(struct output *output)
{
    char lost[24];

    if (!output->works || !episode_over(&output->failing, clock_monotonic(), QUIET))
        return;
    (void)snprintf(lost, sizeof lost, "%" PRIu64, output->failing.count);
    log_event(LOG_EVENT_write_works, &(struct log_fields){.output = output->what, .count = lost},
              "%s are written again; %s were lost", output->what, lost);
}

static int record_write(struct writer *writer, const struct record *record, int64_t now, struct error *err)
{
    if (writer->config.archive != NULL)
        return archive_rotate_put(writer->config.archive, record, now, err);
    return archive_writer_put(writer->config.records, record, err);
}

static void records_write(struct writer *writer, const struct flow_batch *batch, int64_t now)
{
    struct output *output = &writer->records;
    struct error failure = {0};
    uint64_t lost = 0;

    if (writer->config.records == NULL && writer->config.archive == NULL)
        return;
    for (size_t i = 0; i < batch->n; i++) {
        if (record_write(writer, batch->record[i], now, &failure) == 0)
            output->counts.written++;
        else
            lost++;
    }
    output->counts.lost[STATS_LOSS_file] += lost;
    output_report(writer, output, lost, &failure);
}

/* Write what was gathered; the log may go on in a new file. */
static void verdicts_flush(struct writer *writer, int64_t now)
{
    struct output *output = &writer->verdicts;
    struct stats_output counts = {0};
    struct error failure = {0};

    (void)log_sink_flush(writer->config.verdicts, now, &counts, &failure);
    stats_output_add(&output->counts, &counts);
    if (counts.written > 0 || failure.code < 0) /* nothing to write proves nothing */
        output_report(writer, output, stats_lost(&counts), &failure);
}

static void verdicts_write(struct writer *writer, const struct flow_batch *batch, int64_t now)
{
    const struct writer_config *config = &writer->config;
    char line[VERDICT_LINE_MAX];

    for (size_t i = 0; i < batch->n; i++) {
        size_t size = verdict_log_line(line, &config->context, batch, i);

        if (config->recent != NULL)
            recent_add(config->recent, line, size);
        if (config->verdicts != NULL)
            log_sink_put(config->verdicts, line, size, now);
    }
    if (config->verdicts != NULL)
        verdicts_flush(writer, now);
}

/* Obey what other threads asked for. */
static void requests_obey(struct writer *writer, int64_t now)
{
    const struct writer_config *config = &writer->config;
    struct error verdicts = {0}, records = {0};

    if (atomic_exchange(&writer->asked[WRITER_ROTATE], false)) {
        if (config->verdicts != NULL)
            (void)log_sink_rotate(config->verdicts, now, &verdicts);
        if (config->archive != NULL)
            (void)archive_rotate_now(config->archive, now, &records);
    }
    if (atomic_exchange(&writer->asked[WRITER_REOPEN], false) && config->verdicts != NULL)
        (void)log_sink_reopen(config->verdicts, now, &verdicts);
    if (verdicts.code < 0)
        output_report(writer, &writer->verdicts, 0, &verdicts);
    if (records.code < 0)
        output_report(writer, &writer->records, 0, &records);
}

/* Put the line that another thread gave into the log. */
static void line_put(struct writer *writer, int64_t now)
{
    char *line = atomic_exchange(&writer->line, NULL);
    size_t size = line != NULL ? strlen(line) : 0;

    if (size > 0 && size <= LOG_SINK_LINE_MAX && writer->config.verdicts != NULL)
        log_sink_put(writer->config.verdicts, line, size, now);
    free(line);
}

static void look_after(struct writer *writer, int64_t now)
{
    struct error failure = {0};

    writer->looked = clock_monotonic();
    requests_obey(writer, now);
    line_put(writer, now);
    if (writer->config.verdicts != NULL)
        verdicts_flush(writer, now);
    if (writer->config.archive != NULL) {
        (void)archive_rotate_tick(writer->config.archive, now, &failure);
        if (failure.code < 0)
            output_report(writer, &writer->records, 0, &failure);
    }
    output_look(&writer->verdicts);
    output_look(&writer->records);
}

static void counts_report(struct writer *writer)
{
    stats_written(writer->config.stats, &writer->verdicts.counts, &writer->records.counts);
    writer->verdicts.counts = (struct stats_output){0};
    writer->records.counts = (struct stats_output){0};
}

static void batch_done(struct writer *writer, struct flow_batch *batch)
{
    stats_delay(writer->config.stats, clock_monotonic() - batch->opened, batch->n);
    flow_batch_return(writer->config.pool, batch);
}

static void *run(void *context)
{
    struct writer *writer = context;
    void *item;
    int r;

    while ((r = queue_pop_within(writer->queue, &item, LOOK_AFTER)) >= 0) {
        int64_t now = clock_wall();

        if (r == 1) {
            records_write(writer, item, now);
            if (writer->config.verdicts != NULL || writer->config.recent != NULL)
                verdicts_write(writer, item, now);
        }
        if (clock_monotonic() - writer->looked >= LOOK_AFTER)
            look_after(writer, now);
        counts_report(writer);
        if (r == 1)
            batch_done(writer, item);
    }
    look_after(writer, clock_wall());
    counts_report(writer);
    return NULL;
}

int writer_start(struct writer **writerp, const struct writer_config *config, struct error *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    int r;

    if (writer == NULL || queue_new(&writer->queue, config->queue) < 0) {
        free(writer);
        return error_set(err, -ENOMEM, "out of memory");
    }
    writer->config = *config;
    writer->verdicts.what = "verdicts";
    writer->records.what = "records";
    writer->looked = clock_monotonic();
    r = thread_start(&writer->thread, "writer", run, writer, err);
    if (r < 0) {
        queue_free(writer->queue);
        free(writer);
        return r;
    }
    *writerp = writer;
    return 0;
}

void writer_take(struct writer *writer, struct flow_batch *batch, bool wait)
{
    const struct writer_config *config = &writer->config;
    bool archived = config->records != NULL || config->archive != NULL;
    struct stats_output verdicts = {.lost[STATS_LOSS_queue] = config->verdicts != NULL ? batch->n : 0};
    struct stats_output records = {.lost[STATS_LOSS_queue] = archived ? batch->n : 0};

    if (wait ? queue_push(writer->queue, batch) : queue_try_push(writer->queue, batch))
        return;
    stats_written(config->stats, &verdicts, &records);
    flow_batch_return(config->pool, batch);
}

void writer_ask(struct writer *writer, enum writer_request request)
{
    atomic_store(&writer->asked[request], true);
}

void writer_say(struct writer *writer, char *line)
{
    free(atomic_exchange(&writer->line, line));
}

int writer_stop(struct writer *writer)
{
    int r;

    if (writer == NULL)
        return 0;
    queue_close(writer->queue);
    (void)pthread_join(writer->thread, NULL);
    r = writer->verdicts.first < 0 ? writer->verdicts.first : writer->records.first;
    free(writer->line);
    queue_free(writer->queue);
    free(writer);
    return r;
}

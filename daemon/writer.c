#include "daemon/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

/* One kind of output, and how it fares. */
struct output {
    const char *what;           /* for messages */
    struct stats_output counts; /* of the batch in hand */
    bool failing;               /* the last batch lost lines */
    struct error first;         /* failure of the run; code 0: none */
};

struct writer {
    struct writer_config config;
    struct queue *queue;
    pthread_t thread;
    struct output verdicts;
    struct output records;
};

/* Say it when losing begins and when it ends. */
static void output_report(struct output *output, const struct error *failure)
{
    bool failing = failure->code < 0;

    if (failing && !output->failing)
        log_error("%s are being lost: %s", output->what, failure->text);
    if (!failing && output->failing)
        log_notice("%s are written again", output->what);
    if (failing && output->first.code == 0)
        output->first = *failure;
    output->failing = failing;
}

static void records_write(struct writer *writer, const struct flow_batch *batch)
{
    struct output *output = &writer->records;
    struct error failure = {0};

    for (size_t i = 0; i < batch->n; i++) {
        if (archive_writer_put(writer->config.records, batch->record[i], &failure) == 0)
            output->counts.written++;
        else
            output->counts.lost++;
    }
    output_report(output, &failure);
}

static void verdicts_write(struct writer *writer, const struct flow_batch *batch)
{
    struct line_file *file = writer->config.verdicts;
    struct output *output = &writer->verdicts;
    struct error failure = {0};

    for (size_t i = 0; i < batch->n; i++) {
        char *line = line_file_room(file, VERDICT_LINE_MAX);

        line_file_added(file, verdict_log_line(line, &writer->config.context, batch, i));
    }
    (void)line_file_flush(file, &output->counts.written, &output->counts.lost, &failure);
    output_report(output, &failure);
}

static void *run(void *context)
{
    struct writer *writer = context;
    struct flow_batch *batch;

    while ((batch = queue_pop(writer->queue)) != NULL) {
        writer->verdicts.counts = (struct stats_output){0};
        writer->records.counts = (struct stats_output){0};
        if (writer->config.records != NULL)
            records_write(writer, batch);
        if (writer->config.verdicts != NULL)
            verdicts_write(writer, batch);
        stats_written(writer->config.stats, &writer->verdicts.counts, &writer->records.counts);
        flow_batch_return(writer->config.pool, batch);
    }
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
    r = -pthread_create(&writer->thread, NULL, run, writer);
    if (r < 0) {
        queue_free(writer->queue);
        free(writer);
        return error_set(err, r, "cannot start the writer's thread: %s", strerror(-r));
    }
    *writerp = writer;
    return 0;
}

void writer_take(struct writer *writer, struct flow_batch *batch, bool wait)
{
    struct stats_output verdicts = {.lost = writer->config.verdicts != NULL ? batch->n : 0};
    struct stats_output records = {.lost = writer->config.records != NULL ? batch->n : 0};

    if (wait ? queue_push(writer->queue, batch) : queue_try_push(writer->queue, batch))
        return;
    stats_written(writer->config.stats, &verdicts, &records);
    flow_batch_return(writer->config.pool, batch);
}

int writer_stop(struct writer *writer, struct error *err)
{
    const struct error *first;
    int r;

    if (writer == NULL)
        return 0;
    queue_close(writer->queue);
    (void)pthread_join(writer->thread, NULL);
    first = writer->verdicts.first.code < 0 ? &writer->verdicts.first : &writer->records.first;
    r = first->code;
    if (r < 0 && err != NULL)
        *err = *first;
    queue_free(writer->queue);
    free(writer);
    return r;
}

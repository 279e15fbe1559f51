/* Batches in all: those that may wait in the two queues, and one in the hands of each thread. So a thread
 * that asks the pool for an empty batch never waits for long, and never in vain.
 */
#include "daemon/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/clock.h"
#include "daemon/engines.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/log_file.h"
#include "daemon/log_journal.h"

enum { OTHER_THREADS = 2 };

/* Microseconds that whoever reads the log has at the end, if it is a pipe, to take what is left. */
enum { END_WAITS = 5000000 };

/* Flow ids of an intake have their number in front. JSON readers know whole numbers up to 2^53. */
enum { IDS_SHIFT = 46 };
_Static_assert((uint64_t)STATS_SOURCES_MAX << IDS_SHIFT <= UINT64_C(1) << 53, "ids are exact in JSON");

struct pipeline {
    struct stats *stats;
    struct flow_batch_pool pool;
    struct log_sink *verdicts;
    struct archive_writer *records;
    struct archive_rotate *archives;
    struct writer *writer;
    struct served_model *model;
    struct classifier *classifier;
    bool endless;            /* nobody is waited for long at the end */
    size_t n_workers;        /* of each interface */
    size_t n_intakes;        /* of all interfaces */
    struct intake **intakes; /* (n_intakes) those of the first interface first */
};

/* Open what is written at the end of the path. */
static int outputs_open(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    struct archive_writer_options archive = {.byte_dist = options->config->flows.byte_dist};
    int64_t now = clock_wall();
    int r = 0;

    if (options->journal != NULL)
        r = log_journal_open(&pipeline->verdicts, options->journal, err);
    else if (options->verdicts != NULL)
        r = log_file_open(&pipeline->verdicts, options->verdicts, now, err);
    if (r == 0 && options->records != NULL)
        r = archive_writer_open(&pipeline->records, options->records, &archive, err);
    if (r == 0 && options->archives != NULL)
        r = archive_rotate_open(&pipeline->archives, options->archives, now, err);
    if (r == 0 && pipeline->verdicts != NULL)
        log_info("verdicts go to %s", options->journal != NULL ? options->journal : options->verdicts->path);
    if (r == 0 && options->archives != NULL)
        log_info("records go to archives in %s", options->archives->directory);
    return r;
}

static int writer_make(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    struct writer_config config = {
        .pool = &pipeline->pool,
        .stats = pipeline->stats,
        .verdicts = pipeline->verdicts,
        .recent = options->recent,
        .context = options->context,
        .records = pipeline->records,
        .archive = pipeline->archives,
        .queue = options->config->classify.queue,
        .endless = pipeline->endless,
    };
    size_t batches = 2 * (size_t)options->config->classify.queue + OTHER_THREADS + pipeline->n_intakes;

    if (flow_batch_pool_init(&pipeline->pool, batches, options->config->classify.batch) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return writer_start(&pipeline->writer, &config, err);
}

static int classifier_make(struct pipeline *pipeline, const struct pipeline_options *options,
                           struct error *err)
{
    const struct config_classify *classify = &options->config->classify;
    struct classifier_config config = {
        .demanded = classify->engine == CONFIG_ENGINE_CUDA,
        .retry = classify->retry,
        .engine_options = {.threads = classify->threads},
        .capacity = classify->batch,
        .queue = classify->queue,
        .stats = pipeline->stats,
        .writer = pipeline->writer,
    };
    char path[INSTALLED_PATH_MAX];
    int r = engines_find(&config.accelerator, classify, err);

    installed_model(options->config, path);
    if (r == 0)
        r = served_model_load(&pipeline->model, path, classify->threshold, err);
    if (r < 0)
        return r;
    return classifier_start(&pipeline->classifier, &config, pipeline->model, err);
}

static int intake_make(struct pipeline *pipeline, const struct pipeline_options *options, size_t i,
                       struct error *err)
{
    const struct config_flows *flows = &options->config->flows;
    struct tracker_config tracker = {
        .rules = rules_find(config_rules_names[flows->rules]),
        .idle_timeout = flows->idle_timeout,
        .active_timeout = flows->active_timeout,
        .side_packets = flows->packets,
        .side_ids = flows->ids,
        .max_flows = flows->max_flows / (uint32_t)pipeline->n_intakes,
        .max_memory = flows->memory / pipeline->n_intakes,
        .byte_dist = flows->byte_dist,
        .interface = (uint16_t)(i / pipeline->n_workers),
        .ids_after = (uint64_t)i << IDS_SHIFT,
    };
    struct intake_config config = {
        .tracker = &tracker,
        .pressure = options->pressure,
        .delay = options->config->classify.delay,
        .pool = &pipeline->pool,
        .classifier = pipeline->classifier,
        .writer = pipeline->writer,
        .stats = pipeline->stats,
        .index = i,
    };

    return intake_new(&pipeline->intakes[i], &config, err);
}

static int intakes_make(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < pipeline->n_intakes; i++)
        r = intake_make(pipeline, options, i, err);
    return r;
}

/* One that has its counters and no stage yet. */
static struct pipeline *pipeline_empty(const struct pipeline_options *options)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);

    if (pipeline == NULL)
        return NULL;
    pipeline->endless = options->pressure == INTAKE_SHEDS;
    pipeline->n_workers = options->n_workers;
    pipeline->n_intakes = options->n_interfaces * options->n_workers;
    pipeline->intakes = calloc(pipeline->n_intakes, sizeof(struct intake *));
    if (pipeline->intakes == NULL || stats_new(&pipeline->stats, pipeline->n_intakes) < 0) {
        free(pipeline->intakes);
        free(pipeline);
        return NULL;
    }
    return pipeline;
}

/* From the end of the path to its beginning: a stage is made when the one that it feeds is there. */
int pipeline_new(struct pipeline **pipelinep, const struct pipeline_options *options, struct error *err)
{
    struct pipeline *pipeline = pipeline_empty(options);
    bool wanted = options->classify || options->records != NULL || options->archives != NULL;
    int r = 0;

    if (pipeline == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    if (wanted)
        r = outputs_open(pipeline, options, err);
    if (r == 0 && options->before_threads != NULL)
        r = options->before_threads(options->fence, err);
    if (r == 0 && wanted)
        r = writer_make(pipeline, options, err);
    if (r == 0 && options->classify)
        r = classifier_make(pipeline, options, err);
    if (r == 0)
        r = intakes_make(pipeline, options, err);
    if (r < 0) {
        pipeline_free(pipeline);
        return r;
    }
    *pipelinep = pipeline;
    return 0;
}

struct intake *pipeline_intake(struct pipeline *pipeline, size_t interface, size_t worker)
{
    return pipeline->intakes[interface * pipeline->n_workers + worker];
}

struct stats *pipeline_stats(struct pipeline *pipeline)
{
    return pipeline->stats;
}

const struct model *pipeline_model(const struct pipeline *pipeline)
{
    return pipeline->model != NULL ? pipeline->model->model : NULL;
}

struct classifier *pipeline_classifier(struct pipeline *pipeline)
{
    return pipeline->classifier;
}

struct writer *pipeline_writer(struct pipeline *pipeline)
{
    return pipeline->writer;
}

static void close_failed(const char *output, const struct error *why)
{
    log_event(LOG_EVENT_write_failed, &(struct log_fields){.output = output, .reason = why->text},
              "%s are not all written: %s", output, why->text);
}

/* End the threads in the order of the path, then close the files. Return: the first error, which was said. */
static int stages_stop(struct pipeline *pipeline)
{
    struct error why;
    int first, r;

    classifier_stop(pipeline->classifier);
    first = writer_stop(pipeline->writer);
    r = archive_writer_close(pipeline->records, &why);
    if (r == 0)
        r = archive_rotate_close(pipeline->archives, NULL, &why);
    if (r < 0)
        close_failed("records", &why);
    if (first == 0)
        first = r;
    r = log_sink_close(pipeline->verdicts, &why);
    if (r < 0)
        close_failed("verdicts", &why);
    pipeline->classifier = NULL;
    pipeline->writer = NULL;
    pipeline->records = NULL;
    pipeline->archives = NULL;
    pipeline->verdicts = NULL;
    return first < 0 ? first : r;
}

int pipeline_drain(struct pipeline *pipeline)
{
    if (pipeline->endless && pipeline->verdicts != NULL)
        log_sink_hurry(pipeline->verdicts, clock_monotonic() + END_WAITS);
    for (size_t i = 0; i < pipeline->n_intakes; i++)
        intake_drain(pipeline->intakes[i]);
    return stages_stop(pipeline);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    (void)stages_stop(pipeline);
    for (size_t i = 0; i < pipeline->n_intakes; i++)
        intake_free(pipeline->intakes[i]);
    free(pipeline->intakes);
    served_model_unref(pipeline->model);
    if (pipeline->pool.batches != NULL)
        flow_batch_pool_deinit(&pipeline->pool);
    stats_free(pipeline->stats);
    free(pipeline);
}

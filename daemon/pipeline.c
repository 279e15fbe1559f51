/* Batches in all: those that may wait in the two queues, and one in the hands of each thread. So a thread
 * that asks the pool for an empty batch never waits for long, and never in vain.
 */
#include "daemon/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/engines.h"
#include "daemon/installed.h"

enum { QUEUE_BATCHES = 16, THREADS = 3, BATCHES = 2 * QUEUE_BATCHES + THREADS };

struct pipeline {
    struct stats *stats;
    struct flow_batch_pool pool;
    struct line_file *verdicts;
    struct archive_writer *records;
    struct writer *writer;
    const struct engine_ops *engine;
    struct served_model *model;
    struct classifier *classifier;
    struct intake *intake;
};

/* Open what is written at the end of the path. */
static int outputs_open(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    struct archive_writer_options archive = {.byte_dist = options->config->flows.byte_dist};
    int r = 0;

    if (options->verdicts != NULL)
        r = line_file_open(&pipeline->verdicts, options->verdicts, options->append, err);
    if (r == 0 && options->records != NULL)
        r = archive_writer_open(&pipeline->records, options->records, &archive, err);
    return r;
}

static int writer_make(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    struct writer_config config = {
        .pool = &pipeline->pool,
        .stats = pipeline->stats,
        .verdicts = pipeline->verdicts,
        .context = options->context,
        .records = pipeline->records,
        .queue = QUEUE_BATCHES,
    };

    if (flow_batch_pool_init(&pipeline->pool, BATCHES, options->config->classify.batch) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    return writer_start(&pipeline->writer, &config, err);
}

static int classifier_make(struct pipeline *pipeline, const struct pipeline_options *options,
                           struct error *err)
{
    const struct config_classify *classify = &options->config->classify;
    struct classifier_config config = {
        .engine_options = {.threads = classify->threads},
        .capacity = classify->batch,
        .queue = QUEUE_BATCHES,
        .stats = pipeline->stats,
        .writer = pipeline->writer,
    };
    int r = engines_find(&pipeline->engine, (enum config_engine)classify->engine, err);

    if (r == 0)
        r = served_model_load(&pipeline->model, installed_model(options->config), classify->threshold, err);
    if (r < 0)
        return r;
    config.engine = pipeline->engine;
    return classifier_start(&pipeline->classifier, &config, pipeline->model, err);
}

static int intake_make(struct pipeline *pipeline, const struct pipeline_options *options, struct error *err)
{
    const struct config_flows *flows = &options->config->flows;
    struct tracker_config tracker = {
        .rules = rules_find(config_rules_names[flows->rules]),
        .idle_timeout = flows->idle_timeout,
        .active_timeout = flows->active_timeout,
        .side_packets = flows->packets,
        .side_ids = flows->ids,
        .max_flows = flows->max_flows,
        .max_memory = flows->memory,
        .byte_dist = flows->byte_dist,
    };
    struct intake_config config = {
        .tracker = &tracker,
        .pressure = options->pressure,
        .delay = options->config->classify.delay,
        .pool = &pipeline->pool,
        .classifier = pipeline->classifier,
        .writer = pipeline->writer,
        .stats = pipeline->stats,
    };

    return intake_new(&pipeline->intake, &config, err);
}

/* From the end of the path to its beginning: a stage is made when the one that it feeds is there. */
int pipeline_new(struct pipeline **pipelinep, const struct pipeline_options *options, struct error *err)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    bool wanted = options->classify || options->records != NULL;
    int r = 0;

    if (pipeline == NULL || stats_new(&pipeline->stats, 1) < 0) {
        free(pipeline);
        return error_set(err, -ENOMEM, "out of memory");
    }
    if (wanted)
        r = outputs_open(pipeline, options, err);
    if (r == 0 && wanted)
        r = writer_make(pipeline, options, err);
    if (r == 0 && options->classify)
        r = classifier_make(pipeline, options, err);
    if (r == 0)
        r = intake_make(pipeline, options, err);
    if (r < 0) {
        pipeline_free(pipeline);
        return r;
    }
    *pipelinep = pipeline;
    return 0;
}

struct intake *pipeline_intake(struct pipeline *pipeline)
{
    return pipeline->intake;
}

struct stats *pipeline_stats(struct pipeline *pipeline)
{
    return pipeline->stats;
}

const struct model *pipeline_model(const struct pipeline *pipeline)
{
    return pipeline->model != NULL ? pipeline->model->model : NULL;
}

const char *pipeline_engine(const struct pipeline *pipeline)
{
    return pipeline->engine->name;
}

/* End the threads in the order of the path, then close the files. Return: the first error. */
static int stages_stop(struct pipeline *pipeline, struct error *err)
{
    struct error why;
    int first, r;

    classifier_stop(pipeline->classifier);
    first = writer_stop(pipeline->writer, err);
    r = archive_writer_close(pipeline->records, &why);
    if (first == 0 && r < 0)
        first = error_set(err, r, "%s", why.text);
    r = line_file_close(pipeline->verdicts, &why);
    if (first == 0 && r < 0)
        first = error_set(err, r, "%s", why.text);
    pipeline->classifier = NULL;
    pipeline->writer = NULL;
    pipeline->records = NULL;
    pipeline->verdicts = NULL;
    return first;
}

int pipeline_drain(struct pipeline *pipeline, struct error *err)
{
    tracker_finish(intake_tracker(pipeline->intake));
    intake_flush(pipeline->intake);
    return stages_stop(pipeline, err);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    (void)stages_stop(pipeline, NULL);
    intake_free(pipeline->intake);
    served_model_unref(pipeline->model);
    if (pipeline->pool.batches != NULL)
        flow_batch_pool_deinit(&pipeline->pool);
    stats_free(pipeline->stats);
    free(pipeline);
}

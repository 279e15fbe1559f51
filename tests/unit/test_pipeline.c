/* The path from finished flows to log lines, with its threads: nothing is lost while it waits, what is shed
 * is counted, models and engines change under way. */
#include "daemon/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "daemon/classifier.h"
#include "daemon/clock.h"
#include "daemon/log_file.h"
#include "tests/unit/records.h"
#include "tests/unit/unit.h"

enum { FEEDERS = 2, FLOWS = 5000, SWAPS = 200 };

static char folder[] = "/tmp/test_pipeline.XXXXXX";
static char model_path[64], log_path[64], archive_path[64];
static struct config config;

static int model_make(void)
{
    static const char json[] = "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\", \"num_pkts_in\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct tree *tree;
    struct model *model;
    int r = tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL);

    if (r < 0)
        return r;
    r = model_new(&model, tree, 1);
    if (r < 0) {
        tree_free(tree);
        return r;
    }
    r = model_save(model, model_path, NULL);
    model_free(model);
    return r;
}

static struct pipeline *pipeline_make(struct pipeline_options options, const char *verdicts)
{
    const struct log_file_options log = {.path = verdicts};
    struct pipeline *pipeline;
    struct error err;

    options.config = &config;
    options.verdicts = &log;
    ck_assert_msg(pipeline_new(&pipeline, &options, &err) == 0, "%s", err.text);
    return pipeline;
}

static struct stats_snapshot counts_of(struct pipeline *pipeline)
{
    struct stats_snapshot counts;
    struct error err;

    stats_read(pipeline_stats(pipeline), &counts);
    ck_assert_msg(stats_check(&counts, &err) == 0, "%s", err.text);
    return counts;
}

static uint64_t lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    uint64_t n = 0;
    int c;

    ck_assert_ptr_nonnull(file);
    while ((c = getc(file)) != EOF)
        n += c == '\n';
    (void)fclose(file);
    return n;
}

struct feeder {
    pthread_t thread;
    struct intake *intake;
    uint64_t seed;
};

static void *feed(void *context)
{
    struct feeder *feeder = context;
    struct records_random random = {feeder->seed};
    struct record record;

    for (int i = 0; i < FLOWS; i++) {
        records_make(&random, &record);
        intake_record(feeder->intake, &record);
        if (i % 100 == 0)
            intake_poll(feeder->intake, clock_monotonic());
    }
    return NULL;
}

START_TEST(nothing_is_lost_while_models_change)
{
    struct pipeline_options options = {.classify = true,
                                       .records = archive_path,
                                       .pressure = INTAKE_WAITS,
                                       .n_interfaces = 1,
                                       .n_workers = FEEDERS};
    struct pipeline *pipeline = pipeline_make(options, log_path);
    struct feeder feeders[FEEDERS];
    struct stats_snapshot counts;
    struct error err;

    for (uint64_t i = 0; i < FEEDERS; i++) {
        feeders[i] = (struct feeder){.intake = pipeline_intake(pipeline, 0, i), .seed = i + 1};
        ck_assert_int_eq(pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]), 0);
    }
    for (int i = 0; i < SWAPS; i++) {
        struct served_model *served;

        ck_assert_int_eq(served_model_load(&served, model_path, 0, &err), 0);
        ck_assert_int_eq(classifier_serve(pipeline_classifier(pipeline), served, &err), 0);
        served_model_unref(served);
        (void)counts_of(pipeline);
    }
    for (int i = 0; i < FEEDERS; i++)
        ck_assert_int_eq(pthread_join(feeders[i].thread, NULL), 0);
    ck_assert_int_eq(pipeline_drain(pipeline), 0);
    counts = counts_of(pipeline);
    ck_assert_uint_eq(counts.finished, FEEDERS * FLOWS);
    ck_assert_uint_eq(counts.classified + counts.unknown, FEEDERS * FLOWS);
    ck_assert_uint_eq(counts.waiting, 0);
    ck_assert_uint_eq(counts.verdicts.written, FEEDERS * FLOWS);
    ck_assert_uint_eq(counts.records.written, FEEDERS * FLOWS);
    ck_assert_uint_eq(counts.delay.n, FEEDERS * FLOWS);
    ck_assert_uint_eq(lines_of(log_path), FEEDERS * FLOWS);
    ck_assert_uint_eq(lines_of(archive_path), FEEDERS * FLOWS + 1);
    pipeline_free(pipeline);
}
END_TEST

/* Read a fifo to its end. */
static void *read_all(void *context)
{
    uint64_t *lines = context;
    char text[4096];
    ssize_t n;
    int descriptor = open(log_path, O_RDONLY);

    while ((n = read(descriptor, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            *lines += text[i] == '\n';
    }
    (void)close(descriptor);
    return NULL;
}

/* The log is a fifo that nobody reads at first: the writer stands still, the queues fill up, and the feeder
 * must get through all the same. */
START_TEST(what_is_shed_is_counted)
{
    struct pipeline_options options = {
        .classify = true, .pressure = INTAKE_SHEDS, .n_interfaces = 1, .n_workers = 1};
    struct pipeline *pipeline;
    struct stats_snapshot counts;
    struct feeder feeder = {.seed = 7};
    uint64_t lines = 0, lost;
    pthread_t reader;
    int held;

    ck_assert_int_eq(unlink(log_path), 0);
    ck_assert_int_eq(mkfifo(log_path, 0600), 0);
    held = open(log_path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_ge(held, 0);
    pipeline = pipeline_make(options, log_path);
    feeder.intake = pipeline_intake(pipeline, 0, 0);
    (void)feed(&feeder);
    intake_flush(feeder.intake);
    counts = counts_of(pipeline);
    ck_assert_uint_gt(counts.not_classified[FLOW_CAUSE_overload], 0);
    ck_assert_uint_gt(stats_lost(&counts.verdicts), 0);
    lost = stats_lost(&counts.verdicts);

    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &lines), 0);
    ck_assert_int_eq(pipeline_drain(pipeline), 0);
    (void)close(held);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    counts = counts_of(pipeline);
    ck_assert_uint_eq(counts.finished, FLOWS);
    ck_assert_uint_eq(counts.waiting, 0);
    ck_assert_uint_eq(stats_lost(&counts.verdicts), lost);
    ck_assert_uint_eq(counts.verdicts.written + lost, FLOWS);
    ck_assert_uint_eq(lines, FLOWS - lost);
    pipeline_free(pipeline);
    ck_assert_int_eq(unlink(log_path), 0);
}
END_TEST

START_TEST(without_outputs_flows_are_only_counted)
{
    struct pipeline_options options = {
        .config = &config, .pressure = INTAKE_WAITS, .n_interfaces = 1, .n_workers = 1};
    struct pipeline *pipeline;
    struct stats_snapshot counts;
    struct feeder feeder = {.seed = 3};
    struct error err;

    ck_assert_int_eq(pipeline_new(&pipeline, &options, &err), 0);
    ck_assert_ptr_null(pipeline_model(pipeline));
    feeder.intake = pipeline_intake(pipeline, 0, 0);
    (void)feed(&feeder);
    ck_assert_int_eq(pipeline_drain(pipeline), 0);
    counts = counts_of(pipeline);
    ck_assert_uint_eq(counts.finished, FLOWS);
    ck_assert_uint_eq(counts.not_classified[FLOW_CAUSE_not_asked], FLOWS);
    pipeline_free(pipeline);
}
END_TEST

START_TEST(what_cannot_be_opened_is_named)
{
    struct pipeline_options options = {
        .config = &config, .classify = true, .n_interfaces = 1, .n_workers = 1};
    const struct log_file_options log = {.path = "/nonexistent/log"};
    struct pipeline *pipeline;
    struct error err;

    options.verdicts = &log;
    ck_assert_int_eq(pipeline_new(&pipeline, &options, &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nonexistent/log: No such file or directory");
    options.verdicts = NULL;
    ck_assert_int_eq(config_set(&config, "classify.model=/nonexistent/model", &err), 0);
    ck_assert_int_eq(pipeline_new(&pipeline, &options, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/model"));
}
END_TEST

int main(void)
{
    char assignment[96];
    int status;

    if (mkdtemp(folder) == NULL || config_init(&config) < 0)
        return EXIT_FAILURE;
    (void)snprintf(model_path, sizeof model_path, "%s/model", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    (void)snprintf(archive_path, sizeof archive_path, "%s/archive.json", folder);
    (void)snprintf(assignment, sizeof assignment, "classify.model=%s", model_path);
    if (model_make() < 0 || config_set(&config, assignment, NULL) < 0 ||
        config_set(&config, "classify.engine=cpu", NULL) < 0 ||
        config_set(&config, "classify.batch=64", NULL) < 0 ||
        config_set(&config, "classify.queue=16", NULL) < 0)
        return EXIT_FAILURE;
    status = UNIT_RUN("pipeline", nothing_is_lost_while_models_change, what_is_shed_is_counted,
                      without_outputs_flows_are_only_counted, what_cannot_be_opened_is_named);
    config_deinit(&config);
    (void)snprintf(assignment, sizeof assignment, "rm -r %s", folder);
    return system(assignment) == 0 ? status : EXIT_FAILURE;
}

/* The classifier's thread with engines that fail: flows go on, and the counters say how. */
#include "daemon/classifier.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

enum { CAPACITY = 8, BATCHES = 4 };

static char model_path[] = "/tmp/test_classifier.XXXXXX";

/* An engine that gives the first label, or fails as it is told. */
static atomic_int open_code, forward_code;
static atomic_int forwards;

static int fake_open(struct engine **enginep, const struct engine_options *options, struct error *err);

static int fake_load(struct engine *engine, const struct model *model, struct error *err)
{
    engine->tree = model->tree;
    return 0;
}

static int fake_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    if (forward_code < 0)
        return error_set(err, forward_code, "told to fail");
    forwards++;
    for (size_t i = 0; i < batch->n_flows * engine->tree->n_labels; i++)
        logits[i] = i % engine->tree->n_labels == 0 ? 9.0f : 0.0f;
    return 0;
}

static void fake_close(struct engine *engine)
{
    free(engine);
}

static const struct engine_ops fake = {
    .name = "fake", .open = fake_open, .load = fake_load, .forward = fake_forward, .close = fake_close};

static int fake_open(struct engine **enginep, const struct engine_options *options, struct error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);

    if (engine == NULL || open_code < 0) {
        free(engine);
        return error_set(err, open_code, "told not to open");
    }
    engine->ops = &fake;
    *enginep = engine;
    return 0;
}

struct bench {
    struct flow_batch_pool pool;
    struct stats *stats;
    struct writer *writer;
    struct classifier *classifier;
    struct served_model *served;
};

static void bench_init(struct bench *bench)
{
    struct writer_config writer = {.pool = &bench->pool, .queue = BATCHES};
    struct classifier_config config = {
        .engine = &fake, .engine_options = {.threads = 1}, .capacity = CAPACITY, .queue = BATCHES};
    struct error err;

    open_code = forward_code = 0;
    forwards = 0;
    ck_assert_int_eq(flow_batch_pool_init(&bench->pool, 2 * BATCHES + 3, CAPACITY), 0);
    ck_assert_int_eq(stats_new(&bench->stats, 1), 0);
    writer.stats = bench->stats;
    ck_assert_int_eq(writer_start(&bench->writer, &writer, &err), 0);
    ck_assert_int_eq(served_model_load(&bench->served, model_path, 0, &err), 0);
    config.stats = bench->stats;
    config.writer = bench->writer;
    ck_assert_int_eq(classifier_start(&bench->classifier, &config, bench->served, &err), 0);
}

/* Give flows, and wait until they have been judged. */
static void bench_judge(struct bench *bench, size_t flows)
{
    static const struct record record = {.family = 4, .protocol = 6};
    struct flow_batch *batch = flow_batch_take(&bench->pool);
    struct classifier_status before, now;

    for (size_t i = 0; i < flows; i++)
        ck_assert(flow_batch_add(batch, &record));
    classifier_status(bench->classifier, &before);
    ck_assert(classifier_take(bench->classifier, batch, true));
    do {
        (void)usleep(100);
        classifier_status(bench->classifier, &now);
    } while (now.batches == before.batches);
}

static struct stats_snapshot bench_counts(struct bench *bench)
{
    struct stats_snapshot counts;

    stats_read(bench->stats, &counts);
    return counts;
}

static void bench_deinit(struct bench *bench)
{
    classifier_stop(bench->classifier);
    ck_assert_int_eq(writer_stop(bench->writer), 0);
    served_model_unref(bench->served);
    flow_batch_pool_deinit(&bench->pool);
    stats_free(bench->stats);
}

START_TEST(the_engine_asked_for_judges)
{
    struct classifier_status status;
    struct stats_snapshot counts;
    struct bench bench;

    bench_init(&bench);
    bench_judge(&bench, 5);
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "fake");
    ck_assert(!status.fallen_back);
    counts = bench_counts(&bench);
    ck_assert_uint_eq(counts.classified, 5);
    ck_assert_str_eq(counts.labels[0].name, "a");
    ck_assert_uint_eq(counts.labels[0].flows, 5);
    bench_deinit(&bench);
}
END_TEST

START_TEST(the_cpu_takes_over_within_the_batch)
{
    struct classifier_status status;
    struct stats_snapshot counts;
    struct bench bench;

    bench_init(&bench);
    bench_judge(&bench, 3);
    forward_code = -ENODEV;
    bench_judge(&bench, 4);
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert(status.fallen_back);
    counts = bench_counts(&bench);
    ck_assert_uint_eq(counts.classified + counts.unknown, 7);
    ck_assert_uint_eq(counts.not_classified[FLOW_CAUSE_engine], 0);

    forward_code = 0;
    bench_judge(&bench, 2); /* not yet: a failed engine is left alone for a while */
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert_int_eq(forwards, 1);
    bench_deinit(&bench);
}
END_TEST

START_TEST(a_new_model_comes_back_to_the_engine_asked_for)
{
    struct classifier_status status;
    struct bench bench;
    struct error err;

    bench_init(&bench);
    forward_code = -ENODEV;
    bench_judge(&bench, 1);
    forward_code = 0;
    ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &err), 0);
    bench_judge(&bench, 1);
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "fake");
    ck_assert(!status.fallen_back);

    open_code = -ENODEV; /* and when it does not work any more, the CPU takes the model */
    ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &err), 0);
    bench_judge(&bench, 1);
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert(status.fallen_back);
    bench_deinit(&bench);
}
END_TEST

START_TEST(a_model_that_cannot_be_loaded_changes_nothing)
{
    struct classifier_status status;
    struct bench bench;
    struct error err;

    bench_init(&bench);
    open_code = -ENOMEM;
    ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &err), -ENOMEM);
    bench_judge(&bench, 1);
    classifier_status(bench.classifier, &status);
    ck_assert_str_eq(status.engine, "fake");
    ck_assert_uint_eq(bench_counts(&bench).classified, 1);
    bench_deinit(&bench);
}
END_TEST

int main(void)
{
    static const char json[] = "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\", \"num_pkts_in\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct model *model;
    struct tree *tree;
    int status;

    if (close(mkstemp(model_path)) < 0 || tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL) < 0 ||
        model_new(&model, tree, 1) < 0 || model_save(model, model_path, NULL) < 0)
        return EXIT_FAILURE;
    model_free(model);
    status = UNIT_RUN("classifier", the_engine_asked_for_judges, the_cpu_takes_over_within_the_batch,
                      a_new_model_comes_back_to_the_engine_asked_for,
                      a_model_that_cannot_be_loaded_changes_nothing);
    (void)unlink(model_path);
    return status;
}

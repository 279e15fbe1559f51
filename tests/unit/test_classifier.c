/* The classifier's thread with an engine beside the CPU's that fails in every way: flows go on, and the
 * counters say how. */
#include "daemon/classifier.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/self_test.h"
#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "daemon/engines.h"
#include "tests/unit/faults.h"

enum { CAPACITY = 64, BATCHES = 4 };

static const int64_t HOUR = INT64_C(3600000000), AT_ONCE = 0;

static char model_path[] = "/tmp/test_classifier.XXXXXX";

struct bench {
    struct flow_batch_pool pool;
    struct stats *stats;
    struct writer *writer;
    struct classifier *classifier;
    struct served_model *served;
    struct error err;
};

/* Return: as classifier_start(). */
static int bench_init(struct bench *bench, enum config_engine engine, int64_t retry)
{
    struct config_classify wanted = {.engine = (int)engine, .module = (char *)FAULTY_MODULE};
    struct writer_config writer = {.pool = &bench->pool, .queue = BATCHES};
    struct classifier_config config = {.demanded = engine == CONFIG_ENGINE_CUDA,
                                       .retry = retry,
                                       .engine_options = {.threads = 1},
                                       .capacity = CAPACITY,
                                       .queue = BATCHES};

    bench->classifier = NULL;
    ck_assert_int_eq(engines_find(&config.accelerator, &wanted, &bench->err), 0);
    ck_assert_int_eq(flow_batch_pool_init(&bench->pool, 2 * BATCHES + 3, CAPACITY), 0);
    ck_assert_int_eq(stats_new(&bench->stats, 1), 0);
    writer.stats = bench->stats;
    ck_assert_int_eq(writer_start(&bench->writer, &writer, &bench->err), 0);
    ck_assert_int_eq(served_model_load(&bench->served, model_path, 0, &bench->err), 0);
    config.stats = bench->stats;
    config.writer = bench->writer;
    return classifier_start(&bench->classifier, &config, bench->served, &bench->err);
}

static void bench_deinit(struct bench *bench)
{
    classifier_stop(bench->classifier);
    ck_assert_int_eq(writer_stop(bench->writer), 0);
    served_model_unref(bench->served);
    flow_batch_pool_deinit(&bench->pool);
    stats_free(bench->stats);
}

static struct classifier_status status_of(const struct bench *bench)
{
    struct classifier_status status;

    classifier_status(bench->classifier, &status);
    return status;
}

/* Give flows, and wait until they have been judged. Return: how it is then. */
static struct classifier_status judge(struct bench *bench, size_t flows)
{
    static const struct record record = {.family = 4, .protocol = 6, .n_packets = 7};
    struct flow_batch *batch = flow_batch_take(&bench->pool);
    uint64_t before = status_of(bench).batches;

    for (size_t i = 0; i < flows; i++)
        ck_assert(flow_batch_add(batch, &record));
    ck_assert(classifier_take(bench->classifier, batch, true));
    while (status_of(bench).batches == before)
        (void)usleep(100);
    return status_of(bench);
}

/* Flows that an engine has scored; every flow has to be scored by some engine. */
static uint64_t scored_by(struct bench *bench, const char *engine)
{
    struct stats_snapshot counts;
    uint64_t sum = 0, flows = 0;

    stats_read(bench->stats, &counts);
    ck_assert_uint_eq(stats_not_classified(&counts), 0);
    for (size_t i = 0; i < counts.n_engines; i++) {
        sum += counts.engines[i].flows;
        if (strcmp(counts.engines[i].name, engine) == 0)
            flows = counts.engines[i].flows;
    }
    ck_assert_uint_eq(sum, counts.classified + counts.unknown);
    return flows;
}

START_TEST(each_engine_takes_the_batches_for_which_it_is_faster)
{
    struct classifier_status status;
    struct bench bench;
    size_t break_even;

    fault("none");
    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_AUTO, HOUR), 0);
    status = judge(&bench, CAPACITY);
    break_even = status.accelerator.break_even;
    ck_assert_str_eq(status.engine, "cuda");
    ck_assert(!status.fallen_back);
    ck_assert_str_eq(status.accelerator.name, "cuda");
    ck_assert(status.accelerator.in_use);
    ck_assert_str_eq(status.accelerator.path, "memory");
    ck_assert_double_le(status.accelerator.difference, SELF_TEST_LIMIT);
    ck_assert_uint_le(break_even, CAPACITY);
    ck_assert_uint_eq(scored_by(&bench, "cuda"), CAPACITY);
    (void)judge(&bench, 1);
    ck_assert_uint_eq(scored_by(&bench, "cuda"), CAPACITY + (break_even <= 1));
    ck_assert_uint_eq(scored_by(&bench, "cpu"), break_even > 1);
    bench_deinit(&bench);
}
END_TEST

START_TEST(a_slow_engine_takes_nothing_unless_it_has_to)
{
    struct classifier_status status;
    struct bench bench;

    fault("slow");
    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_AUTO, HOUR), 0);
    status = judge(&bench, CAPACITY);
    ck_assert_uint_eq(status.accelerator.break_even, BREAK_EVEN_NEVER);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert(!status.fallen_back);
    ck_assert_uint_eq(scored_by(&bench, "cpu"), CAPACITY);
    bench_deinit(&bench);

    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CUDA, HOUR), 0);
    status = judge(&bench, 1);
    ck_assert_uint_eq(status.accelerator.break_even, 1);
    ck_assert_uint_eq(scored_by(&bench, "cuda"), 1);
    bench_deinit(&bench);
}
END_TEST

/* Faults that show before the first flow, and how the reason ends. */
static const struct {
    const char *fault;
    const char *reason;
} early[] = {
    {"no-device", "there is no device"},
    {"no-driver", "there is no driver"},
    {"wrong-driver", "the driver is too old for this program"},
    {"no-tree", "tree small is not for it"},
    {"no-memory", "out of device memory"},
    {"gone", "gone"},
    {"wrong", "from what they should be"},
    {"nan", "logits are not finite"},
};

START_TEST(an_engine_that_cannot_be_trusted_is_not_used)
{
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        struct classifier_status status;
        struct bench bench;

        fault(early[i].fault);
        ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CUDA, HOUR), -ENODEV);
        ck_assert_msg(strstr(bench.err.text, early[i].reason) != NULL, "%s", bench.err.text);
        bench_deinit(&bench);

        ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_AUTO, HOUR), 0);
        status = judge(&bench, CAPACITY);
        ck_assert_str_eq(status.engine, "cpu");
        ck_assert(status.fallen_back);
        ck_assert_uint_eq(status.accelerator.failures, 1);
        ck_assert_uint_eq(status.accelerator.retries, 0);
        ck_assert_msg(strstr(status.accelerator.reason, early[i].reason) != NULL, "%s",
                      status.accelerator.reason);
        ck_assert_uint_eq(scored_by(&bench, "cpu"), CAPACITY);
        bench_deinit(&bench);
    }
}
END_TEST

START_TEST(the_cpu_takes_over_within_the_batch)
{
    static const char *const late[] = {"no-memory", "gone", "nan"};

    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        struct classifier_status status;
        struct bench bench;

        fault("none");
        ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CUDA, HOUR), 0);
        (void)judge(&bench, 3);
        fault(late[i]);
        status = judge(&bench, 4);
        ck_assert_str_eq(status.engine, "cpu");
        ck_assert(status.fallen_back);
        ck_assert_uint_eq(status.accelerator.failures, 1);
        ck_assert_uint_eq(scored_by(&bench, "cuda"), 3);
        ck_assert_uint_eq(scored_by(&bench, "cpu"), 4);

        fault("none");
        status = judge(&bench, 2); /* not yet: it is left alone for a while */
        ck_assert_uint_eq(status.accelerator.retries, 0);
        ck_assert_uint_eq(scored_by(&bench, "cpu"), 6);
        bench_deinit(&bench);
    }
}
END_TEST

START_TEST(an_engine_that_works_again_is_used_again)
{
    struct classifier_status status;
    struct bench bench;

    fault("none");
    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CUDA, AT_ONCE), 0);
    fault("gone");
    status = judge(&bench, 1);
    ck_assert_uint_eq(status.accelerator.failures, 1);
    status = judge(&bench, 1);
    ck_assert_uint_eq(status.accelerator.retries, 1);
    ck_assert_uint_eq(status.accelerator.failures, 2);
    fault("wrong"); /* there again, but not to be trusted */
    status = judge(&bench, 1);
    ck_assert_uint_eq(status.accelerator.failures, 3);
    ck_assert(status.fallen_back);
    ck_assert_uint_eq(scored_by(&bench, "cpu"), 3);

    fault("none");
    status = judge(&bench, 5);
    ck_assert(!status.fallen_back);
    ck_assert_str_eq(status.engine, "cuda");
    ck_assert_uint_eq(status.accelerator.retries, 3);
    ck_assert_uint_eq(status.accelerator.failures, 3);
    ck_assert_uint_eq(scored_by(&bench, "cuda"), 5);
    bench_deinit(&bench);
}
END_TEST

START_TEST(every_new_model_is_another_chance)
{
    struct classifier_status status;
    struct bench bench;

    fault("none");
    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CUDA, HOUR), 0);
    fault("no-tree");
    ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &bench.err), 0);
    status = judge(&bench, 1);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert(status.fallen_back);

    fault("none");
    ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &bench.err), 0);
    status = judge(&bench, 2);
    ck_assert_str_eq(status.engine, "cuda");
    ck_assert_uint_eq(scored_by(&bench, "cuda"), 2);

    for (int i = 0; i < 5; i++) /* the same engine goes from model to model */
        ck_assert_int_eq(classifier_serve(bench.classifier, bench.served, &bench.err), 0);
    status = judge(&bench, 3);
    ck_assert_uint_eq(status.accelerator.failures, 1);
    ck_assert_uint_eq(scored_by(&bench, "cuda"), 5);
    bench_deinit(&bench);
}
END_TEST

START_TEST(without_one_there_is_the_cpu)
{
    struct classifier_status status;
    struct bench bench;

    ck_assert_int_eq(bench_init(&bench, CONFIG_ENGINE_CPU, HOUR), 0);
    status = judge(&bench, CAPACITY);
    ck_assert_str_eq(status.engine, "cpu");
    ck_assert(!status.fallen_back);
    ck_assert_ptr_null(status.accelerator.name);
    ck_assert_uint_eq(scored_by(&bench, "cpu"), CAPACITY);
    bench_deinit(&bench);
}
END_TEST

int main(void)
{
    /* Work enough for a batch to be worth another engine's while. */
    static const char json[] =
        "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"], \"padding\": \"batch\","
        " \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"num_pkts_out\", \"num_pkts_in\"]},"
        " \"children\": [{\"name\": \"packets\", \"input\": {\"each\": \"packets\", \"select\": [\"b\"]},"
        " \"layers\": [{\"lstm\": 32}]}],"
        " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct model *model;
    struct tree *tree;
    int status;

    if (!faults_init() || close(mkstemp(model_path)) < 0 ||
        tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL) < 0 || model_new(&model, tree, 1) < 0 ||
        model_save(model, model_path, NULL) < 0)
        return EXIT_FAILURE;
    model_free(model);
    status =
        UNIT_RUN("classifier", each_engine_takes_the_batches_for_which_it_is_faster,
                 a_slow_engine_takes_nothing_unless_it_has_to, an_engine_that_cannot_be_trusted_is_not_used,
                 the_cpu_takes_over_within_the_batch, an_engine_that_works_again_is_used_again,
                 every_new_model_is_another_chance, without_one_there_is_the_cpu);
    (void)unlink(model_path);
    faults_deinit();
    return status;
}

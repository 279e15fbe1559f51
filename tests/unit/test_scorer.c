/* A batch larger than the engine likes goes through in portions: every flow gets the verdict it would get in
 * one piece, whatever the portions are. */
#include "daemon/scorer.h"

#include <math.h>
#include <unistd.h>

#include "core/encode.h"
#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};
static char model_path[] = "/tmp/test_scorer.XXXXXX";

static void save_model(void)
{
    struct error err = {0};
    struct model *model;
    struct tree *tree;

    ck_assert_int_eq(tree_load(&tree, SOURCE_ROOT "/etc/trees/flowtree.json", labels, 3, &err), 0);
    ck_assert_int_eq(model_new(&model, tree, 5), 0);
    ck_assert_msg(model_save(model, model_path, &err) == 0, "%s", err.text);
    model_free(model);
}

/* All flows at once, by the same kernels. */
static float *logits_of(const struct model *model, const struct record *const *records, size_t n)
{
    const struct engine_options options = {.threads = 1};
    float *logits = flows_alloc(n, model->tree->n_labels * sizeof *logits);
    struct error err = {0};
    struct engine *engine;
    struct batch *batch;

    ck_assert_int_eq(engine_open(&engine, &engine_cpu, &options, &err), 0);
    ck_assert_int_eq(engine->ops->load(engine, model, &err), 0);
    ck_assert_int_eq(batch_new(&batch, model->tree), 0);
    ck_assert_int_eq(encode_records(batch, model, records, n, ENCODE_SERVING), 0);
    ck_assert_int_eq(engine->ops->forward(engine, batch, logits, &err), 0);
    batch_free(batch);
    engine_close(engine);
    return logits;
}

static void check_verdicts(const struct flow_batch *batch)
{
    const struct model *model = batch->model->model;
    const struct verdict_rule rule = verdict_rule_of(model);
    float *logits = logits_of(model, batch->record, batch->n);

    for (size_t i = 0; i < batch->n; i++) {
        struct verdict wanted;

        verdict_decide(&wanted, &rule, logits + i * model->tree->n_labels);
        ck_assert_int_eq(batch->verdict[i].label, wanted.label);
        for (size_t l = 0; l < model->tree->n_labels; l++)
            ck_assert_msg(fabsf(batch->verdict[i].scores[l] - wanted.scores[l]) < 1e-6F, "flow %zu of %zu", i,
                          batch->n);
    }
    free(logits);
}

/* portions: whole ones in the batch, and some flows beside. */
static void score(unsigned threads, size_t portions, size_t beside)
{
    const struct engine_options options = {.threads = threads};
    struct flow_batch_pool pool;
    struct served_model *served;
    struct flow_batch *batch;
    struct scorer *scorer;
    struct error err = {0};
    size_t n;

    ck_assert_msg(served_model_load(&served, model_path, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(scorer_new(&scorer, &options, served, 4096, &err), 0);
    ck_assert_uint_gt(scorer_cpu(scorer)->portion, 0);
    n = portions * scorer_cpu(scorer)->portion + beside;
    ck_assert_uint_le(n, 4096);
    ck_assert_int_eq(flow_batch_pool_init(&pool, 1, 4096), 0);
    batch = flow_batch_take(&pool);
    for (size_t i = 0; i < n; i++) {
        struct record *record = flows_record((uint32_t)(i % 3), i);

        ck_assert(flow_batch_add(batch, record));
        free(record);
    }
    ck_assert_msg(scorer_score(scorer, scorer_cpu(scorer), batch, &err) == 0, "%s", err.text);
    ck_assert(batch->classified);
    check_verdicts(batch);
    flow_batch_return(&pool, batch);
    flow_batch_pool_deinit(&pool);
    scorer_free(scorer);
    served_model_unref(served);
}

START_TEST(portions_change_no_verdict)
{
    static const struct {
        unsigned threads;
        size_t portions, beside;
    } cases[] = {{1, 0, 1}, {1, 1, 0}, {1, 1, 1}, {1, 3, 37}, {3, 0, 2}, {3, 2, 0}, {3, 2, 255}};

    save_model();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        score(cases[i].threads, cases[i].portions, cases[i].beside);
}
END_TEST

int main(void)
{
    int descriptor = mkstemp(model_path), status;

    if (descriptor < 0)
        return EXIT_FAILURE;
    (void)close(descriptor);
    status = UNIT_RUN("scorer", portions_change_no_verdict);
    (void)unlink(model_path);
    return status;
}

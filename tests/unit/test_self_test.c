/* An engine is trusted if its logits are those of another one, for trees of any kind. */
#include "core/self_test.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

enum { TREES = 40 };

/* An engine whose logits are those that `answer` gives. */
static float (*answer)(size_t flow, size_t label);
static int failure;

static int fake_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    size_t n = batch->tree->n_labels;

    if (failure < 0)
        return error_set(err, failure, "told to fail");
    for (size_t i = 0; i < batch->n_flows * n; i++)
        logits[i] = answer(i / n, i % n);
    return 0;
}

static const struct engine_ops fake_ops = {.name = "fake", .forward = fake_forward};
static struct engine fake = {.ops = &fake_ops};

static float zeros(size_t flow, size_t label)
{
    return 0;
}

static float one_apart(size_t flow, size_t label)
{
    return flow == SELF_TEST_FLOWS - 1 && label == 1 ? 2e-4f : 0;
}

static float one_nan(size_t flow, size_t label)
{
    return flow == 7 && label == 0 ? NAN : 0;
}

static struct model *model_of(struct tree *tree, uint64_t seed)
{
    struct model *model;

    ck_assert_int_eq(model_new(&model, tree, seed), 0);
    return model;
}

static struct engine *engine_of(const struct engine_ops *ops, const struct model *model)
{
    struct engine *engine;
    struct error err;

    ck_assert_int_eq(engine_open(&engine, ops, &(struct engine_options){.threads = 1}, &err), 0);
    ck_assert_int_eq(ops->load(engine, model, &err), 0);
    return engine;
}

/* All weights three times as large as fresh ones, where sums of floats go wrong sooner. */
START_TEST(two_engines_that_are_right_agree)
{
    struct random random = {1};
    double largest = 0;

    for (int i = 0; i < TREES; i++) {
        struct model *model = model_of(random_tree(&random), (uint64_t)i);
        struct engine *cpu, *reference;
        struct error err = {0};
        double difference;

        for (size_t k = 0; k < model->tree->n_weights; k++)
            model->weights[k] *= 3;
        cpu = engine_of(&engine_cpu, model);
        reference = engine_of(&engine_reference, model);
        ck_assert_msg(self_test(&difference, cpu, reference, model, &err) == 0, "%s", err.text);
        largest = fmax(largest, difference);
        engine_close(cpu);
        engine_close(reference);
        model_free(model);
    }
    printf("largest difference to the reference %.2g\n", largest);
    ck_assert_double_lt(largest, SELF_TEST_LIMIT / 2);
}
END_TEST

START_TEST(one_logit_that_is_wrong_is_enough)
{
    static const char json[] = "{\"format\": 1, \"name\": \"zero\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct error err = {0};
    struct engine *cpu;
    struct model *model;
    struct tree *tree;
    double difference;

    ck_assert_int_eq(tree_parse(&tree, "zero", json, strlen(json), NULL, 0, NULL), 0);
    model = model_of(tree, 1);
    memset(model->weights, 0, tree->n_weights * sizeof *model->weights);
    cpu = engine_of(&engine_cpu, model);

    answer = zeros;
    ck_assert_int_eq(self_test(&difference, &fake, cpu, model, &err), 0);
    ck_assert_double_eq(difference, 0);
    answer = one_apart;
    ck_assert_int_eq(self_test(&difference, &fake, cpu, model, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "self-test: logits differ by up to 0.0002 from what they should be");
    answer = one_nan;
    ck_assert_int_eq(self_test(&difference, &fake, cpu, model, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "self-test: a logit is not finite");
    failure = -ENODEV;
    ck_assert_int_eq(self_test(&difference, &fake, cpu, model, &err), -ENODEV);
    ck_assert_str_eq(err.text, "told to fail");
    engine_close(cpu);
    model_free(model);
}
END_TEST

START_TEST(trial_records_have_lists_of_every_length)
{
    static struct record records[SELF_TEST_FLOWS], again[SELF_TEST_FLOWS];
    bool one_side = false;

    random_records_trial(records, SELF_TEST_FLOWS);
    random_records_trial(again, SELF_TEST_FLOWS);
    for (size_t i = 0; i < SELF_TEST_FLOWS; i++) {
        ck_assert(record_equal(&records[i], &again[i]));
        one_side = one_side || !records[i].in.present;
    }
    ck_assert_uint_eq(records[0].n_packets + records[0].out.n_ids + records[0].in.n_ids, 0);
    ck_assert_uint_eq(records[1].n_packets, RECORD_PACKETS_MAX);
    ck_assert_uint_eq(records[1].out.n_ids, RECORD_IDS_MAX);
    ck_assert_uint_eq(records[1].in.n_ids, RECORD_IDS_MAX);
    ck_assert(one_side);
}
END_TEST

int main(void)
{
    return UNIT_RUN("self_test", two_engines_that_are_right_agree, one_logit_that_is_wrong_is_enough,
                    trial_records_have_lists_of_every_length);
}

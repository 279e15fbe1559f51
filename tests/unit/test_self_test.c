/* An engine is trusted if its logits are those of another one, and if it learns what the other one learns,
 * for trees of any kind. */
#include "core/self_test.h"

#include <errno.h>
#include <limits.h>
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

/* One with two ways, of which it takes the first by itself. */
static float (*way_answers[2])(size_t flow, size_t label);
static int taken;

static bool fake_take_way(struct engine *engine, int way)
{
    if (way >= 2)
        return false;
    taken = way;
    answer = way_answers[way == ENGINE_WAY_BY_SIZE ? 0 : way];
    return true;
}

static const struct engine_ops fake_ops = {.name = "fake", .forward = fake_forward};
static const struct engine_ops fake_ways_ops = {
    .name = "fake", .forward = fake_forward, .take_way = fake_take_way};
static struct engine fake = {.ops = &fake_ops};
static struct engine fake_ways = {.ops = &fake_ways_ops};

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

/* Also where it is one of two ways, and not the one that the engine takes by itself. */
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
    ck_assert_str_eq(err.text, "self-test: logits are not finite");
    failure = -ENODEV;
    ck_assert_int_eq(self_test(&difference, &fake, cpu, model, &err), -ENODEV);
    ck_assert_str_eq(err.text, "told to fail");
    failure = 0;

    way_answers[0] = way_answers[1] = zeros;
    ck_assert_int_eq(self_test(&difference, &fake_ways, cpu, model, &err), 0);
    ck_assert_int_eq(taken, ENGINE_WAY_BY_SIZE);
    way_answers[1] = one_apart;
    ck_assert_int_eq(self_test(&difference, &fake_ways, cpu, model, &err), -EBADMSG);
    ck_assert_str_eq(err.text,
                     "way 2 to judge: self-test: logits differ by up to 0.0002 from what they should be");
    ck_assert_int_eq(taken, ENGINE_WAY_BY_SIZE);
    engine_close(cpu);
    model_free(model);
}
END_TEST

/* An engine that learns as the CPU does, but for one thing. */
enum lie {
    LIE_NONE,
    LIE_LOSS,
    LIE_LOGIT,
    LIE_GRADIENT,
    LIE_NAN,
    LIE_FLOW_WEIGHTS,
    LIE_LABELS,
    LIE_NO_DROPOUT,
    LIE_OTHER_DROPOUT,
    LIE_EVEN,
    LIE_WEIGHT,
    LIE_RATE,
    LIE_BETA,
    LIE_EPSILON,
    LIE_DECAY,
    LIE_CLIP,
    LIE_KIND,
    LIE_STALE,
    LIE_STALE_WAY,
    LIES
};

static const char *const caught[LIES] = {
    [LIE_LOSS] = "losses differ",
    [LIE_LOGIT] = "logits differ",
    [LIE_GRADIENT] = "gradients differ",
    [LIE_NAN] = "gradients are not finite",
    [LIE_FLOW_WEIGHTS] = "losses differ",
    [LIE_LABELS] = "losses differ",
    [LIE_NO_DROPOUT] = "logits differ",
    [LIE_OTHER_DROPOUT] = "logits differ",
    [LIE_EVEN] = "gradients differ",
    [LIE_WEIGHT] = "weights after a step differ",
    [LIE_RATE] = "weights after a step differ",
    [LIE_BETA] = "weights after a step differ",
    [LIE_EPSILON] = "weights after a step differ",
    [LIE_DECAY] = "weights after a step differ",
    [LIE_CLIP] = "weights after a step differ",
    [LIE_KIND] = "weights after a step differ",
    [LIE_STALE] = "logits differ",
    [LIE_STALE_WAY] = "way 2 to judge: self-test: logits differ",
};

struct liar {
    struct engine base;
    struct engine *honest, *stale; /* the second one never takes a step */
    enum lie lie;
    unsigned truthful_from; /* the load after which it lies no longer */
    unsigned loads;
    int way;   /* to judge, of two */
    bool even; /* all lists of the batch in hand are of one length */
    int failure;
};

static enum lie lie_of(const struct liar *liar)
{
    return liar->loads < liar->truthful_from ? liar->lie : LIE_NONE;
}

static int liar_load(struct engine *engine, const struct model *of, struct error *err)
{
    struct liar *liar = (struct liar *)engine;

    liar->loads++;
    engine->tree = of->tree;
    ck_assert_int_eq(liar->stale->ops->load(liar->stale, of, err), 0);
    return liar->honest->ops->load(liar->honest, of, err);
}

static int liar_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    struct liar *liar = (struct liar *)engine;
    enum lie lie = lie_of(liar);
    bool stale = lie == LIE_STALE || (lie == LIE_STALE_WAY && liar->way == 1);
    struct engine *asked = stale ? liar->stale : liar->honest;

    return asked->ops->forward(asked, batch, logits, err);
}

static bool liar_take_way(struct engine *engine, int way)
{
    if (way > 1)
        return false;
    ((struct liar *)engine)->way = way;
    return true;
}

static bool is_even(const struct batch *batch)
{
    for (size_t i = 0; i < batch->tree->n_elements; i++) {
        const struct batch_input *input = &batch->inputs[i];

        for (size_t k = 0; input->first_row != NULL && k < input->n_instances; k++)
            if (input->first_row[k + 1] - input->first_row[k] != input->first_row[1])
                return false;
    }
    return true;
}

static int liar_backward(struct engine *engine, const struct batch *batch,
                         const struct engine_targets *targets, double *loss, float *logits, struct error *err)
{
    struct liar *liar = (struct liar *)engine;
    uint32_t labels[SELF_TEST_FLOWS_MAX];
    struct engine_targets told = *targets;
    enum lie lie = lie_of(liar);
    int r;

    if (liar->failure < 0)
        return error_set(err, liar->failure, "told to fail");
    liar->even = is_even(batch);
    memcpy(labels, targets->labels, batch->n_flows * sizeof *labels);
    if (lie == LIE_FLOW_WEIGHTS)
        told.weights = NULL;
    if (lie == LIE_LABELS) {
        labels[batch->n_flows - 1] ^= 1;
        told.labels = labels;
    }
    if (lie == LIE_NO_DROPOUT)
        told.dropout_seed = 0;
    if (lie == LIE_OTHER_DROPOUT)
        told.dropout_seed++;
    r = liar->honest->ops->backward(liar->honest, batch, &told, loss, logits, err);
    if (lie == LIE_LOSS)
        *loss *= 1.001;
    if (lie == LIE_LOGIT)
        logits[batch->n_flows * batch->tree->n_labels - 1] += 1e-3F;
    return r;
}

static int liar_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    struct liar *liar = (struct liar *)engine;
    struct optimizer told = *optimizer;
    enum lie lie = lie_of(liar);

    told.rate *= lie == LIE_RATE ? 1.01 : 1;
    told.beta2 = lie == LIE_BETA ? 0.99 : told.beta2;
    told.epsilon *= lie == LIE_EPSILON ? 0.5 : 1;
    told.weight_decay = lie == LIE_DECAY ? 0 : told.weight_decay;
    told.clip = lie == LIE_CLIP ? 0 : told.clip;
    told.kind = lie == LIE_KIND ? OPTIMIZER_ADAMW : told.kind;
    return liar->honest->ops->step(liar->honest, &told, err);
}

static int liar_weights(struct engine *engine, float *weights, struct error *err)
{
    struct liar *liar = (struct liar *)engine;
    int r = liar->honest->ops->weights(liar->honest, weights, err);

    if (lie_of(liar) == LIE_WEIGHT)
        weights[engine->tree->n_weights - 1] += 1e-4F;
    return r;
}

/* One value of the first tensor, by a hundredth of its largest. */
static int liar_gradient(struct engine *engine, float *gradient, struct error *err)
{
    struct liar *liar = (struct liar *)engine;
    enum lie lie = lie_of(liar);
    int r = liar->honest->ops->gradient(liar->honest, gradient, err);
    float largest = 0;

    for (size_t i = 0; i < engine->tree->tensors[0].size; i++)
        largest = fmaxf(largest, fabsf(gradient[i]));
    if (lie == LIE_GRADIENT || (lie == LIE_EVEN && liar->even))
        gradient[1] += 0.01F * largest;
    if (lie == LIE_NAN)
        gradient[engine->tree->n_weights - 1] = NAN;
    return r;
}

static const struct engine_ops liar_ops = {.name = "liar",
                                           .load = liar_load,
                                           .forward = liar_forward,
                                           .backward = liar_backward,
                                           .step = liar_step,
                                           .weights = liar_weights,
                                           .gradient = liar_gradient,
                                           .take_way = liar_take_way};

static struct model *file_model(const char *name)
{
    static const char *const labels[] = {"a", "b", "c", "other"};
    char path[256];
    struct error err;
    struct tree *tree;

    (void)snprintf(path, sizeof path, SOURCE_ROOT "/etc/trees/%s.json", name);
    ck_assert_int_eq(tree_load(&tree, path, NULL, 0, &err), 0);
    if (!tree->labels_named) {
        tree_free(tree);
        ck_assert_int_eq(tree_load(&tree, path, labels, 4, &err), 0);
    }
    return model_of(tree, 1);
}

enum { BATCH = 32 };

/* What comes of the test for an engine that lies so. */
static int judge_liar(enum lie lie, unsigned truthful_from, int fails, struct error *err)
{
    struct model *model = file_model("flowtree");
    struct engine *cpu = engine_of(&engine_cpu, model);
    struct liar liar = {.base = {.ops = &liar_ops, .tree = model->tree},
                        .honest = engine_of(&engine_cpu, model),
                        .stale = engine_of(&engine_cpu, model),
                        .lie = lie,
                        .truthful_from = truthful_from,
                        .failure = fails};
    struct self_test_learning difference;
    int r = self_test_learning(&difference, &liar.base, cpu, model, BATCH, err);

    engine_close(liar.honest);
    engine_close(liar.stale);
    engine_close(cpu);
    model_free(model);
    return r;
}

START_TEST(whoever_does_not_learn_the_same_is_caught)
{
    struct error err = {0};

    ck_assert_msg(judge_liar(LIE_NONE, 0, 0, &err) == 0, "%s", err.text);
    for (enum lie lie = LIE_NONE + 1; lie < LIES; lie++) {
        ck_assert_msg(judge_liar(lie, UINT_MAX, 0, &err) == -EBADMSG, "lie %d: not caught", lie);
        ck_assert_msg(strstr(err.text, caught[lie]) != NULL, "lie %d: %s", lie, err.text);
    }
    ck_assert_int_eq(judge_liar(LIE_NONE, 0, -ENODEV, &err), -ENODEV);
    ck_assert_str_eq(err.text, "told to fail");
}
END_TEST

/* The first load is that of the first numbers, the second that of others. */
START_TEST(a_difference_that_other_numbers_do_not_show_is_none)
{
    struct error err = {0};

    ck_assert_msg(judge_liar(LIE_GRADIENT, 2, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(judge_liar(LIE_GRADIENT, 3, 0, &err), -EBADMSG);
}
END_TEST

static void check_learning(struct model *model, size_t flows, struct self_test_learning *largest)
{
    struct engine *cpu = engine_of(&engine_cpu, model), *reference = engine_of(&engine_reference, model);
    struct self_test_learning difference;
    struct error err = {0};

    ck_assert_msg(self_test_learning(&difference, cpu, reference, model, flows, &err) == 0, "%s in %s",
                  err.text, model->tree->json);
    largest->logits = fmax(largest->logits, difference.logits);
    largest->loss = fmax(largest->loss, difference.loss);
    largest->gradient = fmax(largest->gradient, difference.gradient);
    largest->weights = fmax(largest->weights, difference.weights);
    engine_close(cpu);
    engine_close(reference);
    model_free(model);
}

START_TEST(two_engines_that_are_right_learn_the_same)
{
    static const char *const names[] = {"flowtree", "flowtree-portable", "notebook"};
    struct self_test_learning largest = {0};
    struct random random = {2};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_learning(file_model(names[i]), BATCH, &largest);
    for (size_t i = 0; i < TREES; i++) /* batches of 1, 5, 9, ... */
        check_learning(model_of(random_tree(&random), i), 1 + 4 * i, &largest);
    printf("to the reference: logits %.2g, losses %.2g, gradients %.2g, weights %.2g\n", largest.logits,
           largest.loss, largest.gradient, largest.weights);
    ck_assert_double_gt(largest.weights, 0);
    ck_assert_double_lt(fmax(largest.logits, largest.loss), SELF_TEST_LIMIT / 5);
    ck_assert_double_lt(fmax(largest.gradient, largest.weights), SELF_TEST_LEARNING_LIMIT / 5);
}
END_TEST

START_TEST(nothing_is_left_of_the_test)
{
    struct model *model = file_model("flowtree");
    size_t size = model->tree->n_weights * sizeof(float);
    struct engine *engines[] = {engine_of(&engine_cpu, model), engine_of(&engine_cpu, model)};
    struct self_test_learning difference;
    float *weights = malloc(size);
    struct error err;

    ck_assert_ptr_nonnull(weights);
    ck_assert_int_eq(self_test_learning(&difference, engines[0], engines[1], model, BATCH, &err), 0);
    ck_assert_double_eq(difference.gradient, 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(engines[i]->ops->weights(engines[i], weights, &err), 0);
        ck_assert_mem_eq(weights, model->weights, size);
        engine_close(engines[i]);
    }
    free(weights);
    model_free(model);
}
END_TEST

START_TEST(records_can_be_even)
{
    struct random random = {1};
    struct record record;

    random_record_even(&random, &record, 3, 4);
    ck_assert_uint_eq(record.n_packets, 3);
    ck_assert(record.in.present && record.out.has_ip && record.in.has_ip);
    ck_assert_uint_eq(record.out.n_ids, 4);
    ck_assert_uint_eq(record.in.n_ids, 4);
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
                    whoever_does_not_learn_the_same_is_caught,
                    a_difference_that_other_numbers_do_not_show_is_none,
                    two_engines_that_are_right_learn_the_same, nothing_is_left_of_the_test,
                    records_can_be_even, trial_records_have_lists_of_every_length);
}

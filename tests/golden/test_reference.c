/* The reference engine against the reference numbers, in float64 from end to end. */
#include <math.h>
#include <string.h>

#include "core/reference/reference.h"
#include "tests/golden/golden.h"
#include "tests/golden/golden_limits.h"
#include "tests/unit/unit.h"

static const struct golden_limits limits = {
    .output = {1e-11, 1e-13},
    .probability_raw = 1e-9,
    .probability = 1e-12,
    .loss = 1e-11,
    .gradient = {1e-9, 1e-14},
    .adam = 1e-9,
    .adamw = 1e-9,
};

static struct engine *engine_for(const struct golden *golden)
{
    struct engine *engine;

    ck_assert_int_eq(engine_open(&engine, &engine_reference, NULL, NULL), 0);
    ck_assert_int_eq(engine->ops->load(engine, golden->model, NULL), 0);
    reference_set_weights(engine, golden->weights);
    return engine;
}

static double backward(struct engine *engine, const struct golden *golden, double *logits)
{
    struct engine_targets targets = {.labels = golden->labels};
    double loss;

    ck_assert_int_eq(
        reference_run(engine, golden->batch, (const double *const *)golden->inputs, &targets, &loss, logits),
        0);
    return loss;
}

/* Outputs of all elements and of the root's hidden layers. */
static void check_outputs(struct engine *engine, const struct golden *golden)
{
    const struct tree *tree = golden->model->tree;
    const struct element *root = tree_root(tree);
    double values[GOLDEN_FLOWS * 128];
    size_t hidden = 0;

    for (size_t i = 0; i + 1 < tree->n_elements; i++) {
        reference_output(engine, i, SIZE_MAX, values);
        golden_check_rows(golden, "outputs", tree->elements[i].name, values, tree->elements[i].out_width,
                          limits.output);
    }
    for (size_t i = 0; i + 1 < root->n_layers; i++) {
        char name[32];

        if (root->layers[i].kind != LAYER_DENSE)
            continue;
        (void)snprintf(name, sizeof name, "root_hidden%zu", hidden++);
        reference_output(engine, tree->n_elements - 1, i, values);
        golden_check_rows(golden, "outputs", name, values, root->layers[i].out, limits.output);
    }
    ck_assert_uint_ge(hidden, 1);
}

static void check_set(const struct golden_set *set)
{
    struct golden golden;
    struct engine *engine;
    double logits[GOLDEN_FLOWS * 3];

    golden_open(&golden, set);
    engine = engine_for(&golden);
    golden_check_loss(&golden, "loss", NULL, backward(engine, &golden, logits), limits.loss);
    golden_check_rows(&golden, "outputs", "logits", logits, 3, limits.output);
    golden_check_probabilities(&golden, logits, set->raw ? limits.probability_raw : limits.probability);
    check_outputs(engine, &golden);
    golden_check_gradient(&golden, reference_gradient(engine), limits.gradient);
    engine_close(engine);
    golden_close(&golden);
}

static void check_steps(const struct golden_set *set)
{
    struct golden golden;
    struct engine *engine;

    golden_open(&golden, set);
    engine = engine_for(&golden);
    for (int i = 1; i <= 5; i++) {
        (void)backward(engine, &golden, NULL);
        ck_assert_int_eq(engine->ops->step(engine, &golden_adam, NULL), 0);
        if (i == 1)
            golden_check_weights(&golden, "after_1_adam_step", NULL, reference_weights(engine), limits.adam,
                                 0);
    }
    golden_check_weights(&golden, "after_5_adam_steps", NULL, reference_weights(engine), limits.adam, 0);
    golden_check_loss(&golden, "loss_after_5_adam_steps", NULL, backward(engine, &golden, NULL), limits.loss);
    engine_close(engine);
    golden_close(&golden);
}

START_TEST(test_forward_and_gradients)
{
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        check_set(&golden_sets[i]);
}
END_TEST

START_TEST(test_adam)
{
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        if (!golden_sets[i].masked)
            check_steps(&golden_sets[i]);
}
END_TEST

START_TEST(test_adamw)
{
    struct golden golden;
    struct engine *engine;
    struct optimizer optimizer;

    golden_open(&golden, &golden_sets[GOLDEN_SETS - 1]);
    optimizer = golden_adamw(&golden);
    engine = engine_for(&golden);
    for (int i = 0; i < 5; i++) {
        (void)backward(engine, &golden, NULL);
        ck_assert_int_eq(engine->ops->step(engine, &optimizer, NULL), 0);
    }
    golden_check_weights(&golden, "adamw", "after_5_steps", reference_weights(engine), limits.adamw, 0);
    golden_check_loss(&golden, "adamw", "loss_after_5_steps", backward(engine, &golden, NULL), limits.loss);
    engine_close(engine);
    golden_close(&golden);
}
END_TEST

int main(void)
{
    if (!golden_present())
        return unit_skip("no ../shared/data/model");
    return UNIT_RUN("reference", test_forward_and_gradients, test_adam, test_adamw);
}

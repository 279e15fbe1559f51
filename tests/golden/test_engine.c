/* Every engine against the reference numbers, in float32. */
#include <string.h>

#include "tests/golden/golden.h"
#include "tests/golden/golden_limits.h"
#include "tests/unit/tested_engines.h"
#include "tests/unit/unit.h"

static const struct golden_limits limits = {
    .output = {2e-5, 1e-6},
    .probability_raw = 1e-4,
    .probability = 5e-6,
    .loss = 1e-5,
    .gradient = {2e-4, 1e-8},
    .adam = 2e-5,
    .adamw = 5e-5,
};

/* Weights whose first gradient is smaller than this share of the largest are not followed through steps. */
static const double LEAST_GRADIENT = 1e-5;

static struct tested_engine engines[ENGINES_MAX];
static size_t n_engines;

/* Run a check with every engine. */
static void each_engine(const struct golden_set *set, void (*check)(struct engine *, const struct golden *))
{
    for (size_t e = 0; e < n_engines; e++) {
        struct golden golden;
        struct engine *engine;
        struct error err = {0};

        golden_open(&golden, set);
        ck_assert_msg(engine_open(&engine, engines[e].ops, &engines[e].options, &err) == 0, "%s: %s",
                      engines[e].name, err.text);
        ck_assert_msg(engine->ops->load(engine, golden.model, &err) == 0, "%s: %s", engines[e].name,
                      err.text);
        check(engine, &golden);
        engine_close(engine);
        golden_close(&golden);
    }
}

static double *widened(const float *values, size_t n)
{
    double *wide = malloc((n + 1) * sizeof *wide);

    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)values[i];
    return wide;
}

static double backward(struct engine *engine, const struct golden *golden)
{
    struct engine_targets targets = {.labels = golden->labels};
    double loss;

    ck_assert_int_eq(engine->ops->backward(engine, golden->batch, &targets, &loss, NULL, NULL), 0);
    return loss;
}

static void check_logits(const struct golden *golden, const float *logits)
{
    double *wide = widened(logits, GOLDEN_FLOWS * 3);

    golden_check_rows(golden, "outputs", "logits", wide, 3, limits.output);
    golden_check_probabilities(golden, wide, golden->set->raw ? limits.probability_raw : limits.probability);
    free(wide);
}

static void check_outputs(struct engine *engine, const struct golden *golden)
{
    const struct tree *tree = golden->model->tree;

    for (size_t i = 0; i + 1 < tree->n_elements; i++) {
        float values[GOLDEN_FLOWS * 64];
        double *wide;

        ck_assert_uint_le(tree->elements[i].out_width, 64);
        ck_assert_int_eq(engine->ops->output(engine, i, values, NULL), 0);
        wide = widened(values, GOLDEN_FLOWS * tree->elements[i].out_width);
        golden_check_rows(golden, "outputs", tree->elements[i].name, wide, tree->elements[i].out_width,
                          limits.output);
        free(wide);
    }
}

static double *weights_of(struct engine *engine, const struct golden *golden, bool gradient)
{
    float *values = malloc(golden->model->tree->n_weights * sizeof *values);
    double *wide;

    ck_assert_ptr_nonnull(values);
    ck_assert_int_eq((gradient ? engine->ops->gradient : engine->ops->weights)(engine, values, NULL), 0);
    wide = widened(values, golden->model->tree->n_weights);
    free(values);
    return wide;
}

static void check_forward_and_gradients(struct engine *engine, const struct golden *golden)
{
    struct engine_targets targets = {.labels = golden->labels};
    float logits[GOLDEN_FLOWS * 3], again[GOLDEN_FLOWS * 3];
    double loss, *gradient;

    ck_assert_int_eq(engine->ops->forward(engine, golden->batch, logits, NULL), 0);
    check_logits(golden, logits);
    check_outputs(engine, golden);
    ck_assert_int_eq(engine->ops->backward(engine, golden->batch, &targets, &loss, again, NULL), 0);
    check_logits(golden, again);
    if (engine->ops->path == NULL) /* one way, so the same to the bit */
        ck_assert_mem_eq(logits, again, sizeof logits);
    golden_check_loss(golden, "loss", NULL, loss, limits.loss);
    gradient = weights_of(engine, golden, true);
    golden_check_gradient(golden, gradient, limits.gradient);
    free(gradient);
}

static void check_weights(struct engine *engine, const struct golden *golden, const char *part,
                          const char *key, double limit)
{
    double *weights = weights_of(engine, golden, false);

    golden_check_weights(golden, part, key, weights, limit, LEAST_GRADIENT);
    free(weights);
}

static void check_adam(struct engine *engine, const struct golden *golden)
{
    for (int i = 1; i <= 5; i++) {
        (void)backward(engine, golden);
        ck_assert_int_eq(engine->ops->step(engine, &golden_adam, NULL), 0);
        if (i == 1)
            check_weights(engine, golden, "after_1_adam_step", NULL, limits.adam);
    }
    check_weights(engine, golden, "after_5_adam_steps", NULL, limits.adam);
    golden_check_loss(golden, "loss_after_5_adam_steps", NULL, backward(engine, golden), limits.loss);
}

static void check_adamw(struct engine *engine, const struct golden *golden)
{
    struct optimizer optimizer = golden_adamw(golden);

    for (int i = 0; i < 5; i++) {
        (void)backward(engine, golden);
        ck_assert_int_eq(engine->ops->step(engine, &optimizer, NULL), 0);
    }
    check_weights(engine, golden, "adamw", "after_5_steps", limits.adamw);
    golden_check_loss(golden, "adamw", "loss_after_5_steps", backward(engine, golden), limits.loss);
}

START_TEST(test_forward_and_gradients)
{
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        each_engine(&golden_sets[i], check_forward_and_gradients);
}
END_TEST

START_TEST(test_adam)
{
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        if (!golden_sets[i].masked)
            each_engine(&golden_sets[i], check_adam);
}
END_TEST

START_TEST(test_adamw)
{
    each_engine(&golden_sets[GOLDEN_SETS - 1], check_adamw);
}
END_TEST

int main(void)
{
    if (!golden_present())
        return unit_skip("no ../shared/data/model");
    n_engines = tested_engines(engines);
    return UNIT_RUN("engine", test_forward_and_gradients, test_adam, test_adamw);
}

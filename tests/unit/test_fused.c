/* The fused kernels against the reference engine: the shipped trees, every shape, every count of flows,
 * random trees; and the reference numbers of ../shared/data/model. */
#include "core/cuda/fused.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/fused_plan.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/fused_trial.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

static const enum fused_kernels each_kernels[] = {FUSED_KERNELS_LANES, FUSED_KERNELS_TENSOR};
enum { KERNELS = 2 };

/* Largest error of a probability, at up to three times initial weights. */
static const double PROBABILITY_LIMIT = 1e-6;

static void check_trial(const struct fused_trial *trial, double limit)
{
    for (size_t k = 0; k < KERNELS; k++) {
        double difference = fused_trial_difference(trial, each_kernels[k]);

        ck_assert_msg(difference < limit, "kernels %zu: off by %g in %s", k, difference,
                      trial->model->tree->json);
        ck_assert_uint_eq(fake_leaks(), 0);
    }
}

START_TEST(shipped_trees_are_as_exact_as_float32)
{
    static const char *const names[] = {"notebook", "flowtree", "flowtree-portable"};
    static const struct fused_inputs inputs[] = {
        {.n = 17, .packets = 100, .full = true, .purpose = ENCODE_SERVING},
        {.n = 35, .packets = 12, .purpose = ENCODE_TRAINING},
        {.n = 5, .packets = 30, .purpose = ENCODE_SERVING},
    };
    struct random random = {.state = 1};

    fake_reset(NULL);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; k++)
            for (double scale = 1; scale <= 3; scale += 2) {
                struct fused_trial trial;

                fused_trial_init(&trial, &random, fused_trial_tree_file(names[i]), scale, &inputs[k]);
                check_trial(&trial, PROBABILITY_LIMIT);
                fused_trial_deinit(&trial);
            }
}
END_TEST

/* A tree of one recurrent layer. */
static struct tree *recurrent_tree(const char *kind, unsigned units, unsigned columns, bool bidirectional,
                                   const char *padding)
{
    char text[1024], select[128] = "";

    for (unsigned i = 0; i < columns; i++)
        (void)snprintf(select + strlen(select), sizeof select - strlen(select), "%s\"b\"", i > 0 ? "," : "");
    (void)snprintf(text, sizeof text,
                   "{\"format\": 1, \"name\": \"one\", \"padding\": \"%s\", \"root\": {\"name\": \"root\","
                   "\"input\": {\"each\": \"packets\", \"select\": [%s]},"
                   "\"layers\": [{\"%s\": %u, \"bidirectional\": %s},"
                   "{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}",
                   padding, select, kind, units, bidirectional ? "true" : "false");
    return fused_trial_tree_text(text);
}

START_TEST(every_shape_and_what_lies_between)
{
    static const unsigned units[] = {1, 4, 7, 8, 9, 16, 17, 32}, columns[] = {1, 3, 4, 5, 7, 8};
    static const char *const kinds[] = {"lstm", "gru"}, *const paddings[] = {"none", "batch"};
    struct random random = {.state = 2};

    fake_reset(NULL);
    for (unsigned i = 0; i < 2 * 8 * 6; i++) {
        struct fused_inputs inputs = {.n = 19, .packets = 9, .purpose = ENCODE_TRAINING};
        struct fused_trial trial;

        fused_trial_init(&trial, &random,
                         recurrent_tree(kinds[i % 2], units[i / 2 % 8], columns[i / 16], i / 3 % 2 == 0,
                                        paddings[i / 5 % 2]),
                         1 + i % 3, &inputs);
        check_trial(&trial, PROBABILITY_LIMIT);
        fused_trial_deinit(&trial);
    }
}
END_TEST

START_TEST(any_number_of_flows)
{
    static const size_t counts[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 129, 1000};
    struct random random = {.state = 3};

    fake_reset(NULL);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct fused_inputs inputs = {.n = counts[i], .packets = 3, .purpose = ENCODE_SERVING};
        struct fused_trial trial;

        fused_trial_init(&trial, &random, recurrent_tree("lstm", 8, 3, false, "none"), 2, &inputs);
        check_trial(&trial, PROBABILITY_LIMIT);
        fused_trial_deinit(&trial);
    }
}
END_TEST

/* More than the portions that are under way at once. */
START_TEST(large_batches_are_cut_into_portions)
{
    struct fused_inputs inputs = {.n = 35001, .packets = 4, .purpose = ENCODE_SERVING};
    struct random random = {.state = 4};
    struct fused_trial trial;
    double difference;

    fake_reset(NULL);
    fused_trial_init(&trial, &random, recurrent_tree("gru", 7, 4, false, "none"), 2, &inputs);
    difference = fused_trial_difference(&trial, FUSED_KERNELS_BY_SIZE);
    ck_assert_msg(difference < PROBABILITY_LIMIT, "off by %g", difference);
    ck_assert_uint_eq(fake_leaks(), 0);
    fused_trial_deinit(&trial);
}
END_TEST

START_TEST(random_trees_agree_or_are_refused)
{
    enum { TREES = 200 };
    struct random random = {.state = 5};
    unsigned taken = 0;

    fake_reset(NULL);
    for (size_t i = 0; i < TREES; i++) {
        struct fused_inputs inputs = {.n = i % 20, .packets = 8, .purpose = ENCODE_TRAINING};
        struct tree *tree = random_tree(&random);
        struct fused_trial trial;
        struct fused_plan plan;
        struct error err;
        int rc = fused_plan_init(&plan, tree, &err);

        if (rc < 0) {
            ck_assert_int_eq(rc, -ENOTSUP);
            tree_free(tree);
            continue;
        }
        fused_plan_deinit(&plan);
        fused_trial_init(&trial, &random, tree, 1 + i % 3, &inputs);
        check_trial(&trial, PROBABILITY_LIMIT);
        fused_trial_deinit(&trial);
        taken++;
    }
    ck_assert_uint_gt(taken, TREES / 5);
}
END_TEST

START_TEST(weights_can_be_changed)
{
    struct fused_inputs inputs = {.n = 20, .packets = 9, .purpose = ENCODE_SERVING};
    struct random random = {.state = 6};
    struct fused_trial trial;
    struct device device;
    struct fused *fused;
    struct pool *pool;
    float logits[20 * 3];

    fake_reset(NULL);
    fused_trial_init(&trial, &random, fused_trial_tree_file("flowtree"), 1, &inputs);
    ck_assert_int_eq(pool_new(&pool, 2, NULL), 0);
    ck_assert_int_eq(device_open(&device, NULL), 0);
    ck_assert_int_eq(fused_new(&fused, &device, trial.model->tree, trial.model->weights, pool, NULL), 0);
    for (unsigned k = 0; k < 3; k++) {
        ck_assert_int_eq(fused_forward(fused, trial.batch, logits, NULL), 0);
        ck_assert_double_lt(fused_trial_compare(&trial, logits, trial.logits), PROBABILITY_LIMIT);
        for (size_t i = 0; i < trial.model->tree->n_weights; i++)
            trial.model->weights[i] += (float)(0.2 * random_unit(&random) - 0.1);
        fused_trial_answer(&trial);
        ck_assert_double_gt(fused_trial_compare(&trial, logits, trial.logits), 1e-3);
        ck_assert_int_eq(fused_weights(fused, trial.model->weights, NULL), 0);
    }
    fused_free(fused);
    device_close(&device);
    pool_free(pool);
    ck_assert_uint_eq(fake_leaks(), 0);
    fused_trial_deinit(&trial);
}
END_TEST

/* The tensor cores' halves end at 65,504: beyond, the other kernels do the work. */
START_TEST(weights_beyond_a_half_are_no_obstacle)
{
    struct fused_inputs inputs = {.n = 20, .packets = 9, .purpose = ENCODE_SERVING};
    struct random random = {.state = 7};
    struct fused_trial trial;
    const struct tensor *states;

    fake_reset(NULL);
    fused_trial_init(&trial, &random, recurrent_tree("lstm", 8, 3, false, "none"), 1, &inputs);
    states = tree_tensor(trial.model->tree, "root/lstm/Wh");
    trial.model->weights[states->offset] = 1e6F;
    fused_trial_answer(&trial);
    check_trial(&trial, PROBABILITY_LIMIT);
    fused_trial_deinit(&trial);
}
END_TEST

/* Items may be anything that a float can be: times in milliseconds beside flags. */
START_TEST(large_inputs_lose_nothing)
{
    struct fused_inputs inputs = {.n = 40, .packets = 9, .purpose = ENCODE_SERVING};
    struct random random = {.state = 8};

    fake_reset(NULL);
    for (unsigned i = 0; i < 4; i++) {
        struct fused_trial trial;
        struct batch_input *input;

        fused_trial_init(&trial, &random, recurrent_tree(i % 2 == 0 ? "lstm" : "gru", 16, 3, false, "none"),
                         1, &inputs);
        input = &trial.batch->inputs[0];
        for (uint32_t row = 0; row < input->n_rows; row++) {
            input->values[3 * row] = (float)random_below(&random, 1 << 16);
            input->values[3 * row + 2] = (float)random_below(&random, 1ULL << 32);
        }
        for (size_t k = 0; k < trial.model->tree->n_tensors; k++) { /* so that no gate saturates */
            const struct tensor *tensor = &trial.model->tree->tensors[k];

            if (strstr(tensor->name, "/Wx") != NULL)
                for (size_t row = 0; row < tensor->shape[0]; row++) {
                    trial.model->weights[tensor->offset + 3 * row] *= 0x1p-16F;
                    trial.model->weights[tensor->offset + 3 * row + 2] *= 0x1p-32F;
                }
        }
        fused_trial_answer(&trial);
        check_trial(&trial, PROBABILITY_LIMIT);
        fused_trial_deinit(&trial);
    }
}
END_TEST

/* Kernels alone: those of the last portions, and no copy. */
START_TEST(kernels_can_be_repeated)
{
    static const struct fused_inputs inputs[] = {
        {.n = 20, .packets = 5, .purpose = ENCODE_SERVING},
        {.n = 17000, .packets = 2, .purpose = ENCODE_SERVING},
    };
    struct random random = {.state = 9};
    struct device device;
    struct pool *pool;

    fake_reset(NULL);
    ck_assert_int_eq(pool_new(&pool, 1, NULL), 0);
    ck_assert_int_eq(device_open(&device, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        struct fused_trial trial;
        struct fused *fused;
        uint64_t n = 1, kernels, copies;
        float *logits;

        fused_trial_init(&trial, &random, recurrent_tree("lstm", 8, 2, false, "none"), 1, &inputs[i]);
        logits = calloc(inputs[i].n * trial.model->tree->n_labels, sizeof *logits);
        ck_assert_ptr_nonnull(logits);
        ck_assert_int_eq(fused_new(&fused, &device, trial.model->tree, trial.model->weights, pool, NULL), 0);
        ck_assert_int_eq(fused_repeat(fused, 3, &n, NULL), 0);
        ck_assert_uint_eq(n, 0);
        ck_assert_int_eq(fused_forward(fused, trial.batch, logits, NULL), 0);
        kernels = fake_calls(FAKE_LAUNCH);
        copies = fake_calls(FAKE_COPY);
        ck_assert_int_eq(fused_repeat(fused, 3, &n, NULL), 0);
        ck_assert_uint_eq(n, 3 * inputs[i].n);
        if (kernels > 0) /* they are counted */
            ck_assert_uint_ge(fake_calls(FAKE_LAUNCH) - kernels, (i + 1) * 3 * 2);
        ck_assert_uint_eq(fake_calls(FAKE_COPY), copies);
        free(logits);
        fused_free(fused);
        fused_trial_deinit(&trial);
    }
    device_close(&device);
    pool_free(pool);
    ck_assert_uint_eq(fake_leaks(), 0);
}
END_TEST

int main(void)
{
    return UNIT_RUN("fused", shipped_trees_are_as_exact_as_float32, every_shape_and_what_lies_between,
                    any_number_of_flows, large_batches_are_cut_into_portions,
                    random_trees_agree_or_are_refused, weights_can_be_changed,
                    weights_beyond_a_half_are_no_obstacle, large_inputs_lose_nothing,
                    kernels_can_be_repeated);
}

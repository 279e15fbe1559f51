/* The CPU engine against the reference engine on random trees, with every instruction set; its threads; and
 * what happens when memory runs out. */
#include "core/engine.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/cpu/kernels.h"
#include "core/encode.h"
#include "tests/unit/allocations.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

enum { TREES = 60, FLOWS_MAX = 150 };

/* A random tree with weights and a batch. */
struct trial {
    struct model *model;
    struct batch *batch;
    struct engine_targets targets;
    uint32_t labels[FLOWS_MAX];
    float weights[FLOWS_MAX];
};

static void trial_init(struct trial *trial, struct random *random, size_t n)
{
    struct record *records = calloc(n, sizeof *records);
    const struct record *pointers[FLOWS_MAX];

    ck_assert_int_eq(model_new(&trial->model, random_tree(random), random_next(random)), 0);
    ck_assert_int_eq(batch_new(&trial->batch, trial->model->tree), 0);
    for (size_t i = 0; i < n; i++) {
        random_record(random, &records[i], 20);
        pointers[i] = &records[i];
        trial->labels[i] = (uint32_t)random_below(random, trial->model->tree->n_labels);
        trial->weights[i] = (float)(0.5 + random_unit(random));
    }
    ck_assert_int_eq(encode_records(trial->batch, trial->model, pointers, n, ENCODE_TRAINING), 0);
    random_values(random, trial->batch);
    for (size_t i = 0; i < trial->model->tree->n_weights; i++) /* biases too */
        trial->model->weights[i] += (float)(0.4 * random_unit(random) - 0.2);
    trial->targets = (struct engine_targets){trial->labels, trial->weights, random_below(random, 2)};
    free(records);
}

static void trial_deinit(struct trial *trial)
{
    batch_free(trial->batch);
    model_free(trial->model);
}

static struct engine *engine_new(const struct engine_ops *ops, const char *instruction, unsigned threads,
                                 const struct trial *trial)
{
    struct engine_options options = {.threads = threads, .instruction = instruction};
    struct engine *engine;

    ck_assert_int_eq(engine_open(&engine, ops, &options, NULL), 0);
    ck_assert_int_eq(engine->ops->load(engine, trial->model, NULL), 0);
    return engine;
}

/* What an engine says about a trial. */
struct answers {
    float logits[FLOWS_MAX * TREE_LABELS_MAX];
    float *outputs[TREE_ELEMENTS_MAX];
    float *gradient, *weights;
    double loss;
};

static float *floats(size_t n)
{
    float *v = calloc(n + 1, sizeof *v);

    ck_assert_ptr_nonnull(v);
    return v;
}

static size_t output_size(const struct trial *trial, size_t element)
{
    return trial->batch->inputs[element].n_instances * trial->model->tree->elements[element].out_width;
}

static void answers_init(struct answers *a, struct engine *engine, const struct trial *trial)
{
    static const struct optimizer adamw = {OPTIMIZER_ADAMW, 1e-2, 0.9, 0.999, 1e-3, 1e-2, 0.05};
    const struct tree *tree = trial->model->tree;

    ck_assert_int_eq(engine->ops->backward(engine, trial->batch, &trial->targets, &a->loss, a->logits, NULL),
                     0);
    for (size_t i = 0; i < tree->n_elements; i++) {
        a->outputs[i] = floats(output_size(trial, i));
        ck_assert_int_eq(engine->ops->output(engine, i, a->outputs[i], NULL), 0);
    }
    a->gradient = floats(tree->n_weights);
    a->weights = floats(tree->n_weights);
    ck_assert_int_eq(engine->ops->gradient(engine, a->gradient, NULL), 0);
    ck_assert_int_eq(engine->ops->step(engine, &adamw, NULL), 0);
    ck_assert_int_eq(engine->ops->weights(engine, a->weights, NULL), 0);
}

static void answers_deinit(struct answers *a, const struct trial *trial)
{
    for (size_t i = 0; i < trial->model->tree->n_elements; i++)
        free(a->outputs[i]);
    free(a->gradient);
    free(a->weights);
}

static void all_near(const float *got, const float *want, size_t n, double limit, const struct trial *trial,
                     const char *what, const char *name)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - (double)want[i]) <= limit * largest + 2e-6,
                      "%s %s[%zu] is %.9g, not %.9g in %s", name, what, i, (double)got[i], (double)want[i],
                      trial->model->tree->json);
}

static void compare(const struct answers *got, const struct answers *want, const struct trial *trial,
                    const char *name)
{
    const struct tree *tree = trial->model->tree;

    ck_assert_double_eq_tol(got->loss, want->loss, 1e-5 * (1 + fabs(want->loss)));
    all_near(got->logits, want->logits, trial->batch->n_flows * tree->n_labels, 2e-5, trial, "logits", name);
    for (size_t i = 0; i < tree->n_elements; i++)
        all_near(got->outputs[i], want->outputs[i], output_size(trial, i), 2e-5, trial,
                 tree->elements[i].name, name);
    for (size_t i = 0; i < tree->n_tensors; i++)
        all_near(got->gradient + tree->tensors[i].offset, want->gradient + tree->tensors[i].offset,
                 tree->tensors[i].size, 2e-4, trial, tree->tensors[i].name, name);
    all_near(got->weights, want->weights, tree->n_weights, 1e-4, trial, "weights after a step", name);
}

/* Sizes around those of blocks: alone, one less and one more than the lanes, several blocks. */
static const size_t sizes[] = {1, 3, 15, 17, 63, 65, FLOWS_MAX};

START_TEST(random_trees_agree_with_the_reference)
{
    struct random random = {.state = 5};

    for (size_t i = 0; i < TREES; i++) {
        struct trial trial;
        struct engine *engine;
        struct answers want, got;

        trial_init(&trial, &random, sizes[i % (sizeof sizes / sizeof sizes[0])]);
        engine = engine_new(&engine_reference, NULL, 1, &trial);
        answers_init(&want, engine, &trial);
        engine_close(engine);
        for (const struct kernels *const *k = kernels_all; *k != NULL; k++) {
            if (!kernels_supported(*k))
                continue;
            engine = engine_new(&engine_cpu, (*k)->name, 1, &trial);
            answers_init(&got, engine, &trial);
            compare(&got, &want, &trial, (*k)->name);
            answers_deinit(&got, &trial);
            engine_close(engine);
        }
        answers_deinit(&want, &trial);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    struct random random = {.state = 6};

    for (size_t i = 0; i < TREES / 6; i++) {
        struct trial trial;
        struct answers alone, together;

        trial_init(&trial, &random, FLOWS_MAX);
        for (unsigned threads = 1; threads <= 5; threads += 2) {
            struct engine *engine = engine_new(&engine_cpu, NULL, threads, &trial);
            struct answers *a = threads == 1 ? &alone : &together;
            size_t n = trial.model->tree->n_weights;

            answers_init(a, engine, &trial);
            engine_close(engine);
            if (threads == 1)
                continue;
            ck_assert_mem_eq(together.logits, alone.logits,
                             trial.batch->n_flows * trial.model->tree->n_labels * sizeof *alone.logits);
            ck_assert_mem_eq(together.gradient, alone.gradient, n * sizeof *alone.gradient);
            ck_assert_mem_eq(together.weights, alone.weights, n * sizeof *alone.weights);
            answers_deinit(a, &trial);
        }
        answers_deinit(&alone, &trial);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(an_empty_batch_is_no_loss)
{
    struct random random = {.state = 7};
    struct trial trial;
    struct engine *engine;
    float logits[1], *gradient;
    double loss;

    trial_init(&trial, &random, 0);
    engine = engine_new(&engine_cpu, NULL, 2, &trial);
    gradient = floats(trial.model->tree->n_weights);
    ck_assert_int_eq(engine->ops->forward(engine, trial.batch, logits, NULL), 0);
    ck_assert_int_eq(engine->ops->backward(engine, trial.batch, &trial.targets, &loss, logits, NULL), 0);
    ck_assert_double_eq(loss, 0);
    ck_assert_int_eq(engine->ops->gradient(engine, gradient, NULL), 0);
    for (size_t i = 0; i < trial.model->tree->n_weights; i++)
        ck_assert_float_eq(gradient[i], 0);
    free(gradient);
    engine_close(engine);
    trial_deinit(&trial);
}
END_TEST

/* Everything an engine does, once. Return: 0, or the first error. */
static int whole_life(const struct trial *trial)
{
    struct engine_options options = {.threads = 2};
    struct engine *engine;
    float logits[FLOWS_MAX * TREE_LABELS_MAX];
    struct error err = {0};
    double loss;
    int rc = engine_open(&engine, &engine_cpu, &options, &err);

    if (rc < 0)
        return rc;
    rc = engine->ops->load(engine, trial->model, &err);
    if (rc == 0)
        rc = engine->ops->forward(engine, trial->batch, logits, &err);
    if (rc == 0)
        rc = engine->ops->backward(engine, trial->batch, &trial->targets, &loss, NULL, &err);
    ck_assert_int_eq(err.code, rc);
    engine_close(engine);
    return rc;
}

START_TEST(running_out_of_memory_is_an_error_and_no_more)
{
    struct random random = {.state = 8};

    for (size_t i = 0; i < TREES / 6; i++) {
        struct trial trial;
        unsigned long allowed = 0;
        int rc;

        trial_init(&trial, &random, 40);
        do {
            allocations_fail_at(allowed++);
            rc = whole_life(&trial);
            (void)allocations_fail_none();
            if (rc != 0)
                ck_assert_int_eq(rc, -ENOMEM);
        } while (rc != 0);
        ck_assert_uint_gt(allowed, 10);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(after_a_failure_the_next_batch_goes_through)
{
    struct random random = {.state = 9};
    struct trial trial;
    struct engine *engine;
    float logits[FLOWS_MAX * TREE_LABELS_MAX], value[1];

    trial_init(&trial, &random, 40);
    engine = engine_new(&engine_cpu, NULL, 1, &trial);
    ck_assert_int_eq(engine->ops->output(engine, 0, value, NULL), -EINVAL);
    allocations_fail_at(0);
    ck_assert_int_eq(engine->ops->forward(engine, trial.batch, logits, NULL), -ENOMEM);
    (void)allocations_fail_none();
    ck_assert_int_eq(engine->ops->forward(engine, trial.batch, logits, NULL), 0);
    engine_close(engine);
    trial_deinit(&trial);
}
END_TEST

START_TEST(an_unknown_instruction_set_is_no_device)
{
    struct engine_options options = {.threads = 1, .instruction = "altivec"};
    struct engine *engine;
    struct error err = {0};

    ck_assert_int_eq(engine_open(&engine, &engine_cpu, &options, &err), -ENODEV);
    ck_assert_ptr_nonnull(strstr(err.text, "altivec"));
}
END_TEST

START_TEST(loading_again_starts_over)
{
    struct random random = {.state = 10};
    struct trial trial;
    struct engine *engine;
    struct answers first, second;

    trial_init(&trial, &random, 33);
    engine = engine_new(&engine_cpu, NULL, 1, &trial);
    answers_init(&first, engine, &trial);
    ck_assert_int_eq(engine->ops->load(engine, trial.model, NULL), 0);
    answers_init(&second, engine, &trial);
    ck_assert_mem_eq(first.weights, second.weights, trial.model->tree->n_weights * sizeof *first.weights);
    answers_deinit(&first, &trial);
    answers_deinit(&second, &trial);
    engine_close(engine);
    trial_deinit(&trial);
}
END_TEST

int main(void)
{
    return UNIT_RUN("engine_cpu", random_trees_agree_with_the_reference, threads_do_not_change_a_bit,
                    an_empty_batch_is_no_loss, running_out_of_memory_is_an_error_and_no_more,
                    after_a_failure_the_next_batch_goes_through, an_unknown_instruction_set_is_no_device,
                    loading_again_starts_over);
}

/* What the CPU engine has of its own: threads, instruction sets, memory that runs out. What it computes is
 * tested with the other engines (test_engine_answers.c). */
#include "core/engine.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/allocations.h"
#include "tests/unit/engine_trial.h"
#include "tests/unit/unit.h"

enum { TREES = 60 };

static struct engine *engine_new(const char *instruction, unsigned threads, const struct trial *trial)
{
    struct engine_options options = {.threads = threads, .instruction = instruction};

    return trial_engine(trial, &engine_cpu, &options);
}

START_TEST(threads_do_not_change_a_bit)
{
    struct random random = {.state = 6};

    for (size_t i = 0; i < TREES / 6; i++) {
        struct trial trial;
        struct answers alone, together;

        trial_init(&trial, &random, TRIAL_FLOWS_MAX);
        for (unsigned threads = 1; threads <= 5; threads += 2) {
            struct engine *engine = engine_new(NULL, threads, &trial);
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

/* Everything an engine does, once. Return: 0, or the first error. */
static int whole_life(const struct trial *trial)
{
    struct engine_options options = {.threads = 2};
    struct engine *engine;
    float logits[TRIAL_FLOWS_MAX * TREE_LABELS_MAX];
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
    float logits[TRIAL_FLOWS_MAX * TREE_LABELS_MAX], value[1];

    trial_init(&trial, &random, 40);
    engine = engine_new(NULL, 1, &trial);
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
    engine = engine_new(NULL, 1, &trial);
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
    return UNIT_RUN("engine_cpu", threads_do_not_change_a_bit, running_out_of_memory_is_an_error_and_no_more,
                    after_a_failure_the_next_batch_goes_through, an_unknown_instruction_set_is_no_device,
                    loading_again_starts_over);
}

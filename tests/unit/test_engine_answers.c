/* Every engine against the reference engine, on random trees; and what holds for each of them. */
#include "core/engine.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/learn/learn.h"
#include "core/self_test.h"
#include "core/tree/tree_json.h"
#include "tests/unit/engine_trial.h"
#include "tests/unit/flows.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/tested_engines.h"
#include "tests/unit/unit.h"

/* The address sanitizer makes each tree ten times as long, and sees as much in fewer. */
#ifdef __SANITIZE_ADDRESS__
enum { TREES = 48 };
#else
enum { TREES = 160 };
#endif

static struct tested_engine engines[ENGINES_MAX];
static size_t n_engines;

/* Sizes around those of vectors, warps and blocks: alone, one less and one more, several. */
static const size_t sizes[] = {1, 3, 15, 17, 31, 33, 63, 65, TRIAL_FLOWS_MAX};

START_TEST(random_trees_agree_with_the_reference)
{
    struct random random = {.state = 5};

    for (size_t i = 0; i < TREES; i++) {
        struct trial trial;
        struct engine *engine;
        struct answers want, got;

        trial_init(&trial, &random, sizes[i % (sizeof sizes / sizeof sizes[0])]);
        engine = trial_engine(&trial, &engine_reference, NULL);
        answers_init(&want, engine, &trial);
        engine_close(engine);
        for (size_t e = 0; e < n_engines; e++) {
            engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
            answers_init(&got, engine, &trial);
            answers_compare(&got, &want, &trial, engines[e].name);
            answers_deinit(&got, &trial);
            engine_close(engine);
        }
        answers_deinit(&want, &trial);
        trial_deinit(&trial);
    }
}
END_TEST

/* One engine, many batches: what a larger or smaller one left behind must not matter. */
START_TEST(batches_of_all_sizes_follow_each_other)
{
    struct random random = {.state = 11};
    struct trial trial;
    struct batch *batch;

    trial_init(&trial, &random, TRIAL_FLOWS_MAX);
    batch = trial.batch;
    for (size_t e = 0; e < n_engines; e++) {
        struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
        float logits[TRIAL_FLOWS_MAX * TREE_LABELS_MAX], again[TRIAL_FLOWS_MAX * TREE_LABELS_MAX];

        ck_assert_int_eq(engine->ops->forward(engine, batch, logits, NULL), 0);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct trial small;
            struct random same = {.state = 11};
            double loss;

            trial_init(&small, &same, sizes[i]); /* the same tree */
            ck_assert_int_eq(engine->ops->backward(engine, small.batch, &small.targets, &loss, NULL, NULL),
                             0);
            trial_deinit(&small);
        }
        ck_assert_int_eq(engine->ops->forward(engine, batch, again, NULL), 0);
        ck_assert_mem_eq(logits, again, batch->n_flows * trial.model->tree->n_labels * sizeof *logits);
        engine_close(engine);
    }
    trial_deinit(&trial);
}
END_TEST

START_TEST(equal_batches_give_equal_gradients_to_the_bit)
{
    struct random random = {.state = 12};

    for (size_t i = 0; i < TREES / 16; i++) {
        struct trial trial;

        trial_init(&trial, &random, TRIAL_FLOWS_MAX);
        for (size_t e = 0; e < n_engines; e++) {
            struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
            struct answers first, second;

            answers_init(&first, engine, &trial);
            ck_assert_int_eq(engine->ops->load(engine, trial.model, NULL), 0);
            answers_init(&second, engine, &trial);
            ck_assert_mem_eq(first.losses, second.losses, sizeof first.losses);
            ck_assert_mem_eq(first.gradient, second.gradient,
                             trial.model->tree->n_weights * sizeof *first.gradient);
            ck_assert_mem_eq(first.weights, second.weights,
                             trial.model->tree->n_weights * sizeof *first.weights);
            answers_deinit(&first, &trial);
            answers_deinit(&second, &trial);
            engine_close(engine);
        }
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(an_empty_batch_is_no_loss)
{
    struct random random = {.state = 7};
    struct trial trial;

    trial_init(&trial, &random, 0);
    for (size_t e = 0; e < n_engines; e++) {
        struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
        float logits[1], gradient[1 << 12];
        double loss;

        ck_assert_uint_le(trial.model->tree->n_weights, 1 << 12);
        ck_assert_int_eq(engine->ops->forward(engine, trial.batch, logits, NULL), 0);
        ck_assert_int_eq(engine->ops->backward(engine, trial.batch, &trial.targets, &loss, logits, NULL), 0);
        ck_assert_double_eq(loss, 0);
        ck_assert_int_eq(engine->ops->gradient(engine, gradient, NULL), 0);
        for (size_t i = 0; i < trial.model->tree->n_weights; i++)
            ck_assert_float_eq(gradient[i], 0);
        engine_close(engine);
    }
    trial_deinit(&trial);
}
END_TEST

START_TEST(flows_without_weight_teach_nothing)
{
    struct random random = {.state = 13};
    struct trial trial;

    trial_init(&trial, &random, 20);
    memset(trial.weights, 0, sizeof trial.weights);
    for (size_t e = 0; e < n_engines; e++) {
        struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
        float gradient[1 << 12];
        double loss;

        ck_assert_uint_le(trial.model->tree->n_weights, 1 << 12);
        ck_assert_int_eq(engine->ops->backward(engine, trial.batch, &trial.targets, &loss, NULL, NULL), 0);
        ck_assert_double_eq(loss, 0);
        ck_assert_int_eq(engine->ops->gradient(engine, gradient, NULL), 0);
        for (size_t i = 0; i < trial.model->tree->n_weights; i++)
            ck_assert_float_eq(gradient[i], 0);
        engine_close(engine);
    }
    trial_deinit(&trial);
}
END_TEST

START_TEST(there_is_no_output_before_a_batch)
{
    struct random random = {.state = 9};
    struct trial trial;
    float value[1];

    trial_init(&trial, &random, 1);
    for (size_t e = 0; e < n_engines; e++) {
        struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);

        ck_assert_int_eq(engine->ops->output(engine, 0, value, NULL), -EINVAL);
        engine_close(engine);
    }
    trial_deinit(&trial);
}
END_TEST

/* What is asked of a device that nobody has tried before, on trees of all kinds and those that come with us.
 */
START_TEST(every_engine_passes_the_self_test_of_learning)
{
    static const char *const names[] = {"flowtree", "notebook"};
    static const char *const labels[] = {"news", "socialmedia", "videostreaming"};
    size_t n_names = sizeof names / sizeof names[0];
    struct random random = {.state = 21};

    for (size_t i = 0; i < n_names + TREES / 16; i++) {
        struct trial trial;
        struct engine *reference;
        struct tree *tree;
        char path[256];

        if (i < n_names) {
            (void)snprintf(path, sizeof path, SOURCE_ROOT "/etc/trees/%s.json", names[i]);
            ck_assert_int_eq(tree_load(&tree, path, i == 0 ? labels : NULL, i == 0 ? 3 : 0, NULL), 0);
        } else {
            tree = random_tree(&random);
        }
        trial_init_tree(&trial, tree, &random, 1);
        reference = trial_engine(&trial, &engine_reference, NULL);
        for (size_t e = 0; e < n_engines; e++) {
            struct engine *engine = trial_engine(&trial, engines[e].ops, &engines[e].options);
            struct self_test_learning difference;
            struct error err = {0};

            ck_assert_msg(self_test_learning(&difference, engine, reference, trial.model, 33, &err) == 0,
                          "%s: %s in %s", engines[e].name, err.text, tree->json);
            ck_assert_msg(fmax(difference.gradient, difference.weights) < SELF_TEST_LEARNING_LIMIT / 3,
                          "%s: gradients %g, weights %g in %s", engines[e].name, difference.gradient,
                          difference.weights, tree->json);
            engine_close(engine);
        }
        engine_close(reference);
        trial_deinit(&trial);
    }
}
END_TEST

/* The seed decides: after a whole training two engines agree on flows they have not seen. */
START_TEST(training_ends_the_same_with_every_engine)
{
    static const char *const labels[] = {"news", "video", "other"};
    struct dataset *dataset = flows_even(labels, 3, 4, 8);
    struct learn_options options = learn_defaults();
    double accuracy = 0, loss = 0;

    options.tree_path = SOURCE_ROOT "/etc/trees/flowtree.json";
    options.epochs = 4;
    options.holdout = 0.25;
    options.precision = 0;
    options.date = "2026-11-23T06:00:00Z";
    options.version = "1";
    for (size_t e = 0; e < n_engines; e++) {
        struct learn_result result;
        const struct train_epoch *last;
        struct error err = {0};

        options.engine = engines[e].ops;
        options.engine_options = engines[e].options;
        ck_assert_msg(learn_model(&result, dataset, &options, &err) == 0, "%s", err.text);
        last = &result.training.epochs[result.training.n_epochs - 1];
        if (e == 0) {
            accuracy = last->held_out_accuracy;
            loss = last->held_out_loss;
        }
        ck_assert_msg(fabs(last->held_out_accuracy - accuracy) <= 0.05, "%s: accuracy %g, not %g",
                      engines[e].name, last->held_out_accuracy, accuracy);
        ck_assert_msg(fabs(last->held_out_loss - loss) <= 0.02 * loss, "%s: loss %g, not %g", engines[e].name,
                      last->held_out_loss, loss);
        learn_result_deinit(&result);
    }
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    n_engines = tested_engines(engines);
    return UNIT_RUN("engine_answers", random_trees_agree_with_the_reference,
                    batches_of_all_sizes_follow_each_other, equal_batches_give_equal_gradients_to_the_bit,
                    an_empty_batch_is_no_loss, flows_without_weight_teach_nothing,
                    there_is_no_output_before_a_batch, every_engine_passes_the_self_test_of_learning,
                    training_ends_the_same_with_every_engine);
}

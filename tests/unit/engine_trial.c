#include "tests/unit/engine_trial.h"

#include <math.h>
#include <stdlib.h>

#include "core/encode.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

void trial_init(struct trial *trial, struct random *random, size_t n_flows)
{
    trial_init_tree(trial, random_tree(random), random, n_flows);
}

void trial_init_tree(struct trial *trial, struct tree *tree, struct random *random, size_t n_flows)
{
    struct record *records = calloc(n_flows + 1, sizeof *records);
    const struct record *pointers[TRIAL_FLOWS_MAX];

    ck_assert_ptr_nonnull(records);
    ck_assert_int_eq(model_new(&trial->model, tree, random_next(random)), 0);
    ck_assert_int_eq(batch_new(&trial->batch, trial->model->tree), 0);
    for (size_t i = 0; i < n_flows; i++) {
        random_record(random, &records[i], 20);
        pointers[i] = &records[i];
        trial->labels[i] = (uint32_t)random_below(random, trial->model->tree->n_labels);
        trial->weights[i] = (float)(0.5 + random_unit(random));
    }
    ck_assert_int_eq(encode_records(trial->batch, trial->model, pointers, n_flows, ENCODE_TRAINING), 0);
    random_values(random, trial->batch);
    for (size_t i = 0; i < trial->model->tree->n_weights; i++) /* biases too */
        trial->model->weights[i] += (float)(0.4 * random_unit(random) - 0.2);
    trial->targets = (struct engine_targets){trial->labels, trial->weights, random_below(random, 2)};
    free(records);
}

void trial_deinit(struct trial *trial)
{
    batch_free(trial->batch);
    model_free(trial->model);
}

struct engine *trial_engine(const struct trial *trial, const struct engine_ops *ops,
                            const struct engine_options *options)
{
    struct engine *engine;
    struct error err = {0};

    ck_assert_msg(engine_open(&engine, ops, options, &err) == 0, "%s", err.text);
    ck_assert_msg(engine->ops->load(engine, trial->model, &err) == 0, "%s", err.text);
    return engine;
}

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

/* The first gradient and outputs, and the weights after all steps. */
static void learn(struct answers *a, struct engine *engine, const struct trial *trial)
{
    static const struct optimizer adamw = {OPTIMIZER_ADAMW, 1e-2, 0.9, 0.999, 1e-3, 1e-2, 0.05};
    const struct tree *tree = trial->model->tree;

    for (uint64_t step = 0; step < TRIAL_STEPS; step++) {
        struct engine_targets targets = trial->targets;

        if (targets.dropout_seed != 0)
            targets.dropout_seed += step;
        ck_assert_int_eq(engine->ops->backward(engine, trial->batch, &targets, &a->losses[step],
                                               step == 0 ? a->logits : NULL, NULL),
                         0);
        if (step == 0) {
            ck_assert_int_eq(engine->ops->gradient(engine, a->gradient, NULL), 0);
            for (size_t i = 0; i < tree->n_elements; i++)
                ck_assert_int_eq(engine->ops->output(engine, i, a->outputs[i], NULL), 0);
        }
        ck_assert_int_eq(engine->ops->step(engine, &adamw, NULL), 0);
    }
    ck_assert_int_eq(engine->ops->weights(engine, a->weights, NULL), 0);
}

void answers_init(struct answers *answers, struct engine *engine, const struct trial *trial)
{
    const struct tree *tree = trial->model->tree;

    for (size_t i = 0; i < tree->n_elements; i++)
        answers->outputs[i] = floats(output_size(trial, i));
    answers->gradient = floats(tree->n_weights);
    answers->weights = floats(tree->n_weights);
    ck_assert_int_eq(engine->ops->forward(engine, trial->batch, answers->judged, NULL), 0);
    learn(answers, engine, trial);
}

void answers_deinit(struct answers *answers, const struct trial *trial)
{
    for (size_t i = 0; i < trial->model->tree->n_elements; i++)
        free(answers->outputs[i]);
    free(answers->gradient);
    free(answers->weights);
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

void answers_compare(const struct answers *got, const struct answers *want, const struct trial *trial,
                     const char *name)
{
    const struct tree *tree = trial->model->tree;
    size_t n_logits = trial->batch->n_flows * tree->n_labels;

    for (size_t i = 0; i < TRIAL_STEPS; i++)
        ck_assert_double_eq_tol(got->losses[i], want->losses[i], 1e-5 * (1 + fabs(want->losses[i])));
    all_near(got->judged, want->judged, n_logits, 2e-5, trial, "judged", name);
    all_near(got->logits, want->logits, n_logits, 2e-5, trial, "logits", name);
    for (size_t i = 0; i < tree->n_elements; i++)
        all_near(got->outputs[i], want->outputs[i], output_size(trial, i), 2e-5, trial,
                 tree->elements[i].name, name);
    for (size_t i = 0; i < tree->n_tensors; i++)
        all_near(got->gradient + tree->tensors[i].offset, want->gradient + tree->tensors[i].offset,
                 tree->tensors[i].size, 2e-4, trial, tree->tensors[i].name, name);
    all_near(got->weights, want->weights, tree->n_weights, 1e-4, trial, "weights after steps", name);
}

#include "core/reference/reference.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/reference/reference_run.h"
#include "core/reference/reference_step.h"

struct reference {
    struct engine engine;
    double *weights;  /* (n_weights) */
    double *gradient; /* (n_weights) */
    struct reference_moments moments;
    struct reference_run *run; /* of the last batch */
};

static struct reference *reference_of(struct engine *engine)
{
    return (struct reference *)engine;
}

static int out_of_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "reference engine: out of memory");
}

static int reference_open(struct engine **enginep, const struct engine_options *options, struct error *err)
{
    struct reference *reference = calloc(1, sizeof *reference);

    (void)options;
    if (reference == NULL)
        return out_of_memory(err);
    reference->engine.ops = &engine_reference;
    *enginep = &reference->engine;
    return 0;
}

static void reference_unload(struct reference *reference)
{
    reference_run_free(reference->run);
    free(reference->weights);
    free(reference->gradient);
    free(reference->moments.mean);
    free(reference->moments.variance);
    *reference = (struct reference){.engine = {.ops = reference->engine.ops}};
}

static void reference_close(struct engine *engine)
{
    reference_unload(reference_of(engine));
    free(engine);
}

static int reference_load(struct engine *engine, const struct model *model, struct error *err)
{
    struct reference *reference = reference_of(engine);
    size_t n = model->tree->n_weights;

    reference_unload(reference);
    reference->weights = calloc(n, sizeof *reference->weights);
    reference->gradient = calloc(n, sizeof *reference->gradient);
    reference->moments.mean = calloc(n, sizeof *reference->moments.mean);
    reference->moments.variance = calloc(n, sizeof *reference->moments.variance);
    if (reference->weights == NULL || reference->gradient == NULL || reference->moments.mean == NULL ||
        reference->moments.variance == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        reference->weights[i] = model->weights[i];
    reference->engine.tree = model->tree;
    return 0;
}

/* -log softmax(logits)[label] in the log-sum-exp form; logits become softmax(logits). */
static double cross_entropy(double *logits, size_t n, size_t label)
{
    double max = logits[0], sum = 0, loss;

    for (size_t i = 1; i < n; i++)
        max = logits[i] > max ? logits[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += exp(logits[i] - max);
    loss = log(sum) - (logits[label] - max);
    for (size_t i = 0; i < n; i++)
        logits[i] = exp(logits[i] - max) / sum;
    return loss;
}

/* The loss, and its gradient by the logits into the root's signal. */
static double loss_of(const struct signal *logits, const struct engine_targets *targets)
{
    double all_weights = 0, loss = 0;

    for (size_t i = 0; i < logits->n; i++)
        all_weights += targets->weights != NULL ? (double)targets->weights[i] : 1;
    for (size_t i = 0; all_weights > 0 && i < logits->n; i++) {
        double *gradient = logits->gradient + i * logits->width;
        double share = (targets->weights != NULL ? (double)targets->weights[i] : 1) / all_weights;

        memcpy(gradient, logits->values + i * logits->width, logits->width * sizeof *gradient);
        loss += share * cross_entropy(gradient, logits->width, targets->labels[i]);
        gradient[targets->labels[i]] -= 1;
        for (size_t k = 0; k < logits->width; k++)
            gradient[k] *= share;
    }
    return loss;
}

int reference_run(struct engine *engine, const struct batch *batch, const double *const *inputs,
                  const struct engine_targets *targets, double *loss, double *logits)
{
    struct reference *reference = reference_of(engine);
    const struct tree *tree = engine->tree;
    const struct signal *root;
    struct reference_run *run;
    int r = reference_run_new(&run, tree, batch, reference->weights, reference->gradient,
                              targets != NULL ? targets->dropout_seed : 0);

    if (r < 0)
        return r;
    reference_run_free(reference->run);
    reference->run = run;
    reference_run_forward(run, batch, inputs);
    root = reference_run_signal(run, tree->n_elements - 1, SIZE_MAX);
    if (logits != NULL)
        memcpy(logits, root->values, root->n * root->width * sizeof *logits);
    if (targets != NULL) {
        memset(reference->gradient, 0, tree->n_weights * sizeof *reference->gradient);
        *loss = loss_of(root, targets);
        reference_run_backward(run, batch);
    }
    return 0;
}

static void to_floats(float *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static int reference_backward(struct engine *engine, const struct batch *batch,
                              const struct engine_targets *targets, double *loss, float *logits,
                              struct error *err)
{
    const struct signal *root;
    int r = reference_run(engine, batch, NULL, targets, loss, NULL);

    if (r < 0)
        return out_of_memory(err);
    root = reference_run_signal(reference_of(engine)->run, engine->tree->n_elements - 1, SIZE_MAX);
    if (logits != NULL)
        to_floats(logits, root->values, root->n * root->width);
    return 0;
}

static int reference_forward(struct engine *engine, const struct batch *batch, float *logits,
                             struct error *err)
{
    return reference_backward(engine, batch, NULL, NULL, logits, err);
}

static int reference_engine_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    struct reference *reference = reference_of(engine);

    (void)err;
    reference_step(optimizer, &reference->moments, reference->weights, reference->gradient,
                   engine->tree->n_weights);
    return 0;
}

static int reference_read_weights(struct engine *engine, float *weights, struct error *err)
{
    (void)err;
    to_floats(weights, reference_of(engine)->weights, engine->tree->n_weights);
    return 0;
}

static int reference_read_gradient(struct engine *engine, float *gradient, struct error *err)
{
    (void)err;
    to_floats(gradient, reference_of(engine)->gradient, engine->tree->n_weights);
    return 0;
}

static int reference_read_output(struct engine *engine, size_t element, float *values, struct error *err)
{
    const struct reference *reference = reference_of(engine);
    const struct signal *signal;

    if (reference->run == NULL)
        return error_set(err, -EINVAL, "reference engine: no batch has gone through");
    signal = reference_run_signal(reference->run, element, SIZE_MAX);
    to_floats(values, signal->values, signal->n * signal->width);
    return 0;
}

void reference_output(const struct engine *engine, size_t element, size_t layer, double *values)
{
    const struct reference *reference = (const struct reference *)engine;
    const struct signal *signal = reference_run_signal(reference->run, element, layer);

    for (size_t i = 0; i < signal->n; i++)
        memcpy(values + i * signal->width, signal->values + (signal->first[i + 1] - 1) * signal->width,
               signal->width * sizeof *values);
}

void reference_set_weights(struct engine *engine, const double *weights)
{
    memcpy(reference_of(engine)->weights, weights, engine->tree->n_weights * sizeof *weights);
}

const double *reference_weights(const struct engine *engine)
{
    return ((const struct reference *)engine)->weights;
}

const double *reference_gradient(const struct engine *engine)
{
    return ((const struct reference *)engine)->gradient;
}

const struct engine_ops engine_reference = {
    .interface = ENGINE_INTERFACE,
    .name = "reference",
    .open = reference_open,
    .load = reference_load,
    .forward = reference_forward,
    .backward = reference_backward,
    .step = reference_engine_step,
    .weights = reference_read_weights,
    .gradient = reference_read_gradient,
    .output = reference_read_output,
    .close = reference_close,
};

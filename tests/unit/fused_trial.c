#include "tests/unit/fused_trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/reference/reference.h"
#include "core/tree/tree_json.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

static void draw_records(struct random *random, const struct fused_inputs *inputs, struct record *records,
                         const struct record **pointers)
{
    for (size_t i = 0; i < inputs->n; i++) {
        struct record *record = &records[i];

        random_record(random, record, inputs->packets);
        if (inputs->full) {
            record->n_packets = RECORD_PACKETS_MAX;
            record->in.present = record->in.has_ip = record->out.has_ip = true;
            record->in.n_ids = record->out.n_ids = RECORD_IDS_MAX;
        }
        pointers[i] = record;
    }
}

/* Weights as PyTorch starts them, biases too: uniform within 1 / sqrt(units) in recurrent layers, within
 * 1 / sqrt(inputs) in dense ones; embeddings within 1. */
static void draw_weights(struct random *random, struct model *model, double scale)
{
    const struct tree *tree = model->tree;

    for (size_t i = 0; i < tree->n_elements; i++)
        for (size_t l = 0; l < tree->elements[i].n_layers; l++) {
            const struct layer *layer = &tree->elements[i].layers[l];
            double limit = layer->kind == LAYER_DENSE       ? 1 / sqrt((double)layer->in)
                           : layer->kind == LAYER_EMBEDDING ? 1
                                                            : 1 / sqrt((double)layer->units);

            for (size_t k = 0; k < layer->n_tensors; k++) {
                const struct tensor *tensor = &tree->tensors[layer->tensors[k]];

                for (size_t w = 0; w < tensor->size; w++)
                    model->weights[tensor->offset + w] =
                        (float)(scale * limit * (2 * random_unit(random) - 1));
            }
        }
}

void fused_trial_init(struct fused_trial *trial, struct random *random, struct tree *tree, double scale,
                      const struct fused_inputs *inputs)
{
    struct record *records = calloc(inputs->n + 1, sizeof *records);
    const struct record **pointers = calloc(inputs->n + 1, sizeof *pointers);

    ck_assert(records != NULL && pointers != NULL);
    *trial = (struct fused_trial){0};
    ck_assert_int_eq(model_new(&trial->model, tree, random_next(random)), 0);
    ck_assert_int_eq(batch_new(&trial->batch, tree), 0);
    draw_records(random, inputs, records, pointers);
    ck_assert_int_eq(encode_records(trial->batch, trial->model, pointers, inputs->n, inputs->purpose), 0);
    random_values(random, trial->batch);
    draw_weights(random, trial->model, scale);
    trial->logits = calloc(inputs->n * tree->n_labels + 1, sizeof *trial->logits);
    ck_assert_ptr_nonnull(trial->logits);
    fused_trial_answer(trial);
    free(pointers);
    free(records);
}

void fused_trial_deinit(struct fused_trial *trial)
{
    batch_free(trial->batch);
    model_free(trial->model);
    free(trial->logits);
}

void fused_trial_answer(struct fused_trial *trial)
{
    struct engine *engine;

    ck_assert_int_eq(engine_open(&engine, &engine_reference, NULL, NULL), 0);
    ck_assert_int_eq(engine->ops->load(engine, trial->model, NULL), 0);
    ck_assert_int_eq(reference_run(engine, trial->batch, NULL, NULL, NULL, trial->logits), 0);
    engine_close(engine);
}

int fused_trial_run(const struct fused_trial *trial, enum fused_kernels kernels, float *logits,
                    struct error *err)
{
    struct device device = {0};
    struct fused *fused = NULL;
    struct pool *pool;
    int rc = pool_new(&pool, 2, err);

    if (rc < 0)
        return rc;
    rc = device_open(&device, err);
    if (rc == 0)
        rc = fused_new(&fused, &device, trial->model->tree, trial->model->weights, pool, err);
    if (rc == 0) {
        fused_choose(fused, kernels);
        rc = fused_forward(fused, trial->batch, logits, err);
    }
    fused_free(fused);
    device_close(&device);
    pool_free(pool);
    return rc;
}

static double probability(const double *logits, size_t n, size_t label)
{
    double largest = -INFINITY, sum = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, logits[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(logits[i] - largest);
    return exp(logits[label] - largest) / sum;
}

double fused_trial_compare(const struct fused_trial *trial, const float *got, const double *want)
{
    size_t n = trial->model->tree->n_labels;
    double largest = 0;

    for (size_t flow = 0; flow < trial->batch->n_flows; flow++, got += n, want += n) {
        double wide[TREE_LABELS_MAX];

        for (size_t i = 0; i < n; i++)
            wide[i] = (double)got[i];
        for (size_t i = 0; i < n; i++) {
            double difference = fabs(probability(wide, n, i) - probability(want, n, i));

            if (!(difference <= largest)) /* NaN too */
                largest = difference;
        }
    }
    return largest;
}

double fused_trial_difference(const struct fused_trial *trial, enum fused_kernels kernels)
{
    size_t n = trial->batch->n_flows * trial->model->tree->n_labels;
    float *logits = malloc((n + 1) * sizeof *logits);
    struct error err = {0};
    double difference;

    ck_assert_ptr_nonnull(logits);
    for (size_t i = 0; i <= n; i++)
        logits[i] = NAN;
    ck_assert_msg(fused_trial_run(trial, kernels, logits, &err) == 0, "%s", err.text);
    ck_assert_msg(isnan(logits[n]), "written beyond the last flow");
    difference = fused_trial_compare(trial, logits, trial->logits);
    free(logits);
    return difference;
}

struct tree *fused_trial_tree_text(const char *text)
{
    struct tree *tree;
    struct error err;

    ck_assert_msg(tree_parse(&tree, "test", text, strlen(text), NULL, 0, &err) == 0, "%s\n%s", err.text,
                  text);
    return tree;
}

struct tree *fused_trial_tree_file(const char *name)
{
    char path[512];
    struct tree *tree;
    struct error err;

    (void)snprintf(path, sizeof path, "%s/etc/trees/%s.json", SOURCE_ROOT, name);
    ck_assert_msg(tree_load(&tree, path, NULL, 0, &err) == 0, "%s", err.text);
    return tree;
}

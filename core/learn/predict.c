/* predict.c - a model's word on flows whose label is known, in batches that bound the memory. */
#include "core/learn/predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"

enum { PREDICT_BATCH = 256 };

void predictions_init(struct predictions *predictions, const struct dataset *dataset, const struct tree *tree)
{
    *predictions = (struct predictions){.dataset = dataset, .n_labels = tree->n_labels, .other = -1};
    memcpy(predictions->labels, tree->labels, sizeof(predictions->labels));
    for (size_t l = 0; l < tree->n_labels; l++) {
        if (strcmp(tree->labels[l], DATASET_OTHER) == 0)
            predictions->other = (int)l;
    }
}

void predictions_deinit(struct predictions *predictions)
{
    free(predictions->record);
    free(predictions->truth);
    free(predictions->fold);
    free(predictions->temperature);
    free(predictions->logits);
    predictions->record = NULL;
    predictions->truth = NULL;
    predictions->fold = NULL;
    predictions->temperature = NULL;
    predictions->logits = NULL;
    predictions->n = 0;
}

/* Make *arrayp hold n elements; what it holds stays. */
static int resize(void *arrayp, size_t n, size_t size)
{
    void *resized = reallocarray(*(void **)arrayp, n, size);

    if (resized == NULL)
        return -ENOMEM;
    *(void **)arrayp = resized;
    return 0;
}

int predictions_extend(struct predictions *predictions, const struct subset *subset, const int *map,
                       double temperature, uint32_t fold)
{
    size_t begin = predictions->n, n = begin + subset->n;

    if (n == 0)
        return 0;
    if (resize(&predictions->record, n, sizeof(*predictions->record)) < 0 ||
        resize(&predictions->truth, n, sizeof(*predictions->truth)) < 0 ||
        resize(&predictions->fold, n, sizeof(*predictions->fold)) < 0 ||
        resize(&predictions->temperature, n, sizeof(*predictions->temperature)) < 0 ||
        resize(&predictions->logits, n, predictions->n_labels * sizeof(*predictions->logits)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < subset->n; i++) {
        predictions->record[begin + i] = subset->index[i];
        predictions->truth[begin + i] = map[predictions->dataset->label[subset->index[i]]];
        predictions->fold[begin + i] = fold;
        predictions->temperature[begin + i] = temperature;
    }
    memset(predictions->logits + begin * predictions->n_labels, 0,
           subset->n * predictions->n_labels * sizeof(*predictions->logits));
    predictions->n = n;
    return 0;
}

int predictions_logits(const struct dataset *dataset, const struct model *model, const struct subset *subset,
                       struct engine *engine, float *logits, struct error *err)
{
    const struct record *records[PREDICT_BATCH];
    struct batch *batch;
    int r = batch_new(&batch, model->tree);

    if (r < 0)
        return error_set(err, r, "no memory for a batch of %d flows", PREDICT_BATCH);
    for (size_t at = 0; at < subset->n && r == 0;) {
        size_t n = 0;

        while (n < PREDICT_BATCH && at + n < subset->n) {
            records[n] = dataset->records[subset->index[at + n]];
            n++;
        }
        r = encode_records(batch, model, records, n, ENCODE_SERVING);
        if (r < 0)
            error_set(err, r, "no memory for a batch of %d flows", PREDICT_BATCH);
        else
            r = engine->ops->forward(engine, batch, logits + at * model->tree->n_labels, err);
        at += n;
    }
    batch_free(batch);
    return r;
}

int predictions_append(struct predictions *predictions, const struct model *model,
                       const struct subset *subset, uint32_t fold, const struct engine_ops *ops,
                       const struct engine_options *options, struct error *err)
{
    int map[TREE_LABELS_MAX];
    size_t begin = predictions->n;
    struct engine *engine;
    int r = dataset_map_labels(predictions->dataset, model->tree, map, err);

    if (r < 0 || (r = engine_open(&engine, ops, options, err)) < 0)
        return r;
    if ((r = engine->ops->load(engine, model, err)) == 0) {
        r = predictions_extend(predictions, subset, map, model->temperature, fold);
        if (r < 0)
            error_set(err, r, "no memory for the predictions of %zu flows", begin + subset->n);
    }
    if (r == 0) {
        r = predictions_logits(predictions->dataset, model, subset, engine,
                               predictions->logits + begin * predictions->n_labels, err);
        if (r < 0)
            predictions->n = begin;
    }
    engine_close(engine);
    return r;
}

struct predictions predictions_from(const struct predictions *predictions, size_t begin)
{
    struct predictions part = *predictions;

    part.n -= begin;
    part.record += begin;
    part.truth += begin;
    part.fold += begin;
    part.temperature += begin;
    part.logits += begin * part.n_labels;
    return part;
}

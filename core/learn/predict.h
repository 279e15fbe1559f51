/* predict.h - what a model says about flows whose label is known: the matter of every figure.
 *
 * One struct for a hold-out, for the pooled folds of a cross-validation and for the baseline, so that all are
 * judged by the same code.
 */
#ifndef CORE_LEARN_PREDICT_H
#define CORE_LEARN_PREDICT_H

#include "core/engine.h"
#include "core/learn/split.h"

struct predictions {
    const struct dataset *dataset; /* borrowed */
    size_t n_labels;
    char labels[TREE_LABELS_MAX][TREE_NAME_MAX]; /* the model's */
    int other;                                   /* index of "other" among them, -1: none */
    size_t n;
    uint32_t *record;    /* (n) index into dataset->records */
    int *truth;          /* (n) index into labels; -1: "other" where the model has no such label */
    uint32_t *fold;      /* (n) that it was held out in; 0 where there are no folds */
    double *temperature; /* (n) scores are softmax(logits / temperature); 1 until calibrated */
    float *logits;       /* (n, n_labels) */
};

/* Make an empty set for the labels of a tree. */
void predictions_init(struct predictions *predictions, const struct dataset *dataset,
                      const struct tree *tree);

/* Let a model speak about the records of a subset and append what it says; its temperature is noted beside.
 *
 * ops, options: an engine is opened for this call.
 *
 * Return: 0; -EINVAL (labels differ), -ENOTSUP, -ENODEV, -ENOMEM: predictions are as before.
 */
int predictions_append(struct predictions *predictions, const struct model *model,
                       const struct subset *subset, uint32_t fold, const struct engine_ops *ops,
                       const struct engine_options *options, struct error *err);

/* Append flows without a word about them yet: truth by the label map, logits 0. Who has logits of his own
 * fills them in.
 *
 * map: as from dataset_map_labels().
 *
 * Return: 0, -ENOMEM: predictions are as before.
 */
int predictions_extend(struct predictions *predictions, const struct subset *subset, const int *map,
                       double temperature, uint32_t fold);

/* The logits alone, by an engine that is open.
 *
 * model: its constants are used, the weights are the engine's.
 * logits: (subset->n, n_labels) filled.
 *
 * Return: 0, -ENODEV, -ENOMEM.
 */
int predictions_logits(const struct dataset *dataset, const struct model *model, const struct subset *subset,
                       struct engine *engine, float *logits, struct error *err);

/* The part from one flow on, borrowed: not to be appended to or freed. */
struct predictions predictions_from(const struct predictions *predictions, size_t begin);

/* Free what it owns. */
void predictions_deinit(struct predictions *predictions);

#endif

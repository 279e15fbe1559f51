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
 * engine: loaded with the model.
 *
 * Return: 0; -EINVAL (labels differ), -ENODEV, -ENOMEM: predictions are as before.
 */
int predictions_append(struct predictions *predictions, const struct model *model,
                       const struct subset *subset, uint32_t fold, struct engine *engine, struct error *err);

/* Free what it owns. */
void predictions_deinit(struct predictions *predictions);

#endif

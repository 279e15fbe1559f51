/* model.h - a tree with its weights, and what was learnt about how far to trust it. */
#ifndef CORE_TREE_MODEL_H
#define CORE_TREE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tree/tree.h"

enum { MODEL_ID_LENGTH = 12 };

struct model {
    struct tree *tree;                  /* owned */
    float *weights;                     /* (tree->n_weights), owned */
    float *constants;                   /* (tree->n_constant_values), owned */
    double temperature;                 /* scores are softmax(logits / temperature); 1 when not fitted */
    double thresholds[TREE_LABELS_MAX]; /* by label: a winner below its own is "unknown"; 0: none */
    char *training; /* JSON object: where it comes from and how good it is; owned, NULL if unknown */
    char parent[MODEL_ID_LENGTH + 1]; /* id of the model it was trained to replace, "" if none */
    char id[MODEL_ID_LENGTH + 1];     /* first hex digits of the file's SHA-256, "" if it was never saved */
};

/* Make a model with fresh weights (Keras 2.2 initialisers, data/model README).
 *
 * tree: owned by the model on success, still the caller's on failure.
 * seed: decides every weight.
 *
 * Return: 0, -ENOMEM.
 */
int model_new(struct model **modelp, struct tree *tree, uint64_t seed);

/* Make a model whose weights are zeros, for whoever reads them from elsewhere: large recurrent layers take
 * seconds to start. Otherwise as model_new(). */
int model_new_blank(struct model **modelp, struct tree *tree);

/* Free a model and its tree. NULL is fine. */
void model_free(struct model *model);

/* Index of the label "other" (traffic of no class), -1 if the model has none. */
int model_other(const struct model *model);

#endif

/* recipe.h - how a tree learns: a table of recipes by tree name, each field of which the caller may change in
 * a copy.
 */
#ifndef CORE_LEARN_RECIPE_H
#define CORE_LEARN_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine.h"

struct train_recipe {
    const char *name; /* "flowtree", "notebook" */
    struct optimizer optimizer;
    unsigned epochs;
    unsigned batch;       /* flows */
    unsigned large_batch; /* the same for data sets of large_from flows and more */
    size_t large_from;
    bool drop_partial;     /* the notebook drops the last batch when it is not full */
    bool by_length;        /* batches of flows of like length */
    bool class_weights;    /* 1/sqrt(n) by label, mean 1 over the flows */
    double warmup;         /* share of all steps with linearly growing rate */
    bool cosine;           /* rate falls to 0 as a cosine after the warm-up */
    double plateau_factor; /* 0: no; else rate *= factor when training accuracy has not risen for
                              plateau_patience epochs */
    unsigned plateau_patience;
    double plateau_minimum; /* lowest rate */
    unsigned patience;      /* end when none of so many epochs was worth keeping (train.h); 0: never */
};

/* The recipe of that name; the one of flowtree for trees that have none of their own. */
const struct train_recipe *train_recipe_find(const char *tree_name);

/* Flows of a batch for a training part of n flows. */
size_t train_recipe_batch(const struct train_recipe *recipe, size_t n);

/* Rate of a step by warm-up and cosine.
 *
 * rate: the full one.
 * step: from 0, of n_steps.
 */
double train_recipe_rate(const struct train_recipe *recipe, double rate, uint64_t step, uint64_t n_steps);

#endif

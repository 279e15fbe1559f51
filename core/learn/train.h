/* train.h - from a tree and labelled records to a model. */
#ifndef CORE_LEARN_TRAIN_H
#define CORE_LEARN_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/learn/dataset.h"

/* How a tree learns: one row of the table of recipes (train.c), by tree name, each field overridable. */
struct train_recipe {
    const char *name; /* "flowtree", "notebook" */
    struct optimizer optimizer;
    unsigned epochs;
    unsigned batch;        /* flows */
    bool drop_partial;     /* the notebook drops the last batch when it is not full */
    bool by_length;        /* batches of flows of like length */
    bool class_weights;    /* 1/sqrt(n) by label, mean 1 */
    double warmup;         /* share of all steps with linearly growing rate */
    bool cosine;           /* rate falls to 0 as a cosine after the warm-up */
    double plateau_factor; /* 0: no; else rate *= factor when training accuracy has not risen for
                              plateau_patience epochs */
    unsigned plateau_patience;
    double plateau_minimum; /* lowest rate */
};

/* The recipe of that name; the one of flowtree for trees that have none of their own. */
const struct train_recipe *train_recipe_find(const char *tree_name);

struct train_epoch {
    unsigned epoch;                          /* from 1 */
    double loss, accuracy;                   /* training, as learnt (with dropout) */
    double held_out_loss, held_out_accuracy; /* NAN without a hold-out */
    double held_out_macro_f1;
    double rate;
};

struct train_options {
    const struct train_recipe *recipe;
    uint64_t seed;
    struct subset train;    /* borrowed */
    struct subset held_out; /* borrowed; n may be 0: then the last epoch is kept */
    const struct engine_ops *engine;
    struct engine_options engine_options;
    const volatile sig_atomic_t
        *stop; /* set to non-zero: end after the batch in hand, keep the best epoch; may be NULL */
    void (*on_epoch)(void *context, const struct train_epoch *epoch);              /* may be NULL */
    void (*on_batch)(void *context, unsigned epoch, size_t done, size_t of_flows); /* may be NULL */
    void *context;
};

struct train_result {
    unsigned epochs_run;
    unsigned best_epoch;
    bool stopped; /* by options.stop */
    size_t n_epochs;
    struct train_epoch *epochs; /* (n_epochs) owned */
};

/* Train a model in place: fits the normalisation constants, then the weights; the best epoch's weights stay.
 *
 * model: fresh (model_new()) or trained; its labels must be the dataset's.
 *
 * Return: 0 (also when stopped), -EINVAL (no records, labels differ), -ENODEV, -ENOMEM.
 */
int train_model(struct model *model, const struct dataset *dataset, const struct train_options *options,
                struct train_result *result, struct error *err);

void train_result_free(struct train_result *result);

#endif

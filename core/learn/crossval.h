/* crossval.h - cross-validation by capture: what to expect of a tree on traffic from captures it has not
 * seen.
 *
 * For each seed the captures are cut into folds; a model learns from all but one and speaks about that one,
 * for its full recipe (nothing of the held-out fold decides when to stop). The predictions of all folds of a
 * seed are pooled, so that each flow counts once, and judged as one; the spread is that over the seeds.
 */
#ifndef CORE_LEARN_CROSSVAL_H
#define CORE_LEARN_CROSSVAL_H

#include "core/learn/evaluate.h"
#include "core/learn/train.h"

enum { CROSSVAL_SEEDS_MAX = 100 };

/* Told after every fold. */
struct crossval_fold {
    unsigned seed, n_seeds; /* from 0 */
    unsigned fold, n_folds;
    size_t learnt, held_out;                      /* flows */
    double accuracy, macro_f1, baseline_macro_f1; /* view "classes" of this fold */
    double seconds;
};

struct crossval_options {
    unsigned folds, seeds;
    uint64_t seed; /* the first; the others follow it */
    const struct train_recipe *recipe;
    unsigned last_epoch; /* as in train_options */
    const struct engine_ops *engine;
    struct engine_options engine_options;
    const volatile sig_atomic_t *stop; /* end after the batch in hand; may be NULL */
    const struct subset *subset;       /* of these records; NULL: of all */
    void (*on_fold)(void *context, const struct crossval_fold *fold);              /* may be NULL */
    void (*on_batch)(void *context, unsigned epoch, size_t done, size_t of_flows); /* may be NULL */
    void *context;
};

/* One seed. */
struct crossval_seed {
    uint64_t seed;
    struct evaluation_view folds;        /* view "classes", mean over the folds: what is usually quoted */
    struct evaluation_view classes, all; /* of the folds pooled, each flow once */
    double auroc, let_through;
    double calibration_error_before, calibration_error; /* temperature fitted to the other folds */
    double temperature;
};

struct crossval_result {
    char tree[TREE_NAME_MAX];
    unsigned folds;
    size_t n_seeds;              /* complete ones */
    struct crossval_seed *seeds; /* (n_seeds) owned */
    bool stopped;
    struct predictions predictions; /* of the first complete seed, calibrated across folds; owned */
    struct evaluation evaluation;   /* of these; owned */
};

/* Run it.
 *
 * tree: built for the labels to learn. Without "other" among them, flows of it serve only to measure how
 * unknown traffic is noticed.
 *
 * Return: 0; -EINVAL (fewer than two folds or no seed, a label with fewer captures than folds, labels
 * differ), -ECANCELED (stopped before one seed was complete), -ENOTSUP, -ENODEV, -ENOMEM.
 */
int crossval_run(struct crossval_result *result, const struct dataset *dataset, const struct tree *tree,
                 const struct crossval_options *options, struct error *err);

void crossval_deinit(struct crossval_result *result);

/* Print mean and spread over the seeds, then the evaluation of the first one. Return: 0, -EIO. */
int crossval_print(FILE *file, const struct crossval_result *result);

#endif

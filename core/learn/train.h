/* train.h - from a tree and labelled records to a model. */
#ifndef CORE_LEARN_TRAIN_H
#define CORE_LEARN_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/learn/recipe.h"
#include "core/learn/split.h"

struct train_epoch {
    unsigned epoch;                          /* from 1 */
    double loss, accuracy;                   /* training, as learnt (with dropout and class weights) */
    double held_out_loss, held_out_accuracy; /* NAN without a hold-out; no weights */
    double held_out_macro_f1;
    double rate; /* of the last step */
};

struct train_options {
    const struct train_recipe *recipe;
    uint64_t seed;          /* decides shuffles and dropout */
    struct subset train;    /* borrowed */
    struct subset held_out; /* borrowed; n may be 0: then the last epoch is kept */
    unsigned last_epoch;    /* end after this one, on the schedule of the full recipe; 0: the recipe's last */
    const struct engine_ops *engine;
    struct engine_options engine_options;
    const volatile sig_atomic_t
        *stop; /* set to non-zero: end after the batch in hand, keep the best epoch; may be NULL */
    void (*on_epoch)(void *context, const struct train_epoch *epoch);              /* may be NULL */
    void (*on_batch)(void *context, unsigned epoch, size_t done, size_t of_flows); /* may be NULL */
    void *context;
};

struct train_result {
    unsigned best_epoch;        /* the one whose weights the model has; 0: none was complete */
    bool stopped;               /* by options.stop */
    size_t n_epochs;            /* complete ones */
    struct train_epoch *epochs; /* (n_epochs) owned */
};

/* Train a model in place: fits the normalisation constants, then the weights.
 *
 * Kept is the latest epoch whose macro-F1 on the hold-out is within one standard error (of the accuracy
 * there) of the best: on few captures the very best is a lottery, and the end of a schedule is where it was
 * meant to lead. (The epoch of the lowest loss is the sixth of sixty on small sets, and far from the best at
 * telling labels apart: overconfidence, which the temperature mends, weighs more in it.)
 *
 * model: fresh (model_new()) or trained. Flows of "other" are left out where the model has no such label.
 *
 * Return: 0 (also when stopped: the weights are those of the best epoch so far, or of the batches done so
 * far if no epoch is complete); -EINVAL (no records, labels differ), -ENOTSUP (a tree that the engine cannot
 * run), -ENODEV, -ENOMEM; -EBADMSG: the loss is no longer finite.
 */
int train_model(struct model *model, const struct dataset *dataset, const struct train_options *options,
                struct train_result *result, struct error *err);

/* Free what a result owns. */
void train_result_deinit(struct train_result *result);

#endif

/* learn.h - the whole way from labelled archives to a model that knows how good it is: what `--train`,
 * `--evaluate` and retraining call.
 *
 *     load the archives -> hold out captures -> train, the best epoch on the hold-out stays
 *       -> temperature and thresholds -> judge on the hold-out -> write it all into model->training
 *
 * Temperature and thresholds are fitted to the hold-out where it is large (LEARN_CALIBRATE_FLOWS flows, and
 * LEARN_CALIBRATE_CAPTURES captures of each label). A smaller one would give thresholds that are mostly
 * chance; then they are fitted to out-of-fold predictions of a cross-validation over the training part, which
 * is several times as large, at the price of training as many times again. The hold-out figures then rest on
 * flows that had no part in the calibration. (They did decide which epoch is kept: expect a little less.)
 * model->training says which way it was.
 */
#ifndef CORE_LEARN_LEARN_H
#define CORE_LEARN_LEARN_H

#include "core/learn/calibrate.h"
#include "core/learn/crossval.h"
#include "core/learn/evaluate.h"
#include "core/learn/gate.h"
#include "core/learn/train.h"

enum {
    LEARN_CALIBRATE_FLOWS = 5000,
    LEARN_CALIBRATE_CAPTURES = 20,
    LEARN_FOLDS = 4,         /* of the cross-validation for calibration, at most */
    LEARN_HISTORY_MAX = 200, /* epochs that go into the model */
};

struct learn_options {
    const char *tree_path;             /* what to learn, a file of etc/trees/ */
    const struct train_recipe *recipe; /* NULL: the one of the tree's name */
    unsigned epochs, batch;            /* 0: the recipe's */
    bool without_other;                /* learn the classes only, as if there were no folder "other" */
    double holdout;                    /* share of the captures; 0: none, and no figures */
    double precision;                  /* wanted of named flows, for the thresholds; 0: no thresholds */
    uint64_t seed;
    const struct engine_ops *engine;
    struct engine_options engine_options;
    const char *version;         /* of the program, into the model */
    const char *date;            /* RFC 3339, into the model */
    const struct model *current; /* the model to replace: judged beside the new one, gate.h; NULL: none */
    const volatile sig_atomic_t *stop;
    void (*on_epoch)(void *context, const struct train_epoch *epoch);              /* may be NULL */
    void (*on_batch)(void *context, unsigned epoch, size_t done, size_t of_flows); /* may be NULL */
    void (*on_stage)(void *context, const char *what); /* "calibrating: fold 2 of 4, ..."; may be NULL */
    void *context;
};

/* Options with the defaults: hold-out 0.2, precision 0.9, seed 1, the CPU. */
struct learn_options learn_defaults(void);

/* What temperature and thresholds were fitted to. */
enum learn_calibration { LEARN_CALIBRATED_NOT, LEARN_CALIBRATED_HOLDOUT, LEARN_CALIBRATED_FOLDS };

struct learn_result {
    struct model *model; /* owned; training filled in, ready for model_save() */
    struct train_result training;
    struct subset train, held_out; /* held_out.n 0: nothing was held out */
    enum learn_calibration calibrated;
    struct calibration calibration;
    bool evaluated;               /* there is a hold-out */
    struct evaluation evaluation; /* on it */
    struct gate gate;             /* likewise */
    bool cross_validated;         /* the training part was, for the calibration */
    struct crossval_result crossval;
};

/* Build a tree for a data set: labels from the folders, unless the tree names its own.
 *
 * Return: as tree_load(), and -EINVAL if its labels and the folders do not fit.
 */
int learn_tree(struct tree **treep, const char *path, const struct dataset *dataset, bool without_other,
               struct error *err);

/* Make a model.
 *
 * Return: 0, also when stopped, then result->training.stopped and the model is usable; -ENOENT, -EBADMSG
 * (tree file); -EINVAL (labels, or too few captures to hold some out; err says what to do); -ENOTSUP,
 * -ENODEV, -ENOMEM.
 */
int learn_model(struct learn_result *result, const struct dataset *dataset,
                const struct learn_options *options, struct error *err);

void learn_result_deinit(struct learn_result *result);

/* Judge a model on a data set. If the model was trained on these very files (hash), only the captures held
 * out then are judged; *heldout_only says so.
 *
 * subset: of these records; NULL: of all, or of the hold-out as above.
 * baseline: fitted across folds of the same flows, as no training part is known.
 *
 * Return: 0; -EINVAL (labels differ, no flows), -ENOTSUP, -ENODEV, -ENOMEM.
 */
int learn_evaluate(struct evaluation *evaluation, const struct model *model, const struct dataset *dataset,
                   const struct subset *subset, const struct engine_ops *engine,
                   const struct engine_options *engine_options, bool *heldout_only, struct error *err);

#endif

/* learn.c - the steps of making a model, in order, and of judging one. */
#include "core/learn/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/learn/baseline.h"
#include "core/learn/provenance.h"
#include "core/tree/tree_json.h"

struct learn_options learn_defaults(void)
{
    return (struct learn_options){.holdout = 0.2, .precision = 0.9, .seed = 1, .engine = &engine_cpu};
}

/* A tree for the labels of a data set. */
static int load_for_labels(struct tree **treep, const char *path, const struct dataset *dataset,
                           bool without_other, struct error *err)
{
    const char *labels[TREE_LABELS_MAX];
    size_t n = dataset->n_labels - (without_other && dataset_other(dataset) >= 0 ? 1 : 0);

    if (n < TREE_LABELS_MIN)
        return error_set(err, -EINVAL, "flows of %zu label%s, and %d are needed to learn to tell them apart",
                         n, n == 1 ? "" : "s", TREE_LABELS_MIN);
    for (size_t l = 0; l < n; l++)
        labels[l] = dataset->labels[l];
    return tree_load(treep, path, labels, n, err);
}

/* Every label of a tree that is to learn needs flows to learn it from. */
static int check_folders(const struct tree *tree, const struct dataset *dataset, struct error *err)
{
    int map[TREE_LABELS_MAX];
    int r = dataset_map_labels(dataset, tree, map, err);

    for (size_t t = 0; t < tree->n_labels && r == 0; t++) {
        bool found = false;

        for (size_t l = 0; l < dataset->n_labels; l++)
            found = found || map[l] == (int)t;
        if (!found)
            r = error_set(err, -EINVAL, "label \"%s\" of tree \"%s\" has no folder with flows",
                          tree->labels[t], tree->name);
    }
    return r;
}

int learn_tree(struct tree **treep, const char *path, const struct dataset *dataset, bool without_other,
               struct error *err)
{
    struct tree *tree;
    int r = tree_load(&tree, path, NULL, 0, err);

    if (r < 0)
        return r;
    if (!tree->labels_named) {
        tree_free(tree);
        if ((r = load_for_labels(&tree, path, dataset, without_other, err)) < 0)
            return r;
    }
    if ((r = check_folders(tree, dataset, err)) < 0) {
        tree_free(tree);
        return r;
    }
    *treep = tree;
    return 0;
}

struct learning {
    const struct dataset *dataset;
    const struct learn_options *options;
    struct train_recipe recipe;
    struct learn_result result;
    struct error *err;
};

static int new_model(struct learning *learning)
{
    const struct learn_options *options = learning->options;
    struct tree *tree;
    int r = learn_tree(&tree, options->tree_path, learning->dataset, options->without_other, learning->err);

    if (r < 0)
        return r;
    learning->recipe = options->recipe != NULL ? *options->recipe : *train_recipe_find(tree->name);
    if (options->epochs > 0)
        learning->recipe.epochs = options->epochs;
    if (options->batch > 0)
        learning->recipe.batch = learning->recipe.large_batch = options->batch;
    if ((r = model_new(&learning->result.model, tree, options->seed)) < 0) {
        tree_free(tree);
        return error_set(learning->err, r, "no memory for a model of tree %s", options->tree_path);
    }
    if (options->current != NULL)
        memcpy(learning->result.model->parent, options->current->id, sizeof options->current->id);
    return 0;
}

static int hold_out(struct learning *learning)
{
    struct learn_result *result = &learning->result;
    int r;

    if (learning->options->holdout > 0)
        return split_holdout(learning->dataset, learning->options->holdout, learning->options->seed,
                             &result->train, &result->held_out, learning->err);
    if ((r = split_all(learning->dataset, &result->train)) < 0)
        return error_set(learning->err, r, "no memory to split %zu records", learning->dataset->n);
    return 0;
}

static int train(struct learning *learning)
{
    const struct learn_options *options = learning->options;
    struct train_options training = {.recipe = &learning->recipe,
                                     .seed = options->seed,
                                     .train = learning->result.train,
                                     .held_out = learning->result.held_out,
                                     .engine = options->engine,
                                     .engine_options = options->engine_options,
                                     .stop = options->stop,
                                     .on_epoch = options->on_epoch,
                                     .on_batch = options->on_batch,
                                     .context = options->context};

    return train_model(learning->result.model, learning->dataset, &training, &learning->result.training,
                       learning->err);
}

/* Captures of a subset with flows of the label that has the fewest. */
static unsigned fewest_captures(const struct dataset *dataset, const struct subset *subset)
{
    unsigned fewest = UINT32_MAX;

    for (uint32_t l = 0; l < dataset->n_labels; l++) {
        unsigned captures = split_captures(dataset, subset, l);

        if (captures > 0 && captures < fewest)
            fewest = captures;
    }
    return fewest == UINT32_MAX ? 0 : fewest;
}

static int fit_calibration(struct learning *learning, const struct predictions *predictions,
                           enum learn_calibration how)
{
    struct learn_result *result = &learning->result;
    struct model *model = result->model;

    result->calibration.temperature = model->temperature = calibrate_temperature(predictions, UINT32_MAX);
    for (size_t i = 0; i < predictions->n; i++)
        predictions->temperature[i] = model->temperature;
    result->calibrated = how;
    if (learning->options->precision <= 0)
        return 0;
    if (calibrate_thresholds(&result->calibration, predictions, learning->options->precision) < 0)
        return error_set(learning->err, -ENOMEM, "no memory to calibrate on %zu flows", predictions->n);
    for (size_t l = 0; l < model->tree->n_labels; l++)
        model->thresholds[l] = result->calibration.labels[l].threshold;
    return 0;
}

static void tell_fold(void *context, const struct crossval_fold *fold)
{
    const struct learning *learning = context;
    char text[96];

    if (learning->options->on_stage == NULL)
        return;
    snprintf(text, sizeof(text), "calibrating: fold %u of %u, macro-F1 %.3f, %.1f s", fold->fold + 1,
             fold->n_folds, fold->macro_f1, fold->seconds);
    learning->options->on_stage(learning->options->context, text);
}

static void tell_batch(void *context, unsigned epoch, size_t done, size_t of_flows)
{
    const struct learning *learning = context;

    if (learning->options->on_batch != NULL)
        learning->options->on_batch(learning->options->context, epoch, done, of_flows);
}

/* Cross-validate the training part, each fold for as many epochs as the model learnt, so that its logits are
 * as sure of themselves as the model's. */
static int calibrate_on_folds(struct learning *learning, unsigned folds)
{
    struct learn_result *result = &learning->result;
    const struct learn_options *options = learning->options;
    struct crossval_options crossval = {.folds = folds,
                                        .seeds = 1,
                                        .seed = options->seed,
                                        .recipe = &learning->recipe,
                                        .last_epoch = result->training.best_epoch,
                                        .engine = options->engine,
                                        .engine_options = options->engine_options,
                                        .stop = options->stop,
                                        .subset = &result->train,
                                        .on_fold = tell_fold,
                                        .on_batch = tell_batch,
                                        .context = learning};
    int r = crossval_run(&result->crossval, learning->dataset, result->model->tree, &crossval, learning->err);

    if (r < 0)
        return r;
    result->cross_validated = true;
    return fit_calibration(learning, &result->crossval.predictions, LEARN_CALIBRATED_FOLDS);
}

/* Say what came of it, above all which label cannot be as precise as wanted. */
static void tell_calibration(const struct learning *learning)
{
    const struct learn_result *result = &learning->result;
    const struct tree *tree = result->model->tree;
    char text[256];

    if (learning->options->on_stage == NULL || result->calibrated == LEARN_CALIBRATED_NOT)
        return;
    snprintf(text, sizeof(text), "calibrated on %s: temperature %.2f",
             result->calibrated == LEARN_CALIBRATED_HOLDOUT ? "the hold-out" : "folds of the training part",
             result->model->temperature);
    learning->options->on_stage(learning->options->context, text);
    if (result->cross_validated) {
        const struct evaluation_view *classes = &result->crossval.evaluation.classes;

        snprintf(text, sizeof(text),
                 "these folds: macro-F1 of the classes %.3f, of protocol, server port and TTL alone %.3f, "
                 "majority %.3f",
                 classes->macro_f1, classes->baseline_macro_f1, classes->majority_macro_f1);
        learning->options->on_stage(learning->options->context, text);
    }
    for (size_t l = 0; l < tree->n_labels && result->calibration.wanted > 0; l++) {
        const struct calibration_label *label = &result->calibration.labels[l];

        if (label->reached || (int)l == model_other(result->model))
            continue;
        if (label->flows == 0)
            snprintf(text, sizeof(text), "label \"%s\" was never given, so it has no threshold",
                     tree->labels[l]);
        else
            snprintf(
                text, sizeof(text),
                "label \"%s\": a precision of %.2f is out of reach; its threshold gives %.2f on %llu flows",
                tree->labels[l], result->calibration.wanted, label->precision,
                (unsigned long long)label->flows);
        learning->options->on_stage(learning->options->context, text);
    }
}

static int calibrate(struct learning *learning, const struct predictions *held_out)
{
    struct learn_result *result = &learning->result;
    const struct dataset *dataset = learning->dataset;
    unsigned folds = fewest_captures(dataset, &result->train);
    bool large = held_out->n >= LEARN_CALIBRATE_FLOWS &&
                 fewest_captures(dataset, &result->held_out) >= LEARN_CALIBRATE_CAPTURES;

    if (!large && !result->training.stopped && folds >= 2) {
        int r = calibrate_on_folds(learning, folds < LEARN_FOLDS ? folds : LEARN_FOLDS);

        if (r != -ECANCELED)
            return r;
        result->training.stopped = true;
    }
    return held_out->n > 0 ? fit_calibration(learning, held_out, LEARN_CALIBRATED_HOLDOUT) : 0;
}

/* Judge the calibrated model on the hold-out, beside a baseline that learnt from the same flows. */
static int judge(struct learning *learning, struct predictions *held_out)
{
    struct learn_result *result = &learning->result;
    struct predictions said;
    struct baseline *baseline;
    int r;

    if (held_out->n == 0)
        return 0;
    for (size_t i = 0; i < held_out->n; i++)
        held_out->temperature[i] = result->model->temperature;
    r = baseline_fit(&baseline, learning->dataset, result->model->tree, &result->train,
                     learning->options->seed, learning->err);
    if (r < 0)
        return r;
    predictions_init(&said, learning->dataset, result->model->tree);
    if ((r = baseline_predict(baseline, &said, &result->held_out, 0)) < 0)
        error_set(learning->err, r, "no memory for the baseline");
    else
        r = evaluate(&result->evaluation, held_out, &said, result->model->thresholds, learning->err);
    result->evaluated = r == 0;
    predictions_deinit(&said);
    baseline_free(baseline);
    return r;
}

/* Whether it may take the place of the current model. */
static int pass_gate(struct learning *learning)
{
    const struct learn_options *options = learning->options;
    struct learn_result *result = &learning->result;

    return gate_judge(&result->gate, result->model, options->current, learning->dataset, &result->held_out,
                      options->engine, &options->engine_options, learning->err);
}

static int calibrate_and_judge(struct learning *learning)
{
    struct learn_result *result = &learning->result;
    struct predictions held_out;
    int r = 0;

    predictions_init(&held_out, learning->dataset, result->model->tree);
    if (result->held_out.n > 0)
        r = predictions_append(&held_out, result->model, &result->held_out, 0, learning->options->engine,
                               &learning->options->engine_options, learning->err);
    if (r == 0 && (r = calibrate(learning, &held_out)) == 0)
        tell_calibration(learning);
    if (r == 0)
        r = judge(learning, &held_out);
    predictions_deinit(&held_out);
    return r;
}

static int run(struct learning *learning)
{
    int r;

    if ((r = new_model(learning)) < 0 || (r = hold_out(learning)) < 0 || (r = train(learning)) < 0 ||
        (r = calibrate_and_judge(learning)) < 0 || (r = pass_gate(learning)) < 0)
        return r;
    return provenance_write(&learning->result, learning->dataset, learning->options, &learning->recipe,
                            learning->err);
}

int learn_model(struct learn_result *result, const struct dataset *dataset,
                const struct learn_options *options, struct error *err)
{
    struct learning learning = {.dataset = dataset, .options = options, .err = err};
    int r = run(&learning);

    if (r < 0)
        learn_result_deinit(&learning.result);
    else
        *result = learning.result;
    return r;
}

void learn_result_deinit(struct learn_result *result)
{
    model_free(result->model);
    train_result_deinit(&result->training);
    subset_free(&result->train);
    subset_free(&result->held_out);
    evaluation_deinit(&result->evaluation);
    crossval_deinit(&result->crossval);
    *result = (struct learn_result){0};
}

/* What to judge on: what the caller says, else what the training held out of this very data, else all. */
static int choose_flows(const struct model *model, const struct dataset *dataset, const struct subset *wanted,
                        struct subset *chosen, bool *heldout_only, struct error *err)
{
    struct provenance_split split;
    struct subset train;
    int r;

    *heldout_only = false;
    if (wanted != NULL) {
        if ((chosen->index = calloc(wanted->n + 1, sizeof(*chosen->index))) == NULL)
            return error_set(err, -ENOMEM, "no memory to judge %zu flows", wanted->n);
        memcpy(chosen->index, wanted->index, wanted->n * sizeof(*chosen->index));
        chosen->n = wanted->n;
        return 0;
    }
    if (provenance_read(model, &split) == 0 && strcmp(split.hash, dataset->hash) == 0 && split.holdout > 0) {
        if ((r = split_holdout(dataset, split.holdout, split.seed, &train, chosen, err)) < 0)
            return r;
        subset_free(&train);
        *heldout_only = true;
        return 0;
    }
    return split_all(dataset, chosen) < 0
               ? error_set(err, -ENOMEM, "no memory to judge %zu flows", dataset->n)
               : 0;
}

static bool knows_any(const struct predictions *predictions)
{
    for (size_t i = 0; i < predictions->n; i++)
        if (predictions->truth[i] >= 0)
            return true;
    return false;
}

int learn_evaluate(struct evaluation *evaluation, const struct model *model, const struct dataset *dataset,
                   const struct subset *subset, const struct engine_ops *engine,
                   const struct engine_options *engine_options, bool *heldout_only, struct error *err)
{
    struct predictions predictions, baseline;
    struct subset flows = {0};
    bool only;
    int r = choose_flows(model, dataset, subset, &flows, &only, err);

    if (r < 0)
        return r;
    predictions_init(&predictions, dataset, model->tree);
    predictions_init(&baseline, dataset, model->tree);
    r = predictions_append(&predictions, model, &flows, 0, engine, engine_options, err);
    if (r == 0) {
        unsigned folds = knows_any(&predictions) ? fewest_captures(dataset, &flows) : 0;

        /* Too few captures for a baseline, or only flows of "other": its figures stay empty. */
        if (folds >= 2)
            r = baseline_across_folds(&baseline, model->tree, &flows,
                                      folds < LEARN_FOLDS ? folds : LEARN_FOLDS, 1, err);
    }
    if (r == 0)
        r = evaluate(evaluation, &predictions, baseline.n > 0 ? &baseline : NULL, model->thresholds, err);
    if (r == 0)
        *heldout_only = only;
    predictions_deinit(&predictions);
    predictions_deinit(&baseline);
    subset_free(&flows);
    return r;
}

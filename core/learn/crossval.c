/* crossval.c - a model for each fold of each seed. */
#include "core/learn/crossval.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/learn/baseline.h"
#include "core/learn/calibrate.h"
#include "core/tree/tree_json.h"

struct crossval {
    const struct dataset *dataset;
    const struct tree *tree;
    const struct crossval_options *options;
    struct error *err;
    unsigned seed_index;
    uint64_t seed;
    uint32_t *folds;                          /* (n_groups) of this seed */
    struct predictions predictions, baseline; /* of this seed so far */
    struct evaluation_view fold_means;        /* so far */
};

static bool stopped(const struct crossval *crossval)
{
    return crossval->options->stop != NULL && *crossval->options->stop != 0;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A fresh model of the tree. */
static int new_model(const struct crossval *crossval, struct model **modelp, uint64_t seed)
{
    struct tree *tree;
    int r = tree_parse(&tree, crossval->tree->name, crossval->tree->json, strlen(crossval->tree->json), NULL,
                       0, crossval->err);

    if (r < 0)
        return r;
    if ((r = model_new(modelp, tree, seed)) < 0) {
        tree_free(tree);
        return error_set(crossval->err, r, "no memory for a model of tree \"%s\"", crossval->tree->name);
    }
    return 0;
}

/* Learn from one side, speak about the other. */
static int learn_fold(struct crossval *crossval, uint32_t fold, const struct subset *train,
                      const struct subset *held_out)
{
    const struct crossval_options *options = crossval->options;
    uint64_t seed = crossval->seed + ((uint64_t)fold << 32);
    struct train_options training = {.recipe = options->recipe,
                                     .seed = seed,
                                     .train = *train,
                                     .last_epoch = options->last_epoch,
                                     .engine = options->engine,
                                     .engine_options = options->engine_options,
                                     .stop = options->stop,
                                     .on_batch = options->on_batch,
                                     .context = options->context};
    struct train_result result = {0};
    struct baseline *baseline;
    struct model *model;
    int r = new_model(crossval, &model, seed);

    if (r < 0)
        return r;
    r = train_model(model, crossval->dataset, &training, &result, crossval->err);
    if (r == 0 && stopped(crossval))
        r = error_set(crossval->err, -ECANCELED, "the cross-validation was stopped");
    train_result_deinit(&result);
    if (r == 0)
        r = predictions_append(&crossval->predictions, model, held_out, fold, options->engine,
                               &options->engine_options, crossval->err);
    model_free(model);
    if (r < 0 ||
        (r = baseline_fit(&baseline, crossval->dataset, crossval->tree, train, seed, crossval->err)) < 0)
        return r;
    if ((r = baseline_predict(baseline, &crossval->baseline, held_out, fold)) < 0)
        error_set(crossval->err, r, "no memory for the baseline");
    baseline_free(baseline);
    return r;
}

/* sum += share * view */
static void add_view(struct evaluation_view *sum, const struct evaluation_view *view, double share)
{
    sum->flows += view->flows;
    sum->accuracy += share * view->accuracy;
    sum->macro_f1 += share * view->macro_f1;
    sum->majority_accuracy += share * view->majority_accuracy;
    sum->majority_macro_f1 += share * view->majority_macro_f1;
    sum->baseline_accuracy += share * view->baseline_accuracy;
    sum->baseline_macro_f1 += share * view->baseline_macro_f1;
}

static int report_fold(struct crossval *crossval, uint32_t fold, size_t begin, size_t learnt, double seconds)
{
    const struct crossval_options *options = crossval->options;
    struct predictions predictions = predictions_from(&crossval->predictions, begin);
    struct predictions baseline = predictions_from(&crossval->baseline, begin);
    struct evaluation evaluation;
    struct crossval_fold told = {.seed = crossval->seed_index,
                                 .n_seeds = options->seeds,
                                 .fold = fold,
                                 .n_folds = options->folds,
                                 .learnt = learnt,
                                 .held_out = predictions.n,
                                 .seconds = seconds};
    int r = evaluate(&evaluation, &predictions, &baseline, NULL, crossval->err);

    if (r < 0)
        return r;
    told.accuracy = evaluation.classes.accuracy;
    told.macro_f1 = evaluation.classes.macro_f1;
    told.baseline_macro_f1 = evaluation.classes.baseline_macro_f1;
    add_view(&crossval->fold_means, &evaluation.classes, 1.0 / options->folds);
    evaluation_deinit(&evaluation);
    if (options->on_fold != NULL)
        options->on_fold(options->context, &told);
    return 0;
}

static int run_fold(struct crossval *crossval, uint32_t fold)
{
    struct subset train, held_out;
    size_t begin = crossval->predictions.n;
    double start = now();
    int r =
        split_fold(crossval->dataset, crossval->options->subset, crossval->folds, fold, &train, &held_out);

    if (r < 0)
        return error_set(crossval->err, r, "no memory to split %zu records", crossval->dataset->n);
    r = learn_fold(crossval, fold, &train, &held_out);
    if (r == 0)
        r = report_fold(crossval, fold, begin, train.n, now() - start);
    subset_free(&train);
    subset_free(&held_out);
    return r;
}

/* The folds of a seed pooled. */
static int judge_seed(struct crossval *crossval, struct crossval_result *result)
{
    struct evaluation evaluation;
    int r;

    calibrate_across_folds(&crossval->predictions, crossval->options->folds);
    r = evaluate(&evaluation, &crossval->predictions, &crossval->baseline, NULL, crossval->err);
    if (r < 0)
        return r;
    result->seeds[result->n_seeds++] =
        (struct crossval_seed){.seed = crossval->seed,
                               .classes = evaluation.classes,
                               .all = evaluation.all,
                               .folds = crossval->fold_means,
                               .auroc = evaluation.auroc,
                               .let_through = evaluation.let_through,
                               .calibration_error_before = evaluation.calibration_error_before,
                               .calibration_error = evaluation.calibration_error,
                               .temperature = evaluation.temperature};
    if (result->n_seeds > 1) {
        evaluation_deinit(&evaluation);
        return 0;
    }
    result->evaluation = evaluation;
    result->predictions = crossval->predictions;
    predictions_init(&crossval->predictions, crossval->dataset, crossval->tree);
    return 0;
}

static int run_seed(struct crossval *crossval, struct crossval_result *result)
{
    const struct crossval_options *options = crossval->options;
    int r = split_folds(crossval->dataset, options->subset, options->folds, crossval->seed, &crossval->folds,
                        crossval->err);

    if (r < 0)
        return r;
    predictions_init(&crossval->predictions, crossval->dataset, crossval->tree);
    predictions_init(&crossval->baseline, crossval->dataset, crossval->tree);
    crossval->fold_means = (struct evaluation_view){0};
    for (unsigned fold = 0; fold < options->folds && r == 0; fold++)
        r = run_fold(crossval, fold);
    if (r == 0)
        r = judge_seed(crossval, result);
    predictions_deinit(&crossval->predictions);
    predictions_deinit(&crossval->baseline);
    free(crossval->folds);
    return r;
}

int crossval_run(struct crossval_result *result, const struct dataset *dataset, const struct tree *tree,
                 const struct crossval_options *options, struct error *err)
{
    struct crossval_result local = {.folds = options->folds};
    struct crossval crossval = {.dataset = dataset, .tree = tree, .options = options, .err = err};
    int r = 0;

    if (options->seeds == 0 || options->seeds > CROSSVAL_SEEDS_MAX)
        return error_set(err, -EINVAL, "cross-validation takes 1 to %d seeds, not %u", CROSSVAL_SEEDS_MAX,
                         options->seeds);
    strcpy(local.tree, tree->name);
    if ((local.seeds = calloc(options->seeds, sizeof(*local.seeds))) == NULL)
        return error_set(err, -ENOMEM, "no memory for %u seeds", options->seeds);
    for (unsigned i = 0; i < options->seeds && r == 0; i++) {
        crossval.seed_index = i;
        crossval.seed = options->seed + i;
        r = run_seed(&crossval, &local);
    }
    if (r == -ECANCELED && local.n_seeds > 0) {
        local.stopped = true;
        r = 0;
    }
    if (r < 0)
        crossval_deinit(&local);
    else
        *result = local;
    return r;
}

void crossval_deinit(struct crossval_result *result)
{
    free(result->seeds);
    predictions_deinit(&result->predictions);
    evaluation_deinit(&result->evaluation);
    *result = (struct crossval_result){0};
}

/* One figure of every seed, found by its place in the struct. */
static struct metrics_summary summarise(const struct crossval_result *result, size_t offset)
{
    double values[CROSSVAL_SEEDS_MAX];

    for (size_t i = 0; i < result->n_seeds; i++)
        memcpy(&values[i], (const char *)&result->seeds[i] + offset, sizeof(values[i]));
    return metrics_summary(values, result->n_seeds);
}

int crossval_print(FILE *file, const struct crossval_result *result)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
        {"macro-F1 of the classes, mean of the folds", offsetof(struct crossval_seed, folds.macro_f1)},
        {"  protocol, server port and TTL alone", offsetof(struct crossval_seed, folds.baseline_macro_f1)},
        {"  majority", offsetof(struct crossval_seed, folds.majority_macro_f1)},
        {"accuracy of the classes, mean of the folds", offsetof(struct crossval_seed, folds.accuracy)},
        {"  protocol, server port and TTL alone", offsetof(struct crossval_seed, folds.baseline_accuracy)},
        {"  majority", offsetof(struct crossval_seed, folds.majority_accuracy)},
        {"macro-F1 of the classes, folds pooled", offsetof(struct crossval_seed, classes.macro_f1)},
        {"  protocol, server port and TTL alone", offsetof(struct crossval_seed, classes.baseline_macro_f1)},
        {"macro-F1 of all labels, folds pooled", offsetof(struct crossval_seed, all.macro_f1)},
        {"AUROC, classes against \"other\"", offsetof(struct crossval_seed, auroc)},
        {"\"other\" let through at 90 % of the classes", offsetof(struct crossval_seed, let_through)},
        {"calibration error", offsetof(struct crossval_seed, calibration_error_before)},
        {"  with the temperature of the other folds", offsetof(struct crossval_seed, calibration_error)},
    };

    fprintf(file, "%s: %u folds by capture, %zu seed%s%s; mean and deviation over the seeds\n\n",
            result->tree, result->folds, result->n_seeds, result->n_seeds == 1 ? "" : "s",
            result->stopped ? " (stopped early)" : "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct metrics_summary summary = summarise(result, rows[i].offset);

        if (rows[i].offset == offsetof(struct crossval_seed, all.macro_f1) && result->evaluation.other < 0)
            continue; /* the classes are all there is */
        if (!isnan(summary.mean))
            fprintf(file, "  %-44s %.3f +- %.3f\n", rows[i].name, summary.mean, summary.deviation);
    }
    fprintf(file, "\nThe first seed, every flow once:\n\n");
    return evaluation_print(file, &result->evaluation);
}

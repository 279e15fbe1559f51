#include "daemon/learning.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/learn/learn.h"
#include "core/learn/report.h"
#include "core/tree/describe.h"
#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "daemon/engines.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/progress.h"

/* What the three commands share. */
struct learning {
    const struct options *options;
    const struct config *config;
    const volatile sig_atomic_t *stop;
    struct dataset *dataset;
    const struct engine_ops *engine; /* chosen by engines.h */
    struct engine_options engine_options;
    struct progress progress;
    char date[32];
};

static void dataset_warn(void *context, const struct error *what)
{
    log_warning("%s", what->text);
}

static int learning_begin(struct learning *learning, const struct options *options,
                          const struct config *config, const volatile sig_atomic_t *stop, struct error *err)
{
    time_t now = time(NULL);
    struct tm civil;
    int r;

    *learning = (struct learning){.options = options,
                                  .config = config,
                                  .stop = stop,
                                  .engine_options = {.threads = config->classify.threads}};
    (void)gmtime_r(&now, &civil);
    (void)strftime(learning->date, sizeof learning->date, "%Y-%m-%dT%H:%M:%SZ", &civil);
    r = dataset_load(&learning->dataset, options->inputs, options->n_inputs, dataset_warn, NULL, err);
    progress_init(&learning->progress);
    return r;
}

static void learning_end(struct learning *learning)
{
    progress_end(&learning->progress);
    dataset_free(learning->dataset);
}

/* A recipe with what the command line changes in it. */
static struct train_recipe recipe_for(const char *tree_name, const struct options *options)
{
    struct train_recipe recipe = *train_recipe_find(tree_name);

    if (options->epochs > 0)
        recipe.epochs = options->epochs;
    if (options->batch > 0)
        recipe.batch = recipe.large_batch = options->batch;
    return recipe;
}

/* Choose the engine for a tree that is to be learnt.
 *
 * learnt: flows that it is about to learn from, more or less. */
static int learning_choose(struct learning *learning, const char *path, size_t learnt, struct error *err)
{
    const struct options *options = learning->options;
    size_t batch;
    struct train_recipe recipe;
    struct model *model;
    struct tree *tree;
    int r = learn_tree(&tree, path, learning->dataset, options->without_other, err);

    if (r < 0)
        return r;
    if (model_new(&model, tree, options->seed) < 0) {
        tree_free(tree);
        return error_set(err, -ENOMEM, "%s: out of memory", path);
    }
    recipe = recipe_for(tree->name, options);
    batch = train_recipe_batch(&recipe, learnt);
    if (batch > learnt)
        batch = learnt > 0 ? learnt : 1;
    r = engines_choose_for_learning(&learning->engine, &learning->config->classify, model, batch, err);
    model_free(model);
    return r;
}

/* Whether work that ended with r is to begin again on the CPU: the engine of the module failed, and it was
 * not demanded. Nothing has been written by then. */
static bool learning_falls_back(struct learning *learning, int r, const struct error *err)
{
    if ((r != -ENODEV && r != -ENOMEM && r != -ENOTSUP && r != -EBADMSG) || learning->engine == &engine_cpu ||
        learning->config->classify.engine == CONFIG_ENGINE_CUDA)
        return false;
    progress_end(&learning->progress);
    log_error("engine %s failed, beginning again with the CPU: %s", learning->engine->name, err->text);
    learning->engine = &engine_cpu;
    return true;
}

static void on_batch(void *context, unsigned epoch, size_t done, size_t of_flows)
{
    struct learning *learning = context;
    char detail[32];

    (void)snprintf(detail, sizeof detail, "epoch %u", epoch);
    progress_update(&learning->progress, "flows of the epoch", done, 0, 0, detail);
}

static void on_epoch(void *context, const struct train_epoch *epoch)
{
    if (isnan(epoch->held_out_loss))
        log_notice("epoch %3u  loss %.4f  accuracy %.3f", epoch->epoch, epoch->loss, epoch->accuracy);
    else
        log_notice("epoch %3u  loss %.4f  accuracy %.3f  held out: loss %.4f  accuracy %.3f  macro-F1 %.3f",
                   epoch->epoch, epoch->loss, epoch->accuracy, epoch->held_out_loss, epoch->held_out_accuracy,
                   epoch->held_out_macro_f1);
}

static void on_stage(void *context, const char *what)
{
    log_notice("%s", what);
}

static void on_fold(void *context, const struct crossval_fold *fold)
{
    log_notice("seed %u of %u, fold %u of %u: macro-F1 %.3f, baseline %.3f, %.1f s", fold->seed + 1,
               fold->n_seeds, fold->fold + 1, fold->n_folds, fold->macro_f1, fold->baseline_macro_f1,
               fold->seconds);
}

/* What came of a training run: the figures, the model, the report. */
static int train_deliver(const struct learning *learning, struct learn_result *result, struct error *err)
{
    const struct options *options = learning->options;
    struct report report = {
        .title = result->model->tree->name,
        .version = PATHS_VERSION,
        .date = learning->date,
        .model = result->model,
        .tree = result->model->tree,
        .dataset = learning->dataset,
        .training = &result->training,
        .evaluation = result->evaluated ? &result->evaluation : NULL,
    };
    int r;

    if (result->training.stopped)
        log_notice("stopped; the model is that of epoch %u", result->training.best_epoch);
    r = model_save(result->model, options->output, err);
    if (r < 0)
        return r;
    log_notice("%s: model %s, tree %s, learnt from %zu flows", options->output, result->model->id,
               result->model->tree->name, result->train.n);
    if (options->against != NULL)
        log_notice("%s than %s: %s", result->gate.better ? "better" : "not better", options->against,
                   result->gate.why);
    if (result->evaluated && evaluation_print(stdout, &result->evaluation) < 0)
        return error_set(err, -EIO, "standard output: %s", strerror(errno));
    return options->report != NULL ? report_write(&report, options->report, err) : 0;
}

static int train(struct learning *learning, struct error *err)
{
    const struct options *options = learning->options;
    struct learn_options learn = learn_defaults();
    struct learn_result result = {0};
    struct model *current = NULL;
    int r;

    learn.tree_path = options->tree != NULL ? options->tree : PATHS_TREE_STANDARD;
    learn.epochs = options->epochs;
    learn.batch = options->batch;
    if (options->holdout >= 0)
        learn.holdout = options->holdout;
    learn.without_other = options->without_other;
    learn.seed = options->seed;
    learn.engine_options = learning->engine_options;
    learn.version = PATHS_VERSION;
    learn.date = learning->date;
    learn.stop = learning->stop;
    learn.on_epoch = on_epoch;
    learn.on_batch = on_batch;
    learn.on_stage = on_stage;
    learn.context = learning;
    r = learning_choose(learning, learn.tree_path,
                        (size_t)((1 - learn.holdout) * (double)learning->dataset->n), err);
    if (r == 0 && options->against != NULL)
        r = model_load(&current, options->against, err);
    if (r < 0)
        return r;
    learn.current = current;
    do {
        learn.engine = learning->engine;
        r = learn_model(&result, learning->dataset, &learn, err);
    } while (learning_falls_back(learning, r, err));
    progress_end(&learning->progress);
    if (r == 0) {
        r = train_deliver(learning, &result, err);
        learn_result_deinit(&result);
    }
    model_free(current);
    return r;
}

static int evaluate_model(struct learning *learning, const struct config *config, struct error *err)
{
    char path[INSTALLED_PATH_MAX];
    struct report report = {.version = PATHS_VERSION, .date = learning->date, .dataset = learning->dataset};
    struct evaluation evaluation;
    struct model *model;
    bool heldout_only;
    int r;

    installed_model(config, path);
    r = model_load(&model, path, err);

    if (r < 0)
        return r;
    r = engines_choose(&learning->engine, &learning->config->classify, model, err);
    if (r == 0) {
        do {
            r = learn_evaluate(&evaluation, model, learning->dataset, NULL, learning->engine,
                               &learning->engine_options, &heldout_only, err);
        } while (learning_falls_back(learning, r, err));
    }
    if (r == 0) {
        log_notice("%s: model %s, tree %s%s", path, model->id, model->tree->name,
                   heldout_only ? "; it was trained on these files: judged on the captures held out then"
                                : "");
        report.title = model->tree->name;
        report.model = model;
        report.tree = model->tree;
        report.evaluation = &evaluation;
        if (evaluation_print(stdout, &evaluation) < 0)
            r = error_set(err, -EIO, "standard output: %s", strerror(errno));
        if (r == 0 && learning->options->report != NULL)
            r = report_write(&report, learning->options->report, err);
        evaluation_deinit(&evaluation);
    }
    model_free(model);
    return r;
}

static int evaluate_tree(struct learning *learning, struct error *err)
{
    const struct options *options = learning->options;
    struct crossval_options crossval = {
        .folds = options->folds,
        .seeds = options->seeds,
        .seed = options->seed,
        .engine_options = learning->engine_options,
        .stop = learning->stop,
        .on_fold = on_fold,
        .on_batch = on_batch,
        .context = learning,
    };
    struct report report = {.version = PATHS_VERSION, .date = learning->date, .dataset = learning->dataset};
    struct crossval_result result;
    struct train_recipe recipe;
    struct tree *tree;
    size_t n = learning->dataset->n;
    int r = learning_choose(learning, options->tree, options->folds > 1 ? n - n / options->folds : n, err);

    if (r == 0)
        r = learn_tree(&tree, options->tree, learning->dataset, options->without_other, err);
    if (r < 0)
        return r;
    recipe = recipe_for(tree->name, options);
    crossval.recipe = &recipe;
    do {
        crossval.engine = learning->engine;
        r = crossval_run(&result, learning->dataset, tree, &crossval, err);
    } while (learning_falls_back(learning, r, err));
    progress_end(&learning->progress);
    if (r == 0) {
        report.title = tree->name;
        report.tree = tree;
        report.crossval = &result;
        if (crossval_print(stdout, &result) < 0)
            r = error_set(err, -EIO, "standard output: %s", strerror(errno));
        if (r == 0 && options->report != NULL)
            r = report_write(&report, options->report, err);
        crossval_deinit(&result);
    }
    tree_free(tree);
    return r;
}

int learning_train(const struct options *options, const struct config *config,
                   const volatile sig_atomic_t *stop)
{
    struct learning learning;
    struct error err;
    int r = learning_begin(&learning, options, config, stop, &err);

    if (r == 0)
        r = train(&learning, &err);
    learning_end(&learning);
    if (r < 0)
        log_error("%s", err.text);
    return r;
}

int learning_evaluate(const struct options *options, const struct config *config,
                      const volatile sig_atomic_t *stop)
{
    struct learning learning;
    struct error err;
    int r = learning_begin(&learning, options, config, stop, &err);

    if (r == 0)
        r = options->tree != NULL ? evaluate_tree(&learning, &err) : evaluate_model(&learning, config, &err);
    learning_end(&learning);
    if (r < 0)
        log_error("%s", err.text);
    return r;
}

/* Whether a file is a model: its first eight octets are a small number, so some of them are 0; those of a
 * tree are text. */
static int is_model(bool *model, const char *path, struct error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    char begin[8];
    ssize_t n;

    if (descriptor < 0)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    n = read(descriptor, begin, sizeof begin);
    (void)close(descriptor);
    if (n < 0)
        return error_set(err, errno == EISDIR ? -EISDIR : -EIO, "%s: %s", path, strerror(errno));
    *model = memchr(begin, '\0', (size_t)n) != NULL;
    return 0;
}

static int describe_model(const struct model *model)
{
    const struct tree *tree = model->tree;

    if (describe_tree(stdout, tree) < 0)
        return -EIO;
    printf("\nmodel %s%s%s, temperature %.3f\n", model->id, model->parent[0] != '\0' ? ", after " : "",
           model->parent, model->temperature);
    for (size_t i = 0; i < tree->n_labels; i++)
        printf("  %-20s threshold %.3f\n", tree->labels[i], model->thresholds[i]);
    if (model->training != NULL)
        printf("training %s\n", model->training);
    return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

static int describe(const char *path, struct error *err)
{
    struct model *model;
    struct tree *tree;
    bool trained = false;
    int r = is_model(&trained, path, err);

    if (r < 0)
        return r;
    if (trained) {
        r = model_load(&model, path, err);
        if (r < 0)
            return r;
        r = describe_model(model);
        model_free(model);
    } else {
        r = tree_load(&tree, path, NULL, 0, err);
        if (r < 0)
            return r;
        r = describe_tree(stdout, tree);
        tree_free(tree);
    }
    return r < 0 ? error_set(err, r, "standard output: %s", strerror(errno)) : 0;
}

int learning_describe(const struct options *options, const struct config *config,
                      const volatile sig_atomic_t *stop)
{
    struct error err;
    int r = describe(options->inputs[0], &err);

    if (r < 0)
        log_error("%s", err.text);
    return r;
}

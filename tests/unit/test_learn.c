/* The whole way to a model, and cross-validation: what is stored, what is judged, what a stop leaves. */
#include "core/learn/learn.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "core/learn/provenance.h"
#include "core/tree/model_file.h"
#include "core/tree/tree_json.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};
static const char flowtree[] = SOURCE_ROOT "/etc/trees/flowtree.json";
static const char notebook[] = SOURCE_ROOT "/etc/trees/notebook.json";

static struct learn_options options_of(const char *tree)
{
    struct learn_options options = learn_defaults();

    options.tree_path = tree;
    options.epochs = 6;
    options.holdout = 0.25;
    options.date = "2026-11-23T06:00:00Z";
    options.version = "1.2.3";
    return options;
}

static struct learn_result learn(const struct dataset *dataset, const struct learn_options *options)
{
    struct learn_result result;
    struct error err = {0};

    ck_assert_msg(learn_model(&result, dataset, options, &err) == 0, "%s", err.text);
    return result;
}

static const cJSON *item(const cJSON *object, const char *key, const char *below)
{
    const cJSON *found = cJSON_GetObjectItem(cJSON_GetObjectItem(object, key), below);

    ck_assert_msg(found != NULL, "no %s.%s", key, below);
    return found;
}

START_TEST(a_model_says_where_it_comes_from_and_how_good_it_is)
{
    struct dataset *dataset = flows_even(labels, 3, 8, 10);
    struct learn_options options = options_of(flowtree);
    struct learn_result result = learn(dataset, &options);
    cJSON *json = cJSON_Parse(result.model->training);

    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(cJSON_GetObjectItem(json, "date")->valuestring, "2026-11-23T06:00:00Z");
    ck_assert_str_eq(cJSON_GetObjectItem(json, "version")->valuestring, "1.2.3");
    ck_assert_str_eq(cJSON_GetObjectItem(json, "seed")->valuestring, "1");
    ck_assert_str_eq(item(json, "data", "sha256")->valuestring, dataset->hash);
    ck_assert_int_eq(item(item(json, "data", "labels"), "video", "captures")->valueint, 8);
    ck_assert_int_eq(item(item(json, "data", "labels"), "other", "flows")->valueint, 80);
    ck_assert_int_eq(item(json, "split", "held_out")->valueint, (int)result.held_out.n);
    ck_assert_int_eq(item(json, "epochs", "run")->valueint, 6);
    ck_assert_int_eq(cJSON_GetArraySize(item(json, "epochs", "loss")), 6);
    ck_assert_double_eq_tol(item(cJSON_GetObjectItem(json, "hold_out"), "classes", "accuracy")->valuedouble,
                            result.evaluation.classes.accuracy, 1e-12);
    cJSON_Delete(json);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

START_TEST(small_data_is_calibrated_across_folds)
{
    struct dataset *dataset = flows_even(labels, 3, 8, 10);
    struct learn_options options = options_of(flowtree);
    struct learn_result result = learn(dataset, &options);

    ck_assert_int_eq(result.calibrated, LEARN_CALIBRATED_FOLDS);
    ck_assert(result.cross_validated);
    ck_assert_uint_eq(result.crossval.predictions.n, result.train.n);
    ck_assert(result.evaluated);
    ck_assert_uint_eq(result.evaluation.flows, result.held_out.n);
    ck_assert_double_eq(result.model->temperature, result.calibration.temperature);
    ck_assert_double_eq_tol(result.evaluation.temperature, result.model->temperature, 1e-12);
    ck_assert(!isnan(result.evaluation.all.baseline_accuracy));
    for (size_t l = 0; l < 3; l++)
        ck_assert_double_eq(result.model->thresholds[l], result.calibration.labels[l].threshold);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

START_TEST(too_few_captures_for_folds_fall_back_on_the_holdout)
{
    struct dataset *dataset = flows_even(labels, 2, 2, 20);
    struct learn_options options = options_of(flowtree);
    struct learn_result result = learn(dataset, &options);

    ck_assert_int_eq(result.calibrated, LEARN_CALIBRATED_HOLDOUT);
    ck_assert(!result.cross_validated);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

START_TEST(one_capture_a_label_needs_no_holdout)
{
    struct dataset *dataset = flows_even(labels, 2, 1, 20);
    struct learn_options options = options_of(flowtree);
    struct learn_result result;
    struct error err;

    ck_assert_int_eq(learn_model(&result, dataset, &options, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "capture"));
    options.holdout = 0;
    result = learn(dataset, &options);
    ck_assert_int_eq(result.calibrated, LEARN_CALIBRATED_NOT);
    ck_assert(!result.evaluated);
    ck_assert_double_eq(result.model->temperature, 1);
    ck_assert_uint_eq(result.train.n, dataset->n);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

static struct predictions predict(const struct model *model, const struct dataset *dataset)
{
    struct engine_options options = {.threads = 1};
    struct predictions predictions;
    struct subset all;

    ck_assert_int_eq(split_all(dataset, &all), 0);
    predictions_init(&predictions, dataset, model->tree);
    ck_assert_int_eq(predictions_append(&predictions, model, &all, 0, &engine_cpu, &options, NULL), 0);
    subset_free(&all);
    return predictions;
}

START_TEST(saved_and_loaded_it_says_the_same)
{
    struct dataset *dataset = flows_even(labels, 3, 5, 6);
    struct learn_options options = options_of(flowtree);
    struct learn_result earlier = learn(dataset, &options), result;
    struct predictions before, after;
    char path[] = "/tmp/flowclassd-model-XXXXXX";
    struct error err = {0};
    struct model *loaded;

    strcpy(earlier.model->id, "0123456789ab");
    options.current = earlier.model;
    result = learn(dataset, &options);
    before = predict(result.model, dataset);
    ck_assert_int_ge(mkstemp(path), 0);
    ck_assert_msg(model_save(result.model, path, &err) == 0, "%s", err.text);
    ck_assert_msg(model_load(&loaded, path, &err) == 0, "%s", err.text);
    after = predict(loaded, dataset);
    ck_assert_mem_eq(before.logits, after.logits, before.n * before.n_labels * sizeof(float));
    ck_assert_double_eq(loaded->temperature, result.model->temperature);
    ck_assert_mem_eq(loaded->thresholds, result.model->thresholds, 3 * sizeof(double));
    ck_assert_str_eq(loaded->training, result.model->training);
    ck_assert_str_eq(loaded->parent, "0123456789ab");
    unlink(path);
    predictions_deinit(&before);
    predictions_deinit(&after);
    model_free(loaded);
    learn_result_deinit(&earlier);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

START_TEST(a_model_is_not_judged_on_what_it_learnt)
{
    struct dataset *dataset = flows_even(labels, 3, 8, 10);
    struct learn_options options = options_of(flowtree);
    struct learn_result result = learn(dataset, &options);
    struct engine_options engine = {.threads = 1};
    struct evaluation evaluation;
    bool heldout_only;

    ck_assert_int_eq(
        learn_evaluate(&evaluation, result.model, dataset, NULL, &engine_cpu, &engine, &heldout_only, NULL),
        0);
    ck_assert(heldout_only);
    ck_assert_uint_eq(evaluation.flows, result.held_out.n);
    ck_assert_double_eq(evaluation.all.accuracy, result.evaluation.all.accuracy);
    evaluation_deinit(&evaluation);

    dataset->hash[0] = 'b'; /* other data: all of it */
    ck_assert_int_eq(
        learn_evaluate(&evaluation, result.model, dataset, NULL, &engine_cpu, &engine, &heldout_only, NULL),
        0);
    ck_assert(!heldout_only);
    ck_assert_uint_eq(evaluation.flows, dataset->n);
    evaluation_deinit(&evaluation);

    ck_assert_int_eq(learn_evaluate(&evaluation, result.model, dataset, &result.held_out, &engine_cpu,
                                    &engine, &heldout_only, NULL),
                     0);
    ck_assert_uint_eq(evaluation.flows, result.held_out.n);
    evaluation_deinit(&evaluation);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

static volatile sig_atomic_t stop;

static void stop_now(void *context, const struct train_epoch *epoch)
{
    stop = epoch->epoch == *(const unsigned *)context;
}

START_TEST(a_stopped_model_is_judged_and_usable)
{
    struct dataset *dataset = flows_even(labels, 3, 8, 10);
    struct learn_options options = options_of(flowtree);
    struct learn_result result;
    unsigned epoch = 2;

    stop = 0;
    options.stop = &stop;
    options.on_epoch = stop_now;
    options.context = &epoch;
    result = learn(dataset, &options);
    ck_assert(result.training.stopped);
    ck_assert_uint_eq(result.training.n_epochs, 2);
    ck_assert_int_eq(result.calibrated, LEARN_CALIBRATED_HOLDOUT);
    ck_assert(result.evaluated);
    ck_assert_ptr_nonnull(result.model->training);
    learn_result_deinit(&result);
    dataset_free(dataset);
}
END_TEST

START_TEST(trees_take_labels_from_the_folders_unless_they_name_them)
{
    static const char *const three[] = {"news", "socialmedia", "videostreaming", "other"};
    struct dataset *dataset = flows_even(three, 4, 1, 1), *two = flows_even(labels, 3, 1, 1);
    struct error err;
    struct tree *tree;

    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, false, NULL), 0);
    ck_assert_uint_eq(tree->n_labels, 4);
    tree_free(tree);
    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, true, NULL), 0);
    ck_assert_uint_eq(tree->n_labels, 3);
    tree_free(tree);
    ck_assert_int_eq(learn_tree(&tree, notebook, dataset, false, NULL), 0);
    ck_assert_uint_eq(tree->n_labels, 3);
    tree_free(tree);
    ck_assert_int_eq(learn_tree(&tree, notebook, two, false, &err), -EINVAL);
    dataset->label[1] = 0;
    strcpy(dataset->labels[1], "other");
    dataset->n_labels = 2;
    ck_assert_int_eq(learn_tree(&tree, notebook, dataset, false, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "socialmedia"));
    dataset_free(dataset);
    dataset_free(two);
}
END_TEST

struct told {
    unsigned folds;
    size_t held_out;
    unsigned stop_after;
};

static void tell(void *context, const struct crossval_fold *fold)
{
    struct told *told = context;

    told->folds++;
    told->held_out += fold->held_out;
    ck_assert_uint_eq(fold->n_folds, 3);
    stop = told->stop_after > 0 && told->folds >= told->stop_after;
}

static struct crossval_options crossval_of(struct train_recipe *recipe, struct told *told)
{
    *recipe = *train_recipe_find("flowtree");
    recipe->epochs = 5;
    stop = 0;
    return (struct crossval_options){.folds = 3,
                                     .seeds = 2,
                                     .seed = 1,
                                     .recipe = recipe,
                                     .engine = &engine_cpu,
                                     .stop = &stop,
                                     .on_fold = tell,
                                     .context = told};
}

START_TEST(cross_validation_speaks_about_every_flow_once_a_seed)
{
    struct dataset *dataset = flows_even(labels, 3, 6, 5);
    struct train_recipe recipe;
    struct told told = {0};
    struct crossval_options options = crossval_of(&recipe, &told);
    struct crossval_result result;
    bool seen[90] = {false};
    struct tree *tree;

    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, false, NULL), 0);
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, NULL), 0);
    ck_assert_uint_eq(told.folds, 6);
    ck_assert_uint_eq(told.held_out, 2 * dataset->n);
    ck_assert_uint_eq(result.n_seeds, 2);
    ck_assert_uint_eq(result.seeds[1].seed, 2);
    ck_assert_uint_eq(result.predictions.n, dataset->n);
    for (size_t i = 0; i < result.predictions.n; i++) {
        ck_assert(!seen[result.predictions.record[i]]);
        seen[result.predictions.record[i]] = true;
    }
    ck_assert_double_eq(result.seeds[0].classes.accuracy, result.evaluation.classes.accuracy);
    ck_assert_double_eq_tol(result.seeds[0].folds.majority_accuracy, 0.5, 1e-12);
    crossval_deinit(&result);
    tree_free(tree);
    dataset_free(dataset);
}
END_TEST

START_TEST(a_stopped_cross_validation_keeps_the_seeds_that_are_complete)
{
    struct dataset *dataset = flows_even(labels, 3, 6, 5);
    struct train_recipe recipe;
    struct told told = {.stop_after = 4};
    struct crossval_options options = crossval_of(&recipe, &told);
    struct crossval_result result;
    struct error err;
    struct tree *tree;

    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, false, NULL), 0);
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, &err), 0);
    ck_assert(result.stopped);
    ck_assert_uint_eq(result.n_seeds, 1);
    crossval_deinit(&result);
    told = (struct told){.stop_after = 2};
    stop = 0;
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, &err), -ECANCELED);
    tree_free(tree);
    dataset_free(dataset);
}
END_TEST

START_TEST(cross_validation_prints_mean_and_spread)
{
    struct dataset *dataset = flows_even(labels, 3, 6, 5);
    struct train_recipe recipe;
    struct told told = {0};
    struct crossval_options options = crossval_of(&recipe, &told);
    struct crossval_result result;
    struct tree *tree;
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, true, NULL), 0);
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, NULL), 0);
    ck_assert_uint_eq(result.predictions.n_labels, 2);
    ck_assert_uint_eq(result.evaluation.unknowns, 30);
    ck_assert_int_eq(crossval_print(file, &result), 0);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "3 folds by capture, 2 seeds"));
    ck_assert_ptr_nonnull(strstr(text, "majority                                   0.333 +- 0.000"));
    free(text);
    crossval_deinit(&result);
    tree_free(tree);
    dataset_free(dataset);
}
END_TEST

START_TEST(one_label_alone_is_refused)
{
    struct dataset *dataset = flows_even(labels, 1, 3, 5);
    struct learn_options options = options_of(flowtree);
    struct learn_result result;
    struct error err;

    ck_assert_int_eq(learn_model(&result, dataset, &options, &err), -EINVAL);
    ck_assert_str_eq(err.text, "flows of 1 label, and 2 are needed to learn to tell them apart");
    dataset_free(dataset);
}
END_TEST

/* What a model without "other" does with traffic of no class can be asked without flows of the classes. */
START_TEST(flows_of_other_alone_can_be_judged)
{
    static const char *const other[] = {"other"};
    struct dataset *classes = flows_even(labels, 2, 2, 10), *others = flows_even(other, 1, 3, 5);
    struct learn_options options = options_of(flowtree);
    struct learn_result result = learn(classes, &options);
    struct engine_options engine = {.threads = 1};
    struct evaluation evaluation;
    struct error err = {0};
    bool heldout_only;

    others->hash[0] = 'b';
    ck_assert_msg(learn_evaluate(&evaluation, result.model, others, NULL, &engine_cpu, &engine, &heldout_only,
                                 &err) == 0,
                  "%s", err.text);
    ck_assert_uint_eq(evaluation.unknowns, 15);
    ck_assert(isnan(evaluation.all.accuracy));
    ck_assert(isnan(evaluation.all.baseline_accuracy));
    evaluation_deinit(&evaluation);
    learn_result_deinit(&result);
    dataset_free(classes);
    dataset_free(others);
}
END_TEST

START_TEST(wrong_requests_are_refused)
{
    struct dataset *dataset = flows_even(labels, 3, 2, 5);
    struct train_recipe recipe;
    struct told told = {0};
    struct crossval_options options = crossval_of(&recipe, &told);
    struct crossval_result result;
    struct error err;
    struct tree *tree;

    ck_assert_int_eq(learn_tree(&tree, flowtree, dataset, false, NULL), 0);
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "news"));
    options.seeds = 0;
    ck_assert_int_eq(crossval_run(&result, dataset, tree, &options, &err), -EINVAL);
    tree_free(tree);
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN(
        "learn", a_model_says_where_it_comes_from_and_how_good_it_is, small_data_is_calibrated_across_folds,
        too_few_captures_for_folds_fall_back_on_the_holdout, one_capture_a_label_needs_no_holdout,
        saved_and_loaded_it_says_the_same, a_model_is_not_judged_on_what_it_learnt,
        a_stopped_model_is_judged_and_usable, trees_take_labels_from_the_folders_unless_they_name_them,
        cross_validation_speaks_about_every_flow_once_a_seed,
        a_stopped_cross_validation_keeps_the_seeds_that_are_complete, cross_validation_prints_mean_and_spread,
        one_label_alone_is_refused, flows_of_other_alone_can_be_judged, wrong_requests_are_refused);
}

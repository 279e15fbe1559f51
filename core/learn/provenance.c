/* provenance.c - model->training as JSON.
 *
 *     {"date", "version", "engine", "seed", "tree",
 *      "recipe": {"name", "epochs", "batch", "rate", ...},
 *      "data": {"sha256", "flows", "captures", "files", "damaged_lines", "labels": {LABEL: {"flows",
 * "captures"}}}, "split": {"holdout", "learnt", "held_out", "held_out_captures"}, "epochs": {"run", "best",
 * "stopped", "loss": [..], "accuracy": [..], "held_out_loss": [..], ...}, "calibration": {"fitted_to",
 * "temperature", "wanted_precision", "labels": {LABEL: {"threshold", ...}}}, "hold_out": EVALUATION or null,
 * "cross_validation": EVALUATION or null}
 *
 * EVALUATION is what evaluation_json() gives. A seed is a string, because a JSON number holds 53 bits.
 */
#include "core/learn/provenance.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_build.h"

static void add_recipe(struct json_build *build, cJSON *object, const struct train_recipe *recipe,
                       size_t flows)
{
    cJSON *json = json_build_object(build, object, "recipe");

    json_build_text(build, json, "name", recipe->name);
    json_build_text(build, json, "optimizer", recipe->optimizer.kind == OPTIMIZER_ADAMW ? "adamw" : "adam");
    json_build_number(build, json, "rate", recipe->optimizer.rate);
    json_build_number(build, json, "weight_decay", recipe->optimizer.weight_decay);
    json_build_number(build, json, "clip", recipe->optimizer.clip);
    json_build_number(build, json, "epochs", recipe->epochs);
    json_build_number(build, json, "batch", (double)train_recipe_batch(recipe, flows));
}

static void add_data(struct json_build *build, cJSON *object, const struct dataset *dataset)
{
    cJSON *json = json_build_object(build, object, "data");
    cJSON *labels;
    uint64_t damaged = 0, flows[TREE_LABELS_MAX] = {0};

    for (size_t i = 0; i < dataset->n_files; i++)
        damaged += dataset->files[i].damaged;
    for (size_t i = 0; i < dataset->n; i++)
        flows[dataset->label[i]]++;
    json_build_text(build, json, "sha256", dataset->hash);
    json_build_number(build, json, "flows", (double)dataset->n);
    json_build_number(build, json, "captures", dataset->n_groups);
    json_build_number(build, json, "files", (double)dataset->n_files);
    json_build_number(build, json, "damaged_lines", (double)damaged);
    labels = json_build_object(build, json, "labels");
    for (uint32_t l = 0; l < dataset->n_labels; l++) {
        cJSON *label = json_build_object(build, labels, dataset->labels[l]);
        uint32_t captures = split_captures(dataset, NULL, l);

        build->failed |= flows[l] > 0 && captures == 0; /* no memory to count them */
        json_build_number(build, label, "flows", (double)flows[l]);
        json_build_number(build, label, "captures", captures);
    }
}

static void add_split(struct json_build *build, cJSON *object, const struct learn_result *result,
                      const struct learn_options *options)
{
    cJSON *json = json_build_object(build, object, "split");

    json_build_number(build, json, "holdout", options->holdout);
    json_build_number(build, json, "learnt", (double)result->train.n);
    json_build_number(build, json, "held_out", (double)result->held_out.n);
    json_build_number(build, json, "held_out_captures",
                      result->evaluated ? (double)result->evaluation.n_captures : 0);
}

/* Five digits are enough for a curve, and keep the header of the model file small. */
static void add_series(struct json_build *build, cJSON *object, const char *key,
                       const struct train_result *training, size_t offset)
{
    cJSON *array = json_build_array(build, object, key);

    for (size_t i = 0; i < training->n_epochs && i < LEARN_HISTORY_MAX; i++) {
        double value;
        char text[32];

        memcpy(&value, (const char *)&training->epochs[i] + offset, sizeof(value));
        snprintf(text, sizeof(text), "%.5g", value);
        json_build_add(build, array, NULL, isfinite(value) ? cJSON_CreateRaw(text) : cJSON_CreateNull());
    }
}

/* What is stored of every epoch. */
static const struct {
    const char *key;
    size_t offset;
} epoch_series[] = {
    {"loss", offsetof(struct train_epoch, loss)},
    {"accuracy", offsetof(struct train_epoch, accuracy)},
    {"held_out_loss", offsetof(struct train_epoch, held_out_loss)},
    {"held_out_accuracy", offsetof(struct train_epoch, held_out_accuracy)},
    {"held_out_macro_f1", offsetof(struct train_epoch, held_out_macro_f1)},
};

enum { EPOCH_SERIES = sizeof(epoch_series) / sizeof(epoch_series[0]) };

static void add_epochs(struct json_build *build, cJSON *object, const struct train_result *training)
{
    cJSON *json = json_build_object(build, object, "epochs");

    json_build_number(build, json, "run", (double)training->n_epochs);
    json_build_number(build, json, "best", training->best_epoch);
    json_build_bool(build, json, "stopped", training->stopped);
    for (size_t i = 0; i < EPOCH_SERIES; i++)
        add_series(build, json, epoch_series[i].key, training, epoch_series[i].offset);
}

static void add_calibration(struct json_build *build, cJSON *object, const struct learn_result *result)
{
    static const char *const fitted_to[] = {[LEARN_CALIBRATED_NOT] = "nothing",
                                            [LEARN_CALIBRATED_HOLDOUT] = "hold-out",
                                            [LEARN_CALIBRATED_FOLDS] =
                                                "cross-validation of the training part"};
    const struct calibration *calibration = &result->calibration;
    cJSON *json = json_build_object(build, object, "calibration");
    cJSON *labels;

    json_build_text(build, json, "fitted_to", fitted_to[result->calibrated]);
    json_build_number(build, json, "temperature", result->model->temperature);
    if (result->calibrated == LEARN_CALIBRATED_NOT || calibration->wanted == 0)
        return;
    json_build_number(build, json, "wanted_precision", calibration->wanted);
    labels = json_build_object(build, json, "labels");
    for (size_t l = 0; l < result->model->tree->n_labels; l++) {
        const struct calibration_label *fitted = &calibration->labels[l];
        cJSON *label = json_build_object(build, labels, result->model->tree->labels[l]);

        json_build_number(build, label, "threshold", fitted->threshold);
        json_build_bool(build, label, "reached", fitted->reached);
        json_build_number(build, label, "flows", (double)fitted->flows);
        if (!isnan(fitted->precision))
            json_build_number(build, label, "precision", fitted->precision);
    }
}

static void add_evaluation(struct json_build *build, cJSON *object, const char *key,
                           const struct evaluation *evaluation, bool there_is)
{
    json_build_add(build, object, key, there_is ? evaluation_json(evaluation) : cJSON_CreateNull());
}

int provenance_write(struct learn_result *result, const struct dataset *dataset,
                     const struct learn_options *options, const struct train_recipe *recipe,
                     struct error *err)
{
    struct json_build *build = &(struct json_build){false};
    cJSON *object = cJSON_CreateObject();
    char seed[24];
    char *text;

    snprintf(seed, sizeof(seed), "%" PRIu64, options->seed);
    json_build_text(build, object, "date", options->date);
    json_build_text(build, object, "version", options->version);
    json_build_text(build, object, "engine", options->engine->name);
    json_build_text(build, object, "seed", seed);
    json_build_text(build, object, "tree", result->model->tree->name);
    add_recipe(build, object, recipe, result->train.n);
    add_data(build, object, dataset);
    add_split(build, object, result, options);
    add_epochs(build, object, &result->training);
    add_calibration(build, object, result);
    add_evaluation(build, object, "hold_out", &result->evaluation, result->evaluated);
    add_evaluation(build, object, "cross_validation", &result->crossval.evaluation, result->cross_validated);
    json_build_add(build, object, "gate", gate_json(&result->gate));
    object = json_build_end(build, object);
    text = object != NULL ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (text == NULL)
        return error_set(err, -ENOMEM, "no memory for the model's provenance");
    free(result->model->training);
    result->model->training = text;
    return 0;
}

int provenance_read(const struct model *model, struct provenance_split *split)
{
    cJSON *object = model->training != NULL ? cJSON_Parse(model->training) : NULL;
    const char *hash = cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "data"), "sha256"));
    const char *seed = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "seed"));
    const cJSON *holdout =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "split"), "holdout");
    struct provenance_split read = {0};
    int r = -ENOENT;

    if (hash != NULL && strlen(hash) < sizeof(read.hash) && seed != NULL && cJSON_IsNumber(holdout)) {
        strcpy(read.hash, hash);
        read.seed = strtoull(seed, NULL, 10);
        read.holdout = holdout->valuedouble;
        *split = read;
        r = 0;
    }
    cJSON_Delete(object);
    return r;
}

/* One series into the epochs; what is null or missing is not a number. */
static void read_series(const cJSON *array, size_t offset, struct train_result *history)
{
    const cJSON *value = array != NULL ? array->child : NULL;

    for (size_t i = 0; i < history->n_epochs; i++) {
        double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;

        memcpy((char *)&history->epochs[i] + offset, &number, sizeof(number));
        value = value != NULL ? value->next : NULL;
    }
}

int provenance_history(const cJSON *training, struct train_result *history)
{
    const cJSON *json = cJSON_GetObjectItemCaseSensitive(training, "epochs");
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(json, epoch_series[0].key);
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(json, "best");
    int n = cJSON_GetArraySize(loss);
    struct train_result read = {0};

    if (!cJSON_IsArray(loss) || n <= 0 || n > LEARN_HISTORY_MAX)
        return -ENOENT;
    if ((read.epochs = calloc((size_t)n, sizeof(*read.epochs))) == NULL)
        return -ENOMEM;
    read.n_epochs = (size_t)n;
    read.best_epoch = cJSON_IsNumber(best) && best->valueint > 0 ? (unsigned)best->valueint : 0;
    read.stopped = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "stopped"));
    for (size_t i = 0; i < EPOCH_SERIES; i++)
        read_series(cJSON_GetObjectItemCaseSensitive(json, epoch_series[i].key), epoch_series[i].offset,
                    &read);
    *history = read;
    return 0;
}

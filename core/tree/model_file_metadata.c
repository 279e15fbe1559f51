#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/model_file_parts.h"
#include "core/tree/tree_json.h"

/* A metadata value; all of them are strings. Return: it, NULL if there is none. */
static const char *metadata(const struct model_file_reading *reading, const char *key)
{
    const cJSON *value = json_member(reading->metadata, key);

    return value == NULL ? NULL : value->valuestring;
}

static int check_metadata(const struct model_file_reading *reading)
{
    static const char *const keys[] = {"format",     "tree",     "labels", "temperature",
                                       "thresholds", "training", "parent", NULL};
    struct json_at at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    int r = json_object(&at, reading->metadata, keys);

    if (r < 0)
        return r;
    for (const cJSON *value = reading->metadata->child; value != NULL; value = value->next) {
        struct json_at here = json_at_key(&at, value->string);

        if (!cJSON_IsString(value))
            return json_refuse(&here, "not a string");
    }
    for (size_t i = 0; i < 3; i++)
        if (metadata(reading, keys[i]) == NULL)
            return json_refuse(&at, "\"%s\" is missing", keys[i]);
    if (strcmp(metadata(reading, "format"), "1") != 0)
        return json_refuse(&at, "format \"%.16s\"; this program knows format 1", metadata(reading, "format"));
    return 0;
}

/* Name a metadata value in messages as if it were a file: "FILE: __metadata__.tree". */
static void metadata_name(const struct model_file_reading *reading, const char *key, char *name, size_t size)
{
    (void)snprintf(name, size, "%s: %s.%s", reading->at.key, MODEL_FILE_METADATA, key);
}

/* Parse the JSON inside a metadata value. */
static int metadata_json(const struct model_file_reading *reading, const char *key, cJSON **valuep)
{
    char name[ERROR_TEXT_MAX / 2];
    const char *text = metadata(reading, key);

    metadata_name(reading, key, name, sizeof name);
    return json_parse(valuep, name, text, strlen(text), reading->at.err);
}

int model_file_tree(const struct model_file_reading *reading, struct tree **treep)
{
    char name[ERROR_TEXT_MAX / 2];
    const char *text;
    int r = check_metadata(reading);

    if (r < 0)
        return r;
    text = metadata(reading, "tree");
    metadata_name(reading, "tree", name, sizeof name);
    return tree_parse(treep, name, text, strlen(text), NULL, 0, reading->at.err);
}

/* The labels must be those that the tree was built for. */
static int check_labels(const struct model_file_reading *reading, const struct tree *tree)
{
    struct json_at metadata_at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    struct json_at at = json_at_key(&metadata_at, "labels");
    const cJSON *label;
    cJSON *labels;
    size_t n = 0;
    int r = metadata_json(reading, "labels", &labels);

    if (r < 0)
        return r;
    if (!cJSON_IsArray(labels) || (size_t)cJSON_GetArraySize(labels) != tree->n_labels)
        r = json_refuse(&at, "not an array of the tree's %zu labels", tree->n_labels);
    cJSON_ArrayForEach(label, labels)
    {
        if (r == 0 && (!cJSON_IsString(label) || strcmp(label->valuestring, tree->labels[n]) != 0))
            r = json_refuse(&at, "label %zu is not \"%s\" as in the tree", n, tree->labels[n]);
        n++;
    }
    cJSON_Delete(labels);
    return r;
}

static int read_temperature(const struct model_file_reading *reading, struct model *model)
{
    struct json_at metadata_at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    struct json_at at = json_at_key(&metadata_at, "temperature");
    const char *text = metadata(reading, "temperature");
    char *end;

    if (text == NULL)
        return 0;
    model->temperature = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(model->temperature) || model->temperature <= 0)
        return json_refuse(&at, "\"%.32s\" is not a number above 0", text);
    return 0;
}

static int read_thresholds(const struct model_file_reading *reading, struct model *model)
{
    struct json_at metadata_at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    struct json_at at = json_at_key(&metadata_at, "thresholds");
    const cJSON *threshold;
    cJSON *thresholds;
    size_t n = 0;
    int r;

    if (metadata(reading, "thresholds") == NULL)
        return 0;
    r = metadata_json(reading, "thresholds", &thresholds);
    if (r < 0)
        return r;
    if (!cJSON_IsArray(thresholds) || (size_t)cJSON_GetArraySize(thresholds) != model->tree->n_labels)
        r = json_refuse(&at, "not an array of one number a label");
    cJSON_ArrayForEach(threshold, thresholds)
    {
        if (r == 0 &&
            !(cJSON_IsNumber(threshold) && threshold->valuedouble >= 0 && threshold->valuedouble <= 1))
            r = json_refuse(&at, "threshold %zu is not within 0 and 1", n);
        if (r == 0)
            model->thresholds[n++] = threshold->valuedouble;
    }
    cJSON_Delete(thresholds);
    return r;
}

static int read_training(const struct model_file_reading *reading, struct model *model)
{
    struct json_at metadata_at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    struct json_at at = json_at_key(&metadata_at, "training");
    cJSON *value;
    int r;

    if (metadata(reading, "training") == NULL)
        return 0;
    r = metadata_json(reading, "training", &value);
    if (r < 0)
        return r;
    if (!cJSON_IsObject(value))
        r = json_refuse(&at, "not an object");
    cJSON_Delete(value);
    if (r < 0)
        return r;
    model->training = strdup(metadata(reading, "training"));
    return model->training == NULL ? -ENOMEM : 0;
}

static int read_parent(const struct model_file_reading *reading, struct model *model)
{
    struct json_at metadata_at = json_at_key(&reading->at, MODEL_FILE_METADATA);
    struct json_at at = json_at_key(&metadata_at, "parent");
    const char *text = metadata(reading, "parent");

    if (text == NULL || text[0] == '\0')
        return 0;
    if (strlen(text) != MODEL_ID_LENGTH || strspn(text, "0123456789abcdef") != MODEL_ID_LENGTH)
        return json_refuse(&at, "\"%.32s\" is not %d hex digits", text, MODEL_ID_LENGTH);
    memcpy(model->parent, text, MODEL_ID_LENGTH + 1);
    return 0;
}

int model_file_metadata(const struct model_file_reading *reading, struct model *model)
{
    int r = check_labels(reading, model->tree);

    if (r == 0)
        r = read_temperature(reading, model);
    if (r == 0)
        r = read_thresholds(reading, model);
    if (r == 0)
        r = read_training(reading, model);
    return r < 0 ? r : read_parent(reading, model);
}

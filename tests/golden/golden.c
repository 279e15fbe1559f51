#include "tests/golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json_check.h"
#include "core/tree/tree_json.h"
#include "flowtrack/record_json.h"

enum { FILE_MAX = 1 << 24 };

#define SET(name_, file_, weights_, inputs_, key_, tree_, ...)                                               \
    {                                                                                                        \
        .name = (name_), .file = (file_), .weights = (weights_), .inputs = (inputs_), .inputs_key = (key_),  \
        .tree = (tree_), __VA_ARGS__                                                                         \
    }

const struct golden_set golden_sets[GOLDEN_SETS] = {
    SET("raw", "seed_raw.json", "seed_raw.json", "inputs.json", "tensors", "notebook", .raw = true),
    SET("conditioned", "seed_conditioned.json", "seed_conditioned.json", "inputs.json", "tensors",
        "notebook"),
    SET("masked", "seed_conditioned_masked.json", "seed_conditioned.json", "inputs.json", "tensors",
        "notebook", .masked = true),
    SET("v1", "v1_golden.json", "v1_golden.json", "v1_golden.json", "inputs", "flowtree"),
};

static void *need(void *pointer, const char *what)
{
    if (pointer == NULL) {
        fprintf(stderr, "%s: not as expected\n", what);
        exit(EXIT_FAILURE);
    }
    return pointer;
}

bool golden_present(void)
{
    return access(SHARED_DATA "/model/README.md", R_OK) == 0;
}

static cJSON *load(const char *name)
{
    char path[4096];
    struct error err;
    char *text;
    size_t length;
    cJSON *value;

    (void)snprintf(path, sizeof path, SHARED_DATA "/model/%s", name);
    if (json_read_file(path, FILE_MAX, &text, &length, &err) < 0 ||
        json_parse(&value, path, text, length, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    free(text);
    return value;
}

static const cJSON *member(const cJSON *object, const char *part, const char *key)
{
    const cJSON *value = json_member(object, part);

    return key == NULL ? value : json_member(value, key);
}

/* The numbers of a tensor ({"shape", "values"}) or of an array. */
static double *numbers(const cJSON *tensor, const char *what, size_t size)
{
    const cJSON *values = cJSON_IsArray(tensor) ? tensor : json_member(tensor, "values");
    double *all = need(malloc((size + 1) * sizeof *all), what);
    const cJSON *value;
    size_t n = 0;

    need((void *)(uintptr_t)values, what);
    cJSON_ArrayForEach(value, values)
    {
        if (n == size)
            need(NULL, what);
        all[n++] = value->valuedouble;
    }
    if (n != size)
        need(NULL, what);
    return all;
}

double *golden_tensor(const struct golden *golden, const char *part, const char *key, size_t size)
{
    const cJSON *tensor = member(golden->numbers, part, key);

    return tensor == NULL ? NULL : numbers(tensor, part, size);
}

double golden_number(const struct golden *golden, const char *part, const char *key)
{
    const cJSON *value = member(golden->numbers, part, key);

    need((void *)(uintptr_t)value, part);
    return value->valuedouble;
}

static double *by_weight(const struct tree *tree, const cJSON *tensors, const char *what)
{
    double *all;

    if (tensors == NULL)
        return NULL;
    all = need(calloc(tree->n_weights, sizeof *all), what);
    for (size_t i = 0; i < tree->n_tensors; i++) {
        const struct tensor *tensor = &tree->tensors[i];
        double *values = numbers(json_member(tensors, tensor->name), tensor->name, tensor->size);

        memcpy(all + tensor->offset, values, tensor->size * sizeof *all);
        free(values);
    }
    return all;
}

double *golden_by_weight(const struct golden *golden, const char *part, const char *key)
{
    return by_weight(golden->model->tree, member(golden->numbers, part, key), part);
}

static struct tree *load_tree(const struct golden_set *set)
{
    char path[4096];
    struct error err;
    struct tree *tree;

    (void)snprintf(path, sizeof path, SOURCE_ROOT "/etc/trees/%s.json", set->tree);
    if (tree_load(&tree, path, NULL, 0, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    if (set->masked)
        tree->padding = TREE_PADDING_NONE;
    return tree;
}

/* Fill one input from a padded tensor: (flows, steps, columns). lengths: NULL: not a list, or one that is
 * laid side by side (zeros are zeros). */
static void fill_input(struct golden *golden, size_t index, const cJSON *tensor, const double *lengths)
{
    const struct element *element = &golden->model->tree->elements[index];
    struct batch_input *input = &golden->batch->inputs[index];
    size_t steps = element->is_list ? element->first : 1, row = 0;
    double *all = numbers(tensor, element->name, GOLDEN_FLOWS * steps * element->n_columns);

    if (batch_reserve(golden->batch, index, GOLDEN_FLOWS, (uint32_t)(GOLDEN_FLOWS * steps)) < 0)
        need(NULL, element->name);
    golden->inputs[index] = need(calloc(GOLDEN_FLOWS * steps * element->n_columns, sizeof(double)), "inputs");
    for (size_t i = 0; i < GOLDEN_FLOWS; i++) {
        size_t n = lengths != NULL ? (size_t)lengths[i] : steps;

        if (element->is_list)
            input->first_row[i] = (uint32_t)row;
        memcpy(golden->inputs[index] + row * element->n_columns, all + i * steps * element->n_columns,
               n * element->n_columns * sizeof *all);
        row += n;
    }
    if (element->is_list)
        input->first_row[GOLDEN_FLOWS] = (uint32_t)row;
    for (size_t i = 0; i < row * element->n_columns; i++)
        input->values[i] = (float)golden->inputs[index][i];
    input->n_instances = GOLDEN_FLOWS;
    input->n_rows = (uint32_t)row;
    if (golden->model->tree->padding == TREE_PADDING_BATCH && element_is_sequence(element))
        input->padded_rows = (uint32_t)steps;
    free(all);
}

static void fill_batch(struct golden *golden)
{
    const struct tree *tree = golden->model->tree;
    cJSON *document = load(golden->set->inputs);
    double *labels = numbers(json_member(document, "labels"), "labels", GOLDEN_FLOWS);

    for (size_t i = 0; i < GOLDEN_FLOWS; i++)
        golden->labels[i] = (uint32_t)labels[i];
    for (size_t i = 0; i < tree->n_elements; i++) {
        const char *name = tree->elements[i].name;
        const cJSON *known = member(document, "lengths", name);
        double *lengths = known == NULL ? NULL : numbers(known, name, GOLDEN_FLOWS);

        fill_input(golden, i, member(document, golden->set->inputs_key, name), lengths);
        free(lengths);
    }
    golden->batch->n_flows = GOLDEN_FLOWS;
    free(labels);
    cJSON_Delete(document);
}

void golden_open(struct golden *golden, const struct golden_set *set)
{
    struct tree *tree = load_tree(set);
    cJSON *document = load(set->weights);

    *golden = (struct golden){.set = set, .numbers = load(set->file)};
    golden->weights = need(by_weight(tree, json_member(document, "weights"), "weights"), "weights");
    cJSON_Delete(document);
    golden->inputs = need(calloc(tree->n_elements, sizeof *golden->inputs), "inputs");
    if (model_new(&golden->model, tree, 1) < 0 || batch_new(&golden->batch, tree) < 0)
        need(NULL, "model");
    for (size_t i = 0; i < tree->n_weights; i++)
        golden->model->weights[i] = (float)golden->weights[i];
    fill_batch(golden);
}

void golden_close(struct golden *golden)
{
    for (size_t i = 0; i < golden->model->tree->n_elements; i++)
        free(golden->inputs[i]);
    free(golden->inputs);
    free(golden->weights);
    batch_free(golden->batch);
    model_free(golden->model);
    cJSON_Delete(golden->numbers);
}

void golden_constants(struct golden *golden)
{
    const struct tree *tree = golden->model->tree;

    for (size_t i = 0; i < tree->n_constants; i++) {
        const struct tensor *tensor = &tree->constants[i];
        double *values = golden_tensor(golden, "normalisation", strrchr(tensor->name, '/') + 1, tensor->size);

        need(values, tensor->name);
        for (size_t k = 0; k < tensor->size; k++)
            golden->model->constants[tensor->offset + k] = (float)values[k];
        free(values);
    }
}

/* A time as text with the six digits that it has: printing the double would show more. */
static void replace_time(cJSON *record, const char *key)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%.6f", cJSON_GetNumberValue(json_member(record, key)));
    cJSON_ReplaceItemInObjectCaseSensitive(record, key, cJSON_CreateRaw(text));
}

void golden_records(struct record records[GOLDEN_FLOWS])
{
    cJSON *document = load("records.json");
    cJSON *all = cJSON_GetObjectItemCaseSensitive(document, "records");
    unsigned cut;
    struct error err;

    for (int i = 0; i < GOLDEN_FLOWS; i++) {
        cJSON *record = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(all, i), "record");
        char *line;

        need(record, "records.json");
        replace_time(record, "time_start");
        replace_time(record, "time_end");
        if (!cJSON_HasObjectItem(record, "packets")) /* the archive reader wants one, the seed's did not */
            cJSON_AddArrayToObject(record, "packets");
        line = need(cJSON_PrintUnformatted(record), "records.json");
        if (record_json_read(&records[i], line, strlen(line), &cut, &err) != RECORD_JSON_RECORD) {
            fprintf(stderr, "records.json: record %d: %s\n", i, err.text);
            exit(EXIT_FAILURE);
        }
        free(line);
    }
    cJSON_Delete(document);
}

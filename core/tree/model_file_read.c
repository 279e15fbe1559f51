/* Nothing of a file is believed before it is checked: the header's length, every key, every offset, every
 * number. Tensors may stand in any order, as other programs write them, as long as they fill the buffer. */
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_check.h"
#include "core/tree/model_file.h"
#include "core/tree/model_file_parts.h"

_Static_assert((int)TREE_TENSORS_MAX < (int)JSON_KEYS_MAX,
               "the header has a key for each tensor, and the metadata");

/* Where a tensor lies in the buffer, in octets. */
struct extent {
    const struct tensor *tensor;
    size_t begin, end;
};

static uint64_t read_le64(const uint8_t *bytes)
{
    uint64_t x;

    memcpy(&x, bytes, sizeof x);
    return le64toh(x);
}

static float read_le_float(const uint8_t *bytes)
{
    uint32_t bits;
    float x;

    memcpy(&bits, bytes, sizeof bits);
    bits = le32toh(bits);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int check_shape(const struct json_at *above, const cJSON *value, const struct tensor *tensor)
{
    struct json_at at = json_at_key(above, "shape");
    char wanted[64];

    if (tensor->rank == 1)
        (void)snprintf(wanted, sizeof wanted, "[%zu]", tensor->shape[0]);
    else
        (void)snprintf(wanted, sizeof wanted, "[%zu,%zu]", tensor->shape[0], tensor->shape[1]);
    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != (int)tensor->rank)
        return json_refuse(&at, "not %s", wanted);
    for (unsigned i = 0; i < tensor->rank; i++) {
        const cJSON *size = cJSON_GetArrayItem(value, (int)i);

        if (!cJSON_IsNumber(size) || size->valuedouble != (double)tensor->shape[i])
            return json_refuse(&at, "not %s", wanted);
    }
    return 0;
}

static int read_offsets(const struct json_at *above, const cJSON *value,
                        const struct model_file_reading *reading, struct extent *extent)
{
    struct json_at at = json_at_key(above, "data_offsets");
    struct json_at at_begin = json_at_index(&at, 0), at_end = json_at_index(&at, 1);
    int r;

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2)
        return json_refuse(&at, "not [begin, end]");
    r = json_whole(&at_begin, value->child, 0, reading->buffer_size, &extent->begin);
    if (r == 0)
        r = json_whole(&at_end, value->child->next, extent->begin, reading->buffer_size, &extent->end);
    if (r == 0 && extent->end - extent->begin != extent->tensor->size * sizeof(float))
        return json_refuse(&at, "%zu octets, not %zu", extent->end - extent->begin,
                           extent->tensor->size * sizeof(float));
    return r;
}

static int read_extent(const struct model_file_reading *reading, const struct tensor *tensor,
                       struct extent *extent)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets", NULL};
    struct json_at at = json_at_key(&reading->at, tensor->name);
    const cJSON *value = json_member(reading->header, tensor->name), *dtype;
    int r = json_object(&at, value, keys);

    if (r < 0)
        return r;
    extent->tensor = tensor;
    dtype = json_member(value, "dtype");
    if (!cJSON_IsString(dtype) || strcmp(dtype->valuestring, "F32") != 0)
        return json_refuse(&at, "dtype is not \"F32\"");
    r = check_shape(&at, json_member(value, "shape"), tensor);
    return r < 0 ? r : read_offsets(&at, json_member(value, "data_offsets"), reading, extent);
}

static const struct tensor *find_constant(const struct tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->n_constants; i++)
        if (strcmp(tree->constants[i].name, name) == 0)
            return &tree->constants[i];
    return NULL;
}

static int check_tensor_names(const struct model_file_reading *reading, const struct tree *tree)
{
    for (const cJSON *value = reading->header->child; value != NULL; value = value->next) {
        struct json_at at = json_at_key(&reading->at, value->string);

        if (strcmp(value->string, MODEL_FILE_METADATA) != 0 && tree_tensor(tree, value->string) == NULL &&
            find_constant(tree, value->string) == NULL)
            return json_refuse(&at, "the tree has no such tensor");
    }
    return 0;
}

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* The tensors must fill the buffer: one begins where the one before ends. Sorts them. */
static int check_cover(const struct model_file_reading *reading, struct extent *extents, size_t n)
{
    size_t end = 0;

    qsort(extents, n, sizeof *extents, compare_extents);
    for (size_t i = 0; i < n; i++) {
        struct json_at at = json_at_key(&reading->at, extents[i].tensor->name);

        if (extents[i].begin != end)
            return json_refuse(&at, "begins at octet %zu, the tensor before ends at %zu: %s",
                               extents[i].begin, end, extents[i].begin < end ? "overlap" : "hole");
        end = extents[i].end;
    }
    if (end != reading->buffer_size)
        return json_refuse(&reading->at, "%zu octets follow the last tensor", reading->buffer_size - end);
    return 0;
}

/* Copy one tensor. positive: its values must be above 0 (they divide). */
static int read_values(const struct model_file_reading *reading, const struct extent *extent, bool positive,
                       float *values)
{
    struct json_at at = json_at_key(&reading->at, extent->tensor->name);

    for (size_t i = 0; i < extent->tensor->size; i++) {
        values[i] = read_le_float(reading->buffer + extent->begin + i * sizeof(float));
        if (!isfinite(values[i]))
            return json_refuse(&at, "value %zu is not finite", i);
        if (positive && values[i] <= 0)
            return json_refuse(&at, "value %zu is not above 0", i);
    }
    return 0;
}

static int read_all_values(const struct model_file_reading *reading, const struct extent *extents, size_t n,
                           struct model *model)
{
    const struct tree *tree = model->tree;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct tensor *tensor = extents[i].tensor;
        bool constant = tensor >= tree->constants && tensor < tree->constants + tree->n_constants;
        bool scale = constant && (tensor - tree->constants) % 2 == 1;

        r = read_values(reading, &extents[i], scale,
                        (constant ? model->constants : model->weights) + tensor->offset);
    }
    return r;
}

static int read_tensors(const struct model_file_reading *reading, struct model *model)
{
    const struct tree *tree = model->tree;
    size_t n = tree->n_tensors + tree->n_constants;
    struct extent *extents = calloc(n, sizeof *extents);
    int r = extents == NULL ? -ENOMEM : check_tensor_names(reading, tree);

    for (size_t i = 0; r == 0 && i < n; i++)
        r = read_extent(reading,
                        i < tree->n_tensors ? &tree->tensors[i] : &tree->constants[i - tree->n_tensors],
                        &extents[i]);
    if (r == 0)
        r = check_cover(reading, extents, n);
    if (r == 0)
        r = read_all_values(reading, extents, n, model);
    free(extents);
    return r;
}

static int read_model(const struct model_file_reading *reading, struct model **modelp)
{
    struct tree *tree;
    struct model *model;
    int r = model_file_tree(reading, &tree);

    if (r < 0)
        return r;
    r = model_new_blank(&model, tree);
    if (r < 0) {
        tree_free(tree);
        return r;
    }
    r = model_file_metadata(reading, model);
    if (r == 0)
        r = read_tensors(reading, model);
    if (r < 0) {
        model_free(model);
        return r;
    }
    *modelp = model;
    return 0;
}

void model_file_id(const void *bytes, size_t size, char id[MODEL_ID_LENGTH + 1])
{
    char digest[SHA256_DIGEST_STRING_LENGTH];

    (void)SHA256Data(bytes, size, digest);
    memcpy(id, digest, MODEL_ID_LENGTH);
    id[MODEL_ID_LENGTH] = '\0';
}

/* Find the pieces of a file. */
static int open_reading(struct model_file_reading *reading, const uint8_t *bytes, size_t size,
                        cJSON **headerp)
{
    uint64_t length;
    int r;

    if (size < MODEL_FILE_LENGTH_SIZE)
        return json_refuse(&reading->at, "too short for a model");
    length = read_le64(bytes);
    if (length > MODEL_FILE_HEADER_MAX || length > size - MODEL_FILE_LENGTH_SIZE)
        return json_refuse(&reading->at, "not a model: a header of %llu octets", (unsigned long long)length);
    r = json_parse(headerp, reading->at.key, (const char *)bytes + MODEL_FILE_LENGTH_SIZE, (size_t)length,
                   reading->at.err);
    if (r < 0)
        return r;
    reading->header = *headerp;
    reading->buffer = bytes + MODEL_FILE_LENGTH_SIZE + length;
    reading->buffer_size = size - MODEL_FILE_LENGTH_SIZE - (size_t)length;
    r = json_object(&reading->at, reading->header, NULL);
    reading->metadata = r < 0 ? NULL : json_member(reading->header, MODEL_FILE_METADATA);
    return r;
}

int model_parse(struct model **modelp, const char *name, const void *bytes, size_t size, struct error *err)
{
    struct model_file_reading reading = {.at = {NULL, name, 0, err}};
    cJSON *header = NULL;
    int r = open_reading(&reading, bytes, size, &header);

    if (r == 0)
        r = read_model(&reading, modelp);
    cJSON_Delete(header);
    if (r == 0)
        model_file_id(bytes, size, (*modelp)->id);
    return r == -ENOMEM ? error_set(err, r, "%s: out of memory", name) : r;
}

int model_load(struct model **modelp, const char *path, struct error *err)
{
    char *bytes;
    size_t size;
    int r = json_read_file(path, MODEL_FILE_MAX, &bytes, &size, err);

    if (r < 0)
        return r;
    r = model_parse(modelp, path, bytes, size, err);
    free(bytes);
    return r;
}

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json_check.h"
#include "core/tree/model_file.h"
#include "core/tree/model_file_parts.h"

enum { ALIGNMENT = 8, MODE = 0644 };

/* Add {"dtype", "shape", "data_offsets"} under the tensor's name; begin moves on. */
static bool add_tensor(cJSON *header, const struct tensor *tensor, size_t *begin)
{
    cJSON *entry = cJSON_AddObjectToObject(header, tensor->name);
    cJSON *shape, *offsets;
    bool done = entry != NULL && cJSON_AddStringToObject(entry, "dtype", "F32") != NULL;

    shape = done ? cJSON_AddArrayToObject(entry, "shape") : NULL;
    for (unsigned i = 0; shape != NULL && i < tensor->rank; i++)
        done = done && cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->shape[i]));
    offsets = shape != NULL ? cJSON_AddArrayToObject(entry, "data_offsets") : NULL;
    done = done && offsets != NULL && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)*begin));
    *begin += tensor->size * sizeof(float);
    return done && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)*begin));
}

/* Add an array as the text of its JSON. Takes the array. */
static bool add_json(cJSON *metadata, const char *key, cJSON *array)
{
    char *text = array == NULL ? NULL : cJSON_PrintUnformatted(array);
    bool done = text != NULL && cJSON_AddStringToObject(metadata, key, text) != NULL;

    cJSON_free(text);
    cJSON_Delete(array);
    return done;
}

static cJSON *labels_array(const struct tree *tree)
{
    cJSON *array = cJSON_CreateArray();

    for (size_t i = 0; array != NULL && i < tree->n_labels; i++)
        if (!cJSON_AddItemToArray(array, cJSON_CreateString(tree->labels[i]))) {
            cJSON_Delete(array);
            return NULL;
        }
    return array;
}

/* cJSON rounds to 15 digits where it can; a threshold then lies above the confidence that it was taken from.
 */
static cJSON *thresholds_array(const struct model *model)
{
    cJSON *array = cJSON_CreateArray();
    char number[32];

    for (size_t i = 0; array != NULL && i < model->tree->n_labels; i++) {
        (void)snprintf(number, sizeof number, "%.17g", model->thresholds[i]);
        if (!cJSON_AddItemToArray(array, cJSON_CreateRaw(number))) {
            cJSON_Delete(array);
            return NULL;
        }
    }
    return array;
}

static bool add_metadata(cJSON *header, const struct model *model)
{
    cJSON *metadata = cJSON_AddObjectToObject(header, MODEL_FILE_METADATA);
    char temperature[32];

    (void)snprintf(temperature, sizeof temperature, "%.17g", model->temperature);
    return metadata != NULL && cJSON_AddStringToObject(metadata, "format", "1") != NULL &&
           cJSON_AddStringToObject(metadata, "tree", model->tree->json) != NULL &&
           add_json(metadata, "labels", labels_array(model->tree)) &&
           cJSON_AddStringToObject(metadata, "temperature", temperature) != NULL &&
           add_json(metadata, "thresholds", thresholds_array(model)) &&
           (model->training == NULL ||
            cJSON_AddStringToObject(metadata, "training", model->training) != NULL) &&
           cJSON_AddStringToObject(metadata, "parent", model->parent) != NULL;
}

/* The header as text, filled up with blanks so that the buffer is aligned. Return: NULL: no memory. */
static char *header_text(const struct model *model, size_t *length)
{
    const struct tree *tree = model->tree;
    cJSON *header = cJSON_CreateObject();
    char *json = NULL, *text = NULL;
    size_t begin = 0, size;
    bool done = header != NULL && add_metadata(header, model);

    for (size_t i = 0; done && i < tree->n_tensors; i++)
        done = add_tensor(header, &tree->tensors[i], &begin);
    for (size_t i = 0; done && i < tree->n_constants; i++)
        done = add_tensor(header, &tree->constants[i], &begin);
    if (done)
        json = cJSON_PrintUnformatted(header);
    cJSON_Delete(header);
    if (json == NULL)
        return NULL;
    size = strlen(json);
    *length = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    text = malloc(*length + 1);
    if (text != NULL)
        (void)snprintf(text, *length + 1, "%-*s", (int)*length, json);
    cJSON_free(json);
    return text;
}

static uint8_t *put_floats(uint8_t *to, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        bits = htole32(bits);
        memcpy(to, &bits, sizeof bits);
        to += sizeof bits;
    }
    return to;
}

int model_print(const struct model *model, uint8_t **bytesp, size_t *sizep)
{
    size_t n_values = model->tree->n_weights + model->tree->n_constant_values, length;
    char *header = header_text(model, &length);
    uint64_t length_le;
    uint8_t *bytes, *to;

    if (header == NULL)
        return -ENOMEM;
    if (length > MODEL_FILE_HEADER_MAX) {
        free(header);
        return -EFBIG;
    }
    bytes = malloc(MODEL_FILE_LENGTH_SIZE + length + n_values * sizeof(float));
    if (bytes == NULL) {
        free(header);
        return -ENOMEM;
    }
    length_le = htole64(length);
    memcpy(bytes, &length_le, sizeof length_le);
    memcpy(bytes + MODEL_FILE_LENGTH_SIZE, header, length);
    free(header);
    to = put_floats(bytes + MODEL_FILE_LENGTH_SIZE + length, model->weights, model->tree->n_weights);
    (void)put_floats(to, model->constants, model->tree->n_constant_values);
    *bytesp = bytes;
    *sizep = MODEL_FILE_LENGTH_SIZE + length + n_values * sizeof(float);
    return 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return fchmod(fd, MODE) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* So that the new name outlives a power cut. Not every file system can; the file itself is safe by now. */
static void sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(copy);
}

/* Write a file beside `path`, sync it, put it in the place of `path`. */
static int replace_file(const char *path, const uint8_t *bytes, size_t size)
{
    char *temporary;
    int fd, r;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        r = -errno;
        free(temporary);
        return r;
    }
    r = write_all(fd, bytes, size);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(temporary);
    else
        sync_directory(path);
    free(temporary);
    return r;
}

int model_save(struct model *model, const char *path, struct error *err)
{
    uint8_t *bytes;
    size_t size;
    int r = model_print(model, &bytes, &size);

    if (r < 0)
        return error_set(err, r, "%s: cannot be written: %s", path, strerror(-r));
    r = replace_file(path, bytes, size);
    if (r == 0)
        model_file_id(bytes, size, model->id);
    free(bytes);
    return r < 0 ? error_set(err, r, "%s: cannot be written: %s", path, strerror(-r)) : 0;
}

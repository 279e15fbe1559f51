/* model_file.h - trained models as safetensors files.
 *
 *     octets 0..7     length N of the header, little-endian, at most 1 MiB
 *     octets 8..8+N   JSON object: tensor name -> {"dtype":"F32","shape":[..],"data_offsets":[begin,end]},
 *                     and "__metadata__": string -> string; blanks may follow
 *     then            one buffer that the tensors fill without holes or overlap, little-endian
 *
 * Tensors carry the names of struct tensor; constants too ("root/normalise/mean"). Metadata keys: `format`
 * ("1"), `tree` (JSON), `labels` (JSON array), and optional: `temperature`, `thresholds` (JSON array),
 * `training` (JSON object), `parent`. Duplicate keys, overlap, holes, NaN or infinite weights, wrong shapes,
 * missing or unknown tensors, unknown keys are refused by name.
 */
#ifndef CORE_TREE_MODEL_FILE_H
#define CORE_TREE_MODEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/tree/model.h"
#include "flowtrack/error.h"

enum {
    MODEL_FILE_LENGTH_SIZE = 8,
    MODEL_FILE_HEADER_MAX = 1 << 20,
    MODEL_FILE_MAX = 1 << 25, /* octets of the largest file that is read */
};

/* Read a model. Return: 0; -ENOENT, -EACCES, -EIO, -EBADMSG (err names the file, the tensor or key, and the
 * reason), -ENOMEM. */
int model_load(struct model **modelp, const char *path, struct error *err);

/* The same from memory (tests, fuzzers). name: stands for the file in messages. */
int model_parse(struct model **modelp, const char *name, const void *bytes, size_t size, struct error *err);

/* A model as the octets of its file, to free(). Return: 0, -ENOMEM, -EFBIG (the header is above its limit).
 */
int model_print(const struct model *model, uint8_t **bytesp, size_t *sizep);

/* The id of the model that a file holds: the first hex digits of the SHA-256 of its octets. */
void model_file_id(const void *bytes, size_t size, char id[MODEL_ID_LENGTH + 1]);

/* Write a model to a temporary file beside `path`, sync it, rename it; sets model->id.
 *
 * Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM: the file at `path` is what it was.
 */
int model_save(struct model *model, const char *path, struct error *err);

#endif

/* model_file.h - trained models as safetensors files.
 *
 *     octets 0..7     length N of the header, little-endian, at most 1 MiB
 *     octets 8..8+N   JSON object: tensor name -> {"dtype":"F32","shape":[..],"data_offsets":[begin,end]},
 *                     and "__metadata__": string -> string
 *     then            one buffer without holes, the tensors in the order of the header, little-endian
 *
 * Tensors carry the names of struct tensor; constants too ("root/normalise/mean"). Metadata keys: `format`
 * ("1"), `tree` (JSON), `labels` (JSON array), `temperature`, `thresholds` (JSON array), `training` (JSON
 * object), `parent`. Duplicate keys, overlap, holes, NaN or infinite weights, wrong shapes, missing or
 * unknown tensors are refused by name.
 */
#ifndef CORE_TREE_MODEL_FILE_H
#define CORE_TREE_MODEL_FILE_H

#include "core/tree/model.h"
#include "flowtrack/error.h"

/* Read a model. Return: 0; -ENOENT, -EACCES, -EIO, -EBADMSG (err names the file, the tensor or key, and the
 * reason), -ENOMEM. */
int model_load(struct model **modelp, const char *path, struct error *err);

/* The same from memory (tests, fuzzers). name: stands for the file in messages. */
int model_parse(struct model **modelp, const char *name, const void *bytes, size_t size, struct error *err);

/* Write a model to a temporary file beside `path`, sync it, rename it; sets model->id.
 *
 * Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM: the file at `path` is what it was.
 */
int model_save(struct model *model, const char *path, struct error *err);

#endif

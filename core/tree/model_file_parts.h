/* model_file_parts.h - a model file in pieces, and the readers of its metadata; model_file_read.c reads the
 * rest. */
#ifndef CORE_TREE_MODEL_FILE_PARTS_H
#define CORE_TREE_MODEL_FILE_PARTS_H

#include "core/json_check.h"
#include "core/tree/model.h"

#define MODEL_FILE_METADATA "__metadata__"

struct model_file_reading {
    struct json_at at;   /* the document */
    const cJSON *header; /* tensors and metadata */
    const cJSON *metadata;
    const uint8_t *buffer; /* (buffer_size) behind the header */
    size_t buffer_size;
};

/* Check the metadata's keys and make the tree. Return: 0, -EBADMSG, -ENOMEM. */
int model_file_tree(const struct model_file_reading *reading, struct tree **treep);

/* Read the rest of the metadata into a model of that tree. */
int model_file_metadata(const struct model_file_reading *reading, struct model *model);

#endif

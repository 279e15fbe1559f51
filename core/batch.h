/* batch.h - the inputs of many flows, laid out for an engine.
 *
 * For each element one struct batch_input: the rows of its own columns, list items of all instances one after
 * the other (ragged), no padding. Every engine reads this form and arranges it as it likes (lanes, device
 * memory). Rows of a list never exceed element->first.
 */
#ifndef CORE_BATCH_H
#define CORE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/tree/tree.h"

struct batch_input {
    uint32_t n_instances; /* flows for the root and its children; items of the list above for elements below
                             an `each` */
    uint32_t n_rows;      /* items of all instances for a list, else n_instances */
    uint32_t *first_row;  /* lists: (n_instances + 1) row where each instance begins; every list has a row, an
                             empty one a row of zeros. NULL for other elements */
    float
        *values; /* (n_rows, n_columns), mapped and normalised, aligned to 64 octets; NULL without columns */
    uint32_t padded_rows; /* sequences under TREE_PADDING_BATCH: items of zeros (children's outputs too)
                             follow each list up to so many items; else 0 */
    uint32_t capacity_instances; /* allocated */
    uint32_t capacity_rows;
};

struct encode_plan;

struct batch {
    const struct tree *tree;
    uint32_t n_flows;
    struct batch_input *inputs; /* (tree->n_elements) */
    struct encode_plan *plan;   /* encode.c: how it is filled */
};

/* Make an empty batch for a tree; it grows as it is filled.
 *
 * tree: must outlive the batch.
 *
 * Return: 0, -ENOMEM.
 */
int batch_new(struct batch **batchp, const struct tree *tree);

/* Have room in one element's input for so many instances and rows; what it holds stays. For whoever fills a
 * batch (encode.c, tests).
 *
 * Return: 0, -ENOMEM (nothing changed).
 */
int batch_reserve(struct batch *batch, size_t element, uint32_t n_instances, uint32_t n_rows);

/* Free it. NULL is fine. */
void batch_free(struct batch *batch);

#endif

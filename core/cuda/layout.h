/* layout.h - a batch on the device: which row of which matrix is what.
 *
 * Every signal (what an element's layers see and give) is a matrix on the device, one row a position. Where
 * there is no sequence, positions are the instances in their order. A sequence is packed: instances are
 * ranked by falling number of steps, and positions go step by step, in each step those ranks that still have
 * one:
 *
 *     steps 3, 2, 1:   rank 0 1 2 | 0 1 | 0        first position of a step: 0, 3, 5
 *
 * So layers that work item by item see a plain matrix, recurrent ones what cuDNN calls packed, and nobody
 * computes padding that the tree does not ask for. Under TREE_PADDING_BATCH the padded items are positions as
 * well, with zeros for input.
 *
 * Built on the host for each batch and copied in one go. What an element gives is always in the order of its
 * instances, so that a parent finds row r of its own list as its child's instance r.
 */
#ifndef CORE_CUDA_LAYOUT_H
#define CORE_CUDA_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cuda/device.h"

/* Where an item of a position comes from when there is none: padding. */
#define LAYOUT_NOTHING UINT32_MAX

struct layout_element {
    uint32_t n_instances;
    uint32_t n_positions;
    uint32_t n_steps; /* of the longest; 1 without a sequence */

    /* Host; sequences only. */
    uint32_t *lengths;    /* (n_instances) steps by rank, falling */
    uint32_t *first_step; /* (n_steps + 1) first position of each step */

    /* Device, borrowed from the layout's one buffer. */
    const float *values;         /* (input n_rows, n_columns) own columns, as in the batch; NULL without */
    const uint32_t *first_row;   /* lists: (n_instances + 1), as in the batch; else NULL */
    const uint32_t *source;      /* sequences: (n_positions) row of the batch, or LAYOUT_NOTHING */
    const uint32_t *instance;    /* sequences: (n_positions) instance of a position */
    const uint32_t *step;        /* sequences: (n_positions) step of a position */
    const uint32_t *rank;        /* sequences: (n_instances) rank of an instance */
    const uint32_t *order;       /* sequences: (n_instances) instance of a rank */
    const int32_t *step_lengths; /* sequences: (n_instances) `lengths` on the device */
};

struct layout {
    const struct tree *tree;
    struct layout_element *elements; /* (tree->n_elements) */
    struct pinned_buffer staging;
    struct device_buffer memory;
    void *host; /* one block behind the host arrays; grows */
    size_t host_octets;
};

/* Make an empty layout. tree: must outlive it. Return: 0, -ENOMEM. */
int layout_init(struct layout *layout, const struct tree *tree, struct error *err);

/* Free it; fine on zeros. */
void layout_deinit(struct layout *layout);

/* Lay a batch out and start its copy to the device. The batch may change when this returns.
 *
 * Return: 0, -ENOMEM, -ENODEV.
 */
int layout_take(struct layout *layout, struct device *device, const struct batch *batch, struct error *err);

#endif

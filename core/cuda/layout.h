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
 * The host ranks the instances of each batch; that, the values and what the batch is to teach cross together,
 * a small batch in one copy, a large one in pieces that cross while the next are written. What every position
 * is, and which values stand there, is then worked out on the device, by one kernel for all elements. What an
 * element gives is always in the order of its instances, so that a parent finds row r of its own list as its
 * child's instance r.
 */
#ifndef CORE_CUDA_LAYOUT_H
#define CORE_CUDA_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cpu/pool.h"
#include "core/cuda/device.h"
#include "core/engine.h"

struct layout_element {
    uint32_t n_instances;
    uint32_t n_rows;      /* of the batch: instances of its children */
    uint32_t n_positions; /* rows that its layers see */
    uint32_t n_steps;     /* of the longest; 1 without a sequence */

    /* Host, until the next batch; sequences only. */
    const uint32_t *lengths;    /* (n_instances) steps by rank, falling */
    const uint32_t *first_step; /* (n_steps + 1) first position of each step */

    /* Device, borrowed from the layout's one buffer. */
    const float *values;      /* (n_rows, n_columns) own columns, as in the batch; NULL without */
    const float *input;       /* without children: (n_positions, in_width) what its layers see; else NULL */
    const uint32_t *source;   /* lists: row of the batch, or KERNEL_NOTHING, of each position; flattened:
                                 of each item, (n_instances, first). Else NULL: row p itself */
    const uint32_t *instance; /* sequences: (n_positions) instance of a position */
    const uint32_t *step;     /* sequences: (n_positions) step of a position */
    const uint32_t *rank;     /* sequences: (n_instances) rank of an instance */
    const uint32_t *order;    /* sequences: (n_instances) instance of a rank */
    const int32_t *step_lengths; /* sequences: (n_instances) `lengths` on the device */
    const uint32_t *step_firsts; /* sequences: (n_steps + 1) `first_step` on the device */
};

struct layout {
    const struct tree *tree;
    struct pool *pool;               /* borrowed */
    struct layout_element *elements; /* (tree->n_elements) */
    struct pinned_buffer staging;    /* the host's side of what crosses */
    struct device_buffer memory;     /* what crosses, then what is worked out */

    /* Device; of a batch that teaches. */
    const uint32_t *labels; /* (n_flows) */
    const float *shares;    /* (n_flows) weight of each flow's loss divided by the sum of weights */
};

/* Make an empty layout. tree, pool: must outlive it; the pool writes large batches down. Return: 0, -ENOMEM.
 */
int layout_init(struct layout *layout, const struct tree *tree, struct pool *pool, struct error *err);

/* Free it; fine on zeros. */
void layout_deinit(struct layout *layout);

/* Lay a batch out and start its copy to the device. Batch and targets may change when this returns; the copy
 * of the batch before must be over (device_wait()).
 *
 * targets: NULL where nothing is to be learnt.
 *
 * Return: 0, -ENOMEM (also: more positions than the libraries can count), -ENODEV.
 */
int layout_take(struct layout *layout, struct device *device, const struct batch *batch,
                const struct engine_targets *targets, struct error *err);

#endif

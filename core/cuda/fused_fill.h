/* fused_fill.h - a portion of a batch written down for the device: what one copy takes over.
 *
 * Sections of one piece of page-locked memory, whose addresses on the device are known beforehand: tables
 * that the caller takes for itself, then a table of all columns, for each list where each flow's rows begin,
 * the columns, and for each list that is walked its flows in order of falling length, so that the sequences
 * side by side end at about the same time.
 *
 * The copy is what bounds large batches: one PCIe 5 link carries 54 GB/s, and prototypes of the kernels took
 * half its time. So each column goes over in the fewest octets that hold its values exactly
 * (fused_columns.h): a flow of the notebook tree at full length is 628 octets, not the 1,640 that it is as
 * floats, and a link carries 86 million of them a second. To put those together takes ten to fifteen
 * processors, which mostly wait for memory (tests/bench/bench_fill.c).
 */
#ifndef CORE_CUDA_FUSED_FILL_H
#define CORE_CUDA_FUSED_FILL_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cpu/pool.h"
#include "core/cuda/fused_columns.h"

enum { FUSED_FILL_FLOWS_MAX = 1 << 16 }; /* of a portion */

/* What is remembered of a column from portion to portion; zeros at first. A width that was too small is
 * found when all is written, and all is written again. So columns become narrower only when they needed less
 * for some time. */
struct fused_fill_column {
    uint8_t octets;     /* of a value in the next portion; 0: as few as there can be */
    uint8_t spare;      /* portions in a row that needed fewer */
    atomic_uchar needs; /* the bits of all widths that the tasks of a portion found to be needed: 1, 2, 4 */
    char *host;         /* first value */
};

enum { FUSED_FILL_SPARE_MAX = 16 }; /* after so many a column becomes narrower */

/* Where the parts of an element are, on the device. */
struct fused_fill_element {
    const struct fused_column *columns; /* (n_columns) */
    const uint32_t *first_row;          /* lists: (n + 1) */
    const uint16_t *order;              /* lists: (n) flows by falling number of steps; NULL: as they come */
    uint64_t steps;                     /* lists: of all flows together */
};

struct fused_fill {
    /* Set by the caller. */
    const struct batch *batch;
    struct pool *pool;                 /* that does it together */
    uint32_t first, n;                 /* flows of the portion, at most FUSED_FILL_FLOWS_MAX */
    char *host;                        /* page-locked, enough for all sections */
    const char *device;                /* where it goes */
    uint32_t *counts;                  /* (fused_fill_counts()) scratch */
    struct fused_fill_column *columns; /* (fused_fill_columns()) */

    size_t taken; /* octets */
    struct fused_fill_element elements[TREE_ELEMENTS_MAX];
};

/* Octets that the elements take at most; that a section of so many takes. */
size_t fused_fill_octets(const struct fused_fill *fill);
size_t fused_fill_section(size_t octets);

/* Size of `counts`; of `columns`: those of all elements. */
size_t fused_fill_counts(const struct batch *batch);
size_t fused_fill_columns(const struct tree *tree);

/* The next section. device: receives where it will be. Return: where it is. */
void *fused_fill_take(struct fused_fill *fill, size_t octets, const void **device);

/* Write down all elements: twice if some column needs more octets than in the portions before, else once. */
void fused_fill_elements(struct fused_fill *fill);

#endif

/* fused_fill.h - a portion of a batch written down for the device: what one copy takes over.
 *
 * Sections of one piece of page-locked memory, whose addresses on the device are known beforehand: tables
 * that the caller takes for itself, then for each element the rows of its columns, where each flow's rows
 * begin, and the flows in order of falling length, so that the sequences side by side end at about the same
 * time.
 *
 * The copy is what bounds large batches: one PCIe 5 link carries 54 GB/s, the kernels take half its time.
 * So columns that are all whole numbers below 65,536, as lengths, ids and times mostly are, go over in 16
 * bits, which halves the octets of a flow of the notebook tree. Where one value is not, the element's go as
 * the floats they are. One octet for flags would take off another tenth.
 */
#ifndef CORE_CUDA_FUSED_FILL_H
#define CORE_CUDA_FUSED_FILL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cpu/pool.h"

/* Where the parts of an element are, on the device. */
struct fused_fill_element {
    const void *values;        /* (rows, n_columns); NULL without columns */
    bool shorts;               /* values are uint16_t, not float */
    const uint32_t *first_row; /* lists: (n + 1) */
    const uint32_t *order;     /* lists: (n) flows by falling number of steps; NULL: as they come */
    uint64_t steps;            /* lists: of all flows together */
};

struct fused_fill {
    /* Set by the caller. */
    const struct batch *batch;
    struct pool *pool;  /* that does it together */
    uint32_t first, n;  /* flows of the portion */
    char *host;         /* page-locked, enough for all sections */
    const char *device; /* where it goes */
    uint32_t *counts;   /* (fused_fill_counts()) scratch */

    size_t taken; /* octets */
    struct fused_fill_element elements[TREE_ELEMENTS_MAX];
};

/* Octets that the elements take at most; that a section of so many takes. */
size_t fused_fill_octets(const struct fused_fill *fill);
size_t fused_fill_section(size_t octets);

/* Size of `counts`. */
size_t fused_fill_counts(const struct batch *batch);

/* The next section. device: receives where it will be. Return: where it is. */
void *fused_fill_take(struct fused_fill *fill, size_t octets, const void **device);

/* Write down all elements. */
void fused_fill_elements(struct fused_fill *fill);

#endif

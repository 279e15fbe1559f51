/* kernels.h - what runs on the device besides the libraries: moving rows, embeddings, activations, dropout,
 * loss and the optimiser.
 *
 * All pointers are device memory, all matrices row-major, and each function only starts its kernel on the
 * stream: it returns what cudaGetLastError() says then. Nothing to do (no rows) is no kernel. Sums are made
 * in an order that the sizes decide, never in that of the threads, so that equal batches give equal gradients
 * to the bit. Implementation: kernels_*.cu.
 */
#ifndef CORE_CUDA_KERNELS_H
#define CORE_CUDA_KERNELS_H

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where an item comes from when there is none: padding. */
#define KERNEL_NOTHING UINT32_MAX

/* A matrix whose columns are those of several others side by side, which is how an item is made of children's
 * outputs and own columns. Row p is made of the rows index[p] of the parts. */
enum { KERNEL_PARTS_MAX = 8 };
struct kernel_part {
    const float *from; /* (.., width) read by kernel_join() */
    float *to;         /* (.., width) written by kernel_split() */
    uint32_t width;
    uint32_t column; /* where it begins in the whole */
};
struct kernel_items {
    float *whole; /* (n, width) */
    uint32_t n, width;
    const uint32_t *index; /* (n) KERNEL_NOTHING: zeros, which go nowhere; NULL: row p itself */
    unsigned n_parts;
    struct kernel_part parts[KERNEL_PARTS_MAX];
};

/* Fill the parts' columns of the whole. */
cudaError_t kernel_join(cudaStream_t stream, const struct kernel_items *items);

/* The way back: the parts' rows from the whole. No two rows may have one index. */
cudaError_t kernel_split(cudaStream_t stream, const struct kernel_items *items);

/* Where the positions of lists come from (layout.h), and what of the batch stands there: for each list those
 * of a packed sequence, or with `first` the items of lists laid side by side. Of what is written only
 * `source` is there for all: `instance` and `step` for sequences, `input` where there are columns. */
enum { KERNEL_LISTS_MAX = 32 };
struct kernel_list {
    uint32_t n_instances, n_steps, first, n_columns;
    const uint32_t *first_row;          /* (n_instances + 1) */
    const uint32_t *order, *lengths;    /* sequences: (n_instances) by rank */
    const uint32_t *first_step;         /* sequences: (n_steps + 1) */
    const float *values;                /* (rows, n_columns) */
    uint32_t *source, *instance, *step; /* (n_positions), or (n_instances, first) */
    float *input;                       /* the same, of n_columns each */
};
struct kernel_lists {
    unsigned n;
    struct kernel_list lists[KERNEL_LISTS_MAX];
};
cudaError_t kernel_lists(cudaStream_t stream, const struct kernel_lists *lists);

/* y (n, width) += bias, then the activation in place. */
cudaError_t kernel_bias_activation(cudaStream_t stream, float *y, const float *bias, uint32_t n,
                                   uint32_t width, enum activation activation);

/* The way back: dy *= activation'(y), given what the activation gave; then dbias += the sum of the rows of
 * dy. scratch: (kernel_bias_scratch()) floats. */
size_t kernel_bias_scratch(uint32_t n, uint32_t width);
cudaError_t kernel_bias_backward(cudaStream_t stream, float *dbias, float *dy, const float *y, uint32_t n,
                                 uint32_t width, enum activation activation, float *scratch);

/* Dense layers one after the other, each with its bias and activation, for few rows and small layers: all
 * forward in one kernel, and back in two. dx of the first may be NULL, where nobody asks for it. */
enum { KERNEL_DENSE_ROWS = 128, KERNEL_DENSE_WEIGHTS = 8192, KERNEL_DENSE_MAX = 8 };
struct kernel_dense {
    uint32_t in, out; /* (in | 1) * out: at most KERNEL_DENSE_WEIGHTS */
    enum activation activation;
    const float *weights, *bias; /* (out, in), (out) */
    const float *x;              /* (n, in) */
    float *y;                    /* (n, out) */
    float *dweights, *dbias;     /* are added to */
    const float *dy;             /* (n, out) */
    float *dx;                   /* (n, in) */
};
struct kernel_dense_run {
    uint32_t n; /* rows: at most KERNEL_DENSE_ROWS */
    unsigned n_layers;
    struct kernel_dense layers[KERNEL_DENSE_MAX];
};
cudaError_t kernel_dense_forward(cudaStream_t stream, const struct kernel_dense_run *run);
cudaError_t kernel_dense_backward(cudaStream_t stream, const struct kernel_dense_run *run);

/* y (n, units) = rows of table (rows, units) that x (n) chooses (tree.h); the way back adds to dtable.
 * scratch: (kernel_embedding_scratch()) floats. */
cudaError_t kernel_embedding(cudaStream_t stream, float *y, const float *table, uint32_t rows, const float *x,
                             uint32_t n, uint32_t units);
size_t kernel_embedding_scratch(uint32_t rows, uint32_t n, uint32_t units);
cudaError_t kernel_embedding_backward(cudaStream_t stream, float *dtable, uint32_t rows, const float *dy,
                                      const float *x, uint32_t n, uint32_t units, float *scratch);

/* y = x times the factor of dropout.h; the same function serves both ways. instance, step: of each row, NULL
 * where the row is the instance and the step 0. */
cudaError_t kernel_dropout(cudaStream_t stream, float *y, const float *x, uint32_t n, uint32_t width,
                           const uint32_t *instance, const uint32_t *step, uint32_t layer_key, float rate);

/* Loss and its gradient (engine.h: weighted mean, log-sum-exp form). shares: (n) weight of each flow divided
 * by the sum of weights. flow_loss: (n) what each flow adds to the loss. copy: (n, n_labels) the logits once
 * more, so that they can go to the host beside it. dlogits: (n, n_labels). */
cudaError_t kernel_loss(cudaStream_t stream, const float *logits, const uint32_t *labels, const float *shares,
                        uint32_t n, uint32_t n_labels, double *flow_loss, float *copy, float *dlogits);

/* One step of Adam or AdamW; step: counted from 1. clip: the optimiser's, with the norm computed on the
 * device. scratch: (KERNEL_NORM_SCRATCH) doubles. The arithmetic is that of core/cpu/adam.c. */
enum { KERNEL_NORM_SCRATCH = 1024 };
cudaError_t kernel_adam(cudaStream_t stream, const struct optimizer *optimizer, uint64_t step, uint32_t n,
                        float *weights, const float *gradient, float *mean, float *variance, double *scratch);

#ifdef __cplusplus
}
#endif

#endif

/* kernels.h - what runs on the device besides the libraries: moving rows, embeddings, activations, dropout,
 * loss and the optimiser.
 *
 * All pointers are device memory, all matrices row-major, and each function only starts its kernel on the
 * stream. Implementation: kernels_*.cu.
 */
#ifndef CORE_CUDA_KERNELS_H
#define CORE_CUDA_KERNELS_H

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Columns [to_column, to_column + width) of row p of a matrix receive row index[p] of another; zeros where
 * index[p] is LAYOUT_NOTHING, row p itself where index is NULL. `accumulate` adds instead of setting. */
struct kernel_rows {
    float *to;
    uint32_t to_width, to_column;
    const float *from;
    uint32_t from_width, from_column;
    const uint32_t *index; /* (n_rows) */
    uint32_t n_rows, width;
    bool accumulate;
};
cudaError_t kernel_gather_rows(cudaStream_t stream, const struct kernel_rows *rows);

/* The other way: row index[p] of `to` receives row p of `from`; rows with LAYOUT_NOTHING go nowhere. No two
 * rows have one target. */
cudaError_t kernel_scatter_rows(cudaStream_t stream, const struct kernel_rows *rows);

/* `flatten`: item k of instance i stands at column k * item_width; no item, zeros. from: (rows, from_width)
 * lands at column to_column of each item. kernel_unflatten() is the way back. */
struct kernel_flat {
    float *flat; /* (n_instances, first * item_width) */
    uint32_t first, item_width, column;
    float *rows; /* (n_rows, width) */
    uint32_t width;
    const uint32_t *first_row; /* (n_instances + 1) */
    uint32_t n_instances;
};
cudaError_t kernel_flatten(cudaStream_t stream, const struct kernel_flat *flat);
cudaError_t kernel_unflatten(cudaStream_t stream, const struct kernel_flat *flat);

/* y (n, width) += bias, then the activation in place. */
cudaError_t kernel_bias_activation(cudaStream_t stream, float *y, const float *bias, uint32_t n,
                                   uint32_t width, enum activation activation);

/* dy *= activation'(y), given what the activation gave. */
cudaError_t kernel_activation_backward(cudaStream_t stream, float *dy, const float *y, uint32_t n,
                                       uint32_t width, enum activation activation);

/* y (n, units) = table[clamp(x)]; dtable += dy by the same rows. x: (n, 1). */
cudaError_t kernel_embedding(cudaStream_t stream, float *y, const float *table, uint32_t rows, const float *x,
                             uint32_t n, uint32_t units);
cudaError_t kernel_embedding_backward(cudaStream_t stream, float *dtable, uint32_t rows, const float *dy,
                                      const float *x, uint32_t n, uint32_t units);

/* y = x times the factor of dropout.h; the same function serves both ways. instance, step: of each row, NULL
 * where the row is the instance and the step 0. */
cudaError_t kernel_dropout(cudaStream_t stream, float *y, const float *x, uint32_t n, uint32_t width,
                           const uint32_t *instance, const uint32_t *step, uint32_t layer_key, float rate);

/* Loss and its gradient (engine.h: weighted mean, log-sum-exp form). shares: (n) weight of each flow divided
 * by the sum of weights. loss: one double, receives the sum in a fixed order, the same to the bit each time.
 * dlogits: (n, n_labels). */
cudaError_t kernel_loss(cudaStream_t stream, const float *logits, const uint32_t *labels, const float *shares,
                        uint32_t n, uint32_t n_labels, double *flow_loss, double *loss, float *dlogits);

/* One step of Adam or AdamW; step: counted from 1. clip: the optimiser's, with the norm computed on the
 * device. scratch: (KERNEL_NORM_SCRATCH) doubles. The arithmetic is that of core/cpu/adam.c. */
enum { KERNEL_NORM_SCRATCH = 1024 };
cudaError_t kernel_adam(cudaStream_t stream, const struct optimizer *optimizer, uint64_t step, uint32_t n,
                        float *weights, const float *gradient, float *mean, float *variance, double *scratch);

#ifdef __cplusplus
}
#endif

#endif

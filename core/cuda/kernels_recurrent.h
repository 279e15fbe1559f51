/* kernels_recurrent.h - recurrent layers as small as ours, forward and back: the kernels with which a tree
 * learns.
 *
 * A library made for hundreds of units spends nine tenths of a step on the gradient of the weights: a few
 * hundred numbers, each a sum over all steps of all lists. Here the weights of a unit, and the sums in the
 * making, stay in registers from the first list to the last. Sequences are packed (layout.h).
 *
 * Gates are i f c o for the LSTM and r z n for the GRU, h' = (1 - z) n + z h with n = tanh(Wx x + bx +
 * r (Wh h + bh)), weights as in tree.h.
 */
#ifndef CORE_CUDA_KERNELS_RECURRENT_H
#define CORE_CUDA_KERNELS_RECURRENT_H

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tree/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The shapes there are kernels for: kind of layer, units, columns of an item. A layer runs in the first that
 * has room for it; from small to large. */
#define KERNEL_RECURRENT_SHAPES(SHAPE)                                                                       \
    SHAPE(LAYER_LSTM, 8, 4)                                                                                  \
    SHAPE(LAYER_LSTM, 8, 8)                                                                                  \
    SHAPE(LAYER_LSTM, 16, 4)                                                                                 \
    SHAPE(LAYER_LSTM, 16, 8)                                                                                 \
    SHAPE(LAYER_GRU, 8, 4)                                                                                   \
    SHAPE(LAYER_GRU, 8, 8)                                                                                   \
    SHAPE(LAYER_GRU, 16, 4)                                                                                  \
    SHAPE(LAYER_GRU, 16, 8)

enum { KERNEL_RECURRENT_TENSORS = 4 /* Wx, Wh, bx, bh */ };

/* One direction of a layer over the sequences of an element. All pointers are device memory. Rows of y and of
 * what is like it hold the units of one direction or of both; the pointers are to the direction's own. */
struct kernel_recurrent {
    enum layer_kind kind;
    uint32_t in, units;
    bool reversed;                                  /* from each list's last item to its first */
    const float *weights[KERNEL_RECURRENT_TENSORS]; /* as in tree.h */

    uint32_t n_sequences;
    size_t n_positions;
    const int32_t *lengths;     /* (n_sequences) steps by rank, falling */
    const uint32_t *order;      /* (n_sequences) row of last and dlast by rank */
    const uint32_t *first_step; /* (n_steps + 1) first position of each step */

    const float *x; /* (n_positions, in) */
    uint32_t row;   /* floats from one row of y, last, dy, dlast to the next */
    float *y;       /* (n_positions, row) every step's state */
    float *last;    /* (n_sequences, row) the state after the last step; NULL: not asked */
    float *kept;    /* (n_positions, units, 4) what backward needs of each step; NULL: no training */
    float *carries; /* lstm: (n_positions, units) c of each step, with `kept` */
};

/* Whether there is a kernel for a layer. */
bool kernel_recurrent_takes(const struct layer *layer);

/* The states of all steps. */
cudaError_t kernel_recurrent_forward(cudaStream_t stream, const struct kernel_recurrent *r);

/* The way back, after a forward with `kept`. */
struct kernel_recurrent_back {
    const float *dy;                           /* (n_positions, row) NULL: zeros */
    const float *dlast;                        /* (n_sequences, row) NULL: zeros */
    float *dx;                                 /* (n_positions, in) NULL: not asked */
    bool adds;                                 /* to dx, which the other direction has written */
    float *gradient[KERNEL_RECURRENT_TENSORS]; /* are added to */
    float *scratch;                            /* (kernel_recurrent_scratch()) floats */
};
cudaError_t kernel_recurrent_backward(cudaStream_t stream, const struct kernel_recurrent *r,
                                      const struct kernel_recurrent_back *back);

size_t kernel_recurrent_scratch(const struct layer *layer, uint32_t n_sequences);

#ifdef __cplusplus
}
#endif

#endif

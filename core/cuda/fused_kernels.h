/* fused_kernels.h - the kernels of the fused path and what they are given.
 *
 * A portion of a batch takes two steps: the recurrent layers are walked, each leaving one state a flow in
 * memory; then the tail carries out a list of operations that make logits of the states and the other
 * columns. All pointers are device memory.
 *
 * Every recurrent cell is brought into one form: a step makes four weighted sums for each unit, and the cell
 * makes of them and of one number that the unit carries its new state (fused_walk.cuh).
 */
#ifndef CORE_CUDA_FUSED_KERNELS_H
#define CORE_CUDA_FUSED_KERNELS_H

#include <cuda_runtime.h>
#include <stdint.h>

#include "core/cuda/fused_columns.h"
#include "core/cuda/fused_shapes.h"
#include "core/tree/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FUSED_SUMS = 4, /* of a unit: lstm i, f, c, o; gru r, z, the input's part of n, the state's part of n */
    FUSED_THREADS = 128,
    FUSED_TENSOR_SEQUENCES = 16, /* of one warp */
};

/* One direction of one recurrent layer over a portion. */
struct fused_walk {
    const struct fused_column *columns; /* (n_columns) items of all flows */
    const uint32_t *first_row;          /* (n_flows + 1) */
    const uint16_t *order;              /* (n_flows) flows by falling number of steps; NULL: as they come */
    const void *weights;                /* as the kernel wants them (fused_pack.h) */
    float *states;                      /* unit u of flow f goes to f * states_stride + u */
    uint32_t n_flows, n_columns, units;
    uint32_t states_stride;
    uint32_t padded_rows; /* batch.h */
    uint32_t shape;       /* FUSED_SHAPE */
    uint32_t n_blocks;    /* fused_lanes_blocks() */
    bool backward;        /* from the last item to the first */
};

/* Walk with many lanes a sequence. walks: all small or all large (fused_shapes.h); blocks: the sum of all
 * their n_blocks. */
cudaError_t fused_lanes_small(cudaStream_t stream, const struct fused_walk *walks, uint32_t blocks);
cudaError_t fused_lanes_large(cudaStream_t stream, const struct fused_walk *walks, uint32_t blocks);

/* Blocks of a walk over so many flows; units: of the shape. */
static inline uint32_t fused_lanes_blocks(uint32_t n_flows, uint32_t units)
{
    return (n_flows + FUSED_THREADS / units - 1) / (FUSED_THREADS / units);
}

/* Walk with a warp for 16 sequences. walks: (n_walks) of one shape over the same flows. */
cudaError_t fused_tensor(cudaStream_t stream, const struct fused_walk *walks, uint32_t n_walks,
                         uint32_t n_flows, uint32_t shape);

/* The tail. Vectors of a flow stand in one region of shared memory, by their place in it. */
enum fused_op_kind {
    FUSED_OP_COLUMNS, /* to[0..out) = the flow's row of the columns of source `from` */
    FUSED_OP_STATES,  /* to[0..out) = what the source's walks leave for the flow */
    FUSED_OP_ITEMS,   /* to[0..in * out) = the first `in` items of `out` columns of its list in the source */
    FUSED_OP_EMBEDDING, /* to[0..out) = row of a table of `rows` that the source's one column chooses */
    FUSED_OP_DENSE,     /* to[0..out) = activation(W from[0..in) + b) */
};

struct fused_op {
    enum fused_op_kind kind;
    enum activation activation; /* dense */
    uint32_t from;              /* place, or number of a source */
    uint32_t to;                /* place */
    uint32_t in, out, rows;
    uint32_t weights; /* first float; embedding: (rows, out); dense: (in, out), then b */
};

/* What there is of an element. */
struct fused_source {
    const struct fused_column *columns;
    const uint32_t *first_row; /* lists */
    const float *states;       /* (n_flows, out) of its walks */
};

struct fused_tail {
    const struct fused_op *ops; /* (n_ops) */
    uint32_t n_ops;
    uint32_t places; /* floats that a flow needs */
    const float *weights;
    const struct fused_source *sources; /* by element */
    uint32_t n_flows;
    uint32_t result, n_labels; /* place and width of what goes to `logits` */
    float *logits;             /* (n_flows, n_labels) */
};

/* Places there can be. */
enum { FUSED_PLACES_MAX = 1024 };

cudaError_t fused_tail(cudaStream_t stream, const struct fused_tail *tail);

#ifdef __cplusplus
}
#endif

#endif

/* fused_shapes.h - the recurrent layers for which there are kernels.
 *
 * Each row is a kernel body of its own: kind of layer, units, columns of an item. A layer runs in the first
 * row that has room for it; units and columns that it does not have get weights of zero, with which a unit's
 * state stays zero. Lists go from small to large.
 */
#ifndef CORE_CUDA_FUSED_SHAPES_H
#define CORE_CUDA_FUSED_SHAPES_H

/* A sequence is walked by `units` lanes, each with the float32 weights of its unit in registers: exact, and
 * short in time for one sequence. The small ones fit into half the registers, so that twice as many run. */
#define FUSED_LANES_SMALL(SHAPE)                                                                             \
    SHAPE(LAYER_LSTM, 8, 4)                                                                                  \
    SHAPE(LAYER_LSTM, 16, 4)                                                                                 \
    SHAPE(LAYER_GRU, 8, 4)                                                                                   \
    SHAPE(LAYER_GRU, 16, 4)
#define FUSED_LANES_LARGE(SHAPE)                                                                             \
    SHAPE(LAYER_LSTM, 8, 8)                                                                                  \
    SHAPE(LAYER_LSTM, 16, 8)                                                                                 \
    SHAPE(LAYER_LSTM, 32, 8)                                                                                 \
    SHAPE(LAYER_GRU, 8, 8)                                                                                   \
    SHAPE(LAYER_GRU, 16, 8)                                                                                  \
    SHAPE(LAYER_GRU, 32, 8)

/* A warp walks 16 sequences with tensor cores. One column is the bias: 4 n - 1 are left for the item. */
#define FUSED_TENSOR(SHAPE)                                                                                  \
    SHAPE(LAYER_LSTM, 8, 3)                                                                                  \
    SHAPE(LAYER_LSTM, 8, 7)                                                                                  \
    SHAPE(LAYER_LSTM, 16, 3)                                                                                 \
    SHAPE(LAYER_LSTM, 16, 7)                                                                                 \
    SHAPE(LAYER_GRU, 8, 3)                                                                                   \
    SHAPE(LAYER_GRU, 8, 7)                                                                                   \
    SHAPE(LAYER_GRU, 16, 3)                                                                                  \
    SHAPE(LAYER_GRU, 16, 7)

/* A shape as one number, for a switch. */
#define FUSED_SHAPE(kind, units, columns) ((unsigned)(kind) << 16 | (units) << 8 | (columns))

#endif

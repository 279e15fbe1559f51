/* fused_walk.cuh - what both ways of walking a recurrent layer share: finding a sequence, and the cells.
 * For kernels only.
 *
 * Sigmoids and tanhs are fractions of powers of two (cell.cuh); products of such fractions take one division
 * together.
 */
#ifndef CORE_CUDA_FUSED_WALK_CUH
#define CORE_CUDA_FUSED_WALK_CUH

#include "core/cuda/cell.cuh"
#include "core/cuda/fused_kernels.h"
#include "core/cuda/fused_value.cuh"

static_assert((int)FUSED_SUMS == (int)CELL_SUMS, "cells have as many sums here and there");

/* The flow of a rank; UINT32_MAX beyond the last. */
static __device__ __forceinline__ uint32_t fused_flow(const struct fused_walk *walk, uint32_t rank)
{
    if (rank >= walk->n_flows)
        return UINT32_MAX;
    return walk->order != nullptr ? walk->order[rank] : rank;
}

/* The items of a flow; beyond the last one none. */
struct fused_sequence {
    uint32_t first; /* of the rows of the walk's columns */
    uint32_t rows, steps;
};

static __device__ __forceinline__ struct fused_sequence fused_sequence(const struct fused_walk *walk,
                                                                       uint32_t flow)
{
    uint32_t first, rows;

    if (flow == UINT32_MAX)
        return {0, 0, 0};
    first = walk->first_row[flow];
    rows = walk->first_row[flow + 1] - first;
    return {first, rows, max(rows, walk->padded_rows)};
}

/* The row of the item that is seen at a step, of the sequence's; in padding and after the end none of them.
 */
static __device__ __forceinline__ uint32_t fused_sequence_row(const struct fused_walk *walk,
                                                              const struct fused_sequence *sequence,
                                                              uint32_t step)
{
    return walk->backward ? sequence->steps - 1 - step : step;
}

/* A column of that item, as fused_value_load() gives it; 0 where there is none. */
static __device__ __forceinline__ uint32_t fused_sequence_load(const struct fused_walk *walk,
                                                               const struct fused_sequence *sequence,
                                                               const struct fused_column *column,
                                                               uint32_t step)
{
    uint32_t row = fused_sequence_row(walk, sequence, step);

    return row < sequence->rows && column->octets > 0 ? fused_value_load(column, sequence->first + row) : 0;
}

/* And its value. */
static __device__ __forceinline__ float fused_sequence_value(const struct fused_walk *walk,
                                                             const struct fused_sequence *sequence,
                                                             const struct fused_column *column, uint32_t step,
                                                             uint32_t word)
{
    return fused_value_of(column, sequence->first + fused_sequence_row(walk, sequence, step), word);
}

/* A lane's column; where the walk has no such, one of zeros, without octets. */
static __device__ __forceinline__ struct fused_column fused_lane_column(const struct fused_walk *walk,
                                                                        uint32_t column)
{
    if (column >= walk->n_columns)
        return {nullptr, 0};
    return walk->columns[column];
}

/* c' = c / (1 + F) + (1 - G) / ((1 + I) (1 + G)); h = tanh(c') / (1 + O). */
static __device__ __forceinline__ float fused_lstm(const float sum[FUSED_SUMS], float *carry)
{
    float i = cell_power(sum[0]), f = 1.0F + cell_power(sum[1]), g = cell_power(sum[2]);
    float o = cell_power(sum[3]), ig = (1.0F + i) * (1.0F + g), c;

    *carry = (*carry * ig + (1.0F - g) * f) * warp_reciprocal(ig * f);
    c = cell_power(*carry * (-2.0F * CELL_LOG2_E));
    return (1.0F - c) * warp_reciprocal((1.0F + o) * (1.0F + c));
}

/* h' = n + z (h - n) with n = (1 - N) / (1 + N), z = 1 / (1 + Z). */
static __device__ __forceinline__ float fused_gru(const float sum[FUSED_SUMS], float *carry)
{
    float r = warp_reciprocal(1.0F + cell_power(sum[0])), z = cell_power(sum[1]);
    float n = cell_power(sum[2] + r * sum[3]);

    *carry = (z * (1.0F - n) + *carry * (1.0F + n)) * warp_reciprocal((1.0F + n) * (1.0F + z));
    return *carry;
}

/* A unit's new state. carry: what it keeps from step to step, 0 at first. */
template <int KIND>
static __device__ __forceinline__ float fused_cell(const float sum[FUSED_SUMS], float *carry)
{
    return KIND == LAYER_LSTM ? fused_lstm(sum, carry) : fused_gru(sum, carry);
}

#endif

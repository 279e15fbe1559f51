/* fused_value.cuh - reading columns, which come in three widths. For kernels only.
 *
 * Lanes side by side may read columns of different widths. So that all of them go the same way, each loads
 * the word of four octets in which its value stands, and takes the value out of it later: whoever does that
 * must wait for the load.
 */
#ifndef CORE_CUDA_FUSED_VALUE_CUH
#define CORE_CUDA_FUSED_VALUE_CUH

#include <cuda_runtime.h>
#include <stdint.h>

#include "core/cuda/fused_columns.h"

/* The word in which value i of a column stands. */
static __device__ __forceinline__ uint32_t fused_value_load(const struct fused_column *column, uint32_t i)
{
    return column->words[i * column->octets / 4];
}

/* Value i, of its word. */
static __device__ __forceinline__ float fused_value_of(const struct fused_column *column, uint32_t i,
                                                       uint32_t word)
{
    uint32_t shifted = word >> i * column->octets % 4 * 8;
    float whole = (float)(shifted & (column->octets == 2 ? 0xffffU : 0xffU));

    return column->octets == 4 ? __uint_as_float(word) : whole;
}

static __device__ __forceinline__ float fused_value(const struct fused_column *column, uint32_t i)
{
    return fused_value_of(column, i, fused_value_load(column, i));
}

#endif

/* fused_value.cuh - reading columns, which come in two widths. For kernels only.
 *
 * A value is loaded as the bits there are and made a float later: whoever converts must wait for the load.
 */
#ifndef CORE_CUDA_FUSED_VALUE_CUH
#define CORE_CUDA_FUSED_VALUE_CUH

#include <cuda_runtime.h>
#include <stdint.h>

static __device__ __forceinline__ uint32_t fused_value_load(const void *values, bool shorts, size_t i)
{
    return shorts ? ((const uint16_t *)values)[i] : ((const uint32_t *)values)[i];
}

static __device__ __forceinline__ float fused_value_of(uint32_t bits, bool shorts)
{
    return shorts ? (float)bits : __uint_as_float(bits);
}

static __device__ __forceinline__ float fused_value(const void *values, bool shorts, size_t i)
{
    return fused_value_of(fused_value_load(values, shorts, i), shorts);
}

#endif

/* fused_value.cuh - reading columns, which come in two widths. For kernels only. */
#ifndef CORE_CUDA_FUSED_VALUE_CUH
#define CORE_CUDA_FUSED_VALUE_CUH

#include <cuda_runtime.h>
#include <stdint.h>

static __device__ __forceinline__ float fused_value(const void *values, bool shorts, size_t i)
{
    return shorts ? (float)((const uint16_t *)values)[i] : ((const float *)values)[i];
}

#endif

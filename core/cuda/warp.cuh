/* warp.cuh - the operations of a warp that C++ has no words for: small matrix products on the tensor cores,
 * fast powers of two and reciprocals, pairs of half-width numbers.
 *
 * Tensor cores multiply matrices that lie spread over the registers of a warp. With g = lane / 4 and
 * t = lane % 4, lane (g, t) holds, each register a pair with the lower column or row in its lower half,
 *
 *     A, 16 x k:  a[0]: row g,     columns 2t, 2t+1          a[1]: row g + 8, the same columns
 *                 a[2]: row g,     columns 2t+8, 2t+9        a[3]: row g + 8  (k = 16 only)
 *     B, k x 8:   b[0]: column g,  rows 2t, 2t+1             b[1]: column g,  rows 2t+8, 2t+9 (k = 16 only)
 *     D, 16 x 8:  d[0], d[1]: row g, columns 2t, 2t+1        d[2], d[3]: row g + 8
 *
 * and a product is D += A B, exact but for sums cut off to float32. "half" is IEEE binary16, "brain"
 * its sister with the exponent of a float (bfloat16).
 *
 * The tests bring plain versions of all of them (warp_plain.cuh), which go by this description alone.
 *
 * Source: PTX ISA, "Matrix Fragments for mma.m16n8k8" and "mma.m16n8k16", ex2, rcp, cvt.
 */
#ifndef CORE_CUDA_WARP_CUH
#define CORE_CUDA_WARP_CUH

#include <cuda_runtime.h>
#include <stdint.h>

enum { WARP_LANES = 32 };

#ifdef __CUDACC__

/* D += A B over 16 or 8 columns of A. */
#define WARP_MULTIPLY_16(name, type)                                                                         \
    static __device__ __forceinline__ void name(float d[4], const uint32_t a[4], const uint32_t b[2])        \
    {                                                                                                        \
        asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type                                           \
            ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                     \
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                 \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                             \
    }
#define WARP_MULTIPLY_8(name, type)                                                                          \
    static __device__ __forceinline__ void name(float d[4], const uint32_t a[2], const uint32_t b[1])        \
    {                                                                                                        \
        asm("mma.sync.aligned.m16n8k8.row.col.f32." type "." type                                            \
            ".f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"                                              \
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                 \
            : "r"(a[0]), "r"(a[1]), "r"(b[0]));                                                              \
    }
WARP_MULTIPLY_16(warp_multiply_half_16, "f16")
WARP_MULTIPLY_8(warp_multiply_half_8, "f16")
WARP_MULTIPLY_16(warp_multiply_brain_16, "bf16")
WARP_MULTIPLY_8(warp_multiply_brain_8, "bf16")

/* 2^x, within 2 units of the last place. */
static __device__ __forceinline__ float warp_exp2(float x)
{
    float y;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* 1 / x, within 1 unit of the last place. */
static __device__ __forceinline__ float warp_reciprocal(float x)
{
    float y;

    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two floats rounded to halves, in one register. */
static __device__ __forceinline__ uint32_t warp_halves(float lower, float upper)
{
    uint32_t pair;

    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(upper), "f"(lower));
    return pair;
}

/* And back. */
static __device__ __forceinline__ float warp_half_lower(uint32_t pair)
{
    float x;

    asm("{ .reg .b16 l, u; mov.b32 {l, u}, %1; cvt.f32.f16 %0, l; }" : "=f"(x) : "r"(pair));
    return x;
}

static __device__ __forceinline__ float warp_half_upper(uint32_t pair)
{
    float x;

    asm("{ .reg .b16 l, u; mov.b32 {l, u}, %1; cvt.f32.f16 %0, u; }" : "=f"(x) : "r"(pair));
    return x;
}

#else
#include <warp_plain.cuh>
#endif

/* The upper halves of two floats side by side: as brain floats, what is left when they are cut off. */
static __device__ __forceinline__ uint32_t warp_brains(float lower, float upper)
{
    return (__float_as_uint(upper) & 0xffff0000U) | __float_as_uint(lower) >> 16;
}

#endif

/* lanes.h - arithmetic on vectors of LANES floats, for the kernel sources.
 *
 * Compiled once for each instruction set, with LANES (4, 8, 16) and INSTRUCTION (generic, avx2, avx512) from
 * the build; the generic set is the default. Vectors are GNU C vector extensions, so the generic set needs no
 * intrinsics at all; the others replace the few operations for which the compiler finds nothing as good.
 *
 * Exponentials: exp2 splits x into n + r with |r| <= 1/2, 2^r by a polynomial (largest relative error 9e-8
 * and rounding), 2^n by the exponent. Arguments are limited to +-60, far beyond where 1 / (1 + 2^x) has
 * reached 0 or 1 in float, so that products of two such terms stay finite.
 */
#ifndef CORE_CPU_LANES_H
#define CORE_CPU_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/cpu/kernels.h"

#ifndef LANES
#define LANES 4
#define INSTRUCTION generic
#endif

#if LANES > 4
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

/* Name of an external function of a kernel source: kernel_dense_avx512. */
#define KERNEL_JOIN(name, instruction) kernel_##name##_##instruction
#define KERNEL_NAME(name, instruction) KERNEL_JOIN(name, instruction)
#define KERNEL(name) KERNEL_NAME(name, INSTRUCTION)

typedef float vfloat __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t vint __attribute__((vector_size(4 * LANES), may_alias));
typedef uint32_t vuint __attribute__((vector_size(4 * LANES), may_alias));
typedef float vfloat_anywhere __attribute__((vector_size(4 * LANES), may_alias, aligned(4)));

INLINE vfloat v_all(float x)
{
    return x - (vfloat){0};
}

/* mask ? a : b; mask is all ones or all zeros in each lane. */
INLINE vfloat v_select(vint mask, vfloat a, vfloat b)
{
    return (vfloat)((mask & (vint)a) | (~mask & (vint)b));
}

INLINE vfloat v_max(vfloat a, vfloat b)
{
#if LANES == 16
    return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return v_select(a > b, a, b);
#endif
}

INLINE vfloat v_min(vfloat a, vfloat b)
{
#if LANES == 16
    return (vfloat)_mm512_min_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (vfloat)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return v_select(a < b, a, b);
#endif
}

/* 2^x. The polynomial has the smallest largest relative error on [-1/2, 1/2] of those that are 1 at 0. */
INLINE vfloat v_exp2(vfloat x)
{
    vfloat r, p;

    x = v_min(x, v_all(60.0F));
#if LANES == 16
    /* scalef gives 0 for far negative n by itself. */
    vfloat n = (vfloat)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    /* Adding 1.5 * 2^23 leaves the integer nearest to x in the low bits. */
    x = v_max(x, v_all(-60.0F));
    vfloat shifted = x + 12582912.0F;
    vfloat n = shifted - 12582912.0F;
#endif
    r = x - n;
    p = r * 1.32647408e-3F + 9.67151239e-3F;
    p = p * r + 5.55073369e-2F;
    p = p * r + 2.40222421e-1F;
    p = p * r + 6.93146978e-1F;
    p = p * r + 1.0F;
#if LANES == 16
    return (vfloat)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    return (vfloat)((vint)p + ((vint)shifted << 23));
#endif
}

/* 1 / x for 2^-100 < x < 2^121: the processor's estimate and one step of Newton's method. */
INLINE vfloat v_reciprocal(vfloat x)
{
#if LANES == 16
    vfloat y = (vfloat)_mm512_rcp14_ps((__m512)x);

    return y * (2.0F - x * y);
#elif LANES == 8
    vfloat y = (vfloat)_mm256_rcp_ps((__m256)x);

    return y * (2.0F - x * y);
#else
    return 1.0F / x;
#endif
}

/* The gates' functions, of arguments packed as pack.h says: x is -log2(e) and -2 log2(e) times the sum. */
INLINE vfloat v_sigmoid_packed(vfloat x)
{
    return v_reciprocal(1.0F + v_exp2(x));
}

INLINE vfloat v_tanh_packed(vfloat x)
{
    vfloat e = v_exp2(x);

    return (1.0F - e) * v_reciprocal(1.0F + e);
}

/* Pairwise exchange between two vectors: `low` takes the lanes k with (k & s) == 0 of both, `high` the
 * others. Repeated for s = 1, 2, 4, ... it transposes. */
#define LANE_LOW(k, s) (((k) & (s)) != 0 ? LANES + (k) - (s) : (k))
#define LANE_HIGH(k, s) (((k) & (s)) != 0 ? LANES + (k) : (k) + (s))
#define LANE_4(f, k, s) f((k), s), f((k) + 1, s), f((k) + 2, s), f((k) + 3, s)
#if LANES == 16
#define LANE_EACH(f, s) LANE_4(f, 0, s), LANE_4(f, 4, s), LANE_4(f, 8, s), LANE_4(f, 12, s)
#elif LANES == 8
#define LANE_EACH(f, s) LANE_4(f, 0, s), LANE_4(f, 4, s)
#else
#define LANE_EACH(f, s) LANE_4(f, 0, s)
#endif
#define V_LOW(a, b, s) __builtin_shufflevector((a), (b), LANE_EACH(LANE_LOW, (s)))
#define V_HIGH(a, b, s) __builtin_shufflevector((a), (b), LANE_EACH(LANE_HIGH, (s)))

#define V_TRANSPOSE_STAGE(v, s)                                                                              \
    for (size_t i_ = 0; i_ < LANES; i_++)                                                                    \
        if ((i_ & (s)) == 0) {                                                                               \
            vfloat a_ = (v)[i_], b_ = (v)[i_ + (s)];                                                         \
                                                                                                             \
            (v)[i_] = V_LOW(a_, b_, s);                                                                      \
            (v)[i_ + (s)] = V_HIGH(a_, b_, s);                                                               \
        }

/* Transpose LANES vectors in place. */
INLINE void v_transpose(vfloat v[LANES])
{
    V_TRANSPOSE_STAGE(v, 1)
    V_TRANSPOSE_STAGE(v, 2)
#if LANES >= 8
    V_TRANSPOSE_STAGE(v, 4)
#endif
#if LANES >= 16
    V_TRANSPOSE_STAGE(v, 8)
#endif
}

#define V_SUM_STAGE(v, s)                                                                                    \
    for (size_t i_ = 0; i_ < LANES; i_ += 2 * (s))                                                           \
        (v)[i_] = V_LOW((v)[i_], (v)[i_ + (s)], s) + V_HIGH((v)[i_], (v)[i_ + (s)], s);

/* Lane i of the result is the sum of all lanes of v[i]; v is used up. */
INLINE vfloat v_sums(vfloat v[LANES])
{
    V_SUM_STAGE(v, 1)
    V_SUM_STAGE(v, 2)
#if LANES >= 8
    V_SUM_STAGE(v, 4)
#endif
#if LANES >= 16
    V_SUM_STAGE(v, 8)
#endif
    return v[0];
}

/* The first n < LANES floats at p, zeros after them; and the way back. */
INLINE vfloat v_load_first(const float *p, size_t n)
{
#if LANES == 16
    return (vfloat)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
#else
    vfloat v = {0};

    memcpy(&v, p, n * sizeof *p);
    return v;
#endif
}

INLINE void v_store_first(float *p, vfloat v, size_t n)
{
#if LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
#else
    memcpy(p, &v, n * sizeof *p);
#endif
}

/* What the kernel sources of one set give each other and the table. Docs: kernels.h. */
void KERNEL(load)(float *vectors, size_t n, const float *const *rows, const uint32_t *lengths);
void KERNEL(store)(float *const *rows, size_t n, const float *vectors);
void KERNEL(dense)(const struct dense_pack *pack, size_t steps, const float *x, size_t x_stride, float *y,
                   bool add);
void KERNEL(activate)(enum activation activation, size_t steps, size_t width, float *y);
void KERNEL(activate_backward)(enum activation activation, size_t steps, size_t width, const float *y,
                               float *dy);
void KERNEL(outer)(float *gradient, size_t n_rows, size_t n_columns, size_t steps, const float *dy,
                   size_t dy_stride, const float *x, size_t x_stride);
void KERNEL(sum)(float *gradient, size_t n_rows, size_t steps, const float *dy, size_t dy_stride);
void KERNEL(dropout)(float *values, size_t n, const uint32_t *keys, uint32_t first_value, float rate);
void KERNEL(lstm)(const struct recurrent_run *run);
void KERNEL(lstm_backward)(const struct recurrent_run *run);
void KERNEL(gru)(const struct recurrent_run *run);
void KERNEL(gru_backward)(const struct recurrent_run *run);

#endif

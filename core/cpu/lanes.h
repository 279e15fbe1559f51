/* lanes.h - arithmetic on vectors of LANES floats, for the kernel sources.
 *
 * Compiled once for each instruction set, with LANES (4, 8, 16) and INSTRUCTION (generic, avx2, avx512) from
 * the build; the generic set is the default. Vectors are GNU C vector extensions, so the generic set needs no
 * intrinsics at all; the others replace the few operations for which the compiler finds nothing as good.
 *
 * Exponentials: exp2 splits x into an integer n and r, 2^r by a polynomial (largest relative error 9e-8
 * and rounding; where a table fits into registers, by that and a shorter polynomial), 2^n by the exponent.
 * Its argument is limited so that results stay finite.
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

/* Units of a recurrent layer whose sums are formed side by side: enough chains of sums to keep the processor
 * busy, as many as sixteen registers hold. */
enum { UNITS_SIDE = 2 };

INLINE size_t at_most(size_t i, size_t limit)
{
    return i < limit ? i : limit;
}

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

/* Limits of an exponent: a result that is used alone, and one that is multiplied with another. The gradient
 * of a saturated gate meets inputs of any size, so there the gate has to be as good as 0. */
static const float ALONE = 124, IN_PRODUCT = 60;

#if LANES == 16
enum { EXP2_PARTS = 32 };

/* 2^(i / EXP2_PARTS) */
static const _Alignas(64) float exp2_parts[EXP2_PARTS] = {
    1.00000000F, 1.02189715F, 1.04427378F, 1.06714040F, 1.09050773F, 1.11438674F, 1.13878863F, 1.16372486F,
    1.18920712F, 1.21524736F, 1.24185781F, 1.26905096F, 1.29683955F, 1.32523664F, 1.35425555F, 1.38390988F,
    1.41421356F, 1.44518081F, 1.47682615F, 1.50916443F, 1.54221083F, 1.57598085F, 1.61049033F, 1.64575548F,
    1.68179283F, 1.71861930F, 1.75625216F, 1.79470908F, 1.83400809F, 1.87416763F, 1.91520656F, 1.95714412F,
};
#endif

/* 2^x for x up to the limit, 2^limit beyond it. The polynomials have the smallest largest relative error on
 * their interval of those that are 1 at 0. */
INLINE vfloat v_exp2(vfloat x, float limit)
{
    x = v_min(x, v_all(limit));
#if LANES == 16
    /* x = floor(x) + part / EXP2_PARTS + r. Adding 1.5 * 2^23 / EXP2_PARTS, rounded down, leaves the part in
     * the low bits; scalef takes floor(x) by itself and gives 0 where that is far below 0. */
    enum { down = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }; /* the intrinsics want a constant */
    __m512i part = (__m512i)_mm512_add_round_ps((__m512)x, _mm512_set1_ps(12582912.0F / EXP2_PARTS), down);
    vfloat p =
        (vfloat)_mm512_permutex2var_ps(_mm512_load_ps(exp2_parts), part, _mm512_load_ps(exp2_parts + LANES));
    vfloat r = (vfloat)_mm512_reduce_ps((__m512)x, 5 << 4 | down);

    p += p * r * (r * 0.242655687F + 0.693123654F);
    return (vfloat)_mm512_scalef_ps((__m512)p, (__m512)x);
#else
    /* Adding 1.5 * 2^23 leaves the integer nearest to x in the low bits. */
    x = v_max(x, v_all(-limit));
    vfloat shifted = x + 12582912.0F;
    vfloat r = x - (shifted - 12582912.0F);
    vfloat p = r * 1.32647408e-3F + 9.67151239e-3F;

    p = p * r + 5.55073369e-2F;
    p = p * r + 2.40222421e-1F;
    p = p * r + 6.93146978e-1F;
    p = p * r + 1.0F;
    return (vfloat)((vint)p + ((vint)shifted << 23));
#endif
}

/* 1 / x for 2^-100 < x < 2^125: the processor's estimate and one step of Newton's method. */
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

/* Sigmoid and tanh, and their slopes, of a sum x that was packed as pack.h says: from e = 2^x and its
 * reciprocal 1 / (1 + e). So the slope of a saturated gate is exact too, which 1 - y * y is not. */
struct gate {
    vfloat e, reciprocal;
};

INLINE struct gate v_gate(vfloat e)
{
    return (struct gate){e, v_reciprocal(1.0F + e)};
}

INLINE vfloat v_sigmoid(struct gate gate)
{
    return gate.reciprocal;
}

INLINE vfloat v_sigmoid_slope(struct gate gate)
{
    return gate.e * gate.reciprocal * gate.reciprocal;
}

INLINE vfloat v_tanh(struct gate gate)
{
    return (1.0F - gate.e) * gate.reciprocal;
}

INLINE vfloat v_tanh_slope(struct gate gate)
{
    return 4.0F * v_sigmoid_slope(gate);
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

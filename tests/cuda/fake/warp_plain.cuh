/* warp_plain.cuh - the operations of core/cuda/warp.cuh in plain C++, for the fake device.
 *
 * A product gathers the matrices from where the lanes hold them, by the figures of the PTX ISA
 * (mma.m16n8k8, mma.m16n8k16: row and column of a fragment's element i), and multiplies them the long way.
 */
#ifndef TESTS_CUDA_FAKE_WARP_PLAIN_CUH
#define TESTS_CUDA_FAKE_WARP_PLAIN_CUH

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/cuda/fake/fake_device.h"

/* A number of 16 bits: 1 sign, exponent, fraction. */
struct plain_format {
    int exponent_bits, fraction_bits;
};
static const struct plain_format plain_half = {5, 10}, plain_brain = {8, 7};

static inline float plain_value(uint16_t bits, struct plain_format format)
{
    int bias = (1 << (format.exponent_bits - 1)) - 1;
    int exponent = bits >> format.fraction_bits & ((1 << format.exponent_bits) - 1);
    int fraction = bits & ((1 << format.fraction_bits) - 1);
    float sign = bits & 0x8000 ? -1.0F : 1.0F;

    if (exponent == (1 << format.exponent_bits) - 1)
        return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpf((float)fraction, 1 - bias - format.fraction_bits);
    return sign *
           ldexpf((float)(fraction | 1 << format.fraction_bits), exponent - bias - format.fraction_bits);
}

/* The nearest half, of two the even one. */
static inline uint16_t plain_half_bits(float x)
{
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    int exponent;
    float steps;

    if (isnan(x))
        return 0x7fff;
    if (fabsf(x) >= 65520.0F)
        return sign | 0x7c00;
    (void)frexpf(x, &exponent);
    if (x == 0.0F || exponent < -13)
        exponent = -13; /* fractions below 2^-14 are 2^-24 apart */
    steps = rintf(ldexpf(fabsf(x), 11 - exponent));
    return (uint16_t)(sign + ((exponent + 13) << 10) + (int)steps);
}

static inline uint32_t warp_halves(float lower, float upper)
{
    return plain_half_bits(lower) | (uint32_t)plain_half_bits(upper) << 16;
}

static inline float warp_half_lower(uint32_t pair)
{
    return plain_value((uint16_t)pair, plain_half);
}

static inline float warp_half_upper(uint32_t pair)
{
    return plain_value((uint16_t)(pair >> 16), plain_half);
}

static inline float warp_exp2(float x)
{
    return exp2f(x);
}

static inline float warp_reciprocal(float x)
{
    return 1.0F / x;
}

/* What one lane brings to a product of 16 x k and k x 8. */
struct plain_product {
    int k;
    struct plain_format format;
    const uint32_t *a, *b;
    float *d;
};

/* Element i of a lane's registers of two. */
static inline float plain_element(const uint32_t *registers, int i, struct plain_format format)
{
    return plain_value((uint16_t)(registers[i / 2] >> 16 * (i % 2)), format);
}

static inline void plain_product_gather(void *const *arguments, float a[16][16], float b[16][8])
{
    for (int lane = 0; lane < FAKE_WARP; lane++) {
        const plain_product *it = (const plain_product *)arguments[lane];
        int group = lane >> 2, in_group = lane % 4;

        for (int i = 0; i < it->k / 2; i++) /* (a0, a1) (a2, a3) (a4, a5) (a6, a7) */
            a[i % 4 < 2 ? group : group + 8][in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0)] =
                plain_element(it->a, i, it->format);
        for (int i = 0; i < it->k / 4; i++) /* (b0, b1) (b2, b3) */
            b[in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0)][group] = plain_element(it->b, i, it->format);
    }
}

/* Tensor cores cut the sum off instead of rounding it (Ootomo and Yokota, 2022: "Recovering single precision
 * accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance"). */
static inline float plain_cut(double sum)
{
    float rounded = (float)sum;

    return fabs((double)rounded) > fabs(sum) ? nextafterf(rounded, 0.0F) : rounded;
}

static inline void plain_product_run(uint32_t lanes, void *const *arguments)
{
    float a[16][16], b[16][8];

    if (lanes != 0xffffffffU)
        return; /* undefined on a device: the sums stay as they are */
    plain_product_gather(arguments, a, b);
    for (int lane = 0; lane < FAKE_WARP; lane++) {
        const plain_product *it = (const plain_product *)arguments[lane];

        for (int i = 0; i < 4; i++) { /* (c0, c1) (c2, c3) */
            int row = i < 2 ? lane >> 2 : (lane >> 2) + 8, column = lane % 4 * 2 + (i & 1);
            double sum = (double)it->d[i];

            for (int k = 0; k < it->k; k++)
                sum += (double)a[row][k] * (double)b[k][column];
            it->d[i] = plain_cut(sum);
        }
    }
}

static inline void plain_multiply(int k, struct plain_format format, float *d, const uint32_t *a,
                                  const uint32_t *b)
{
    plain_product product = {k, format, a, b, d};

    fake_warp(0xffffffffU, plain_product_run, &product);
}

static inline void warp_multiply_half_16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    plain_multiply(16, plain_half, d, a, b);
}

static inline void warp_multiply_half_8(float d[4], const uint32_t a[2], const uint32_t b[1])
{
    plain_multiply(8, plain_half, d, a, b);
}

static inline void warp_multiply_brain_16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    plain_multiply(16, plain_brain, d, a, b);
}

static inline void warp_multiply_brain_8(float d[4], const uint32_t a[2], const uint32_t b[1])
{
    plain_multiply(8, plain_brain, d, a, b);
}

#endif

#include "core/vector_lanes.h"

VECTOR_CLONES
void vector_log1p(const float *x, float *y, size_t n)
{
    const int32_t sqrt_half = 0x3f3504f3; /* bits of sqrt(1/2) */
    const float ln2_high = 6.9313812256e-01F;
    const float ln2_low = 9.0580006145e-06F;

    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector_float v = *(const vector_float *)(x + i);
        vector_float u, lost, f, s, z, r, half_square, exponent;
        vector_int bits, swap;

        v = (vector_float)((vector_int)v & (v > 0));
        u = 1 + v;
        /* What the sum lost, exactly: small - (u - big). */
        swap = v > 1;
        lost = (vector_float)(swap & VECTOR_ONE_BITS) + (vector_float)((vector_int)v & ~swap);
        lost -= u - ((vector_float)((vector_int)v & swap) + (vector_float)(~swap & VECTOR_ONE_BITS));
        /* u = 2^exponent * (1 + f), 1 + f in [sqrt(1/2), sqrt(2)). */
        bits = (vector_int)u - sqrt_half;
        exponent = __builtin_convertvector(bits >> 23, vector_float);
        f = (vector_float)((bits & 0x7fffff) + sqrt_half) - 1;
        s = f / (2 + f);
        z = s * s;
        r = z * (0.66666662693F + z * (0.40000972152F + z * (0.28498786688F + z * 0.24279078841F)));
        half_square = 0.5F * f * f;
        *(vector_float *)(y + i) =
            s * (half_square + r) + (exponent * ln2_low + lost / u) - half_square + f + exponent * ln2_high;
    }
}

typedef float vector_row __attribute__((vector_size(4 * VECTOR_COLUMNS), aligned(4), may_alias));

/* Row k of each four of a, b: the halves that unpack instructions give. */
#define UNPACK_LOW(a, b)                                                                                     \
    __builtin_shufflevector((a), (b), 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define UNPACK_HIGH(a, b)                                                                                    \
    __builtin_shufflevector((a), (b), 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define JOIN_LOW(a, b)                                                                                       \
    __builtin_shufflevector((a), (b), 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define JOIN_HIGH(a, b)                                                                                      \
    __builtin_shufflevector((a), (b), 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)

#define STORE_ROW(v, quarter, to)                                                                            \
    (*(vector_row *)(to) = __builtin_shufflevector((v), (v), 4 * (quarter), 4 * (quarter) + 1,               \
                                                   4 * (quarter) + 2, 4 * (quarter) + 3))

/* v: every fourth of VECTOR_LANES rows. */
VECTOR_INLINE void rows_store(const vector_float *v, float *rows, size_t stride)
{
    STORE_ROW(*v, 0, rows);
    STORE_ROW(*v, 1, rows + 4 * stride);
    STORE_ROW(*v, 2, rows + 8 * stride);
    STORE_ROW(*v, 3, rows + 12 * stride);
}

VECTOR_CLONES
void vector_interleave(const float *const *columns, float *rows, size_t stride, size_t n)
{
    size_t i = 0;

    for (; i + VECTOR_LANES <= n; i += VECTOR_LANES) {
        const vector_float a = *(const vector_float *)(columns[0] + i);
        const vector_float b = *(const vector_float *)(columns[1] + i);
        const vector_float c = *(const vector_float *)(columns[2] + i);
        const vector_float d = *(const vector_float *)(columns[3] + i);
        const vector_float pairs[4] = {UNPACK_LOW(a, b), UNPACK_LOW(c, d), UNPACK_HIGH(a, b),
                                       UNPACK_HIGH(c, d)};
        const vector_float fours[4] = {JOIN_LOW(pairs[0], pairs[1]), JOIN_HIGH(pairs[0], pairs[1]),
                                       JOIN_LOW(pairs[2], pairs[3]), JOIN_HIGH(pairs[2], pairs[3])};

        for (size_t k = 0; k < 4; k++)
            rows_store(&fours[k], rows + (i + k) * stride, stride);
    }
    for (; i < n; i++)
        for (size_t c = 0; c < VECTOR_COLUMNS; c++)
            rows[i * stride + c] = columns[c][i];
}

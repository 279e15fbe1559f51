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

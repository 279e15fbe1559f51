#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "tests/unit/unit.h"

enum { N = 4096 };

static _Alignas(64) float x[N], y[N];

/* Against the C library, over the whole range of floats from 0 up. */
START_TEST(test_log1p)
{
    const uint32_t stride = 52223, end = 0x7f000000;

    for (uint32_t bits = 0; bits < end;) {
        for (size_t i = 0; i < N; i++, bits += stride)
            memcpy(&x[i], &bits, sizeof x[i]);
        vector_log1p(x, y, N);
        for (size_t i = 0; i < N; i++) {
            double truth = log1p((double)x[i]);
            double ulp = (double)(nextafterf((float)truth, INFINITY) - (float)truth);

            ck_assert_msg(fabs((double)y[i] - truth) <= ulp, "log1p(%g) is %.9g, not %.9g", (double)x[i],
                          (double)y[i], truth);
        }
    }
}
END_TEST

START_TEST(test_log1p_of_odd_values)
{
    x[0] = -1;
    x[1] = -INFINITY;
    x[2] = NAN;
    x[3] = 0;
    vector_log1p(x, x, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert(x[i] == 0);
}
END_TEST

/* Whole vectors of rows and some more, alone and as part of wider rows. */
START_TEST(test_interleave)
{
    const float *columns[VECTOR_COLUMNS];
    size_t room = N / VECTOR_COLUMNS, n = 37;

    for (size_t i = 0; i < N; i++)
        x[i] = (float)i + 1;
    for (size_t c = 0; c < VECTOR_COLUMNS; c++)
        columns[c] = x + c * room;
    for (size_t stride = VECTOR_COLUMNS; stride < 12; stride++) {
        memset(y, 0, sizeof y);
        vector_interleave(columns, y + 1, stride, n);
        ck_assert(y[0] == 0);
        for (size_t i = 0; i < n * stride; i++) {
            size_t row = i / stride, column = i % stride;

            ck_assert(y[1 + i] == (column < VECTOR_COLUMNS ? columns[column][row] : 0));
        }
        ck_assert(y[1 + n * stride] == 0);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("vector", test_log1p, test_log1p_of_odd_values, test_interleave);
}

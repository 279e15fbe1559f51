/* Rows taken apart: every value comes out with the bits it had, in the fewest octets, from any place. */
#include "core/cuda/fused_columns.h"

#include <math.h>
#include <string.h>

#include "core/random.h"
#include "tests/unit/unit.h"

enum { ROWS_MAX = 1300, STRIDE_MAX = 11, GUARD = 0x5a };

static const struct {
    float value;
    uint8_t needs;
} known[] = {
    {0, 1},          {1, 1},         {254, 1},         {255, 1},           {256, 2},    {65534, 2},
    {65535, 2},      {65536, 4},     {16777216, 4},    {4294967296.0F, 4}, {-0.0F, 4},  {-1, 4},
    {-256, 4},       {0.5F, 4},      {254.5F, 4},      {255.00002F, 4},    {-0.5F, 4},  {65535.004F, 4},
    {65534.996F, 4}, {0x1p-149F, 4}, {0.99999994F, 4}, {NAN, 4},           {-NAN, 4},   {INFINITY, 4},
    {-INFINITY, 4},  {8388608, 4},   {8388607, 4},     {2147483648.0F, 4}, {-65536, 4},
};
enum { KNOWN = sizeof known / sizeof known[0] };

static float rows[ROWS_MAX * STRIDE_MAX];
static _Alignas(64) unsigned char columns[FUSED_COLUMNS_MAX][(ROWS_MAX + 1) * sizeof(float)];

/* A written value as the float it stands for. */
static float value_of(const unsigned char *column, uint8_t octets, size_t i)
{
    uint16_t whole;
    float value;

    if (octets == 1)
        return column[i];
    if (octets == 2) {
        memcpy(&whole, column + 2 * i, sizeof whole);
        return whole;
    }
    memcpy(&value, column + 4 * i, sizeof value);
    return value;
}

/* Write columns and look at all that comes of them. want: (n_columns) what they need. */
static void check(size_t stride, size_t n, size_t n_columns, const uint8_t *octets, const uint8_t *want)
{
    uint8_t needs[FUSED_COLUMNS_MAX];
    void *to[FUSED_COLUMNS_MAX];

    memset(columns, GUARD, sizeof columns);
    for (size_t k = 0; k < n_columns; k++)
        to[k] = columns[k];
    fused_columns_write(rows, stride, n, n_columns, to, octets, needs);
    for (size_t k = 0; k < n_columns; k++) {
        ck_assert_msg(needs[k] == want[k], "column %zu of %zu, %zu rows: %u octets, not %u", k, stride, n,
                      needs[k], want[k]);
        for (size_t i = 0; needs[k] <= octets[k] && i < n; i++) {
            float value = value_of(columns[k], octets[k], i);

            if (memcmp(&value, &rows[i * stride + k], sizeof value) != 0)
                ck_abort_msg("row %zu of column %zu of %zu is %a in %u octets, not %a", i, k, stride,
                             (double)value, octets[k], (double)rows[i * stride + k]);
        }
        for (size_t i = 0; i < sizeof(float); i++)
            ck_assert_uint_eq(columns[k][n * octets[k] + i], GUARD);
    }
}

/* One value among ones, first, last and between, in each width. */
START_TEST(known_values)
{
    static const size_t places[] = {0, 7, 127, 128, 1000, ROWS_MAX - 1};
    static const uint8_t widths[] = {1, 2, 4};

    for (size_t i = 0; i < KNOWN; i++)
        for (size_t place = 0; place < sizeof places / sizeof places[0]; place++)
            for (size_t w = 0; w < 3; w++) {
                for (size_t k = 0; k < ROWS_MAX; k++)
                    rows[k] = 1;
                rows[places[place]] = known[i].value;
                check(1, ROWS_MAX, 1, &widths[w], &known[i].needs);
            }
}
END_TEST

/* Numbers that need so many octets at most. */
static float draw(struct random *random, uint8_t octets)
{
    return octets == 1   ? (float)random_below(random, 256)
           : octets == 2 ? (float)random_below(random, 65536)
                         : (float)(1e6 * random_unit(random) - 3e5);
}

/* Columns of all widths side by side, all or some of those there are; each written in enough octets or in
 * too few. */
START_TEST(columns_side_by_side)
{
    static const size_t counts[] = {1, 15, 64, 127, 128, 129, ROWS_MAX};
    struct random random = {.state = 1};

    for (unsigned round = 0; round < 1000; round++) {
        size_t stride = 1 + random_below(&random, STRIDE_MAX), n = counts[round % 7];
        size_t n_columns = stride < FUSED_COLUMNS_MAX ? stride : FUSED_COLUMNS_MAX;
        uint8_t octets[FUSED_COLUMNS_MAX], want[FUSED_COLUMNS_MAX];

        if (round % 3 == 0)
            n_columns = 1 + random_below(&random, n_columns);
        for (size_t i = 0; i < n * stride; i++)
            rows[i] = NAN;
        for (size_t k = 0; k < n_columns; k++) {
            octets[k] = (uint8_t)(1U << random_below(&random, 3));
            want[k] = (uint8_t)(1U << random_below(&random, 3));
            for (size_t i = 0; i < n; i++)
                rows[i * stride + k] = draw(&random, want[k]);
            rows[random_below(&random, n) * stride + k] = want[k] == 1 ? 255 : want[k] == 2 ? 65535 : 0.25F;
        }
        check(stride, n, n_columns, octets, want);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("fused_columns", known_values, columns_side_by_side);
}

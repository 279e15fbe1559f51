#include "core/cuda/fused_columns.h"

#include <string.h>

#include "core/vector.h"

enum { BLOCK = 128 }; /* rows that are taken apart at once: what comes of them stays in the nearest cache */

/* What is done for any number of columns. Loops of a fixed width are what a compiler makes vectors of. */
#define EACH_WIDTH(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)

/* Some columns of wider rows to rows of their own. */
#define PACK_CASE(width)                                                                                     \
    case width:                                                                                              \
        for (size_t i = 0; i < n; i++)                                                                       \
            for (size_t k = 0; k < (width); k++)                                                             \
                packed[i * (width) + k] = rows[i * stride + k];                                              \
        break;

VECTOR_CLONES
static void pack(const float *restrict rows, size_t stride, size_t n, size_t n_columns,
                 float *restrict packed)
{
    switch (n_columns) {
        EACH_WIDTH(PACK_CASE)
    }
}

/* Side by side to one after the other. */
#define SPLIT_CASE(width)                                                                                    \
    case width:                                                                                              \
        for (size_t i = 0; i < n; i++)                                                                       \
            for (size_t k = 0; k < (width); k++)                                                             \
                columns[k][i] = rows[i * (width) + k];                                                       \
        break;

VECTOR_CLONES
static void split(const float *restrict rows, size_t n, size_t n_columns, float (*restrict columns)[BLOCK])
{
    switch (n_columns) {
        EACH_WIDTH(SPLIT_CASE)
    }
}

static inline uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The whole number nearest to a value among those of 16 bits. */
static inline int32_t whole_of(float x)
{
    float limited = x > 0 ? x : 0; /* not a number: 0 */

    return (int32_t)(limited < UINT16_MAX ? limited : UINT16_MAX);
}

/* Write a column. Return: the octets it needs, by the bits in which values differ from whole numbers and by
 * the largest of these. */
#define WRITE(name, type, value)                                                                             \
    VECTOR_CLONES                                                                                            \
    static uint8_t name(const float *restrict from, type *restrict to, size_t n)                             \
    {                                                                                                        \
        uint32_t differ = 0;                                                                                 \
        int32_t largest = 0;                                                                                 \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            int32_t whole = whole_of(from[i]);                                                               \
                                                                                                             \
            differ |= bits_of((float)whole) ^ bits_of(from[i]);                                              \
            largest = whole > largest ? whole : largest;                                                     \
            to[i] = value;                                                                                   \
        }                                                                                                    \
        return differ != 0 ? 4 : largest > UINT8_MAX ? 2 : 1;                                                \
    }

WRITE(write_1, uint8_t, (uint8_t)whole)
WRITE(write_2, uint16_t, (uint16_t)whole)
WRITE(write_4, float, from[i])

static uint8_t write_column(const float *from, void *to, uint8_t octets, size_t n)
{
    return octets == 1 ? write_1(from, to, n) : octets == 2 ? write_2(from, to, n) : write_4(from, to, n);
}

/* Up to BLOCK rows to columns of BLOCK values. packed: room. */
static void take_apart(const float *rows, size_t stride, size_t n, size_t n_columns, float *packed,
                       float (*columns)[BLOCK])
{
    if (stride > n_columns) {
        pack(rows, stride, n, n_columns, packed);
        rows = packed;
    }
    split(rows, n, n_columns, columns);
}

void fused_columns_write(const float *rows, size_t stride, size_t n, size_t n_columns, void *const *to,
                         const uint8_t *octets, uint8_t *needs)
{
    float packed[FUSED_COLUMNS_MAX * BLOCK], columns[FUSED_COLUMNS_MAX][BLOCK];

    if (stride == 1) {
        needs[0] = write_column(rows, to[0], octets[0], n);
        return;
    }
    memset(needs, 1, n_columns);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t here = n - at < BLOCK ? n - at : BLOCK;

        take_apart(rows + at * stride, stride, here, n_columns, packed, columns);
        for (size_t k = 0; k < n_columns; k++) {
            uint8_t need = write_column(columns[k], (char *)to[k] + at * octets[k], octets[k], here);

            needs[k] = need > needs[k] ? need : needs[k];
        }
    }
}

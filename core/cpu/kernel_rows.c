/* Rows to lanes and back. Whole tiles of LANES x LANES are transposed in registers. */
#include "core/cpu/lanes.h"

INLINE vfloat row_load(const float *row, size_t from, size_t length)
{
    if (length >= from + LANES)
        return *(const vfloat_anywhere *)(row + from);
    return length > from ? v_load_first(row + from, length - from) : (vfloat){0};
}

void KERNEL(load)(float *vectors, size_t n, const float *const *rows, const uint32_t *lengths)
{
    vfloat *to = (vfloat *)vectors;

    for (size_t from = 0; from < n; from += LANES) {
        size_t width = n - from < LANES ? n - from : LANES;
        vfloat tile[LANES];

        for (size_t l = 0; l < LANES; l++)
            tile[l] = row_load(rows[l], from, lengths[l] < n ? lengths[l] : n);
        v_transpose(tile);
        for (size_t i = 0; i < LANES; i++)
            if (i < width)
                to[from + i] = tile[i];
    }
}

void KERNEL(store)(float *const *rows, size_t n, const float *vectors)
{
    const vfloat *given = (const vfloat *)vectors;

    for (size_t from = 0; from < n; from += LANES) {
        size_t width = n - from < LANES ? n - from : LANES;
        vfloat tile[LANES];

        for (size_t i = 0; i < LANES; i++)
            tile[i] = i < width ? given[from + i] : (vfloat){0};
        v_transpose(tile);
        for (size_t l = 0; l < LANES; l++) {
            if (rows[l] == NULL)
                continue;
            if (width == LANES)
                *(vfloat_anywhere *)(rows[l] + from) = tile[l];
            else
                v_store_first(rows[l] + from, tile[l], width);
        }
    }
}

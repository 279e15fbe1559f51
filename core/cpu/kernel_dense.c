/* Dense layers: products of packed matrices with steps of vectors, and the gradients of their weights.
 *
 * A tile of PACK_GROUP rows by STEPS_SIDE steps is summed in registers, so that a weight is loaded once for
 * several steps and a vector once for several rows.
 */
#include "core/cpu/lanes.h"

enum { STEPS_SIDE = LANES == 16 ? 4 : 2 };

/* One group of rows, n_steps steps (a constant where it is called). */
INLINE void dense_tile(const float *weights, size_t in, size_t n_rows, size_t n_steps, const vfloat *x,
                       size_t x_stride, vfloat *y, size_t y_stride, bool add)
{
    vfloat sums[STEPS_SIDE][PACK_GROUP];

    for (size_t s = 0; s < n_steps; s++)
        for (size_t r = 0; r < PACK_GROUP; r++)
            sums[s][r] = v_all(weights[r]);
    weights += PACK_GROUP;
    for (size_t k = 0; k < in; k++, weights += PACK_GROUP)
        for (size_t s = 0; s < n_steps; s++)
            for (size_t r = 0; r < PACK_GROUP; r++)
                sums[s][r] += x[s * x_stride + k] * weights[r];
    for (size_t s = 0; s < n_steps; s++)
        for (size_t r = 0; r < PACK_GROUP; r++)
            if (r < n_rows)
                y[s * y_stride + r] = sums[s][r] + (add ? y[s * y_stride + r] : (vfloat){0});
}

void KERNEL(dense)(const struct dense_pack *pack, size_t steps, const float *x, size_t x_stride, float *y,
                   bool add)
{
    for (size_t row = 0; row < pack->out; row += PACK_GROUP) {
        const float *weights = pack->values + row * (pack->in + 1);
        size_t n_rows = pack->out - row;
        const vfloat *from = (const vfloat *)x;
        vfloat *to = (vfloat *)y + row;
        size_t s = 0;

        for (; s + STEPS_SIDE <= steps; s += STEPS_SIDE)
            dense_tile(weights, pack->in, n_rows, STEPS_SIDE, from + s * x_stride, x_stride,
                       to + s * pack->out, pack->out, add);
        for (; s < steps; s++)
            dense_tile(weights, pack->in, n_rows, 1, from + s * x_stride, x_stride, to + s * pack->out,
                       pack->out, add);
    }
}

/* Sums of a tile of OUTER_ROWS x OUTER_COLUMNS = LANES products, all lanes and steps, come out as one vector.
 */
enum { OUTER_COLUMNS = LANES == 4 ? 2 : 4, OUTER_ROWS = LANES / OUTER_COLUMNS };

void KERNEL(outer)(float *gradient, size_t n_rows, size_t n_columns, size_t steps, const float *dy,
                   size_t dy_stride, const float *x, size_t x_stride)
{
    for (size_t row = 0; row < n_rows; row += OUTER_ROWS)
        for (size_t column = 0; column < n_columns; column += OUTER_COLUMNS) {
            const vfloat *left[OUTER_ROWS], *right[OUTER_COLUMNS];
            vfloat sums[LANES] = {0};

            /* At the edges the last row and column are summed again and not used. */
            for (size_t i = 0; i < OUTER_ROWS; i++)
                left[i] = (const vfloat *)dy + at_most(row + i, n_rows - 1);
            for (size_t j = 0; j < OUTER_COLUMNS; j++)
                right[j] = (const vfloat *)x + at_most(column + j, n_columns - 1);
            for (size_t s = 0; s < steps; s++)
                for (size_t i = 0; i < OUTER_ROWS; i++)
                    for (size_t j = 0; j < OUTER_COLUMNS; j++)
                        sums[i * OUTER_COLUMNS + j] += left[i][s * dy_stride] * right[j][s * x_stride];
            sums[0] = v_sums(sums);
            for (size_t i = 0; i < OUTER_ROWS && row + i < n_rows; i++)
                for (size_t j = 0; j < OUTER_COLUMNS && column + j < n_columns; j++)
                    gradient[(row + i) * n_columns + column + j] += sums[0][i * OUTER_COLUMNS + j];
        }
}

void KERNEL(sum)(float *gradient, size_t n_rows, size_t steps, const float *dy, size_t dy_stride)
{
    for (size_t row = 0; row < n_rows; row += LANES) {
        vfloat sums[LANES] = {0};
        size_t n = at_most(n_rows - row, LANES);

        for (size_t s = 0; s < steps; s++)
            for (size_t i = 0; i < n; i++)
                sums[i] += ((const vfloat *)dy)[s * dy_stride + row + i];
        sums[0] = v_sums(sums);
        for (size_t i = 0; i < n; i++)
            gradient[row + i] += sums[0][i];
    }
}

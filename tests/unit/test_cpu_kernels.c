/* Every kernel of every instruction set against plain loops in float64, on random and on extreme numbers. */
#include "core/cpu/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/dropout.h"
#include "tests/unit/activations.h"
#include "tests/unit/lanes.h"
#include "tests/unit/unit.h"

static void check_rows(void)
{
    for (size_t n = 1; n < 50; n++) {
        float *given[KERNELS_LANES_MAX], *back[KERNELS_LANES_MAX], *lanes = vectors(n, 1);
        uint32_t lengths[KERNELS_LANES_MAX];

        for (size_t l = 0; l < k->lanes; l++) {
            lengths[l] = (uint32_t)below(n + 4);
            given[l] = numbers_of(lengths[l], 1);
            back[l] = l % 3 == 1 ? NULL : numbers_of(n, 1);
            if (lengths[l] == 0) {
                free(given[l]);
                given[l] = NULL;
            }
        }
        k->load(lanes, n, (const float *const *)given, lengths);
        k->store(back, n, lanes);
        for (size_t l = 0; l < k->lanes; l++) {
            for (size_t i = 0; i < n; i++) {
                double want = i < lengths[l] ? (double)given[l][i] : 0;

                near(at(lanes, i, l), want, 0, "load");
                if (back[l] != NULL)
                    near((double)back[l][i], want, 0, "store");
            }
            free(given[l]);
            free(back[l]);
        }
        free(lanes);
    }
}

static void check_dense(void)
{
    for (int round = 0; round < 60; round++) {
        size_t in = 1 + below(40), out = 1 + below(20), steps = 1 + below(9), stride = in + below(3);
        float *w = numbers_of(in * out, 1), *b = numbers_of(out, 1), *x = vectors(steps * stride, 1);
        float *y = vectors(steps * out, 1), *before = vectors(steps * out, 0);
        bool add = round % 2, transposed = round % 3 == 0;
        struct dense_pack pack;

        memcpy(before, y, steps * out * k->lanes * sizeof *y);
        ck_assert_int_eq(dense_pack_init(&pack, in, out), 0);
        if (transposed)
            dense_pack_fill_transposed(&pack, w);
        else
            dense_pack_fill(&pack, w, b);
        k->dense(&pack, steps, x, stride, y, add);
        for (size_t s = 0; s < steps; s++)
            for (size_t o = 0; o < out; o++)
                for (size_t l = 0; l < k->lanes; l++) {
                    double want = (transposed ? 0 : (double)b[o]) + (add ? at(before, s * out + o, l) : 0);

                    for (size_t i = 0; i < in; i++)
                        want += (double)w[transposed ? i * out + o : o * in + i] * at(x, s * stride + i, l);
                    near(at(y, s * out + o, l), want, 1e-5, "dense");
                }
        dense_pack_deinit(&pack);
        free(w);
        free(b);
        free(x);
        free(y);
        free(before);
    }
}

static const double extremes[] = {0,   -0.0, 1e-30, -1e-30, 17,    -17,  88,
                                  -88, 200,  -200,  1e10,   -1e10, 3e38, -3e38};

static void check_activations(void)
{
    enum { N = 400 };
    for (enum activation a = ACTIVATION_LINEAR; a < ACTIVATIONS; a++) {
        float *x = vectors(N, 12), *y = vectors(N, 0), *d = vectors(N, 1), *dx = vectors(N, 0);

        for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++)
            x[i * 3] = (float)extremes[i];
        memcpy(y, x, N * k->lanes * sizeof *x);
        memcpy(dx, d, N * k->lanes * sizeof *d);
        k->activate(a, 4, N / 4, y);
        k->activate_backward(a, 4, N / 4, y, dx);
        for (size_t i = 0; i < N * k->lanes; i++) {
            near((double)y[i], activation_of(a, (double)x[i]), 1e-6, activation_name(a));
            near((double)dx[i], (double)d[i] * slope_of(a, (double)y[i]), 1e-6, "its gradient");
        }
        free(x);
        free(y);
        free(d);
        free(dx);
    }
}

static void check_outer(void)
{
    for (int round = 0; round < 60; round++) {
        size_t rows = 1 + below(20), columns = 1 + below(20), steps = below(7);
        size_t dy_stride = rows + below(3), x_stride = columns + below(3);
        float *dy = vectors(steps * dy_stride, 1), *x = vectors(steps * x_stride, 1);
        float *g = numbers_of(rows * columns, 1), *b = numbers_of(rows, 1);

        for (size_t i = 0; i < rows * columns; i++)
            g[i] = 0.5F;
        for (size_t i = 0; i < rows; i++)
            b[i] = -0.5F;
        k->outer(g, rows, columns, steps, dy, dy_stride, x, x_stride);
        k->sum(b, rows, steps, dy, dy_stride);
        for (size_t r = 0; r < rows; r++) {
            double sum = -0.5;

            for (size_t c = 0; c < columns; c++) {
                double want = 0.5;

                for (size_t s = 0; s < steps; s++)
                    for (size_t l = 0; l < k->lanes; l++)
                        want += at(dy, s * dy_stride + r, l) * at(x, s * x_stride + c, l);
                near((double)g[r * columns + c], want, 2e-5, "outer");
            }
            for (size_t s = 0; s < steps; s++)
                for (size_t l = 0; l < k->lanes; l++)
                    sum += at(dy, s * dy_stride + r, l);
            near((double)b[r], sum, 2e-5, "sum");
        }
        free(dy);
        free(x);
        free(g);
        free(b);
    }
}

static void check_dropout(void)
{
    enum { N = 100 };
    float *x = vectors(N, 1), *y = vectors(N, 0);
    uint32_t keys[KERNELS_LANES_MAX];
    size_t left_out = 0;

    for (size_t l = 0; l < k->lanes; l++)
        keys[l] = dropout_instance_key(dropout_layer_key(0x123456789abcdefU, 3, 1), (uint32_t)l);
    memcpy(y, x, N * k->lanes * sizeof *x);
    k->dropout(y, N, keys, 7, 0.3F);
    for (size_t i = 0; i < N; i++)
        for (size_t l = 0; l < k->lanes; l++) {
            double factor = (double)dropout_factor(keys[l], 7 + (uint32_t)i, 0.3F);

            near(at(y, i, l), at(x, i, l) * factor, 1e-6, "dropout");
            left_out += factor == 0;
        }
    near((double)left_out / (double)(N * k->lanes), 0.3, 0.1, "share left out");
    free(x);
    free(y);
}

START_TEST(rows_go_to_lanes_and_back)
{
    each_set(check_rows);
}
END_TEST

START_TEST(dense_is_the_matrix_product)
{
    each_set(check_dense);
}
END_TEST

START_TEST(activations_hold_from_tiny_to_saturated)
{
    each_set(check_activations);
}
END_TEST

START_TEST(weight_gradients_are_summed_over_lanes_and_steps)
{
    each_set(check_outer);
}
END_TEST

START_TEST(dropout_leaves_out_what_the_hash_says)
{
    each_set(check_dropout);
}
END_TEST

START_TEST(sets_are_found_by_name)
{
    ck_assert_str_eq(kernels_find("generic")->name, "generic");
    ck_assert_ptr_null(kernels_find("altivec"));
    ck_assert_ptr_nonnull(kernels_find(NULL));
    ck_assert(kernels_supported(kernels_find(NULL)));
}
END_TEST

int main(void)
{
    return UNIT_RUN("cpu kernels", rows_go_to_lanes_and_back, dense_is_the_matrix_product,
                    activations_hold_from_tiny_to_saturated, weight_gradients_are_summed_over_lanes_and_steps,
                    dropout_leaves_out_what_the_hash_says, sets_are_found_by_name);
}

#include "core/cpu/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double LOG2_E = 1.4426950408889634;

static size_t groups(size_t rows)
{
    return (rows + PACK_GROUP - 1) / PACK_GROUP;
}

int dense_pack_init(struct dense_pack *pack, size_t in, size_t out)
{
    float *values = calloc(groups(out) * PACK_GROUP * (in + 1), sizeof *values);

    if (values == NULL)
        return -ENOMEM;
    *pack = (struct dense_pack){.in = in, .out = out, .values = values};
    return 0;
}

void dense_pack_deinit(struct dense_pack *pack)
{
    free(pack->values);
    pack->values = NULL;
}

/* Weight of row r and column k goes to the place that the kernels read it from. */
static float *dense_pack_at(struct dense_pack *pack, size_t row, size_t column)
{
    return pack->values + row / PACK_GROUP * PACK_GROUP * (pack->in + 1) + (column + 1) * PACK_GROUP +
           row % PACK_GROUP;
}

void dense_pack_fill(struct dense_pack *pack, const float *weights, const float *bias)
{
    for (size_t r = 0; r < pack->out; r++) {
        dense_pack_at(pack, r, 0)[-PACK_GROUP] = bias != NULL ? bias[r] : 0.0F;
        for (size_t k = 0; k < pack->in; k++)
            *dense_pack_at(pack, r, k) = weights[r * pack->in + k];
    }
}

void dense_pack_fill_transposed(struct dense_pack *pack, const float *weights)
{
    for (size_t r = 0; r < pack->out; r++)
        for (size_t k = 0; k < pack->in; k++)
            *dense_pack_at(pack, r, k) = weights[k * pack->out + r];
}

static size_t n_gates(enum layer_kind kind)
{
    return kind == LAYER_LSTM ? 4 : 3;
}

int recurrent_pack_init(struct recurrent_pack *pack, enum layer_kind kind, size_t in, size_t units)
{
    struct recurrent_pack made = {.kind = kind, .in = in, .units = units};
    size_t rows = n_gates(kind) * units;

    made.gates = calloc(units * (4 + (in + units) * n_gates(kind)), sizeof *made.gates);
    if (made.gates == NULL || dense_pack_init(&made.back_states, rows, units) < 0 ||
        dense_pack_init(&made.back_inputs, rows, in) < 0) {
        recurrent_pack_deinit(&made);
        return -ENOMEM;
    }
    *pack = made;
    return 0;
}

void recurrent_pack_deinit(struct recurrent_pack *pack)
{
    free(pack->gates);
    pack->gates = NULL;
    dense_pack_deinit(&pack->back_states);
    dense_pack_deinit(&pack->back_inputs);
}

/* What a gate's sums are multiplied with: the gate that goes through tanh is lstm's third and gru's third. */
static double gate_scale(size_t gate)
{
    return gate == 2 ? -2 * LOG2_E : -LOG2_E;
}

static void fill_biases(float *to, const struct recurrent_pack *pack, size_t unit, const float *bx,
                        const float *bh)
{
    size_t u = pack->units;

    for (size_t g = 0; g < n_gates(pack->kind); g++)
        to[g] = (float)(gate_scale(g) * ((double)bx[g * u + unit] + (double)bh[g * u + unit]));
    if (pack->kind == LAYER_GRU) {
        to[2] = (float)(gate_scale(2) * (double)bx[2 * u + unit]);
        to[3] = (float)(gate_scale(2) * (double)bh[2 * u + unit]);
    }
}

void recurrent_pack_fill(struct recurrent_pack *pack, const float *wx, const float *wh, const float *bx,
                         const float *bh)
{
    size_t u = pack->units, in = pack->in, gates = n_gates(pack->kind);
    float *to = pack->gates;

    for (size_t j = 0; j < u; j++) {
        fill_biases(to, pack, j, bx, bh);
        to += 4;
        for (size_t k = 0; k < in; k++)
            for (size_t g = 0; g < gates; g++)
                *to++ = (float)(gate_scale(g) * (double)wx[(g * u + j) * in + k]);
        for (size_t k = 0; k < u; k++)
            for (size_t g = 0; g < gates; g++)
                *to++ = (float)(gate_scale(g) * (double)wh[(g * u + j) * u + k]);
    }
    dense_pack_fill_transposed(&pack->back_states, wh);
    dense_pack_fill_transposed(&pack->back_inputs, wx);
    /* The gradients of a GRU's input sums come as n, r, z. */
    if (pack->kind == LAYER_GRU)
        for (size_t r = 0; r < in; r++)
            for (size_t k = 0; k < 3 * u; k++)
                *dense_pack_at(&pack->back_inputs, r, k) = wx[(k < u ? 2 * u + k : k - u) * in + r];
}

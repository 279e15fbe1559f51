#include "core/cuda/fused_pack.h"

#include <math.h>
#include <string.h>

enum { LANES = 32, GATE_NONE = -1 };

static const double LOG2_E = 1.4426950408889634;

/* What one of the four sums is made of: rows of which gate, and how its cell wants it multiplied. */
struct sum_source {
    int input, state; /* gate in Wx and bx, in Wh and bh */
    double scale;     /* of log2 e */
};

static const struct sum_source lstm_sums[FUSED_SUMS] = {{0, 0, -1}, {1, 1, -1}, {2, 2, -2}, {3, 3, -1}};
static const struct sum_source gru_sums[FUSED_SUMS] = {
    {0, 0, -1}, {1, 1, -1}, {2, GATE_NONE, -2}, {GATE_NONE, 2, -2}};

/* One direction of a layer in the weight block. */
struct recurrent {
    const struct layer *layer;
    const struct sum_source *sums;
    const float *wx, *wh, *bx, *bh;
};

static struct recurrent recurrent_of(const struct fused_plan *plan, const struct fused_plan_walk *walk,
                                     const float *weights)
{
    const struct layer *layer = walk->layer;
    const size_t *tensors = &layer->tensors[4 * walk->direction];
    const float *at[4];

    for (size_t k = 0; k < 4; k++)
        at[k] = weights + plan->tree->tensors[tensors[k]].offset;
    return (struct recurrent){layer, layer->kind == LAYER_LSTM ? lstm_sums : gru_sums, at[0], at[1], at[2],
                              at[3]};
}

/* Each of the following: 0 where the layer has no such unit or input. */

static double input_weight(const struct recurrent *r, size_t unit, size_t sum, size_t column)
{
    const struct sum_source *source = &r->sums[sum];

    if (source->input == GATE_NONE || unit >= r->layer->units || column >= r->layer->in)
        return 0;
    return source->scale * LOG2_E *
           (double)r->wx[((size_t)source->input * r->layer->units + unit) * r->layer->in + column];
}

static double state_weight(const struct recurrent *r, size_t unit, size_t sum, size_t from)
{
    const struct sum_source *source = &r->sums[sum];

    if (source->state == GATE_NONE || unit >= r->layer->units || from >= r->layer->units)
        return 0;
    return source->scale * LOG2_E *
           (double)r->wh[((size_t)source->state * r->layer->units + unit) * r->layer->units + from];
}

static double bias(const struct recurrent *r, size_t unit, size_t sum)
{
    const struct sum_source *source = &r->sums[sum];
    double both = 0;

    if (unit >= r->layer->units)
        return 0;
    if (source->input != GATE_NONE)
        both += (double)r->bx[(size_t)source->input * r->layer->units + unit];
    if (source->state != GATE_NONE)
        both += (double)r->bh[(size_t)source->state * r->layer->units + unit];
    return source->scale * LOG2_E * both;
}

/* (columns + units + 1, units, sums): inputs, then states, then the bias. */
static void pack_lanes(const struct fused_shape *shape, const struct recurrent *r, float *to)
{
    for (size_t k = 0; k <= shape->columns + shape->units; k++)
        for (size_t unit = 0; unit < shape->units; unit++)
            for (size_t sum = 0; sum < FUSED_SUMS; sum++)
                *to++ = (float)(k < shape->columns ? input_weight(r, unit, sum, k)
                                : k < shape->columns + shape->units
                                    ? state_weight(r, unit, sum, k - shape->columns)
                                    : bias(r, unit, sum));
}

/* A half and its rest, which is another one. */
struct halves {
    uint16_t high, low;
};

/* Nearest half of a number that has one. rest: what is left. */
static uint16_t half_of(double x, double *rest)
{
    int exponent;
    double quantum, steps;

    (void)frexp(x, &exponent); /* x below 2^exponent; halves below 2^-14 are all 2^-24 apart */
    if (x == 0 || exponent < -13)
        exponent = -13;
    quantum = ldexp(1, exponent - 11);
    steps = rint(fabs(x) / quantum);
    *rest = x - copysign(steps * quantum, x);
    return (uint16_t)((signbit(x) ? 0x8000 : 0) + ((exponent + 13) << 10) + (int)steps);
}

static struct halves halves_of(double x)
{
    struct halves halves;
    double rest;

    halves.high = half_of(x, &rest);
    halves.low = half_of(rest, &rest);
    return halves;
}

/* The three brain floats that a float is the sum of, in the upper half of each. */
static void brains_of(float x, uint32_t parts[3])
{
    for (size_t i = 0; i < 3; i++) {
        float part;

        memcpy(&parts[i], &x, sizeof x);
        parts[i] &= 0xffff0000U;
        memcpy(&part, &parts[i], sizeof part);
        x -= part;
    }
}

/* Which sum of which unit stands in a column of block j, in the rows of the lanes of group g. */
static void sum_at(size_t j, size_t g, size_t *unit, size_t *sum)
{
    *unit = j / 4 * 8 + g / 2 * 2 + j / 2 % 2;
    *sum = j % 2 * 2 + g % 2;
}

/* Registers of a lane for four columns of items, of which column t is the lane's: (w1, w2), (w3, w1). */
static void pack_item(const struct fused_shape *shape, const struct recurrent *r, size_t lane, size_t j,
                      size_t four, uint32_t registers[2])
{
    size_t unit, sum, column = 4 * four + lane % 4;
    uint32_t parts[3];

    sum_at(j, lane / 4, &unit, &sum);
    brains_of((float)(column == shape->columns ? bias(r, unit, sum) : input_weight(r, unit, sum, column)),
              parts);
    registers[0] = parts[0] >> 16 | parts[1];
    registers[1] = parts[2] >> 16 | parts[0];
}

/* Those for two states of eight: high parts, low parts. */
static void pack_state(const struct recurrent *r, size_t lane, size_t j, size_t pair, uint32_t *high,
                       uint32_t *low)
{
    size_t unit, sum, from = 8 * pair + lane % 4 * 2;
    struct halves lower, upper;

    sum_at(j, lane / 4, &unit, &sum);
    lower = halves_of(state_weight(r, unit, sum, from));
    upper = halves_of(state_weight(r, unit, sum, from + 1));
    *high = lower.high | (uint32_t)upper.high << 16;
    *low = lower.low | (uint32_t)upper.low << 16;
}

/* (registers, lanes): for each block of columns the items', then the states' high and low ones. */
static void pack_tensor(const struct fused_shape *shape, const struct recurrent *r, uint32_t *to)
{
    size_t fours = (shape->columns + 1) / 4, pairs = shape->units / 8;

    for (size_t j = 0; j < shape->units / 2; j++, to += (2 * fours + 2 * pairs) * LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            uint32_t *states = to + 2 * fours * LANES + lane;

            for (size_t four = 0; four < fours; four++) {
                uint32_t registers[2];

                pack_item(shape, r, lane, j, four, registers);
                to[2 * four * LANES + lane] = registers[0];
                to[(2 * four + 1) * LANES + lane] = registers[1];
            }
            for (size_t pair = 0; pair < pairs; pair++)
                pack_state(r, lane, j, pair, &states[pair * LANES], &states[(pairs + pair) * LANES]);
        }
}

static bool fits_halves(const struct recurrent *r)
{
    const double largest = 65504;

    for (size_t unit = 0; unit < r->layer->units; unit++)
        for (size_t sum = 0; sum < FUSED_SUMS; sum++)
            for (size_t from = 0; from < r->layer->units; from++)
                if (!(fabs(state_weight(r, unit, sum, from)) <= largest))
                    return false;
    return true;
}

/* W as (in, out), so that neighbouring outputs read neighbouring weights; then b. */
static void pack_dense(const struct fused_plan *plan, const struct layer *layer, const float *weights,
                       float *to)
{
    const float *w = weights + plan->tree->tensors[layer->tensors[0]].offset;

    for (size_t k = 0; k < layer->in; k++)
        for (size_t i = 0; i < layer->out; i++)
            *to++ = w[i * layer->in + k];
    memcpy(to, weights + plan->tree->tensors[layer->tensors[1]].offset, layer->out * sizeof *to);
}

static void pack_tail(const struct fused_plan *plan, const float *weights, float *to)
{
    for (size_t i = 0; i < plan->n_ops; i++) {
        const struct fused_op *op = &plan->ops[i];
        const struct layer *layer = plan->op_layers[i];

        if (op->kind == FUSED_OP_DENSE)
            pack_dense(plan, layer, weights, to + op->weights);
        if (op->kind == FUSED_OP_EMBEDDING)
            memcpy(to + op->weights, weights + plan->tree->tensors[layer->tensors[0]].offset,
                   layer->rows * layer->out * sizeof *to);
    }
}

bool fused_pack(const struct fused_plan *plan, const float *weights, void *packed)
{
    char *to = packed;
    bool fits = true;

    memset(packed, 0, plan->octets);
    memcpy(packed, plan->ops, plan->n_ops * sizeof *plan->ops);
    for (size_t i = 0; i < plan->n_walks; i++) {
        const struct fused_plan_walk *walk = &plan->walks[i];
        struct recurrent r = recurrent_of(plan, walk, weights);

        fits = fits && fits_halves(&r);
        pack_lanes(&walk->lanes, &r, (float *)(to + walk->lanes_weights));
        if (walk->tensor.units > 0 && fits)
            pack_tensor(&walk->tensor, &r, (uint32_t *)(to + walk->tensor_weights));
    }
    pack_tail(plan, weights, (float *)(to + plan->tail_weights));
    return fits;
}

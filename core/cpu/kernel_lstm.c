/* LSTM over a block of sequences.
 *
 *     c' = sigmoid(f) c + sigmoid(i) tanh(g)        h' = sigmoid(o) tanh(c')
 *
 * Four gates of a unit are summed side by side. In inference the two quotients of each product share one
 * reciprocal: sigmoid(i) tanh(g) = (1 - G) / ((1 + I)(1 + G)) with I = 2^i and so on, the packed sums being
 * negative logarithms. The body is compiled for the sizes of the shipped trees with constant bounds, and once
 * for all others.
 */
#include "core/cpu/lanes.h"

static const float TANH_SCALE = -2.88539008F; /* -2 log2(e) */

/* One step of one unit with its gates kept: rows of `keep` are units apart. */
INLINE vfloat unit_kept(const vfloat sums[4], size_t units, vfloat *cell, vfloat *keep, vfloat *tanhs)
{
    vfloat i = v_sigmoid_packed(sums[0]), f = v_sigmoid_packed(sums[1]);
    vfloat g = v_tanh_packed(sums[2]), o = v_sigmoid_packed(sums[3]);

    *cell = *cell * f + i * g;
    *tanhs = v_tanh_packed(*cell * TANH_SCALE);
    keep[0] = i;
    keep[units] = f;
    keep[2 * units] = g;
    keep[3 * units] = o;
    return o * *tanhs;
}

INLINE vfloat unit_passing(const vfloat sums[4], vfloat *cell)
{
    vfloat i = v_exp2(sums[0]), f = v_exp2(sums[1]), g = v_exp2(sums[2]), o = v_exp2(sums[3]), c;

    *cell = *cell * v_reciprocal(1.0F + f) + (1.0F - g) * v_reciprocal((1.0F + i) * (1.0F + g));
    c = v_exp2(*cell * TANH_SCALE);
    return (1.0F - c) * v_reciprocal((1.0F + o) * (1.0F + c));
}

struct step {
    const vfloat *x;                        /* (in) */
    const vfloat *h, *c;                    /* (units) before */
    vfloat *h_next, *c_next;                /* (units) after; c_next may be c */
    vfloat *restrict keep, *restrict tanhs; /* (4, units), (units); or NULL */
    vint ended;                             /* lanes that keep their state */
};

INLINE void lstm_step(const struct step *step, const float *weights, size_t in, size_t units, bool keeps,
                      bool masked)
{
    for (size_t j = 0; j < units; j++) {
        vfloat sums[4] = {v_all(weights[0]), v_all(weights[1]), v_all(weights[2]), v_all(weights[3])};
        vfloat cell = step->c[j], h;

        weights += 4;
#pragma GCC unroll 4
        for (size_t k = 0; k < in; k++, weights += 4)
            for (size_t g = 0; g < 4; g++)
                sums[g] += step->x[k] * weights[g];
#pragma GCC unroll 16
        for (size_t k = 0; k < units; k++, weights += 4)
            for (size_t g = 0; g < 4; g++)
                sums[g] += step->h[k] * weights[g];
        if (keeps)
            h = unit_kept(sums, units, &cell, step->keep + j, step->tanhs + j);
        else
            h = unit_passing(sums, &cell);
        step->h_next[j] = masked ? v_select(step->ended, step->h[j], h) : h;
        step->c_next[j] = masked ? v_select(step->ended, step->c[j], cell) : cell;
    }
}

INLINE void lstm_walk(const struct recurrent_run *run, size_t in, size_t units, bool keeps)
{
    const float *weights = run->pack->gates;
    vfloat *states = (vfloat *)run->states, *cells = (vfloat *)run->cells;
    size_t rows = run->all_states ? SIZE_MAX : 1;
    vint lengths;

    memcpy(&lengths, run->lengths, sizeof lengths);
    for (size_t s = 0; s < run->steps; s++) {
        size_t t = run->reverse ? run->steps - 1 - s : s;
        size_t before = run->reverse ? t + 1 : t, after = run->reverse ? t : t + 1;
        struct step step = {
            .x = (const vfloat *)run->x + t * in,
            .h = states + (before & rows) * units,
            .h_next = states + (after & rows) * units,
            .c = cells + (keeps ? before * units : 0),
            .c_next = cells + (keeps ? after * units : 0),
            .keep = keeps ? (vfloat *)run->keep + t * 4 * units : NULL,
            .tanhs = keeps ? (vfloat *)run->tanhs + t * units : NULL,
            .ended = lengths <= (int32_t)t,
        };

        if (t < run->shortest)
            lstm_step(&step, weights, in, units, keeps, false);
        else
            lstm_step(&step, weights, in, units, keeps, true);
    }
}

#define LSTM_WALK(in, units)                                                                                 \
    static void lstm_##units##x##in(const struct recurrent_run *run)                                         \
    {                                                                                                        \
        lstm_walk(run, in, units, false);                                                                    \
    }
LSTM_WALK(3, 16)
LSTM_WALK(1, 8)

static void lstm_any(const struct recurrent_run *run)
{
    lstm_walk(run, run->pack->in, run->pack->units, false);
}

static void lstm_kept(const struct recurrent_run *run)
{
    lstm_walk(run, run->pack->in, run->pack->units, true);
}

/* The shipped trees' sizes. */
static const struct {
    size_t in, units;
    void (*walk)(const struct recurrent_run *run);
} sizes[] = {
    {3, 16, lstm_16x3},
    {1, 8, lstm_8x1},
};

void KERNEL(lstm)(const struct recurrent_run *run)
{
    size_t units = run->pack->units, first = run->reverse ? run->steps : 0;
    void (*walk)(const struct recurrent_run *) = run->keep != NULL ? lstm_kept : lstm_any;

    if (run->keep == NULL)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            if (sizes[i].in == run->pack->in && sizes[i].units == units)
                walk = sizes[i].walk;
    memset((vfloat *)run->states + (run->all_states ? first : first & 1) * units, 0, units * sizeof(vfloat));
    memset((vfloat *)run->cells + (run->keep != NULL ? first : 0) * units, 0, units * sizeof(vfloat));
    walk(run);
}

/* Gates of one step to the gradients of their sums; dh and dc: (units) gradients of the state and cell after
 * the step. dc becomes that of the cell before it. */
INLINE void lstm_gates_backward(size_t units, vfloat *keep, const vfloat *tanhs, const vfloat *cells_before,
                                const vfloat *dh, vfloat *dc, vint ended)
{
    for (size_t j = 0; j < units; j++) {
        vfloat i = keep[j], f = keep[units + j], g = keep[2 * units + j], o = keep[3 * units + j];
        vfloat th = tanhs[j], d = v_select(ended, (vfloat){0}, dh[j]);
        vfloat dcell = v_select(ended, (vfloat){0}, dc[j]) + d * o * (1.0F - th * th);

        keep[j] = dcell * g * i * (1.0F - i);
        keep[units + j] = dcell * cells_before[j] * f * (1.0F - f);
        keep[2 * units + j] = dcell * i * (1.0F - g * g);
        keep[3 * units + j] = d * th * o * (1.0F - o);
        dc[j] = v_select(ended, dc[j], dcell * f);
    }
}

void KERNEL(lstm_backward)(const struct recurrent_run *run)
{
    size_t units = run->pack->units;
    vfloat *dh = (vfloat *)run->carried, *dc = dh + units, *passed = dc + units;
    const vfloat *dy = (const vfloat *)run->dy;
    vint lengths;

    memcpy(&lengths, run->lengths, sizeof lengths);
    memset(dc, 0, units * sizeof *dc);
    for (size_t j = 0; j < units; j++)
        dh[j] = run->each_step ? (vfloat){0} : dy[j];
    for (size_t s = run->steps; s-- > 0;) {
        size_t t = run->reverse ? run->steps - 1 - s : s;
        vfloat *keep = (vfloat *)run->keep + t * 4 * units;
        vint ended = lengths <= (int32_t)t;

        if (run->each_step)
            for (size_t j = 0; j < units; j++)
                dh[j] += dy[t * run->dy_stride + j];
        lstm_gates_backward(units, keep, (const vfloat *)run->tanhs + t * units,
                            (const vfloat *)run->cells + (run->reverse ? t + 1 : t) * units, dh, dc, ended);
        KERNEL(dense)(&run->pack->back_states, 1, (const float *)keep, 4 * units, (float *)passed, false);
        for (size_t j = 0; j < units; j++)
            dh[j] = passed[j] + v_select(ended, dh[j], (vfloat){0});
    }
}

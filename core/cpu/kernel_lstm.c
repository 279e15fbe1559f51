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

/* One step of one unit with its exponentials kept: rows of `keep` are units apart. */
INLINE vfloat unit_kept(const vfloat sums[4], size_t units, vfloat *cell, vfloat *keep, vfloat *keep_cell)
{
    vfloat e[4];

    for (size_t g = 0; g < 4; g++)
        keep[g * units] = e[g] = v_exp2(sums[g], ALONE);
    *cell = *cell * v_sigmoid(v_gate(e[1])) + v_sigmoid(v_gate(e[0])) * v_tanh(v_gate(e[2]));
    *keep_cell = v_exp2(*cell * TANH_SCALE, ALONE);
    return v_sigmoid(v_gate(e[3])) * v_tanh(v_gate(*keep_cell));
}

INLINE vfloat unit_passing(const vfloat sums[4], vfloat *cell)
{
    vfloat i = v_exp2(sums[0], IN_PRODUCT), f = v_exp2(sums[1], ALONE);
    vfloat g = v_exp2(sums[2], IN_PRODUCT), o = v_exp2(sums[3], IN_PRODUCT), c;

    *cell = *cell * v_reciprocal(1.0F + f) + (1.0F - g) * v_reciprocal((1.0F + i) * (1.0F + g));
    c = v_exp2(*cell * TANH_SCALE, IN_PRODUCT);
    return (1.0F - c) * v_reciprocal((1.0F + o) * (1.0F + c));
}

struct step {
    const vfloat *x;                             /* (in) */
    const vfloat *h, *c;                         /* (units) before */
    vfloat *h_next, *c_next;                     /* (units) after; c_next may be c */
    vfloat *restrict keep, *restrict keep_cells; /* (4, units), (units); or NULL */
    vint ended;                                  /* lanes that keep their state */
};

INLINE void lstm_add(vfloat sums[UNITS_SIDE][4], vfloat z, const float *const w[UNITS_SIDE], size_t at)
{
    for (size_t u = 0; u < UNITS_SIDE; u++)
        for (size_t g = 0; g < 4; g++)
            sums[u][g] += z * w[u][at + g];
}

/* Sums of the gates of UNITS_SIDE units; past the last unit it is summed again and not used. */
INLINE void lstm_sums(const struct step *step, const float *weights, size_t in, size_t units, size_t first,
                      size_t n, vfloat sums[UNITS_SIDE][4])
{
    const float *w[UNITS_SIDE];

    for (size_t u = 0; u < UNITS_SIDE; u++) {
        w[u] = weights + (first + at_most(u, n - 1)) * 4 * (1 + in + units);
        for (size_t g = 0; g < 4; g++)
            sums[u][g] = v_all(w[u][g]);
        w[u] += 4;
    }
    for (size_t k = 0; k < in; k++)
        lstm_add(sums, step->x[k], w, 4 * k);
    for (size_t k = 0; k < units; k++)
        lstm_add(sums, step->h[k], w, 4 * (in + k));
}

/* n units from `first` on: UNITS_SIDE, or the last that are left. */
INLINE void lstm_units(const struct step *step, const float *weights, size_t in, size_t units, size_t first,
                       size_t n, bool keeps, bool masked)
{
    vfloat sums[UNITS_SIDE][4];

    lstm_sums(step, weights, in, units, first, n, sums);
#pragma GCC unroll 2
    for (size_t u = 0; u < UNITS_SIDE; u++)
        if (u < n) {
            size_t j = first + u;
            vfloat cell = step->c[j], h;

            h = keeps ? unit_kept(sums[u], units, &cell, step->keep + j, step->keep_cells + j)
                      : unit_passing(sums[u], &cell);
            step->h_next[j] = masked ? v_select(step->ended, step->h[j], h) : h;
            step->c_next[j] = masked ? v_select(step->ended, step->c[j], cell) : cell;
        }
}

INLINE void lstm_step(const struct step *step, const float *weights, size_t in, size_t units, bool keeps,
                      bool masked)
{
    size_t first = 0;

    for (; first + UNITS_SIDE <= units; first += UNITS_SIDE)
        lstm_units(step, weights, in, units, first, UNITS_SIDE, keeps, masked);
    if (first < units)
        lstm_units(step, weights, in, units, first, units - first, keeps, masked);
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
            .keep_cells = keeps ? (vfloat *)run->keep_cells + t * units : NULL,
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

/* Exponentials of one step's gates to the gradients of their sums; dh and dc: (units) gradients of the state
 * and cell after the step. dc becomes that of the cell before it. */
INLINE void lstm_gates_backward(size_t units, vfloat *keep, const vfloat *keep_cells,
                                const vfloat *cells_before, const vfloat *dh, vfloat *dc, vint ended)
{
    for (size_t j = 0; j < units; j++) {
        struct gate i = v_gate(keep[j]), f = v_gate(keep[units + j]), g = v_gate(keep[2 * units + j]);
        struct gate o = v_gate(keep[3 * units + j]), cell = v_gate(keep_cells[j]);
        vfloat d = v_select(ended, (vfloat){0}, dh[j]);
        vfloat dcell = v_select(ended, (vfloat){0}, dc[j]) + d * v_sigmoid(o) * v_tanh_slope(cell);

        keep[j] = dcell * v_tanh(g) * v_sigmoid_slope(i);
        keep[units + j] = dcell * cells_before[j] * v_sigmoid_slope(f);
        keep[2 * units + j] = dcell * v_sigmoid(i) * v_tanh_slope(g);
        keep[3 * units + j] = d * v_tanh(cell) * v_sigmoid_slope(o);
        dc[j] = v_select(ended, dc[j], dcell * v_sigmoid(f));
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
        lstm_gates_backward(units, keep, (const vfloat *)run->keep_cells + t * units,
                            (const vfloat *)run->cells + (run->reverse ? t + 1 : t) * units, dh, dc, ended);
        KERNEL(dense)(&run->pack->back_states, 1, (const float *)keep, 4 * units, (float *)passed, false);
        for (size_t j = 0; j < units; j++)
            dh[j] = passed[j] + v_select(ended, dh[j], (vfloat){0});
    }
}

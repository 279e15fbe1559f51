/* GRU, the reset applied after the recurrent product, over a block of sequences.
 *
 *     r, z = sigmoid(Wx x + Wh h)   n = tanh(Wx x + r * (Wh h))   h' = n + z (h - n)
 *
 * Three gates and, apart from the input's, the state's part of n are summed side by side. Sizes of the
 * shipped trees have a body of their own, as in kernel_lstm.c.
 */
#include "core/cpu/lanes.h"

static const float TANH_UNSCALE = -0.34657359F; /* 1 / (-2 log2(e)) */

struct step {
    const vfloat *x;          /* (in) */
    const vfloat *restrict h; /* (units) before */
    vfloat *restrict h_next;  /* (units) after */
    vfloat *restrict keep;    /* (4, units) or NULL */
    vint ended;               /* lanes that keep their state */
};

/* n: which sum the third gate goes to. */
INLINE void gru_add(vfloat sums[UNITS_SIDE][4], vfloat z, const float *const w[UNITS_SIDE], size_t at,
                    size_t n)
{
    for (size_t u = 0; u < UNITS_SIDE; u++) {
        sums[u][0] += z * w[u][at];
        sums[u][1] += z * w[u][at + 1];
        sums[u][n] += z * w[u][at + 2];
    }
}

/* Sums of the gates of UNITS_SIDE units, the state's part of n apart; past the last unit it is summed again
 * and not used. */
INLINE void gru_sums(const struct step *step, const float *weights, size_t in, size_t units, size_t first,
                     size_t n, vfloat sums[UNITS_SIDE][4])
{
    const float *w[UNITS_SIDE];

    for (size_t u = 0; u < UNITS_SIDE; u++) {
        w[u] = weights + (first + at_most(u, n - 1)) * (4 + 3 * (in + units));
        for (size_t g = 0; g < 4; g++)
            sums[u][g] = v_all(w[u][g]);
        w[u] += 4;
    }
    for (size_t k = 0; k < in; k++)
        gru_add(sums, step->x[k], w, 3 * k, 2);
    for (size_t k = 0; k < units; k++)
        gru_add(sums, step->h[k], w, 3 * (in + k), 3);
}

INLINE vfloat gru_kept(const vfloat sums[4], size_t units, vfloat h, vfloat *keep)
{
    struct gate r = v_gate(v_exp2(sums[0], ALONE)), z = v_gate(v_exp2(sums[1], ALONE));
    struct gate n = v_gate(v_exp2(sums[2] + v_sigmoid(r) * sums[3], ALONE));

    keep[0] = r.e;
    keep[units] = z.e;
    keep[2 * units] = n.e;
    keep[3 * units] = sums[3] * TANH_UNSCALE;
    return v_tanh(n) + v_sigmoid(z) * (h - v_tanh(n));
}

INLINE vfloat gru_passing(const vfloat sums[4], vfloat h)
{
    vfloat r = v_sigmoid(v_gate(v_exp2(sums[0], ALONE))), z = v_exp2(sums[1], IN_PRODUCT);
    vfloat n = v_exp2(sums[2] + r * sums[3], IN_PRODUCT);

    return ((1.0F - n) * z + h * (1.0F + n)) * v_reciprocal((1.0F + n) * (1.0F + z));
}

/* n units from `first` on: UNITS_SIDE, or the last that are left. */
INLINE void gru_units(const struct step *step, const float *weights, size_t in, size_t units, size_t first,
                      size_t n, bool keeps, bool masked)
{
    vfloat sums[UNITS_SIDE][4];

    gru_sums(step, weights, in, units, first, n, sums);
#pragma GCC unroll 2
    for (size_t u = 0; u < UNITS_SIDE; u++)
        if (u < n) {
            vfloat h = step->h[first + u];
            vfloat next =
                keeps ? gru_kept(sums[u], units, h, step->keep + first + u) : gru_passing(sums[u], h);

            step->h_next[first + u] = masked ? v_select(step->ended, h, next) : next;
        }
}

INLINE void gru_step(const struct step *step, const float *weights, size_t in, size_t units, bool keeps,
                     bool masked)
{
    size_t first = 0;

    for (; first + UNITS_SIDE <= units; first += UNITS_SIDE)
        gru_units(step, weights, in, units, first, UNITS_SIDE, keeps, masked);
    if (first < units)
        gru_units(step, weights, in, units, first, units - first, keeps, masked);
}

INLINE void gru_walk(const struct recurrent_run *run, size_t in, size_t units, bool keeps)
{
    const float *weights = run->pack->gates;
    vfloat *states = (vfloat *)run->states;
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
            .keep = keeps ? (vfloat *)run->keep + t * 4 * units : NULL,
            .ended = lengths <= (int32_t)t,
        };

        if (t < run->shortest)
            gru_step(&step, weights, in, units, keeps, false);
        else
            gru_step(&step, weights, in, units, keeps, true);
    }
}

static void gru_16x4(const struct recurrent_run *run)
{
    gru_walk(run, 4, 16, false);
}

static void gru_any(const struct recurrent_run *run)
{
    gru_walk(run, run->pack->in, run->pack->units, false);
}

void KERNEL(gru)(const struct recurrent_run *run)
{
    size_t units = run->pack->units, first = run->reverse ? run->steps : 0;

    memset((vfloat *)run->states + (run->all_states ? first : first & 1) * units, 0, units * sizeof(vfloat));
    if (run->keep != NULL)
        gru_walk(run, run->pack->in, units, true);
    else if (run->pack->in == 4 && units == 16)
        gru_16x4(run);
    else
        gru_any(run);
}

/* Exponentials of one step's gates to the gradients of their sums; dh: (units) of the state after the step
 * becomes what passes straight on to the state before it. */
INLINE void gru_gates_backward(size_t units, vfloat *keep, const vfloat *before, vfloat *dh, vint ended)
{
    for (size_t j = 0; j < units; j++) {
        struct gate r = v_gate(keep[j]), z = v_gate(keep[units + j]), n = v_gate(keep[2 * units + j]);
        vfloat recurrent = keep[3 * units + j], d = v_select(ended, (vfloat){0}, dh[j]);
        vfloat dn = d * (z.e * z.reciprocal) * v_tanh_slope(n);

        keep[j] = dn;
        keep[units + j] = dn * recurrent * v_sigmoid_slope(r);
        keep[2 * units + j] = d * (before[j] - v_tanh(n)) * v_sigmoid_slope(z);
        keep[3 * units + j] = dn * v_sigmoid(r);
        dh[j] = v_select(ended, dh[j], d * v_sigmoid(z));
    }
}

void KERNEL(gru_backward)(const struct recurrent_run *run)
{
    size_t units = run->pack->units;
    vfloat *dh = (vfloat *)run->carried;
    const vfloat *dy = (const vfloat *)run->dy;
    vint lengths;

    memcpy(&lengths, run->lengths, sizeof lengths);
    for (size_t j = 0; j < units; j++)
        dh[j] = run->each_step ? (vfloat){0} : dy[j];
    for (size_t s = run->steps; s-- > 0;) {
        size_t t = run->reverse ? run->steps - 1 - s : s;
        vfloat *keep = (vfloat *)run->keep + t * 4 * units;

        if (run->each_step)
            for (size_t j = 0; j < units; j++)
                dh[j] += dy[t * run->dy_stride + j];
        gru_gates_backward(units, keep, (const vfloat *)run->states + (run->reverse ? t + 1 : t) * units, dh,
                           lengths <= (int32_t)t);
        KERNEL(dense)
        (&run->pack->back_states, 1, (const float *)(keep + units), 4 * units, (float *)dh, true);
    }
}

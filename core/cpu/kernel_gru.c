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

INLINE void gru_step(const struct step *step, const float *weights, size_t in, size_t units, bool keeps,
                     bool masked)
{
    for (size_t j = 0; j < units; j++) {
        vfloat sums[4] = {v_all(weights[0]), v_all(weights[1]), v_all(weights[2]), v_all(weights[3])};
        vfloat r, z, n, h;

        weights += 4;
#pragma GCC unroll 4
        for (size_t k = 0; k < in; k++, weights += 3)
            for (size_t g = 0; g < 3; g++)
                sums[g] += step->x[k] * weights[g];
#pragma GCC unroll 16
        for (size_t k = 0; k < units; k++, weights += 3) {
            sums[0] += step->h[k] * weights[0];
            sums[1] += step->h[k] * weights[1];
            sums[3] += step->h[k] * weights[2];
        }
        r = v_sigmoid_packed(sums[0]);
        z = v_sigmoid_packed(sums[1]);
        n = v_tanh_packed(sums[2] + r * sums[3]);
        h = n + z * (step->h[j] - n);
        if (keeps) {
            step->keep[j] = r;
            step->keep[units + j] = z;
            step->keep[2 * units + j] = n;
            step->keep[3 * units + j] = sums[3] * TANH_UNSCALE;
        }
        step->h_next[j] = masked ? v_select(step->ended, step->h[j], h) : h;
    }
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

/* Gates of one step to the gradients of their sums; dh: (units) of the state after the step becomes what
 * passes straight on to the state before it. */
INLINE void gru_gates_backward(size_t units, vfloat *keep, const vfloat *before, vfloat *dh, vint ended)
{
    for (size_t j = 0; j < units; j++) {
        vfloat r = keep[j], z = keep[units + j], n = keep[2 * units + j], q = keep[3 * units + j];
        vfloat d = v_select(ended, (vfloat){0}, dh[j]);
        vfloat dn = d * (1.0F - z) * (1.0F - n * n);

        keep[j] = dn;
        keep[units + j] = dn * q * r * (1.0F - r);
        keep[2 * units + j] = d * (before[j] - n) * z * (1.0F - z);
        keep[3 * units + j] = dn * r;
        dh[j] = v_select(ended, dh[j], d * z);
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

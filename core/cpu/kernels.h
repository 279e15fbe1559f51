/* kernels.h - the inner loops of the CPU engine, one set for each instruction set.
 *
 * A vector here is one number of `lanes` instances side by side. Every buffer of vectors is an array of
 * floats aligned to KERNELS_ALIGNMENT in which vector v fills floats [v * lanes, (v + 1) * lanes); shapes
 * below count vectors, last index fastest. A step is one item of a sequence, or, where there is no sequence,
 * the next `lanes` instances.
 *
 * The same sources are compiled once for each set; what differs is `lanes` and a handful of operations in
 * lanes.h. All sets give the same numbers up to rounding: about 1e-6 absolute on what a gate gives.
 * Weights come packed (pack.h).
 */
#ifndef CORE_CPU_KERNELS_H
#define CORE_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu/pack.h"
#include "core/tree/tree.h"

enum { KERNELS_ALIGNMENT = 64, KERNELS_LANES_MAX = 16 };

/* One direction of a recurrent layer over a block of sequences: what its kernels read and write.
 *
 * Row r of `states` is the state before step r (forward) or after it (reverse), so that it has one row more
 * than there are steps, and the first of the walk is zero; with all_states unset there are only two rows,
 * used by turns (row & 1). A lane whose sequence has ended keeps its state; walked in reverse, it keeps the
 * zero state until its last item is reached.
 */
struct recurrent_run {
    const struct recurrent_pack *pack;
    size_t steps;
    bool reverse;
    uint32_t lengths[KERNELS_LANES_MAX]; /* items of each lane */
    uint32_t shortest;                   /* of lengths */
    const float *x;                      /* (steps, in) */
    float *states;                       /* (steps + 1, units), or (2, units) */
    bool all_states;                     /* needed where keep is set */
    float *cells;                        /* lstm: (steps + 1, units); with keep NULL (1, units) */

    /* What the gradient needs; NULL in inference. Forward fills it with 2^x of the packed sums of the gates,
     * lstm: i, f, c, o; gru: r, z, n, and then the recurrent part of n itself. Backward replaces them with
     * the gradients of their sums, lstm in the same order, gru: n, r, z, recurrent n. */
    float *keep;       /* (steps, 4, units) */
    float *keep_cells; /* lstm: (steps, units), the same of the cells */

    /* Backward only. */
    const float *dy;  /* gradient of the states: (steps) rows of dy_stride vectors if `each_step`, else one */
    size_t dy_stride; /* vectors from one step to the next */
    bool each_step;   /* all steps were given out; else only the last of the walk */
    float *carried;   /* scratch (3, units) */
};

struct kernels {
    const char *name; /* "avx512", "avx2", "generic" */
    unsigned lanes;

    /* Rows to lanes: vector v of lane l is rows[l][v], 0 from lengths[l] on.
     *
     * vectors: (n). rows: (lanes), one may be NULL where its length is 0.
     */
    void (*load)(float *vectors, size_t n, const float *const *rows, const uint32_t *lengths);

    /* Lanes to rows: rows[l][v] is vector v of lane l. rows: (lanes), NULL: a lane to leave out. */
    void (*store)(float *const *rows, size_t n, const float *vectors);

    /* y = W x + b, each step.
     *
     * x: (steps) rows of x_stride vectors, the first pack->in count. y: (steps, pack->out). add: y +=
     * instead.
     */
    void (*dense)(const struct dense_pack *pack, size_t steps, const float *x, size_t x_stride, float *y,
                  bool add);

    /* Replace y: (steps, width) by its activation; softmax, which a tree has at its end only, leaves the
     * logits. */
    void (*activate)(enum activation activation, size_t steps, size_t width, float *y);

    /* Replace dy by the gradient before the activation; y: what activate() gave. */
    void (*activate_backward)(enum activation activation, size_t steps, size_t width, const float *y,
                              float *dy);

    /* gradient[r][c] += sum over steps and lanes of dy[step][r] * x[step][c].
     *
     * gradient: (n_rows, n_columns) plain floats. dy, x: rows of dy_stride and x_stride vectors.
     */
    void (*outer)(float *gradient, size_t n_rows, size_t n_columns, size_t steps, const float *dy,
                  size_t dy_stride, const float *x, size_t x_stride);

    /* gradient[r] += sum over steps and lanes of dy[step][r]. */
    void (*sum)(float *gradient, size_t n_rows, size_t steps, const float *dy, size_t dy_stride);

    /* Multiply each value with its dropout factor (core/dropout.h).
     *
     * keys: (lanes) instance key of each lane. first_value: index of the first value inside its instance.
     */
    void (*dropout)(float *values, size_t n, const uint32_t *keys, uint32_t first_value, float rate);

    /* States and, if kept, gates of a walk; and the way back. */
    void (*lstm)(const struct recurrent_run *run);
    void (*lstm_backward)(const struct recurrent_run *run);
    void (*gru)(const struct recurrent_run *run);
    void (*gru_backward)(const struct recurrent_run *run);
};

/* All that were compiled in, the best first; the generic one is always there and the last. NULL ends it. */
extern const struct kernels *const kernels_all[];

/* Does this processor have what the set needs? */
bool kernels_supported(const struct kernels *kernels);

/* The set of that name, NULL: the best that this processor supports.
 *
 * Return: NULL if there is none of that name here.
 */
const struct kernels *kernels_find(const char *name);

/* Row of `states` that holds the state after the whole walk. */
static inline size_t recurrent_last_row(const struct recurrent_run *run)
{
    size_t row = run->reverse ? 0 : run->steps;

    return run->all_states ? row : row & 1;
}

#endif

/* LSTM and GRU over lists.
 *
 * Both walk a list step by step with two products, a = Wx x + bx of the item and g = Wh h + bh of the state
 * before; they differ in what a cell makes of a and g. A step's state is a block of vectors of `units`: h
 * first, then what the cell needs to walk back. The state before the first step is zeros.
 */
#include "core/reference/reference_layer.h"

#include <math.h>
#include <string.h>

enum { BLOCKS_MAX = 6, GATES_MAX = 4 };

/* u: units. a, g: (gates * u). state: this step's block, before: the one of the step before. */
struct cell {
    size_t gates;
    size_t blocks; /* of `units` values in a state */
    void (*forward)(size_t u, const double *a, const double *g, const double *before, double *state);
    /* dh: (u) gradient of this step's h. dc: (u) in: of what the step after took besides h; out: of what this
     * one took from the step before. da, dg: (gates * u) out. dbefore: (u) out: what reaches the h of the
     * step before other than through g. */
    void (*backward)(size_t u, const double *state, const double *before, const double *dh, double *dc,
                     double *da, double *dg, double *dbefore);
};

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* LSTM; gates i, f, c, o; state h, c, i, f, tanh(g_c), o. Source: Hochreiter and Schmidhuber, 1997, with the
 * forget gate of Gers and others, 2000. */
static void lstm_forward(size_t u, const double *a, const double *g, const double *before, double *state)
{
    for (size_t j = 0; j < u; j++) {
        double i = sigmoid(a[j] + g[j]);
        double f = sigmoid(a[u + j] + g[u + j]);
        double candidate = tanh(a[2 * u + j] + g[2 * u + j]);
        double o = sigmoid(a[3 * u + j] + g[3 * u + j]);
        double c = f * before[u + j] + i * candidate;

        state[j] = o * tanh(c);
        state[u + j] = c;
        state[2 * u + j] = i;
        state[3 * u + j] = f;
        state[4 * u + j] = candidate;
        state[5 * u + j] = o;
    }
}

static void lstm_backward(size_t u, const double *state, const double *before, const double *dh, double *dc,
                          double *da, double *dg, double *dbefore)
{
    for (size_t j = 0; j < u; j++) {
        double i = state[2 * u + j], f = state[3 * u + j], candidate = state[4 * u + j], o = state[5 * u + j];
        double squashed = tanh(state[u + j]);

        dc[j] += dh[j] * o * (1 - squashed * squashed);
        da[j] = dc[j] * candidate * i * (1 - i);
        da[u + j] = dc[j] * before[u + j] * f * (1 - f);
        da[2 * u + j] = dc[j] * i * (1 - candidate * candidate);
        da[3 * u + j] = dh[j] * squashed * o * (1 - o);
        dc[j] *= f;
        dbefore[j] = 0;
    }
    memcpy(dg, da, 4 * u * sizeof *dg);
}

/* GRU, reset after the recurrent product; gates r, z, n; state h, r, z, n, g_n. Source: Cho and others, 2014,
 * in the form of cuDNN. */
static void gru_forward(size_t u, const double *a, const double *g, const double *before, double *state)
{
    for (size_t j = 0; j < u; j++) {
        double r = sigmoid(a[j] + g[j]);
        double z = sigmoid(a[u + j] + g[u + j]);
        double n = tanh(a[2 * u + j] + r * g[2 * u + j]);

        state[j] = n + z * (before[j] - n);
        state[u + j] = r;
        state[2 * u + j] = z;
        state[3 * u + j] = n;
        state[4 * u + j] = g[2 * u + j];
    }
}

static void gru_backward(size_t u, const double *state, const double *before, const double *dh, double *dc,
                         double *da, double *dg, double *dbefore)
{
    (void)dc;
    for (size_t j = 0; j < u; j++) {
        double r = state[u + j], z = state[2 * u + j], n = state[3 * u + j], g_n = state[4 * u + j];
        double dn = dh[j] * (1 - z) * (1 - n * n);

        da[j] = dg[j] = dn * g_n * r * (1 - r);
        da[u + j] = dg[u + j] = dh[j] * (before[j] - n) * z * (1 - z);
        da[2 * u + j] = dn;
        dg[2 * u + j] = dn * r;
        dbefore[j] = dh[j] * z;
    }
}

static const struct cell lstm = {4, 6, lstm_forward, lstm_backward};
static const struct cell gru = {3, 5, gru_forward, gru_backward};

static const struct cell *cell_of(const struct layer *layer)
{
    return layer->kind == LAYER_LSTM ? &lstm : layer->kind == LAYER_GRU ? &gru : NULL;
}

size_t reference_state_width(const struct layer *layer)
{
    const struct cell *cell = cell_of(layer);

    return cell == NULL ? 0 : cell->blocks * layer->units * (layer->bidirectional ? 2 : 1);
}

/* One direction over one list. */
struct walk {
    const struct reference_layer *at;
    const struct cell *cell;
    size_t direction; /* 0 forward, 1 backward */
    size_t instance;
    size_t n; /* steps */
};

/* The step that is walked k-th, counted over all lists. */
static size_t walk_step(const struct walk *walk, size_t k)
{
    return walk->at->in->first[walk->instance] + (walk->direction == 0 ? k : walk->n - 1 - k);
}

static double *walk_state(const struct walk *walk, size_t k)
{
    const struct layer *layer = walk->at->layer;
    size_t width = walk->cell->blocks * layer->units;

    return walk->at->states + walk_step(walk, k) * reference_state_width(layer) + walk->direction * width;
}

/* Where the output of step k stands in the next signal, or SIZE_MAX: it is not put out. */
static size_t walk_output(const struct walk *walk, size_t k)
{
    const struct layer *layer = walk->at->layer;
    size_t at = walk->direction * layer->units;

    if (layer->sequence_out)
        return walk_step(walk, k) * layer->out + at;
    return k + 1 == walk->n ? walk->instance * layer->out + at : SIZE_MAX;
}

static void walk_forward(const struct walk *walk)
{
    static const double start[BLOCKS_MAX * TREE_WIDTH_MAX]; /* zeros */
    const struct reference_layer *at = walk->at;
    const struct layer *layer = at->layer;
    const double *const *w = at->weights + 4 * walk->direction;
    size_t u = layer->units, rows = walk->cell->gates * u;
    double a[GATES_MAX * TREE_WIDTH_MAX], g[GATES_MAX * TREE_WIDTH_MAX];

    for (size_t k = 0; k < walk->n; k++) {
        const double *before = k == 0 ? start : walk_state(walk, k - 1);
        double *state = walk_state(walk, k);
        size_t output = walk_output(walk, k);

        memcpy(a, w[2], rows * sizeof *a);
        memcpy(g, w[3], rows * sizeof *g);
        reference_multiply(w[0], at->in->values + walk_step(walk, k) * layer->in, a, rows, layer->in);
        reference_multiply(w[1], before, g, rows, u);
        walk->cell->forward(u, a, g, before, state);
        if (output != SIZE_MAX)
            memcpy(at->out->values + output, state, u * sizeof *state);
    }
}

static void walk_backward(const struct walk *walk)
{
    static const double start[BLOCKS_MAX * TREE_WIDTH_MAX];
    const struct reference_layer *at = walk->at;
    const struct layer *layer = at->layer;
    const double *const *w = at->weights + 4 * walk->direction;
    double *const *dw = at->gradients + 4 * walk->direction;
    size_t u = layer->units, rows = walk->cell->gates * u;
    double da[GATES_MAX * TREE_WIDTH_MAX], dg[GATES_MAX * TREE_WIDTH_MAX];
    double dh[TREE_WIDTH_MAX] = {0}, dc[TREE_WIDTH_MAX] = {0}, dbefore[TREE_WIDTH_MAX];

    for (size_t k = walk->n; k-- > 0;) {
        const double *before = k == 0 ? start : walk_state(walk, k - 1);
        size_t output = walk_output(walk, k), step = walk_step(walk, k);

        for (size_t j = 0; output != SIZE_MAX && j < u; j++)
            dh[j] += at->out->gradient[output + j];
        walk->cell->backward(u, walk_state(walk, k), before, dh, dc, da, dg, dbefore);
        for (size_t i = 0; i < rows; i++) {
            dw[2][i] += da[i];
            dw[3][i] += dg[i];
        }
        reference_multiply_backward(w[0], at->in->values + step * layer->in, da,
                                    at->in->gradient + step * layer->in, dw[0], rows, layer->in);
        reference_multiply_backward(w[1], before, dg, dbefore, dw[1], rows, u);
        memcpy(dh, dbefore, u * sizeof *dh);
    }
}

static void each_walk(const struct reference_layer *at, void (*go)(const struct walk *walk))
{
    for (size_t direction = 0; direction < (at->layer->bidirectional ? 2U : 1U); direction++)
        for (size_t n = 0; n < at->in->n; n++) {
            struct walk walk = {at, cell_of(at->layer), direction, n,
                                at->in->first[n + 1] - at->in->first[n]};

            go(&walk);
        }
}

void reference_recurrent_forward(const struct reference_layer *layer)
{
    each_walk(layer, walk_forward);
}

void reference_recurrent_backward(const struct reference_layer *layer)
{
    each_walk(layer, walk_backward);
}

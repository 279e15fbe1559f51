/* The arithmetic of recurrent layers, list by list and number by number, in float64; what goes to memory is
 * float32.
 *
 * The reserve begins with a number that says what has been done, then for each position and direction KEPT
 * rows of `units`: what the cell remembers, and from backward_data() on the gradients of its gates, first
 * those of the input's sums, then those of the state's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/fake/fake_cudnn.h"
#include "tests/cuda/fake/fake_parts.h"

enum { KEPT = 6 + 2 * FAKE_GATES_MAX, GRADIENTS = 6, BEGIN = 4, UNUSED = 5 };
static const float forward_done = 12345.0F, backward_done = 23456.0F;

static struct fake_gate gate_at(const struct fake_rnn *rnn, size_t at, size_t id)
{
    return (struct fake_gate){at + rnn->units, at, id < rnn->gates ? rnn->in : rnn->units};
}

static size_t gate_size(const struct fake_rnn *rnn, size_t id)
{
    return rnn->units + rnn->units * (id < rnn->gates ? rnn->in : rnn->units) + UNUSED;
}

struct fake_gate fake_rnn_gate(const struct fake_rnn *rnn, size_t direction, size_t id)
{
    size_t n = 2 * rnn->gates, at = UNUSED;

    for (size_t d = 0; d < direction; d++)
        for (size_t i = 0; i < n; i++)
            at += gate_size(rnn, i);
    if (rnn->algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H)
        for (size_t i = 0; i < id; i++)
            at += gate_size(rnn, i);
    else
        for (size_t i = n; i-- > id + 1;)
            at += gate_size(rnn, i);
    return gate_at(rnn, at, id);
}

size_t fake_rnn_weights(const struct fake_rnn *rnn)
{
    size_t size = UNUSED;

    for (size_t i = 0; i < 2 * rnn->gates; i++)
        size += rnn->directions * gate_size(rnn, i);
    return size;
}

size_t fake_rnn_reserve(const struct fake_rnn *rnn, const struct fake_rnn_data *data)
{
    return BEGIN + data->positions * rnn->directions * KEPT * rnn->units;
}

/* One direction over one list. */
struct walk {
    struct fake_rnn_work *work;
    size_t direction, list, n;
    struct fake_gate gates[2 * FAKE_GATES_MAX]; /* of the direction */
    const size_t *first;                        /* (steps + 1) position where a step begins */
    double *before;                             /* scratch: (3, units) */
    double *dx;                                 /* scratch: (in) */
    float *unkept;                              /* scratch: (KEPT, units) in place of the reserve */
};

/* Position of the step that is walked k-th. */
static size_t position(const struct walk *walk, size_t k)
{
    return walk->first[walk->direction == 0 ? k : walk->n - 1 - k] + walk->list;
}

static float *kept(const struct walk *walk, size_t at)
{
    const struct fake_rnn *rnn = &walk->work->rnn;

    return walk->work->reserve + BEGIN + (at * rnn->directions + walk->direction) * KEPT * rnn->units;
}

/* A row of the states (direction, list, units). */
static size_t state_at(const struct walk *walk)
{
    return (walk->direction * walk->work->data.batch + walk->list) * walk->work->rnn.units;
}

static size_t out_at(const struct walk *walk, size_t at)
{
    const struct fake_rnn *rnn = &walk->work->rnn;

    return (at * rnn->directions + walk->direction) * rnn->units;
}

/* Bias plus row `unit` of gate `id` times a vector. */
static double sum(const struct walk *walk, size_t id, size_t unit, const float *x, const double *h)
{
    struct fake_gate gate = walk->gates[id];
    const float *row = walk->work->weights + gate.matrix + unit * gate.columns;
    double s = (double)walk->work->weights[gate.bias + unit];

    for (size_t i = 0; i < gate.columns; i++)
        s += (double)row[i] * (x != NULL ? (double)x[i] : h[i]);
    return s;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One step: h and c in walk->before become those after it. */
static void step_forward(const struct walk *walk, size_t at, float *keep)
{
    const struct fake_rnn *rnn = &walk->work->rnn;
    const float *x = walk->work->x + at * rnn->in;
    size_t u = rnn->units;
    double *h = walk->before, *c = walk->before + u, *after = walk->before + 2 * u;

    for (size_t j = 0; j < u; j++) {
        double a[FAKE_GATES_MAX], g[FAKE_GATES_MAX], gate[FAKE_GATES_MAX] = {0};

        for (size_t i = 0; i < rnn->gates; i++) {
            a[i] = sum(walk, i, j, x, NULL);
            g[i] = sum(walk, rnn->gates + i, j, NULL, h);
        }
        gate[0] = sigmoid(a[0] + g[0]);
        gate[1] = sigmoid(a[1] + g[1]);
        if (rnn->cell == CUDNN_LSTM) {
            gate[2] = tanh(a[2] + g[2]);
            gate[3] = sigmoid(a[3] + g[3]);
            keep[4 * u + j] = (float)c[j];
            c[j] = gate[1] * c[j] + gate[0] * gate[2];
            after[j] = gate[3] * tanh(c[j]);
            keep[5 * u + j] = (float)c[j];
        } else {
            gate[2] = tanh(a[2] + gate[0] * g[2]);
            gate[3] = g[2];
            after[j] = (1 - gate[1]) * gate[2] + gate[1] * h[j];
        }
        for (size_t i = 0; i < FAKE_GATES_MAX; i++)
            keep[i * u + j] = (float)gate[i];
    }
    memcpy(h, after, u * sizeof *h);
}

static void walk_forward(const struct walk *walk)
{
    struct fake_rnn_work *work = walk->work;
    size_t u = work->rnn.units, state = state_at(walk);
    double *h = walk->before, *c = walk->before + u;

    for (size_t j = 0; j < u; j++) {
        h[j] = work->hx != NULL ? (double)work->hx[state + j] : 0;
        c[j] = work->cx != NULL ? (double)work->cx[state + j] : 0;
    }
    for (size_t k = 0; k < walk->n; k++) {
        size_t at = position(walk, k);

        step_forward(walk, at, work->training ? kept(walk, at) : walk->unkept);
        for (size_t j = 0; j < u; j++)
            work->y[out_at(walk, at) + j] = (float)h[j];
    }
    for (size_t j = 0; j < u; j++) {
        if (work->hy != NULL)
            work->hy[state + j] = (float)h[j];
        if (work->cy != NULL)
            work->cy[state + j] = (float)c[j];
    }
}

/* h before step k, as the outputs have it. */
static double h_before(const struct walk *walk, size_t k, size_t unit)
{
    const struct fake_rnn_work *work = walk->work;

    if (k > 0)
        return (double)work->y[out_at(walk, position(walk, k - 1)) + unit];
    return work->hx != NULL ? (double)work->hx[state_at(walk) + unit] : 0;
}

/* Gradients of the sums of unit j's gates, the input's and the state's, from that of h; what goes on to c
 * and, not through a gate, to h of the step before. */
static void cell_backward(const struct walk *walk, size_t k, size_t j, double dh, double *dc, double *carried)
{
    const struct fake_rnn *rnn = &walk->work->rnn;
    size_t u = rnn->units;
    float *keep = kept(walk, position(walk, k));
    double g0 = (double)keep[j], g1 = (double)keep[u + j], g2 = (double)keep[2 * u + j];
    double g3 = (double)keep[3 * u + j], d[FAKE_GATES_MAX];

    *carried = 0;
    if (rnn->cell == CUDNN_LSTM) {
        double squashed = tanh((double)keep[5 * u + j]);

        *dc += dh * g3 * (1 - squashed * squashed);
        d[0] = *dc * g2 * g0 * (1 - g0);
        d[1] = *dc * (double)keep[4 * u + j] * g1 * (1 - g1);
        d[2] = *dc * g0 * (1 - g2 * g2);
        d[3] = dh * squashed * g3 * (1 - g3);
        *dc *= g1;
    } else {
        d[2] = dh * (1 - g1) * (1 - g2 * g2);
        d[0] = d[2] * g3 * g0 * (1 - g0);
        d[1] = dh * (h_before(walk, k, j) - g2) * g1 * (1 - g1);
        d[3] = d[2] * g0;
        *carried = dh * g1;
    }
    for (size_t i = 0; i < rnn->gates; i++) {
        bool through_r = rnn->cell == CUDNN_GRU && i == 2;

        keep[(GRADIENTS + i) * u + j] = (float)d[i];
        keep[(GRADIENTS + rnn->gates + i) * u + j] = (float)d[through_r ? 3 : i];
    }
}

/* (columns) gradient of what gates [id, id + gates) were multiplied with. */
static void spread(const struct walk *walk, size_t id, const float *gradients, double *to)
{
    const struct fake_rnn *rnn = &walk->work->rnn;

    for (size_t i = 0; i < rnn->gates; i++) {
        struct fake_gate gate = walk->gates[id + i];

        for (size_t j = 0; j < rnn->units; j++)
            for (size_t m = 0; m < gate.columns; m++)
                to[m] += (double)gradients[i * rnn->units + j] *
                         (double)walk->work->weights[gate.matrix + j * gate.columns + m];
    }
}

static void walk_backward(const struct walk *walk)
{
    struct fake_rnn_work *work = walk->work;
    const struct fake_rnn *rnn = &work->rnn;
    size_t u = rnn->units, state = state_at(walk);
    double *dh = walk->before, *dc = dh + u, *carried = dc + u;

    for (size_t j = 0; j < u; j++) {
        dh[j] = work->dhy != NULL ? (double)work->dhy[state + j] : 0;
        dc[j] = work->dcy != NULL ? (double)work->dcy[state + j] : 0;
    }
    for (size_t k = walk->n; k-- > 0;) {
        size_t at = position(walk, k);
        const float *gradients = kept(walk, at) + GRADIENTS * u;

        for (size_t j = 0; j < u; j++)
            cell_backward(walk, k, j, dh[j] + (double)work->dy[out_at(walk, at) + j], &dc[j], &carried[j]);
        memcpy(dh, carried, u * sizeof *dh);
        spread(walk, rnn->gates, gradients + rnn->gates * u, dh);
        memset(walk->dx, 0, rnn->in * sizeof *walk->dx);
        spread(walk, 0, gradients, walk->dx);
        for (size_t m = 0; m < rnn->in; m++)
            work->dx[at * rnn->in + m] =
                (float)walk->dx[m] + (walk->direction == 0 ? 0.0F : work->dx[at * rnn->in + m]);
    }
    for (size_t j = 0; j < u; j++) {
        if (work->dhx != NULL)
            work->dhx[state + j] = (float)dh[j];
        if (work->dcx != NULL)
            work->dcx[state + j] = (float)dc[j];
    }
}

static void walk_weights(const struct walk *walk)
{
    struct fake_rnn_work *work = walk->work;
    const struct fake_rnn *rnn = &work->rnn;

    for (size_t k = 0; k < walk->n; k++) {
        size_t at = position(walk, k);
        const float *gradients = kept(walk, at) + GRADIENTS * rnn->units;

        for (size_t id = 0; id < 2 * rnn->gates; id++) {
            struct fake_gate gate = walk->gates[id];

            for (size_t j = 0; j < rnn->units; j++) {
                float d = gradients[id * rnn->units + j];

                work->dweights[gate.bias + j] += d;
                for (size_t m = 0; m < gate.columns; m++)
                    work->dweights[gate.matrix + j * gate.columns + m] +=
                        d * (id < rnn->gates ? work->x[at * rnn->in + m] : (float)h_before(walk, k, m));
            }
        }
    }
}

/* Where each step begins: in packed data lists that have ended leave no gap. */
static size_t *first_positions(const struct fake_rnn_data *data)
{
    size_t *first = fake_new((data->steps + 1) * sizeof *first);

    for (size_t step = 0; step < data->steps; step++) {
        first[step + 1] = first[step];
        for (size_t i = 0; i < data->batch; i++)
            first[step + 1] += !data->packed || (size_t)data->lengths[i] > step;
    }
    return first;
}

static void each_walk(struct fake_rnn_work *work, void (*go)(const struct walk *walk))
{
    const struct fake_rnn *rnn = &work->rnn;
    size_t *first = first_positions(&work->data);
    struct walk walk = {
        .work = work,
        .first = first,
        .before = fake_new(3 * rnn->units * sizeof(double)),
        .dx = fake_new(rnn->in * sizeof(double)),
        .unkept = fake_new(KEPT * rnn->units * sizeof(float)),
    };

    if (memcmp(work->lengths, work->data.lengths, work->data.batch * sizeof *work->lengths) != 0)
        fake_die("cuDNN: the lengths on the device are not those of the descriptor");
    memset(work->work, 0xff, work->work_size);
    for (walk.direction = 0; walk.direction < rnn->directions; walk.direction++) {
        for (size_t id = 0; id < 2 * rnn->gates; id++)
            walk.gates[id] = fake_rnn_gate(rnn, walk.direction, id);
        for (walk.list = 0; walk.list < work->data.batch; walk.list++) {
            walk.n = (size_t)work->data.lengths[walk.list];
            go(&walk);
        }
    }
    free(walk.unkept);
    free(walk.dx);
    free(walk.before);
    free(first);
}

void fake_rnn_forward(struct fake_rnn_work *work)
{
    each_walk(work, walk_forward);
    if (work->training)
        work->reserve[0] = forward_done;
}

void fake_rnn_backward_data(struct fake_rnn_work *work)
{
    if (work->reserve[0] != forward_done)
        fake_die("cudnnRNNBackwardData_v8: the reserve is not from cudnnRNNForward() in training");
    each_walk(work, walk_backward);
    work->reserve[0] = backward_done;
}

void fake_rnn_backward_weights(struct fake_rnn_work *work)
{
    if (work->reserve[0] != backward_done)
        fake_die("cudnnRNNBackwardWeights_v8: cudnnRNNBackwardData_v8() comes first");
    each_walk(work, walk_weights);
}

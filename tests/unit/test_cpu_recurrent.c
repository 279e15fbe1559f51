/* Recurrent layers of every instruction set, both ways through sequences of all lengths, and their gradients,
 * against one lane after the other in float64. */
#include "core/cpu/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/lanes.h"
#include "tests/unit/unit.h"

/* One sequence of a recurrent layer in float64: the truth for one lane. */
struct truth {
    size_t in, units, steps, gates;
    bool reverse;
    double *x, *dx; /* (steps, in) */
    double *h, *c;  /* (steps + 1, units): before step t of the walk */
    double *gate;   /* (steps, 4, units): i f g o, or r z n q */
    double *wx, *wh, *bx, *bh;
    double *dwx, *dwh, *dbx, *dbh;
};

static double *zeros(size_t n)
{
    double *v = calloc(n + 1, sizeof *v);

    ck_assert_ptr_nonnull(v);
    return v;
}

static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}

/* Position in the sequence of step s of the walk. */
static size_t position(const struct truth *t, size_t s)
{
    return t->reverse ? t->steps - 1 - s : s;
}

static void truth_step(struct truth *t, size_t s)
{
    size_t u = t->units;
    const double *x = t->x + position(t, s) * t->in, *h = t->h + s * u;

    for (size_t j = 0; j < u; j++) {
        double a[4], g[4], *kept = t->gate + s * 4 * u + j;

        for (size_t i = 0; i < t->gates; i++) {
            a[i] = t->bx[i * u + j];
            g[i] = t->bh[i * u + j];
            for (size_t m = 0; m < t->in; m++)
                a[i] += t->wx[(i * u + j) * t->in + m] * x[m];
            for (size_t m = 0; m < u; m++)
                g[i] += t->wh[(i * u + j) * u + m] * h[m];
        }
        kept[0] = sigmoid_of(a[0] + g[0]);
        kept[u] = sigmoid_of(a[1] + g[1]);
        if (t->gates == 4) {
            kept[2 * u] = tanh(a[2] + g[2]);
            kept[3 * u] = sigmoid_of(a[3] + g[3]);
            t->c[(s + 1) * u + j] = kept[u] * t->c[s * u + j] + kept[0] * kept[2 * u];
            t->h[(s + 1) * u + j] = kept[3 * u] * tanh(t->c[(s + 1) * u + j]);
        } else {
            kept[2 * u] = tanh(a[2] + kept[0] * g[2]);
            kept[3 * u] = g[2];
            t->h[(s + 1) * u + j] = kept[2 * u] + kept[u] * (h[j] - kept[2 * u]);
        }
    }
}

/* dh: (units) of the state after step s, becomes that before; dc likewise. */
static void truth_step_back(struct truth *t, size_t s, double *dh, double *dc)
{
    size_t u = t->units;
    const double *x = t->x + position(t, s) * t->in, *h = t->h + s * u;
    double *before = zeros(u);

    for (size_t j = 0; j < u; j++) {
        const double *kept = t->gate + s * 4 * u + j;
        double dx[4] = {0}, dg[4] = {0};

        if (t->gates == 4) {
            double th = tanh(t->c[(s + 1) * u + j]), i = kept[0], f = kept[u], g = kept[2 * u],
                   o = kept[3 * u];
            double d = dc[j] + dh[j] * o * (1 - th * th);

            dx[0] = d * g * i * (1 - i);
            dx[1] = d * t->c[s * u + j] * f * (1 - f);
            dx[2] = d * i * (1 - g * g);
            dx[3] = dh[j] * th * o * (1 - o);
            dc[j] = d * f;
            memcpy(dg, dx, sizeof dg);
        } else {
            double r = kept[0], z = kept[u], n = kept[2 * u], q = kept[3 * u];

            dx[2] = dh[j] * (1 - z) * (1 - n * n);
            dx[1] = dh[j] * (h[j] - n) * z * (1 - z);
            dx[0] = dx[2] * q * r * (1 - r);
            memcpy(dg, dx, sizeof dg);
            dg[2] = dx[2] * r;
            before[j] += dh[j] * z;
        }
        for (size_t i = 0; i < t->gates; i++) {
            t->dbx[i * u + j] += dx[i];
            t->dbh[i * u + j] += dg[i];
            for (size_t m = 0; m < t->in; m++) {
                t->dwx[(i * u + j) * t->in + m] += dx[i] * x[m];
                t->dx[position(t, s) * t->in + m] += dx[i] * t->wx[(i * u + j) * t->in + m];
            }
            for (size_t m = 0; m < u; m++) {
                t->dwh[(i * u + j) * u + m] += dg[i] * h[m];
                before[m] += dg[i] * t->wh[(i * u + j) * u + m];
            }
        }
    }
    memcpy(dh, before, u * sizeof *dh);
    free(before);
}

/* A random layer over sequences of random lengths, in float32 lanes. */
struct recurrent_case {
    enum layer_kind kind;
    size_t in, units, steps;
    bool reverse, each_step, full, saturated;
};

struct fixture {
    const struct recurrent_case *c;
    size_t gates;
    float *wx, *wh, *bx, *bh;
    float *x, *dy;
    struct recurrent_pack pack;
    struct recurrent_run passing, kept; /* inference, and with all that the gradient needs */
};

static void choose_lengths(struct fixture *f)
{
    struct recurrent_run *run = &f->kept;

    run->shortest = UINT32_MAX;
    for (size_t l = 0; l < k->lanes; l++) {
        size_t length = l == 0 ? f->c->steps : l == 1 ? 0 : below(f->c->steps + 1);

        run->lengths[l] = (uint32_t)(f->c->full ? f->c->steps : length);
        run->shortest = run->lengths[l] < run->shortest ? run->lengths[l] : run->shortest;
    }
    /* Steps after a sequence's end have no gradient. */
    for (size_t s = 0; f->c->each_step && s < f->c->steps; s++)
        for (size_t l = 0; l < k->lanes; l++)
            for (size_t j = 0; j < run->dy_stride && s >= run->lengths[l]; j++)
                f->dy[(s * run->dy_stride + j) * k->lanes + l] = 0;
}

static void fixture_init(struct fixture *f, const struct recurrent_case *c)
{
    size_t gates = c->kind == LAYER_LSTM ? 4 : 3, u = c->units;

    *f = (struct fixture){.c = c, .gates = gates};
    f->wx = numbers_of(gates * u * c->in, 0.6);
    f->wh = numbers_of(gates * u * u, 0.4);
    f->bx = numbers_of(gates * u, 0.5);
    f->bh = numbers_of(gates * u, 0.5);
    f->x = vectors(c->steps * c->in, c->saturated ? 1e10 : 1);
    f->dy = vectors(c->steps * (u + 2), 1);
    f->kept = (struct recurrent_run){
        .pack = &f->pack,
        .steps = c->steps,
        .reverse = c->reverse,
        .x = f->x,
        .states = vectors((c->steps + 1) * u, 1),
        .all_states = true,
        .cells = vectors((c->steps + 1) * u, 1),
        .keep = vectors(c->steps * 4 * u, 1),
        .keep_cells = vectors(c->steps * u, 1),
        .dy = f->dy,
        .dy_stride = u + 2,
        .each_step = c->each_step,
        .carried = vectors(3 * u, 1),
    };
    choose_lengths(f);
    f->passing = f->kept;
    f->passing.states = vectors(2 * u, 1);
    f->passing.all_states = false;
    f->passing.cells = vectors(u, 1);
    f->passing.keep = f->passing.keep_cells = f->passing.carried = NULL;
    ck_assert_int_eq(recurrent_pack_init(&f->pack, c->kind, c->in, u), 0);
    recurrent_pack_fill(&f->pack, f->wx, f->wh, f->bx, f->bh);
}

static void fixture_deinit(struct fixture *f)
{
    float *all[] = {f->wx,
                    f->wh,
                    f->bx,
                    f->bh,
                    f->x,
                    f->dy,
                    f->kept.states,
                    f->kept.cells,
                    f->kept.keep,
                    f->kept.keep_cells,
                    f->kept.carried,
                    f->passing.states,
                    f->passing.cells};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    recurrent_pack_deinit(&f->pack);
}

static double *widened(const float *v, size_t n)
{
    double *w = zeros(n);

    for (size_t i = 0; i < n; i++)
        w[i] = (double)v[i];
    return w;
}

static void truth_init(struct truth *t, const struct fixture *f)
{
    size_t rows = f->gates * f->c->units, in = f->c->in, u = f->c->units, steps = f->c->steps;

    *t = (struct truth){
        .in = in,
        .units = u,
        .gates = f->gates,
        .reverse = f->c->reverse,
        .x = zeros(steps * in),
        .dx = zeros(steps * in),
        .h = zeros((steps + 1) * u),
        .c = zeros((steps + 1) * u),
        .gate = zeros(steps * 4 * u),
        .wx = widened(f->wx, rows * in),
        .wh = widened(f->wh, rows * u),
        .bx = widened(f->bx, rows),
        .bh = widened(f->bh, rows),
        .dwx = zeros(rows * in),
        .dwh = zeros(rows * u),
        .dbx = zeros(rows),
        .dbh = zeros(rows),
    };
}

static void truth_deinit(struct truth *t)
{
    double *all[] = {t->x,  t->dx, t->h,   t->c,   t->gate, t->wx, t->wh,
                     t->bx, t->bh, t->dwx, t->dwh, t->dbx,  t->dbh};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* The sequence of one lane, forward. */
static void truth_forward(struct truth *t, const struct fixture *f, size_t lane)
{
    t->steps = f->kept.lengths[lane];
    for (size_t i = 0; i < t->steps * t->in; i++)
        t->x[i] = at(f->x, i, lane);
    memset(t->dx, 0, f->c->steps * t->in * sizeof *t->dx);
    for (size_t s = 0; s < t->steps; s++)
        truth_step(t, s);
}

static void truth_backward(struct truth *t, const struct fixture *f, size_t lane)
{
    double *dh = zeros(t->units), *dc = zeros(t->units);

    for (size_t j = 0; j < t->units && !f->c->each_step; j++)
        dh[j] = at(f->dy, j, lane);
    for (size_t s = t->steps; s-- > 0;) {
        for (size_t j = 0; j < t->units && f->c->each_step; j++)
            dh[j] += at(f->dy, position(t, s) * f->kept.dy_stride + j, lane);
        truth_step_back(t, s, dh, dc);
    }
    free(dh);
    free(dc);
}

static void check_states(const struct recurrent_run *run, const struct truth *t, double tolerance,
                         size_t lane)
{
    size_t u = t->units, row = recurrent_last_row(run);

    for (size_t j = 0; j < u; j++)
        near(at(run->states, row * u + j, lane), t->h[t->steps * u + j], tolerance, "last state");
    for (size_t s = 0; run->all_states && s < t->steps; s++)
        for (size_t j = 0; j < u; j++)
            near(at(run->states, (position(t, s) + (run->reverse ? 0 : 1)) * u + j, lane),
                 t->h[(s + 1) * u + j], tolerance, "state");
}

static void all_near(const float *got, const double *want, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        near((double)got[i], want[i], 1e-4, what);
}

/* The weight gradients from what the backward kernel left, as a layer takes them. */
static void check_weights(const struct fixture *f, const struct truth *t)
{
    size_t u = t->units, in = t->in, steps = f->c->steps, rows = f->gates * u;
    const float *state = f->kept.states + (f->c->reverse ? u * k->lanes : 0);
    const float *first = f->kept.keep, *second = first + u * k->lanes;
    float *g[4] = {numbers_of(rows * in, 0), numbers_of(rows * u, 0), numbers_of(rows, 0),
                   numbers_of(rows, 0)};

    if (f->c->kind == LAYER_LSTM) {
        k->outer(g[0], rows, in, steps, first, 4 * u, f->x, in);
        k->outer(g[1], rows, u, steps, first, 4 * u, state, u);
        k->sum(g[2], rows, steps, first, 4 * u);
        k->sum(g[3], rows, steps, first, 4 * u);
    } else {
        k->outer(g[0], 2 * u, in, steps, second, 4 * u, f->x, in);
        k->outer(g[0] + 2 * u * in, u, in, steps, first, 4 * u, f->x, in);
        k->outer(g[1], rows, u, steps, second, 4 * u, state, u);
        k->sum(g[2], 2 * u, steps, second, 4 * u);
        k->sum(g[2] + 2 * u, u, steps, first, 4 * u);
        k->sum(g[3], rows, steps, second, 4 * u);
    }
    all_near(g[0], t->dwx, rows * in, "dWx");
    all_near(g[1], t->dwh, rows * u, "dWh");
    all_near(g[2], t->dbx, rows, "dbx");
    all_near(g[3], t->dbh, rows, "dbh");
    for (size_t i = 0; i < 4; i++)
        free(g[i]);
}

static void check_recurrent(const struct recurrent_case *c)
{
    size_t values = c->steps * c->in;
    struct fixture f;
    struct truth t;
    float *dx;

    fixture_init(&f, c);
    truth_init(&t, &f);
    dx = vectors(values, 0);
    (c->kind == LAYER_LSTM ? k->lstm : k->gru)(&f.passing);
    (c->kind == LAYER_LSTM ? k->lstm : k->gru)(&f.kept);
    for (size_t l = 0; l < k->lanes; l++) {
        truth_forward(&t, &f, l);
        check_states(&f.passing, &t, c->saturated ? 1e-5 : 4e-6, l);
        check_states(&f.kept, &t, c->saturated ? 1e-5 : 4e-6, l);
    }
    if (!c->saturated) {
        (c->kind == LAYER_LSTM ? k->lstm_backward : k->gru_backward)(&f.kept);
        k->dense(&f.pack.back_inputs, c->steps, f.kept.keep, 4 * c->units, dx, false);
        for (size_t l = 0; l < k->lanes; l++) {
            truth_forward(&t, &f, l);
            truth_backward(&t, &f, l);
            for (size_t i = 0; i < values; i++)
                near(at(dx, i, l), t.dx[i], 2e-5, "dx");
        }
        check_weights(&f, &t);
    }
    free(dx);
    truth_deinit(&t);
    fixture_deinit(&f);
}

static void check_walks(void)
{
    /* Sizes with a body of their own, and odd ones. */
    static const size_t sizes[][2] = {{3, 16}, {1, 8}, {4, 16}, {5, 7}, {1, 1}, {20, 6}};

    for (enum layer_kind kind = LAYER_LSTM; kind <= LAYER_GRU; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (unsigned bits = 0; bits < 16; bits++)
                check_recurrent(&(struct recurrent_case){
                    .kind = kind,
                    .in = sizes[i][0],
                    .units = sizes[i][1],
                    .steps = bits == 5 ? 1 : 13,
                    .reverse = bits & 1,
                    .each_step = bits & 2,
                    .full = bits & 4,
                    .saturated = bits & 8,
                });
}

START_TEST(recurrent_layers_walk_both_ways_and_back)
{
    each_set(check_walks);
}
END_TEST

int main(void)
{
    return UNIT_RUN("cpu recurrent", recurrent_layers_walk_both_ways_and_back);
}

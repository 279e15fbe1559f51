/* Recurrent layers, through cuDNN and through our own kernels, against the reference in float64: LSTM and
 * GRU, one direction and both, the last state or every step's, lists of one length and of many; outputs, and
 * the gradients of inputs and weights, over one and over two uses of the same weights. Runs on whatever
 * device there is: the fake one, or, built with the toolkit, a real one. */
#include "core/cuda/rnn.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "core/reference/reference_layer.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/unit.h"

enum { LISTS = 7, LISTS_MANY = 4200, STEPS = 6, BEFORE = 11 /* weights of other layers */ };

/* One layer with its weights, and a batch for it. */
struct trial {
    struct tree tree;
    struct tensor tensors[2 * 4];
    struct layer layer;
    size_t n_weights;
    float *weights;
    uint32_t *lengths, first_step[STEPS + 1]; /* lengths: (n_lists) by rank */
    uint32_t *instances;                      /* (n_lists) by rank */
    size_t n_lists;
    struct layout_element layout;
    struct rnn_block block; /* on the device */
};

struct shape {
    enum layer_kind kind;
    bool bidirectional, sequence_out, equal;
    size_t units, in, n_lists;
};

static struct device device;

static void *room(size_t n, size_t size)
{
    void *at = calloc(n + 1, size);

    ck_assert_ptr_nonnull(at);
    return at;
}

static float *random_floats(struct random *random, size_t n)
{
    float *values = room(n, sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = (float)(2 * random_unit(random) - 1);
    return values;
}

static void *to_device(const void *host, size_t octets)
{
    void *at;

    ck_assert_int_eq(cudaMalloc(&at, octets), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(at, host, octets, cudaMemcpyHostToDevice), cudaSuccess);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaSuccess); /* the device's stream does not wait for it */
    return at;
}

static float *from_device(const float *at, size_t n)
{
    float *host = room(n, sizeof *host);

    ck_assert_int_eq(device_wait(&device, NULL), 0);
    ck_assert_int_eq(cudaMemcpy(host, at, n * sizeof *host, cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
}

/* Tensors stand in the block in an order of their own, with a gap before each. */
static void place_tensors(struct trial *trial)
{
    struct layer *layer = &trial->layer;
    size_t gates = layer->kind == LAYER_LSTM ? 4 : 3, at = 0;

    layer->n_tensors = layer->bidirectional ? 8 : 4;
    for (unsigned i = 0; i < layer->n_tensors; i++) {
        size_t columns[] = {layer->in, layer->units, 1, 1};
        struct tensor *tensor = &trial->tensors[layer->n_tensors - 1 - i];

        at += BEFORE;
        tensor->size = gates * layer->units * columns[i % 4];
        tensor->offset = at;
        at += tensor->size;
        layer->tensors[i] = layer->n_tensors - 1 - i;
    }
    trial->n_weights = at;
    trial->tree.tensors = trial->tensors;
    trial->tree.n_tensors = layer->n_tensors;
    trial->tree.n_weights = at;
}

static void trial_init(struct trial *trial, const struct shape *shape, struct random *random)
{
    struct layout_element *layout = &trial->layout;

    *trial = (struct trial){.layer = {.kind = shape->kind,
                                      .bidirectional = shape->bidirectional,
                                      .sequence_out = shape->sequence_out,
                                      .in = shape->in,
                                      .units = shape->units,
                                      .out = (shape->bidirectional ? 2 : 1) * shape->units},
                            .n_lists = shape->n_lists};
    place_tensors(trial);
    trial->weights = random_floats(random, trial->n_weights);
    trial->lengths = room(trial->n_lists, sizeof *trial->lengths);
    trial->instances = room(trial->n_lists, sizeof *trial->instances);
    for (uint32_t i = 0; i < trial->n_lists; i++)
        trial->lengths[i] = shape->equal || i == 0 ? STEPS : STEPS - i * STEPS / (uint32_t)trial->n_lists;
    for (uint32_t step = 0; step < STEPS; step++) {
        trial->first_step[step + 1] = trial->first_step[step];
        for (uint32_t i = 0; i < trial->n_lists; i++)
            trial->first_step[step + 1] += trial->lengths[i] > step;
    }
    layout->n_instances = (uint32_t)trial->n_lists;
    layout->n_positions = trial->first_step[STEPS];
    layout->n_steps = STEPS;
    layout->lengths = trial->lengths;
    layout->first_step = trial->first_step;
    for (uint32_t i = 0; i < trial->n_lists; i++)
        trial->instances[i] = (uint32_t)trial->n_lists - 1 - i;
    layout->order = to_device(trial->instances, trial->n_lists * sizeof *trial->instances);
    layout->rank = layout->order; /* it is its own inverse */
    layout->step_lengths = to_device(trial->lengths, trial->n_lists * sizeof *trial->lengths);
    layout->step_firsts = to_device(trial->first_step, sizeof trial->first_step);
    trial->block = (struct rnn_block){
        .tree = &trial->tree,
        .weights = to_device(trial->weights, trial->n_weights * sizeof(float)),
        .gradient = to_device(trial->weights, trial->n_weights * sizeof(float)),
    };
}

static void trial_deinit(struct trial *trial)
{
    free(trial->weights);
    free(trial->lengths);
    free(trial->instances);
    (void)cudaFree((void *)trial->layout.order);
    (void)cudaFree((void *)trial->layout.step_lengths);
    (void)cudaFree((void *)trial->layout.step_firsts);
    (void)cudaFree((void *)trial->block.weights);
    ck_assert_int_eq(cudaFree(trial->block.gradient), cudaSuccess);
}

/* The gradient block at the start of a batch. */
static void clear_gradient(const struct trial *trial)
{
    ck_assert_int_eq(cudaMemset(trial->block.gradient, 0, trial->n_weights * sizeof(float)), cudaSuccess);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaSuccess);
}

/* The reference's numbers are list by list in the order of ranks, the device's step by step, or list by list
 * in the order of instances. */
struct truth {
    struct reference_layer layer;
    struct signal in, out;
    size_t *in_first, *out_first; /* (n_lists + 1) */
    double *weights, *gradient;
};

static size_t position(const struct trial *trial, size_t list, size_t step)
{
    return trial->first_step[step] + list;
}

static void truth_init(struct truth *truth, const struct trial *trial)
{
    const struct layer *layer = &trial->layer;
    size_t n = trial->n_lists;

    *truth = (struct truth){0};
    truth->in_first = room(n + 1, sizeof *truth->in_first);
    truth->out_first = room(n + 1, sizeof *truth->out_first);
    truth->weights = room(trial->n_weights, sizeof(double));
    truth->gradient = room(trial->n_weights, sizeof(double));
    for (size_t i = 0; i < trial->n_weights; i++)
        truth->weights[i] = (double)trial->weights[i];
    for (size_t i = 0; i < trial->n_lists; i++) {
        truth->in_first[i + 1] = truth->in_first[i] + trial->lengths[i];
        truth->out_first[i + 1] = truth->out_first[i] + (layer->sequence_out ? trial->lengths[i] : 1);
    }
    truth->in = (struct signal){n, truth->in_first, layer->in, room(n * STEPS * layer->in, sizeof(double)),
                                room(n * STEPS * layer->in, sizeof(double))};
    truth->out =
        (struct signal){n, truth->out_first, layer->out, room(n * STEPS * layer->out, sizeof(double)),
                        room(n * STEPS * layer->out, sizeof(double))};
    truth->layer = (struct reference_layer){.layer = layer, .in = &truth->in, .out = &truth->out};
    truth->layer.states = room(n * STEPS * reference_state_width(layer), sizeof(double));
    for (unsigned i = 0; i < layer->n_tensors; i++) {
        truth->layer.weights[i] = truth->weights + trial->tensors[layer->tensors[i]].offset;
        truth->layer.gradients[i] = truth->gradient + trial->tensors[layer->tensors[i]].offset;
    }
}

static void truth_deinit(struct truth *truth)
{
    free(truth->in_first);
    free(truth->out_first);
    free(truth->weights);
    free(truth->gradient);
    free(truth->in.values);
    free(truth->in.gradient);
    free(truth->out.values);
    free(truth->out.gradient);
    free(truth->layer.states);
}

/* Between the two orders, for a matrix with a row a step (`steps`), or a row a list. */
static void each_cell(const struct trial *trial, const struct signal *signal, bool steps, double *theirs,
                      float *ours, void (*cell)(double *theirs, float *ours))
{
    for (size_t list = 0; list < trial->n_lists; list++)
        for (size_t step = 0; step < (steps ? trial->lengths[list] : 1); step++)
            for (size_t i = 0; i < signal->width; i++)
                cell(&theirs[(signal->first[list] + step) * signal->width + i],
                     &ours[(steps ? position(trial, list, step) : trial->instances[list]) * signal->width +
                           i]);
}

static void take(double *theirs, float *ours)
{
    *theirs = (double)*ours;
}

static void compare(double *theirs, float *ours)
{
    ck_assert_double_eq_tol((double)*ours, *theirs, 1e-5 * (1 + fabs(*theirs)));
}

/* One use of a layer: forward, back, and what the reference says to both. asks: for the gradient of x. */
static void run_use(struct rnn *rnn, const struct trial *trial, struct truth *truth, bool asks,
                    struct random *random)
{
    const struct layer *layer = &trial->layer;
    size_t n = trial->layout.n_positions, outs = (layer->sequence_out ? n : trial->n_lists) * layer->out;
    float *x = random_floats(random, n * layer->in), *dy = random_floats(random, outs), *host;
    float *x_at = to_device(x, n * layer->in * sizeof *x), *dy_at = to_device(dy, outs * sizeof *dy);
    float *dx_at = to_device(x, n * layer->in * sizeof *x), *y_at, *last_at;
    struct rnn_use use = {0};
    struct rnn_gradients gradients;
    struct rnn_pass pass;

    ck_assert_int_eq(cudaMalloc((void **)&y_at, n * layer->out * sizeof *y_at), cudaSuccess);
    ck_assert_int_eq(cudaMalloc((void **)&last_at, trial->n_lists * layer->out * sizeof *last_at),
                     cudaSuccess);
    each_cell(trial, &truth->in, true, truth->in.values, x, take);
    each_cell(trial, &truth->out, layer->sequence_out, truth->out.gradient, dy, take);
    memset(truth->in.gradient, 0, truth->in_first[trial->n_lists] * layer->in * sizeof(double));
    reference_recurrent_forward(&truth->layer);
    reference_recurrent_backward(&truth->layer);

    pass = (struct rnn_pass){&trial->layout, x_at, y_at, layer->sequence_out ? NULL : last_at};
    for (int training = 0; training < 2; training++) {
        ck_assert_int_eq(rnn_forward(rnn, &use, &pass, training, NULL), 0);
        host = from_device(layer->sequence_out ? y_at : last_at, outs);
        each_cell(trial, &truth->out, layer->sequence_out, truth->out.values, host, compare);
        free(host);
    }
    gradients =
        layer->sequence_out ? (struct rnn_gradients){.dy = dy_at} : (struct rnn_gradients){.dlast = dy_at};
    gradients.dx = asks ? dx_at : NULL;
    ck_assert_int_eq(rnn_backward(rnn, &use, &pass, &gradients, NULL), 0);
    if (asks) {
        host = from_device(dx_at, n * layer->in);
        each_cell(trial, &truth->in, true, truth->in.gradient, host, compare);
        free(host);
    }
    rnn_use_deinit(&use);
    (void)cudaFree(x_at);
    (void)cudaFree(dy_at);
    (void)cudaFree(dx_at);
    (void)cudaFree(y_at);
    (void)cudaFree(last_at);
    free(x);
    free(dy);
}

/* What lies between the layer's tensors is left as it was. */
static void check_gradient(struct rnn *rnn, const struct trial *trial, const struct truth *truth)
{
    float *host;

    ck_assert_int_eq(rnn_gradient_add(rnn, NULL), 0);
    host = from_device(trial->block.gradient, trial->n_weights);
    for (size_t i = 0; i < trial->n_weights; i++)
        compare(&truth->gradient[i], &host[i]);
    free(host);
}

static struct rnn *new_rnn(const struct trial *trial, enum rnn_kernels kernels)
{
    struct error err;
    struct rnn *rnn;

    ck_assert_msg(rnn_new(&rnn, &device, &trial->block, &trial->layer, kernels, &err) == 0, "%s", err.text);
    ck_assert_int_eq(rnn_pack(rnn, NULL), 0);
    return rnn;
}

static void check_shape(const struct shape *shape, enum rnn_kernels kernels, bool is_cudnn,
                        struct random *random)
{
    struct trial trial;
    struct truth truth;
    struct rnn *rnn;

    trial_init(&trial, shape, random);
    truth_init(&truth, &trial);
    rnn = new_rnn(&trial, kernels);
    ck_assert_int_eq(rnn_is_cudnn(rnn), is_cudnn);
    for (int uses = 1; uses <= 2; uses++) {
        memset(truth.gradient, 0, trial.n_weights * sizeof *truth.gradient);
        clear_gradient(&trial);
        ck_assert_int_eq(rnn_gradient_clear(rnn, NULL), 0);
        for (int use = 0; use < uses; use++)
            run_use(rnn, &trial, &truth, use == 0, random);
        check_gradient(rnn, &trial, &truth);
    }
    rnn_free(rnn);
    truth_deinit(&truth);
    trial_deinit(&trial);
}

/* All kinds of a layer of some size. */
static void check_kinds(size_t units, size_t in, enum rnn_kernels kernels, bool is_cudnn)
{
    struct random random = {1};
    struct error err;

    ck_assert_msg(device_open(&device, &err) == 0, "%s", err.text);
    for (unsigned bits = 0; bits < 16; bits++)
        check_shape(&(struct shape){bits & 1 ? LAYER_GRU : LAYER_LSTM, bits & 2, bits & 4, bits & 8, units,
                                    in, LISTS},
                    kernels, is_cudnn, &random);
    device_close(&device);
}

START_TEST(test_cudnn)
{
    check_kinds(5, 3, RNN_KERNELS_CUDNN, true);
    check_kinds(70, 3, RNN_KERNELS_BY_SHAPE, true);
    check_kinds(16, 9, RNN_KERNELS_BY_SHAPE, true);
}
END_TEST

/* As large as the shapes are, and smaller; whichever thread comes first. */
START_TEST(test_own)
{
    static const size_t sizes[][2] = {{1, 1}, {5, 4}, {8, 7}, {13, 3}, {16, 8}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fake_reset(&(struct fake_setup){
            .devices = 1, .capability = 90, .memory = (size_t)1 << 28, .backwards = i % 2 == 0});
        check_kinds(sizes[i][0], sizes[i][1], RNN_KERNELS_BY_SHAPE, false);
    }
    fake_reset(NULL);
}
END_TEST

/* More lists than blocks have lanes: a block takes several groups of them. */
START_TEST(test_own_many)
{
    struct random random = {3};
    struct error err;

    ck_assert_msg(device_open(&device, &err) == 0, "%s", err.text);
    for (unsigned kind = LAYER_LSTM; kind <= LAYER_GRU; kind++)
        check_shape(&(struct shape){kind, false, false, false, 16, 3, LISTS_MANY}, RNN_KERNELS_BY_SHAPE,
                    false, &random);
    device_close(&device);
}
END_TEST

/* Equal and unequal batches by turns add to one gradient, though they may go different ways. */
START_TEST(test_both_ways)
{
    const struct shape shape = {
        .kind = LAYER_LSTM, .bidirectional = true, .units = 5, .in = 3, .n_lists = LISTS};
    struct shape equal = shape;
    struct random random = {2}, again = {2};
    struct trial trials[2];
    struct truth truths[2];
    struct error err;
    struct rnn *rnn;

    ck_assert_msg(device_open(&device, &err) == 0, "%s", err.text);
    equal.equal = true;
    trial_init(&trials[0], &shape, &random);
    trial_init(&trials[1], &equal, &again);
    rnn = new_rnn(&trials[0], RNN_KERNELS_CUDNN);
    clear_gradient(&trials[0]);
    for (int i = 0; i < 2; i++) {
        truth_init(&truths[i], &trials[i]);
        run_use(rnn, &trials[i], &truths[i], true, &random);
    }
    for (size_t i = 0; i < trials[0].n_weights; i++)
        truths[0].gradient[i] += truths[1].gradient[i];
    check_gradient(rnn, &trials[0], &truths[0]);
    rnn_free(rnn);
    for (int i = 0; i < 2; i++) {
        truth_deinit(&truths[i]);
        trial_deinit(&trials[i]);
    }
    device_close(&device);
}
END_TEST

int main(void)
{
    struct error err;

    if (device_open(&device, &err) < 0)
        return unit_skip(err.text);
    device_close(&device);
    (void)setenv("CK_FORK", "no", 1); /* a device that was used does not survive a fork */
    return UNIT_RUN("rnn", test_cudnn, test_own, test_own_many, test_both_ways);
}

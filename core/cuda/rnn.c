/* A recurrent layer through cuDNN.
 *
 * cuDNN has several ways to walk a list, and no one is best or even possible for all. Kept in one launch with
 * the state in registers (CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H) a layer as small as ours takes half the time
 * or less, at batch sizes up to many thousands; but this way asks for lists of one length, and takes no
 * packed ones. CUDNN_RNN_ALGO_STANDARD, a few launches a step, takes everything. So a layer has up to two
 * ways, and a batch goes through the first that takes it. Where lists are padded (TREE_PADDING_BATCH) they
 * have one length, and being packed or not is then the same memory. Whether cuDNN has a way for a layer on
 * this device is tried once, forward and back over some short lists; one that it refuses is left out.
 */
#include "core/cuda/rnn.h"

#include <errno.h>
#include <stdlib.h>

#include "core/cuda/rnn_way.h"
#include "core/cuda/status.h"

enum { WAYS = 2, DIRECTIONS = 2 };

static const struct rnn_recipe recipes[WAYS] = {
    {CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, true},
    {CUDNN_RNN_ALGO_STANDARD, false},
};

struct rnn {
    struct device *device;
    const struct layer *layer;
    size_t directions;
    cudnnDropoutDescriptor_t dropout; /* none, but cuDNN wants to be told so */
    unsigned n_ways;
    struct rnn_way ways[WAYS];
    struct device_buffer work;   /* cuDNN's, for the length of a call */
    struct device_buffer states; /* last states, or their gradient, one direction after the other */
    struct device_buffer zeros;  /* a gradient that is not there */
};

/* Last states: of cuDNN (directions, n, units), of ours (n, directions * units). */
static int move_states(struct rnn *rnn, size_t n, float *to, const float *from, bool to_cudnn,
                       struct error *err)
{
    size_t units = rnn->layer->units, row = units * sizeof(float), wide = rnn->directions * row;

    for (size_t d = 0; d < rnn->directions; d++) {
        float *to_half = to + (to_cudnn ? d * n * units : d * units);
        const float *from_half = from + (to_cudnn ? d * units : d * n * units);

        CUDA_TRY(cudaMemcpy2DAsync(to_half, to_cudnn ? row : wide, from_half, to_cudnn ? wide : row, row, n,
                                   cudaMemcpyDeviceToDevice, rnn->device->stream));
    }
    return 0;
}

/* Take the first way that does it. Return: -ENOTSUP: not even the last, which takes all. */
static int go_forward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout,
                      const float *x, float *y, float *hy, bool training, struct error *err)
{
    int r = -ENOTSUP;

    for (use->way = 0; use->way < rnn->n_ways; use->way++) {
        struct rnn_way *way = &rnn->ways[use->way];

        if (!rnn_way_takes(way, layout))
            continue;
        r = rnn_way_forward(way, use, &rnn->work, layout, x, y, hy, training, err);
        if (r != -ENOTSUP)
            return r;
    }
    return r;
}

/* To who calls the engine there is no difference any more. */
static int as_device_error(int r, struct error *err)
{
    if (r == -ENOTSUP && err != NULL)
        err->code = -ENODEV;
    return r == -ENOTSUP ? -ENODEV : r;
}

int rnn_forward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout, const float *x,
                float *y, float *last, bool training, struct error *err)
{
    size_t n = layout->n_instances;
    bool apart = last != NULL && rnn->directions > 1;
    int r = 0;

    if (apart)
        r = device_buffer_reserve(rnn->device, &rnn->states, n * rnn->layer->out, sizeof(float), err);
    if (r == 0)
        r = go_forward(rnn, use, layout, x, y, apart ? rnn->states.at : last, training, err);
    if (r == 0 && apart)
        r = move_states(rnn, n, last, rnn->states.at, false, err);
    return as_device_error(r, err);
}

/* Have zeros in the place of dy. */
static int make_zeros(struct rnn *rnn, size_t n, struct error *err)
{
    struct device_buffer *zeros = &rnn->zeros;
    size_t before = zeros->octets;
    int r = device_buffer_reserve(rnn->device, zeros, n, sizeof(float), err);

    if (r == 0 && zeros->octets != before)
        r = status_cuda(cudaMemsetAsync(zeros->at, 0, zeros->octets, rnn->device->stream), "cudaMemsetAsync",
                        err);
    if (r < 0)
        device_buffer_deinit(zeros);
    return r;
}

int rnn_backward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout, const float *x,
                 const float *y, const float *dy, const float *dlast, float *dx, struct error *err)
{
    size_t n = layout->n_instances;
    bool apart = dlast != NULL && rnn->directions > 1;
    int r = 0;

    if (dy == NULL)
        r = make_zeros(rnn, (size_t)layout->n_positions * rnn->layer->out, err);
    if (r == 0 && apart)
        r = device_buffer_reserve(rnn->device, &rnn->states, n * rnn->layer->out, sizeof(float), err);
    if (r == 0 && apart)
        r = move_states(rnn, n, rnn->states.at, dlast, true, err);
    if (r < 0)
        return r;
    r = rnn_way_backward(&rnn->ways[use->way], use, &rnn->work, layout, x, y, dy != NULL ? dy : rnn->zeros.at,
                         apart ? rnn->states.at : dlast, dx, err);
    return as_device_error(r, err);
}

/* Some lists of two steps on the device, for try(): lengths, x, y, dx one after the other. */
enum { TRIED_LISTS = 32, TRIED_STEPS = 2, TRIED = TRIED_LISTS * TRIED_STEPS };

/* Forward and back, once; nothing comes of it but whether cuDNN does it. */
static int try(struct rnn *rnn, struct rnn_way *way, struct error *err)
{
    uint32_t lengths[TRIED_LISTS];
    const struct layer *layer = rnn->layer;
    struct device *device = rnn->device;
    struct device_buffer memory = {0};
    struct rnn_use use = {0};
    float *x, *y, *dx;
    int r = device_buffer_reserve(device, &memory, TRIED_LISTS + TRIED * (2 * layer->in + layer->out),
                                  sizeof(float), err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < TRIED_LISTS; i++)
        lengths[i] = TRIED_STEPS;
    x = (float *)memory.at + TRIED_LISTS;
    y = x + TRIED * layer->in;
    dx = y + TRIED * layer->out;
    r = status_cuda(cudaMemsetAsync(memory.at, 0, memory.octets, device->stream), "cudaMemsetAsync", err);
    if (r == 0)
        r = status_cuda(
            cudaMemcpyAsync(memory.at, lengths, sizeof lengths, cudaMemcpyHostToDevice, device->stream),
            "cudaMemcpyAsync", err);
    if (r == 0)
        r = make_zeros(rnn, TRIED * layer->out, err);
    if (r == 0) {
        struct layout_element layout = {.n_instances = TRIED_LISTS,
                                        .n_positions = TRIED,
                                        .n_steps = TRIED_STEPS,
                                        .lengths = lengths,
                                        .step_lengths = memory.at};

        r = rnn_way_forward(way, &use, &rnn->work, &layout, x, y, NULL, true, err);
        if (r == 0)
            r = rnn_way_backward(way, &use, &rnn->work, &layout, x, y, rnn->zeros.at, NULL, dx, err);
        if (r == 0)
            r = device_wait(device, err);
    }
    rnn_use_deinit(&use);
    device_buffer_deinit(&memory);
    return r;
}

static int make_ways(struct rnn *rnn, struct error *err)
{
    int r = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        struct rnn_way *way = &rnn->ways[rnn->n_ways];

        r = rnn_way_init(way, &recipes[i], rnn->device, rnn->layer, rnn->dropout, err);
        if (r == 0)
            r = try(rnn, way, err);
        if (r == 0)
            rnn->n_ways++;
        else if (r == -ENOTSUP && i + 1 < WAYS)
            rnn_way_deinit(way);
        else
            return r;
    }
    return 0;
}

static int make_dropout(struct rnn *rnn, struct error *err)
{
    CUDNN_TRY(cudnnCreateDropoutDescriptor(&rnn->dropout));
    CUDNN_TRY(cudnnSetDropoutDescriptor(rnn->dropout, rnn->device->cudnn, 0.0F, NULL, 0, 0));
    return 0;
}

int rnn_new(struct rnn **rnnp, struct device *device, const struct layer *layer, struct error *err)
{
    struct rnn *rnn = calloc(1, sizeof *rnn);
    int r;

    if (rnn == NULL)
        return error_set(err, -ENOMEM, "cuda engine: out of memory");
    rnn->device = device;
    rnn->layer = layer;
    rnn->directions = layer->bidirectional ? DIRECTIONS : 1;
    r = make_dropout(rnn, err);
    if (r == 0)
        r = make_ways(rnn, err);
    if (r == 0)
        r = rnn_gradient_clear(rnn, err);
    if (r < 0) {
        rnn_free(rnn);
        return r;
    }
    *rnnp = rnn;
    return 0;
}

void rnn_release(struct rnn *rnn)
{
    device_buffer_deinit(&rnn->work);
    device_buffer_deinit(&rnn->states);
    device_buffer_deinit(&rnn->zeros);
}

void rnn_free(struct rnn *rnn)
{
    if (rnn == NULL)
        return;
    for (unsigned i = 0; i < WAYS; i++)
        rnn_way_deinit(&rnn->ways[i]);
    if (rnn->dropout != NULL)
        (void)cudnnDestroyDropoutDescriptor(rnn->dropout);
    rnn_release(rnn);
    free(rnn);
}

void rnn_use_deinit(struct rnn_use *use)
{
    if (use->x != NULL)
        (void)cudnnDestroyRNNDataDescriptor(use->x);
    if (use->y != NULL)
        (void)cudnnDestroyRNNDataDescriptor(use->y);
    if (use->state != NULL)
        (void)cudnnDestroyTensorDescriptor(use->state);
    device_buffer_deinit(&use->reserve);
    *use = (struct rnn_use){0};
}

int rnn_pack(struct rnn *rnn, const struct tree *tree, const float *weights, struct error *err)
{
    int r = 0;

    for (unsigned i = 0; i < rnn->n_ways && r == 0; i++)
        r = rnn_way_pack(&rnn->ways[i], tree, weights, err);
    return r;
}

int rnn_gradient_clear(struct rnn *rnn, struct error *err)
{
    int r = 0;

    for (unsigned i = 0; i < rnn->n_ways && r == 0; i++)
        r = rnn_way_clear(&rnn->ways[i], err);
    return r;
}

/* Ways that have gathered nothing are left out, except the last of all if none has anything: it gives zeros.
 */
int rnn_gradient_unpack(struct rnn *rnn, const struct tree *tree, float *gradient, struct error *err)
{
    bool add = false;
    int r = 0;

    for (unsigned i = 0; i < rnn->n_ways && r == 0; i++) {
        if (!rnn->ways[i].gathered && (add || i + 1 < rnn->n_ways))
            continue;
        r = rnn_way_unpack(&rnn->ways[i], tree, gradient, add, err);
        add = true;
    }
    return r;
}

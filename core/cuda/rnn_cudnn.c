/* A recurrent layer through cuDNN, which keeps the weights in an order of its own: a layer's tensors (tree.h:
 * Wx, Wh, bx, bh, gates i f c o or r z n) are copied there after each step of the optimiser, and the gradient
 * back.
 *
 * cuDNN has several ways to walk a list, and no one is best or even possible for all. Kept in one launch with
 * the state in registers (CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H) a layer as small as ours takes half the time
 * or less, at batch sizes up to many thousands; but this way asks for lists of one length, and takes no
 * packed ones. CUDNN_RNN_ALGO_STANDARD, a few launches a step, takes everything. So a layer has up to two
 * ways, and a batch goes through the first that takes it. Where lists are padded (TREE_PADDING_BATCH) they
 * have one length, and being packed or not is then the same memory. Whether cuDNN has a way for a layer on
 * this device is tried once, forward and back over some short lists; one that it refuses, with whatever code,
 * is left out as long as there is another.
 *
 * Source: cuDNN API, "cudnn_adv": cudnnSetRNNDescriptor_v8, cudnnSetRNNDataDescriptor
 * (CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED), cudnnRNNForward, cudnnRNNBackwardData_v8,
 * cudnnRNNBackwardWeights_v8.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/cuda/rnn_ops.h"
#include "core/cuda/rnn_way.h"
#include "core/cuda/status.h"

enum { WAYS = 2 };

static const struct rnn_recipe recipes[WAYS] = {
    {CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, true},
    {CUDNN_RNN_ALGO_STANDARD, false},
};

struct library {
    struct rnn rnn;
    cudnnDropoutDescriptor_t dropout; /* none, but cuDNN wants to be told so */
    unsigned n_ways;
    struct rnn_way ways[WAYS];
    struct device_buffer work;    /* cuDNN's, for the length of a call */
    struct device_buffer states;  /* last states, or their gradient, one direction after the other */
    struct device_buffer zeros;   /* a gradient that is not there */
    struct device_buffer unasked; /* one that nobody asks for, but cuDNN gives */
};

static struct library *library_from(struct rnn *rnn)
{
    return (struct library *)rnn;
}

/* How the states of a pass stand here and there. */
static struct kernel_states states_of(const struct rnn *rnn, const struct layout_element *layout)
{
    return (struct kernel_states){.rank = layout->rank,
                                  .n = layout->n_instances,
                                  .directions = (uint32_t)rnn_directions(rnn->layer),
                                  .units = (uint32_t)rnn->layer->units};
}

static int reserve_states(struct library *library, const struct layout_element *layout, struct error *err)
{
    return device_buffer_reserve(library->rnn.device, &library->states,
                                 layout->n_instances * library->rnn.layer->out, sizeof(float), err);
}

/* Take the first way that does it. Return: -ENOTSUP: not even the last, which takes all. */
static int go_forward(struct library *library, struct rnn_use *use, const struct rnn_pass *pass, float *hy,
                      bool training, struct error *err)
{
    int r = -ENOTSUP;

    for (use->way = 0; use->way < library->n_ways; use->way++) {
        struct rnn_way *way = &library->ways[use->way];

        if (!rnn_way_takes(way, pass->layout))
            continue;
        r = rnn_way_forward(way, use, &library->work, pass->layout, pass->x, pass->y, hy, training, err);
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

static int library_forward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass, bool training,
                           struct error *err)
{
    struct library *library = library_from(rnn);
    const struct kernel_states states = states_of(rnn, pass->layout);
    bool asked = pass->last != NULL;
    int r = asked ? reserve_states(library, pass->layout, err) : 0;

    if (r == 0)
        r = go_forward(library, use, pass, asked ? library->states.at : NULL, training, err);
    if (r == 0 && asked)
        r = status_cuda(kernel_states_take(rnn->device->stream, &states, pass->last, library->states.at),
                        "kernel_states_take", err);
    return as_device_error(r, err);
}

/* Have zeros in the place of dy. */
static int make_zeros(struct library *library, size_t n, struct error *err)
{
    struct device *device = library->rnn.device;
    struct device_buffer *zeros = &library->zeros;
    size_t before = zeros->octets;
    int r = device_buffer_reserve(device, zeros, n, sizeof(float), err);

    if (r == 0 && zeros->octets != before)
        r = status_cuda(cudaMemsetAsync(zeros->at, 0, zeros->octets, device->stream), "cudaMemsetAsync", err);
    if (r < 0)
        device_buffer_deinit(zeros);
    return r;
}

/* The gradient of the last states, as cuDNN wants it, into library->states. */
static int give_gradient(struct library *library, const struct layout_element *layout, const float *dlast,
                         struct error *err)
{
    const struct kernel_states states = states_of(&library->rnn, layout);
    int r = reserve_states(library, layout, err);

    if (r < 0)
        return r;
    CUDA_TRY(kernel_states_give(library->rnn.device->stream, &states, library->states.at, dlast));
    return 0;
}

static int library_backward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass,
                            const struct rnn_gradients *gradients, struct error *err)
{
    struct library *library = library_from(rnn);
    const struct layout_element *layout = pass->layout;
    const float *dy = gradients->dy;
    float *dx = gradients->dx;
    int r = 0;

    if (dy == NULL)
        r = make_zeros(library, (size_t)layout->n_positions * rnn->layer->out, err);
    if (r == 0 && dx == NULL)
        r = device_buffer_reserve(rnn->device, &library->unasked,
                                  (size_t)layout->n_positions * rnn->layer->in, sizeof(float), err);
    if (r == 0 && gradients->dlast != NULL)
        r = give_gradient(library, layout, gradients->dlast, err);
    if (r < 0)
        return r;
    r = rnn_way_backward(&library->ways[use->way], use, &library->work, layout, pass->x, pass->y,
                         dy != NULL ? dy : library->zeros.at,
                         gradients->dlast != NULL ? library->states.at : NULL,
                         dx != NULL ? dx : library->unasked.at, err);
    return as_device_error(r, err);
}

/* Some lists of two steps on the device, for try(): lengths, x, y, dx one after the other. */
enum { TRIED_LISTS = 32, TRIED_STEPS = 2, TRIED = TRIED_LISTS * TRIED_STEPS };

/* Forward and back, once; nothing comes of it but whether cuDNN does it. */
static int try(struct library *library, struct rnn_way *way, struct error *err)
{
    uint32_t lengths[TRIED_LISTS];
    const struct layer *layer = library->rnn.layer;
    struct device *device = library->rnn.device;
    struct device_buffer memory = {0};
    struct rnn_use use = {0};
    float *x, *y, *dx;
    int waited, r = device_buffer_reserve(device, &memory, TRIED_LISTS + TRIED * (2 * layer->in + layer->out),
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
        r = make_zeros(library, TRIED * layer->out, err);
    if (r == 0) {
        struct layout_element layout = {.n_instances = TRIED_LISTS,
                                        .n_positions = TRIED,
                                        .n_steps = TRIED_STEPS,
                                        .lengths = lengths,
                                        .step_lengths = memory.at};

        r = rnn_way_forward(way, &use, &library->work, &layout, x, y, NULL, true, err);
        if (r == 0)
            r = rnn_way_backward(way, &use, &library->work, &layout, x, y, library->zeros.at, NULL, dx, err);
    }
    waited = device_wait(device, r == 0 ? err : NULL);
    r = r == 0 ? waited : r;
    rnn_use_deinit(&use);
    device_buffer_deinit(&memory);
    return r;
}

static int make_ways(struct library *library, struct error *err)
{
    int r = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        struct rnn_way *way = &library->ways[library->n_ways];

        r = rnn_way_init(way, &recipes[i], library->rnn.device, library->rnn.layer, library->dropout, err);
        if (r == 0)
            r = try(library, way, err);
        if (r == 0)
            library->n_ways++;
        else if (r != -ENOMEM && i + 1 < WAYS)
            rnn_way_deinit(way);
        else
            return r;
    }
    return 0;
}

static int make_dropout(struct library *library, struct error *err)
{
    CUDNN_TRY(cudnnCreateDropoutDescriptor(&library->dropout));
    CUDNN_TRY(cudnnSetDropoutDescriptor(library->dropout, library->rnn.device->cudnn, 0.0F, NULL, 0, 0));
    return 0;
}

static int library_pack(struct rnn *rnn, struct error *err)
{
    struct library *library = library_from(rnn);
    int r = 0;

    for (unsigned i = 0; i < library->n_ways && r == 0; i++)
        r = rnn_way_pack(&library->ways[i], rnn->block.tree, rnn->block.weights, err);
    return r;
}

static int library_clear(struct rnn *rnn, struct error *err)
{
    struct library *library = library_from(rnn);
    int r = 0;

    for (unsigned i = 0; i < library->n_ways && r == 0; i++)
        r = rnn_way_clear(&library->ways[i], err);
    return r;
}

/* Ways that have gathered nothing are left out. */
static int library_add(struct rnn *rnn, struct error *err)
{
    struct library *library = library_from(rnn);
    int r = 0;

    for (unsigned i = 0; i < library->n_ways && r == 0; i++)
        if (library->ways[i].gathered)
            r = rnn_way_add(&library->ways[i], rnn->block.tree, rnn->block.gradient, err);
    return r;
}

static void library_release(struct rnn *rnn)
{
    struct library *library = library_from(rnn);

    device_buffer_deinit(&library->work);
    device_buffer_deinit(&library->states);
    device_buffer_deinit(&library->zeros);
    device_buffer_deinit(&library->unasked);
}

static void library_free(struct rnn *rnn)
{
    struct library *library = library_from(rnn);

    for (unsigned i = 0; i < WAYS; i++)
        rnn_way_deinit(&library->ways[i]);
    if (library->dropout != NULL)
        (void)cudnnDestroyDropoutDescriptor(library->dropout);
    library_release(rnn);
    free(library);
}

const struct rnn_ops rnn_cudnn = {
    .forward = library_forward,
    .backward = library_backward,
    .pack = library_pack,
    .gradient_clear = library_clear,
    .gradient_add = library_add,
    .release = library_release,
    .free = library_free,
};

int rnn_cudnn_new(struct rnn **rnnp, const struct rnn *base, struct error *err)
{
    struct library *library = calloc(1, sizeof *library);
    int r;

    if (library == NULL)
        return error_set(err, -ENOMEM, "cuda engine: out of memory");
    library->rnn = *base;
    library->rnn.ops = &rnn_cudnn;
    r = make_dropout(library, err);
    if (r == 0)
        r = make_ways(library, err);
    if (r == 0)
        r = library_clear(&library->rnn, err);
    if (r < 0) {
        library_free(&library->rnn);
        return r;
    }
    *rnnp = &library->rnn;
    return 0;
}

/* A recurrent layer through cuDNN.
 *
 * cuDNN has several ways to walk a list, and no one is best or even possible for all. Kept in one launch with
 * the state in registers (CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H) a layer as small as ours takes half the time
 * or less, at batch sizes up to many thousands; but this way asks for lists of one length, and takes no
 * packed ones. CUDNN_RNN_ALGO_STANDARD, a few launches a step, takes everything. So a layer has up to two
 * ways, and a batch goes through the first that takes it. Where lists are padded (TREE_PADDING_BATCH) they
 * have one length, and being packed or not is then the same memory. Whether cuDNN has a way for a layer on
 * this device is tried once, forward and back over some short lists; one that it refuses is left out.
 *
 * Each way has an order of its own for the weights. It is asked for once, as a list of pieces
 * (kernels_rnn.h), by which one kernel packs all weights of the layer, and another takes the gradient back.
 */
#include "core/cuda/rnn.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/kernels_rnn.h"
#include "core/cuda/status.h"

enum { WAYS = 2, DIRECTIONS = 2, TENSORS = 4 /* a direction */, STATE_RANK = 3, PARAMETER_RANK_MAX = 8 };

/* What differs from way to way. */
static const struct recipe {
    cudnnRNNAlgo_t algorithm;
    bool equal; /* only lists of one length, laid out with their padding */
} recipes[WAYS] = {
    {CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, true},
    {CUDNN_RNN_ALGO_STANDARD, false},
};

/* A piece of the weights: floats of a tensor of the layer, and where cuDNN has them. */
struct piece {
    unsigned tensor;
    size_t in_tensor, in_space, size;
};

struct way {
    const struct recipe *recipe;
    cudnnRNNDescriptor_t descriptor;
    size_t space; /* octets of the weights */
    struct device_buffer weights, gradient;
    bool gathered; /* the gradient has something */
    unsigned n_pieces;
    struct piece pieces[KERNEL_PIECES_MAX];
};

struct rnn {
    struct device *device;
    const struct layer *layer;
    size_t directions, gates;
    cudnnDropoutDescriptor_t dropout; /* none, but cuDNN wants to be told so */
    unsigned n_ways;
    struct way ways[WAYS];
    struct device_buffer work;   /* cuDNN's, for the length of a call */
    struct device_buffer states; /* last states, or their gradient, one direction after the other */
    struct device_buffer zeros;  /* a gradient that is not there */
};

static int describe(struct rnn *rnn, struct way *way, struct error *err)
{
    const struct layer *layer = rnn->layer;
    int32_t in = (int32_t)layer->in, units = (int32_t)layer->units;

    CUDNN_TRY(cudnnCreateRNNDescriptor(&way->descriptor));
    CUDNN_TRY(cudnnSetRNNDescriptor_v8(
        way->descriptor, way->recipe->algorithm, layer->kind == LAYER_LSTM ? CUDNN_LSTM : CUDNN_GRU,
        CUDNN_RNN_DOUBLE_BIAS, layer->bidirectional ? CUDNN_BIDIRECTIONAL : CUDNN_UNIDIRECTIONAL,
        CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, in, units, units, 1,
        rnn->dropout, way->recipe->equal ? CUDNN_RNN_PADDED_IO_ENABLED : CUDNN_RNN_PADDED_IO_DISABLED));
    CUDNN_TRY(cudnnGetRNNWeightSpaceSize(rnn->device->cudnn, way->descriptor, &way->space));
    return 0;
}

/* Memory for the weights and their gradient; zeros, since there may be numbers that are nobody's. */
static int make_space(struct rnn *rnn, struct way *way, struct error *err)
{
    struct device *device = rnn->device;
    int r = device_buffer_reserve(device, &way->weights, way->space, 1, err);

    if (r == 0)
        r = device_buffer_reserve(device, &way->gradient, way->space, 1, err);
    if (r < 0)
        return r;
    CUDA_TRY(cudaMemsetAsync(way->weights.at, 0, way->space, device->stream));
    CUDA_TRY(cudaMemsetAsync(way->gradient.at, 0, way->space, device->stream));
    return 0;
}

/* Tensors of the layer that one linear map of cuDNN is a part of: gates of the input's, then of the state's.
 */
struct linear {
    size_t direction, gate;
    bool recurrent;
};

static void add_piece(struct way *way, const struct rnn *rnn, const struct linear *linear, bool bias,
                      const void *at)
{
    size_t units = rnn->layer->units, columns = bias ? 1 : linear->recurrent ? units : rnn->layer->in;

    way->pieces[way->n_pieces++] = (struct piece){
        .tensor = (unsigned)(linear->direction * TENSORS + (bias ? 2 : 0) + (linear->recurrent ? 1 : 0)),
        .in_tensor = linear->gate * units * columns,
        .in_space = (size_t)((const float *)at - (const float *)way->weights.at),
        .size = units * columns,
    };
}

static int ask_linear(struct rnn *rnn, struct way *way, const struct linear *linear,
                      cudnnTensorDescriptor_t matrix, cudnnTensorDescriptor_t bias, struct error *err)
{
    size_t id = linear->gate + (linear->recurrent ? rnn->gates : 0);
    void *matrix_at = NULL, *bias_at = NULL;

    CUDNN_TRY(cudnnGetRNNWeightParams(rnn->device->cudnn, way->descriptor, (int32_t)linear->direction,
                                      way->space, way->weights.at, (int32_t)id, matrix, &matrix_at, bias,
                                      &bias_at));
    if (matrix_at == NULL || bias_at == NULL)
        return error_set(err, -ENOTSUP, "cuda engine: cuDNN has no place for a layer's weights");
    add_piece(way, rnn, linear, false, matrix_at);
    add_piece(way, rnn, linear, true, bias_at);
    return 0;
}

static int ask_linears(struct rnn *rnn, struct way *way, cudnnTensorDescriptor_t matrix,
                       cudnnTensorDescriptor_t bias, struct error *err)
{
    int r = 0;

    for (size_t i = 0; i < rnn->directions * 2 * rnn->gates && r == 0; i++)
        r = ask_linear(rnn, way,
                       &(struct linear){i / (2 * rnn->gates), i % rnn->gates, i / rnn->gates % 2 == 1},
                       matrix, bias, err);
    return r;
}

/* Where cuDNN keeps each part of the weights. */
static int ask_pieces(struct rnn *rnn, struct way *way, struct error *err)
{
    cudnnTensorDescriptor_t matrix = NULL, bias = NULL;
    int r = status_cudnn(cudnnCreateTensorDescriptor(&matrix), "cudnnCreateTensorDescriptor", err);

    if (r == 0)
        r = status_cudnn(cudnnCreateTensorDescriptor(&bias), "cudnnCreateTensorDescriptor", err);
    if (r == 0)
        r = ask_linears(rnn, way, matrix, bias, err);
    if (bias != NULL)
        (void)cudnnDestroyTensorDescriptor(bias);
    if (matrix != NULL)
        (void)cudnnDestroyTensorDescriptor(matrix);
    return r;
}

static void way_deinit(struct way *way)
{
    if (way->descriptor != NULL)
        (void)cudnnDestroyRNNDescriptor(way->descriptor);
    device_buffer_deinit(&way->weights);
    device_buffer_deinit(&way->gradient);
    *way = (struct way){0};
}

static int use_prepare(struct rnn *rnn, const struct way *way, struct rnn_use *use,
                       const struct layout_element *layout, struct error *err)
{
    const struct layer *layer = rnn->layer;
    cudnnRNNDataLayout_t order = way->recipe->equal ? CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED
                                                    : CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED;
    const int *lengths = (const int *)layout->lengths;
    int steps = (int)layout->n_steps, n = (int)layout->n_instances, units = (int)layer->units;
    int dims[STATE_RANK] = {(int)rnn->directions, n, units}, strides[STATE_RANK] = {n * units, units, 1};
    float zero = 0;

    if ((uint64_t)layout->n_instances * layer->units > INT_MAX)
        return error_set(err, -ENOMEM, "cuda engine: a batch with more states than cuDNN can count");
    if (use->x == NULL)
        CUDNN_TRY(cudnnCreateRNNDataDescriptor(&use->x));
    if (use->y == NULL)
        CUDNN_TRY(cudnnCreateRNNDataDescriptor(&use->y));
    if (use->state == NULL)
        CUDNN_TRY(cudnnCreateTensorDescriptor(&use->state));
    CUDNN_TRY(
        cudnnSetRNNDataDescriptor(use->x, CUDNN_DATA_FLOAT, order, steps, n, (int)layer->in, lengths, &zero));
    CUDNN_TRY(cudnnSetRNNDataDescriptor(use->y, CUDNN_DATA_FLOAT, order, steps, n, (int)layer->out, lengths,
                                        &zero));
    CUDNN_TRY(cudnnSetTensorNdDescriptor(use->state, CUDNN_DATA_FLOAT, STATE_RANK, dims, strides));
    return 0;
}

/* Room for what cuDNN needs besides. reserve: what it leaves for backward; octets of both. */
static int use_reserve(struct rnn *rnn, const struct way *way, struct rnn_use *use, bool training,
                       size_t *work, size_t *reserve, struct error *err)
{
    cudnnForwardMode_t mode = training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
    int r;

    CUDNN_TRY(cudnnGetRNNTempSpaceSizes(rnn->device->cudnn, way->descriptor, mode, use->x, work, reserve));
    r = device_buffer_reserve(rnn->device, &rnn->work, *work, 1, err);
    if (r == 0 && training)
        r = device_buffer_reserve(rnn->device, &use->reserve, *reserve, 1, err);
    return r;
}

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

/* One call of cuDNN's forward; hy may be NULL. */
static int way_forward(struct rnn *rnn, struct way *way, struct rnn_use *use,
                       const struct layout_element *layout, const float *x, float *y, float *hy,
                       bool training, struct error *err)
{
    size_t work, reserve;
    int r = use_prepare(rnn, way, use, layout, err);

    if (r == 0)
        r = use_reserve(rnn, way, use, training, &work, &reserve, err);
    if (r < 0)
        return r;
    CUDNN_TRY(cudnnRNNForward(
        rnn->device->cudnn, way->descriptor, training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE,
        layout->step_lengths, use->x, x, use->y, y, use->state, NULL, hy, use->state, NULL, NULL, way->space,
        way->weights.at, work, rnn->work.at, training ? reserve : 0, training ? use->reserve.at : NULL));
    return 0;
}

static int way_backward(struct rnn *rnn, struct way *way, struct rnn_use *use,
                        const struct layout_element *layout, const float *x, const float *y, const float *dy,
                        const float *dhy, float *dx, struct error *err)
{
    size_t work, reserve;
    int r = use_reserve(rnn, way, use, true, &work, &reserve, err);

    if (r < 0)
        return r;
    CUDNN_TRY(cudnnRNNBackwardData_v8(rnn->device->cudnn, way->descriptor, layout->step_lengths, use->y, y,
                                      dy, use->x, dx, use->state, NULL, dhy, NULL, use->state, NULL, NULL,
                                      NULL, way->space, way->weights.at, work, rnn->work.at, reserve,
                                      use->reserve.at));
    CUDNN_TRY(cudnnRNNBackwardWeights_v8(rnn->device->cudnn, way->descriptor, CUDNN_WGRAD_MODE_ADD,
                                         layout->step_lengths, use->x, x, use->state, NULL, use->y, y,
                                         way->space, way->gradient.at, work, rnn->work.at, reserve,
                                         use->reserve.at));
    way->gathered = true;
    return 0;
}

/* Whether all lists have one length. */
static bool is_equal(const struct layout_element *layout)
{
    return layout->n_positions == (uint64_t)layout->n_instances * layout->n_steps;
}

/* Take the first way that does it. Return: -ENOTSUP: not even the last, which takes all. */
static int go_forward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout,
                      const float *x, float *y, float *hy, bool training, struct error *err)
{
    int r = -ENOTSUP;

    for (use->way = 0; use->way < rnn->n_ways; use->way++) {
        struct way *way = &rnn->ways[use->way];

        if (way->recipe->equal && !is_equal(layout))
            continue;
        r = way_forward(rnn, way, use, layout, x, y, hy, training, err);
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
        CUDA_TRY(cudaMemsetAsync(zeros->at, 0, zeros->octets, rnn->device->stream));
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
    r = way_backward(rnn, &rnn->ways[use->way], use, layout, x, y, dy != NULL ? dy : rnn->zeros.at,
                     apart ? rnn->states.at : dlast, dx, err);
    return as_device_error(r, err);
}

/* Some lists of two steps on the device, for way_try(): lengths, x, y, dx one after the other. */
enum { TRIED_LISTS = 32, TRIED_STEPS = 2, TRIED = TRIED_LISTS * TRIED_STEPS };

/* Forward and back, once; nothing comes of it but whether cuDNN does it. */
static int way_try(struct rnn *rnn, struct way *way, struct error *err)
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

        r = way_forward(rnn, way, &use, &layout, x, y, NULL, true, err);
        if (r == 0)
            r = way_backward(rnn, way, &use, &layout, x, y, rnn->zeros.at, NULL, dx, err);
        if (r == 0)
            r = device_wait(device, err);
    }
    rnn_use_deinit(&use);
    device_buffer_deinit(&memory);
    return r;
}

static int way_make(struct rnn *rnn, struct way *way, struct error *err)
{
    int r = describe(rnn, way, err);

    if (r == 0)
        r = make_space(rnn, way, err);
    if (r == 0)
        r = ask_pieces(rnn, way, err);
    if (r == 0)
        r = way_try(rnn, way, err);
    return r;
}

static int make_ways(struct rnn *rnn, struct error *err)
{
    int r = 0;

    for (unsigned i = 0; i < WAYS; i++) {
        struct way *way = &rnn->ways[rnn->n_ways];

        way->recipe = &recipes[i];
        r = way_make(rnn, way, err);
        if (r == 0)
            rnn->n_ways++;
        else if (r == -ENOTSUP && i + 1 < WAYS)
            way_deinit(way);
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
    rnn->gates = layer->kind == LAYER_LSTM ? 4 : 3;
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

void rnn_free(struct rnn *rnn)
{
    if (rnn == NULL)
        return;
    for (unsigned i = 0; i < WAYS; i++)
        way_deinit(&rnn->ways[i]);
    if (rnn->dropout != NULL)
        (void)cudnnDestroyDropoutDescriptor(rnn->dropout);
    device_buffer_deinit(&rnn->work);
    device_buffer_deinit(&rnn->states);
    device_buffer_deinit(&rnn->zeros);
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

/* The way's pieces, by where they stand in the whole weight block. */
static struct kernel_pieces place(const struct rnn *rnn, const struct way *way, const struct tree *tree)
{
    struct kernel_pieces all = {.n = way->n_pieces};

    for (unsigned i = 0; i < way->n_pieces; i++) {
        const struct piece *piece = &way->pieces[i];
        const struct tensor *tensor = &tree->tensors[rnn->layer->tensors[piece->tensor]];

        all.pieces[i].block = (uint32_t)(tensor->offset + piece->in_tensor);
        all.pieces[i].space = (uint32_t)piece->in_space;
        all.pieces[i].size = (uint32_t)piece->size;
    }
    return all;
}

int rnn_pack(struct rnn *rnn, const struct tree *tree, const float *weights, struct error *err)
{
    for (unsigned i = 0; i < rnn->n_ways; i++) {
        struct kernel_pieces pieces = place(rnn, &rnn->ways[i], tree);

        CUDA_TRY(kernel_pack(rnn->device->stream, &pieces, rnn->ways[i].weights.at, weights));
    }
    return 0;
}

int rnn_gradient_clear(struct rnn *rnn, struct error *err)
{
    for (unsigned i = 0; i < rnn->n_ways; i++) {
        struct way *way = &rnn->ways[i];

        if (way->gathered)
            CUDA_TRY(cudaMemsetAsync(way->gradient.at, 0, way->space, rnn->device->stream));
        way->gathered = false;
    }
    return 0;
}

int rnn_gradient_unpack(struct rnn *rnn, const struct tree *tree, float *gradient, struct error *err)
{
    bool add = false;

    for (unsigned i = 0; i < rnn->n_ways; i++) {
        struct kernel_pieces pieces = place(rnn, &rnn->ways[i], tree);

        if (!rnn->ways[i].gathered && (add || i + 1 < rnn->n_ways))
            continue;
        CUDA_TRY(kernel_unpack(rnn->device->stream, &pieces, gradient, rnn->ways[i].gradient.at, add));
        add = true;
    }
    return 0;
}

/* Which numbers are whose: cuDNN is asked once where it keeps each part of the weights, and the answer kept
 * as a list of pieces, by which one kernel packs all weights of the layer, and another takes the gradient
 * back.
 */
#include "core/cuda/rnn_way.h"

#include <errno.h>
#include <limits.h>

#include "core/cuda/rnn_ops.h"
#include "core/cuda/status.h"

enum { TENSORS = 4 /* a direction */, STATE_RANK = 3 };

static size_t gates_of(const struct layer *layer)
{
    return layer->kind == LAYER_LSTM ? 4 : 3;
}

static int describe(struct rnn_way *way, cudnnDropoutDescriptor_t dropout, struct error *err)
{
    const struct layer *layer = way->layer;
    int32_t in = (int32_t)layer->in, units = (int32_t)layer->units;

    CUDNN_TRY(cudnnCreateRNNDescriptor(&way->descriptor));
    CUDNN_TRY(cudnnSetRNNDescriptor_v8(
        way->descriptor, way->recipe->algorithm, layer->kind == LAYER_LSTM ? CUDNN_LSTM : CUDNN_GRU,
        CUDNN_RNN_DOUBLE_BIAS, layer->bidirectional ? CUDNN_BIDIRECTIONAL : CUDNN_UNIDIRECTIONAL,
        CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT, CUDNN_FMA_MATH, in, units, units, 1, dropout,
        way->recipe->equal ? CUDNN_RNN_PADDED_IO_ENABLED : CUDNN_RNN_PADDED_IO_DISABLED));
    CUDNN_TRY(cudnnGetRNNWeightSpaceSize(way->device->cudnn, way->descriptor, &way->space));
    return 0;
}

/* Memory for the weights and their gradient; zeros, since there may be numbers that are nobody's. */
static int make_space(struct rnn_way *way, struct error *err)
{
    struct device *device = way->device;
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

static void add_piece(struct rnn_way *way, const struct linear *linear, bool bias, const void *at)
{
    size_t units = way->layer->units, columns = bias ? 1 : linear->recurrent ? units : way->layer->in;

    way->pieces[way->n_pieces++] = (struct rnn_piece){
        .tensor = (unsigned)(linear->direction * TENSORS + (bias ? 2 : 0) + (linear->recurrent ? 1 : 0)),
        .in_tensor = linear->gate * units * columns,
        .in_space = (size_t)((const float *)at - (const float *)way->weights.at),
        .size = units * columns,
    };
}

static int ask_linear(struct rnn_way *way, const struct linear *linear, cudnnTensorDescriptor_t matrix,
                      cudnnTensorDescriptor_t bias, struct error *err)
{
    size_t id = linear->gate + (linear->recurrent ? gates_of(way->layer) : 0);
    void *matrix_at = NULL, *bias_at = NULL;

    CUDNN_TRY(cudnnGetRNNWeightParams(way->device->cudnn, way->descriptor, (int32_t)linear->direction,
                                      way->space, way->weights.at, (int32_t)id, matrix, &matrix_at, bias,
                                      &bias_at));
    if (matrix_at == NULL || bias_at == NULL)
        return error_set(err, -ENOTSUP, "cuda engine: cuDNN has no place for a layer's weights");
    add_piece(way, linear, false, matrix_at);
    add_piece(way, linear, true, bias_at);
    return 0;
}

static int ask_linears(struct rnn_way *way, cudnnTensorDescriptor_t matrix, cudnnTensorDescriptor_t bias,
                       struct error *err)
{
    size_t gates = gates_of(way->layer), n = rnn_directions(way->layer) * 2 * gates;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = ask_linear(way, &(struct linear){i / (2 * gates), i % gates, i / gates % 2 == 1}, matrix, bias,
                       err);
    return r;
}

/* Where cuDNN keeps each part of the weights. */
static int ask_pieces(struct rnn_way *way, struct error *err)
{
    cudnnTensorDescriptor_t matrix = NULL, bias = NULL;
    int r = status_cudnn(cudnnCreateTensorDescriptor(&matrix), "cudnnCreateTensorDescriptor", err);

    if (r == 0)
        r = status_cudnn(cudnnCreateTensorDescriptor(&bias), "cudnnCreateTensorDescriptor", err);
    if (r == 0)
        r = ask_linears(way, matrix, bias, err);
    if (bias != NULL)
        (void)cudnnDestroyTensorDescriptor(bias);
    if (matrix != NULL)
        (void)cudnnDestroyTensorDescriptor(matrix);
    return r;
}

void rnn_way_deinit(struct rnn_way *way)
{
    if (way->descriptor != NULL)
        (void)cudnnDestroyRNNDescriptor(way->descriptor);
    device_buffer_deinit(&way->weights);
    device_buffer_deinit(&way->gradient);
    *way = (struct rnn_way){0};
}

/* Tell cuDNN what the batch is. */
static int use_prepare(const struct rnn_way *way, struct rnn_use *use, const struct layout_element *layout,
                       struct error *err)
{
    const struct layer *layer = way->layer;
    cudnnRNNDataLayout_t order = way->recipe->equal ? CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED
                                                    : CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED;
    const int *lengths = (const int *)layout->lengths;
    int steps = (int)layout->n_steps, n = (int)layout->n_instances, units = (int)layer->units;
    int dims[STATE_RANK] = {(int)rnn_directions(layer), n, units}, strides[STATE_RANK] = {0, units, 1};
    float zero = 0;

    if ((uint64_t)layout->n_instances * layer->units > INT_MAX)
        return error_set(err, -ENOMEM, "cuda engine: a batch with more states than cuDNN can count");
    strides[0] = n * units;
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

/* Octets that cuDNN needs besides: for the length of a call, and left by forward for backward. */
struct spaces {
    size_t work, reserve;
};

static int make_spaces(const struct rnn_way *way, struct rnn_use *use, struct device_buffer *work,
                       bool training, struct spaces *spaces, struct error *err)
{
    cudnnForwardMode_t mode = training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE;
    int r;

    CUDNN_TRY(cudnnGetRNNTempSpaceSizes(way->device->cudnn, way->descriptor, mode, use->x, &spaces->work,
                                        &spaces->reserve));
    r = device_buffer_reserve(way->device, work, spaces->work, 1, err);
    if (r == 0 && training)
        r = device_buffer_reserve(way->device, &use->reserve, spaces->reserve, 1, err);
    return r;
}

int rnn_way_forward(struct rnn_way *way, struct rnn_use *use, struct device_buffer *work,
                    const struct layout_element *layout, const float *x, float *y, float *hy, bool training,
                    struct error *err)
{
    struct spaces spaces;
    int r = use_prepare(way, use, layout, err);

    if (r == 0)
        r = make_spaces(way, use, work, training, &spaces, err);
    if (r < 0)
        return r;
    CUDNN_TRY(cudnnRNNForward(way->device->cudnn, way->descriptor,
                              training ? CUDNN_FWD_MODE_TRAINING : CUDNN_FWD_MODE_INFERENCE,
                              layout->step_lengths, use->x, x, use->y, y, use->state, NULL, hy, use->state,
                              NULL, NULL, way->space, way->weights.at, spaces.work, work->at,
                              training ? spaces.reserve : 0, training ? use->reserve.at : NULL));
    return 0;
}

int rnn_way_backward(struct rnn_way *way, struct rnn_use *use, struct device_buffer *work,
                     const struct layout_element *layout, const float *x, const float *y, const float *dy,
                     const float *dhy, float *dx, struct error *err)
{
    struct spaces spaces;
    int r = make_spaces(way, use, work, true, &spaces, err);

    if (r < 0)
        return r;
    CUDNN_TRY(cudnnRNNBackwardData_v8(way->device->cudnn, way->descriptor, layout->step_lengths, use->y, y,
                                      dy, use->x, dx, use->state, NULL, dhy, NULL, use->state, NULL, NULL,
                                      NULL, way->space, way->weights.at, spaces.work, work->at,
                                      spaces.reserve, use->reserve.at));
    CUDNN_TRY(cudnnRNNBackwardWeights_v8(way->device->cudnn, way->descriptor, CUDNN_WGRAD_MODE_ADD,
                                         layout->step_lengths, use->x, x, use->state, NULL, use->y, y,
                                         way->space, way->gradient.at, spaces.work, work->at, spaces.reserve,
                                         use->reserve.at));
    way->gathered = true;
    return 0;
}

int rnn_way_init(struct rnn_way *way, const struct rnn_recipe *recipe, struct device *device,
                 const struct layer *layer, cudnnDropoutDescriptor_t dropout, struct error *err)
{
    int r;

    *way = (struct rnn_way){.recipe = recipe, .device = device, .layer = layer};
    r = describe(way, dropout, err);
    if (r == 0)
        r = make_space(way, err);
    if (r == 0)
        r = ask_pieces(way, err);
    return r;
}

bool rnn_way_takes(const struct rnn_way *way, const struct layout_element *layout)
{
    return !way->recipe->equal || layout->n_positions == (uint64_t)layout->n_instances * layout->n_steps;
}

/* The pieces, by where they stand in the whole weight block. */
static struct kernel_pieces place(const struct rnn_way *way, const struct tree *tree)
{
    struct kernel_pieces all = {.n = way->n_pieces};

    for (unsigned i = 0; i < way->n_pieces; i++) {
        const struct rnn_piece *piece = &way->pieces[i];
        const struct tensor *tensor = &tree->tensors[way->layer->tensors[piece->tensor]];

        all.pieces[i].block = (uint32_t)(tensor->offset + piece->in_tensor);
        all.pieces[i].space = (uint32_t)piece->in_space;
        all.pieces[i].size = (uint32_t)piece->size;
    }
    return all;
}

int rnn_way_pack(struct rnn_way *way, const struct tree *tree, const float *weights, struct error *err)
{
    struct kernel_pieces pieces = place(way, tree);

    CUDA_TRY(kernel_pack(way->device->stream, &pieces, way->weights.at, weights));
    return 0;
}

int rnn_way_add(struct rnn_way *way, const struct tree *tree, float *gradient, struct error *err)
{
    struct kernel_pieces pieces = place(way, tree);

    CUDA_TRY(kernel_add(way->device->stream, &pieces, gradient, way->gradient.at));
    return 0;
}

int rnn_way_clear(struct rnn_way *way, struct error *err)
{
    if (way->gathered)
        CUDA_TRY(cudaMemsetAsync(way->gradient.at, 0, way->space, way->device->stream));
    way->gathered = false;
    return 0;
}

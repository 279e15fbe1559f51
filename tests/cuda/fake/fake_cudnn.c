/* cuDNN: descriptors, and what it checks before it takes a call.
 *
 * Two of the algorithms differ here: CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H takes small layers only, and only
 * lists of one length, laid out unpacked; all others take any.
 */
#include "tests/cuda/fake/fake_cudnn.h"

#include <stdlib.h>
#include <string.h>

#include "tests/cuda/fake/fake_parts.h"

enum { SMALL_UNITS = 64, WORK_FLOATS = 24, PAGE = 256 };

static const struct {
    cudnnStatus_t status;
    const char *text;
} texts[] = {
    {CUDNN_STATUS_SUCCESS, "CUDNN_STATUS_SUCCESS"},
    {CUDNN_STATUS_NOT_INITIALIZED, "CUDNN_STATUS_NOT_INITIALIZED"},
    {CUDNN_STATUS_BAD_PARAM, "CUDNN_STATUS_BAD_PARAM"},
    {CUDNN_STATUS_NOT_SUPPORTED, "CUDNN_STATUS_NOT_SUPPORTED"},
    {CUDNN_STATUS_INTERNAL_ERROR, "CUDNN_STATUS_INTERNAL_ERROR"},
    {CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
     "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"},
    {CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED,
     "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"},
    {CUDNN_STATUS_EXECUTION_FAILED, "CUDNN_STATUS_EXECUTION_FAILED"},
};

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "CUDNN_UNKNOWN_STATUS";
}

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

static cudnnStatus_t enter(enum fake_call kind)
{
    static const cudnnStatus_t statuses[] = {
        [FAKE_NO_MEMORY] = CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED,
        [FAKE_REFUSED] = CUDNN_STATUS_NOT_SUPPORTED,
        [FAKE_GONE] = CUDNN_STATUS_EXECUTION_FAILED,
        [FAKE_LATER] = CUDNN_STATUS_SUCCESS,
    };
    enum fake_failure failure;

    return fake_enter(kind, &failure) ? statuses[failure] : CUDNN_STATUS_SUCCESS;
}

/* Every object is made and released alike. */
static cudnnStatus_t make(void **at, size_t size)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    *at = fake_new(size);
    fake_hold(1);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t release(void *at)
{
    cudnnStatus_t r = enter(FAKE_RELEASE);

    if (at == NULL)
        return CUDNN_STATUS_BAD_PARAM;
    free(at);
    fake_hold(-1);
    return r;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    return make((void **)handle, sizeof **handle);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    return release(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    if (r == CUDNN_STATUS_SUCCESS)
        handle->stream = stream;
    return r;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *tensor)
{
    return make((void **)tensor, sizeof **tensor);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor)
{
    return release(tensor);
}

static void tensor_set(struct fake_tensor *tensor, int rank, const int *dims, const int *strides)
{
    tensor->rank = rank;
    memcpy(tensor->dims, dims, (size_t)rank * sizeof *dims);
    memcpy(tensor->strides, strides, (size_t)rank * sizeof *strides);
}

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type, int rank,
                                         const int dims[], const int strides[])
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (type != CUDNN_DATA_FLOAT || rank < 3 || rank > FAKE_RANK_MAX)
        return CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 1 || strides[i] < 1)
            return CUDNN_STATUS_BAD_PARAM;
    tensor_set(tensor, rank, dims, strides);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t tensor, int rank_most,
                                         cudnnDataType_t *type, int *rank, int dims[], int strides[])
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    *type = CUDNN_DATA_FLOAT;
    *rank = tensor->rank;
    for (int i = 0; i < rank_most && i < tensor->rank; i++) {
        dims[i] = tensor->dims[i];
        strides[i] = tensor->strides[i];
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t *dropout)
{
    return make((void **)dropout, sizeof **dropout);
}

cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t dropout)
{
    return release(dropout);
}

cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t dropout, cudnnHandle_t handle, float rate,
                                        void *states, size_t size, unsigned long long seed)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    (void)handle;
    (void)states;
    (void)size;
    (void)seed;
    if (r == CUDNN_STATUS_SUCCESS)
        dropout->rate = rate;
    return r;
}

cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t *rnn)
{
    return make((void **)rnn, sizeof **rnn);
}

cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t rnn)
{
    return release(rnn);
}

cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algorithm,
                                       cudnnRNNMode_t cell, cudnnRNNBiasMode_t bias,
                                       cudnnDirectionMode_t direction, cudnnRNNInputMode_t input,
                                       cudnnDataType_t type, cudnnDataType_t precision, cudnnMathType_t math,
                                       int32_t input_size, int32_t hidden_size, int32_t projection_size,
                                       int32_t layers, cudnnDropoutDescriptor_t dropout, uint32_t flags)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);
    bool small = algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H;

    (void)dropout;
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (input_size < 1 || hidden_size < 1 || layers != 1 || projection_size != hidden_size ||
        type != CUDNN_DATA_FLOAT || precision != CUDNN_DATA_FLOAT || bias != CUDNN_RNN_DOUBLE_BIAS ||
        input != CUDNN_LINEAR_INPUT || (cell != CUDNN_LSTM && cell != CUDNN_GRU))
        return CUDNN_STATUS_BAD_PARAM;
    if (math != CUDNN_FMA_MATH)
        fake_die("cudnnSetRNNDescriptor_v8: a device may compute in TF32, which is not exact enough");
    if (small && (fake_setup.small_refused || hidden_size > SMALL_UNITS))
        return CUDNN_STATUS_NOT_SUPPORTED;
    *rnn = (struct fake_rnn){
        .set = true,
        .algorithm = algorithm,
        .cell = cell,
        .directions = direction == CUDNN_BIDIRECTIONAL ? 2 : 1,
        .gates = cell == CUDNN_LSTM ? 4 : 3,
        .in = (size_t)input_size,
        .units = (size_t)hidden_size,
        .padded_io = (flags & CUDNN_RNN_PADDED_IO_ENABLED) != 0,
    };
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t *data)
{
    return make((void **)data, sizeof **data);
}

cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t data)
{
    if (data != NULL)
        free(data->lengths);
    return release(data);
}

cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t data, cudnnDataType_t type,
                                        cudnnRNNDataLayout_t layout, int steps, int batch, int vector,
                                        const int lengths[], void *padding)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);
    bool packed = layout == CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED;
    size_t positions = 0;
    int *copy;

    (void)padding;
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (type != CUDNN_DATA_FLOAT || steps < 1 || batch < 1 || vector < 1)
        return CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < batch; i++) {
        if (lengths[i] < (packed ? 1 : 0) || lengths[i] > steps)
            return CUDNN_STATUS_BAD_PARAM;
        if (packed && i > 0 && lengths[i] > lengths[i - 1])
            return CUDNN_STATUS_BAD_PARAM;
        positions += (size_t)lengths[i];
    }
    copy = fake_new((size_t)batch * sizeof *copy);
    memcpy(copy, lengths, (size_t)batch * sizeof *copy);
    free(data->lengths);
    *data = (struct fake_rnn_data){packed,
                                   (size_t)steps,
                                   (size_t)batch,
                                   (size_t)vector,
                                   packed ? positions : (size_t)steps * (size_t)batch,
                                   copy};
    return CUDNN_STATUS_SUCCESS;
}

static size_t work_octets(const struct fake_rnn *rnn, const struct fake_rnn_data *data)
{
    return PAGE + data->positions * rnn->directions * rnn->units * WORK_FLOATS;
}

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                        cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t x,
                                        size_t *work_size, size_t *reserve_size)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    (void)handle;
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (!rnn->set || x->lengths == NULL || x->vector != rnn->in)
        return CUDNN_STATUS_BAD_PARAM;
    *work_size = work_octets(rnn, x);
    *reserve_size = mode == CUDNN_FWD_MODE_TRAINING ? fake_rnn_reserve(rnn, x) * sizeof(float) : 0;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, size_t *size)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);

    (void)handle;
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (!rnn->set)
        return CUDNN_STATUS_BAD_PARAM;
    *size = fake_rnn_weights(rnn) * sizeof(float);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, int32_t pseudo_layer,
                                      size_t weight_size, const void *weights, int32_t id,
                                      cudnnTensorDescriptor_t matrix, void **matrix_at,
                                      cudnnTensorDescriptor_t bias, void **bias_at)
{
    cudnnStatus_t r = enter(FAKE_CUDNN);
    struct fake_gate gate;

    (void)handle;
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (!rnn->set || pseudo_layer < 0 || pseudo_layer >= (int)rnn->directions || id < 0 ||
        id >= 2 * (int)rnn->gates || weight_size < fake_rnn_weights(rnn) * sizeof(float))
        return CUDNN_STATUS_BAD_PARAM;
    gate = fake_rnn_gate(rnn, (size_t)pseudo_layer, (size_t)id);
    tensor_set(matrix, 3, (int[]){1, (int)rnn->units, (int)gate.columns},
               (int[]){(int)(rnn->units * gate.columns), (int)gate.columns, 1});
    tensor_set(bias, 3, (int[]){1, (int)rnn->units, 1}, (int[]){(int)rnn->units, 1, 1});
    *matrix_at = (float *)weights + gate.matrix;
    *bias_at = (float *)weights + gate.bias;
    return CUDNN_STATUS_SUCCESS;
}

/* Whether a descriptor of states fits. */
static bool state_fits(const struct fake_tensor *t, const struct fake_rnn *rnn,
                       const struct fake_rnn_data *data)
{
    return t->rank == 3 && t->dims[0] == (int)rnn->directions && t->dims[1] == (int)data->batch &&
           t->dims[2] == (int)rnn->units && t->strides[2] == 1 && t->strides[1] == t->dims[2] &&
           t->strides[0] == t->dims[1] * t->dims[2];
}

struct sizes {
    size_t weights, work, reserve;
};

static cudnnStatus_t check(const struct fake_rnn *rnn, const struct fake_rnn_data *x,
                           const struct fake_rnn_data *y, const struct fake_tensor *state,
                           const struct sizes *sizes)
{
    bool same = true;

    if (!rnn->set || x->lengths == NULL || y->lengths == NULL || x->vector != rnn->in ||
        y->vector != rnn->units * rnn->directions || x->batch != y->batch || x->steps != y->steps ||
        x->packed != y->packed || memcmp(x->lengths, y->lengths, x->batch * sizeof *x->lengths) != 0 ||
        !state_fits(state, rnn, x))
        return CUDNN_STATUS_BAD_PARAM;
    if (sizes->weights < fake_rnn_weights(rnn) * sizeof(float) || sizes->work < work_octets(rnn, x) ||
        sizes->reserve < fake_rnn_reserve(rnn, x) * sizeof(float))
        return CUDNN_STATUS_BAD_PARAM;
    for (size_t i = 0; i < x->batch; i++)
        same = same && x->lengths[i] == (int)x->steps;
    if (x->packed && rnn->padded_io)
        return CUDNN_STATUS_NOT_SUPPORTED;
    if (rnn->algorithm == CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H && (!same || x->packed))
        return CUDNN_STATUS_NOT_SUPPORTED;
    return !x->packed && !rnn->padded_io && !same ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
}

static void work_drop(void *context)
{
    struct fake_rnn_work *work = context;

    free(work->data.lengths);
    free(work);
}

static void need(const char *call, const char *argument, const void *at, size_t floats, bool may_miss)
{
    if (at != NULL || !may_miss)
        fake_need(call, argument, at, floats * sizeof(float));
}

static cudnnStatus_t queue(const char *call, cudnnHandle_t handle, const struct fake_rnn_work *work,
                           const struct fake_rnn_data *data, void (*run)(void *))
{
    struct fake_rnn_work *mine = fake_new(sizeof *mine);
    int *lengths = fake_new(data->batch * sizeof *lengths);

    memcpy(lengths, data->lengths, data->batch * sizeof *lengths);
    *mine = *work;
    mine->data = *data;
    mine->data.lengths = lengths;
    fake_need(call, "lengths", work->lengths, data->batch * sizeof *lengths);
    fake_need(call, "work", work->work, work->work_size);
    fake_stream_queue(handle->stream, run, work_drop, mine);
    return CUDNN_STATUS_SUCCESS;
}

/* Numbers of the inputs, the outputs, the states. */
struct extents {
    size_t x, y, state;
};

static struct extents extents(const struct fake_rnn *rnn, const struct fake_rnn_data *data)
{
    size_t out = rnn->directions * rnn->units;

    return (struct extents){data->positions * rnn->in, data->positions * out, data->batch * out};
}

static void forward_run(void *context)
{
    fake_rnn_forward(context);
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                              const int32_t lengths[], cudnnRNNDataDescriptor_t x_data, const void *x,
                              cudnnRNNDataDescriptor_t y_data, void *y, cudnnTensorDescriptor_t h_tensor,
                              const void *hx, void *hy, cudnnTensorDescriptor_t c_tensor, const void *cx,
                              void *cy, size_t weight_size, const void *weights, size_t work_size, void *work,
                              size_t reserve_size, void *reserve)
{
    static const char call[] = "cudnnRNNForward";
    bool training = mode == CUDNN_FWD_MODE_TRAINING;
    cudnnStatus_t r = enter(FAKE_CUDNN);
    struct extents n;

    (void)c_tensor;
    if (r == CUDNN_STATUS_SUCCESS)
        r = check(rnn, x_data, y_data, h_tensor,
                  &(struct sizes){weight_size, work_size, training ? reserve_size : SIZE_MAX});
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    n = extents(rnn, x_data);
    need(call, "x", x, n.x, false);
    need(call, "y", y, n.y, false);
    need(call, "hx", hx, n.state, true);
    need(call, "hy", hy, n.state, true);
    need(call, "cx", cx, n.state, true);
    need(call, "cy", cy, n.state, true);
    need(call, "weights", weights, weight_size / sizeof(float), false);
    if (training)
        need(call, "reserve", reserve, reserve_size / sizeof(float), false);
    return queue(call, handle,
                 &(struct fake_rnn_work){.rnn = *rnn,
                                         .training = training,
                                         .lengths = lengths,
                                         .x = x,
                                         .y = y,
                                         .hx = hx,
                                         .hy = hy,
                                         .cx = cx,
                                         .cy = cy,
                                         .weights = weights,
                                         .work = work,
                                         .work_size = work_size,
                                         .reserve = reserve},
                 x_data, forward_run);
}

static void backward_data_run(void *context)
{
    fake_rnn_backward_data(context);
}

cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, const int32_t lengths[],
                                      cudnnRNNDataDescriptor_t y_data, const void *y, const void *dy,
                                      cudnnRNNDataDescriptor_t x_data, void *dx,
                                      cudnnTensorDescriptor_t h_tensor, const void *hx, const void *dhy,
                                      void *dhx, cudnnTensorDescriptor_t c_tensor, const void *cx,
                                      const void *dcy, void *dcx, size_t weight_size, const void *weights,
                                      size_t work_size, void *work, size_t reserve_size, void *reserve)
{
    static const char call[] = "cudnnRNNBackwardData_v8";
    cudnnStatus_t r = enter(FAKE_CUDNN);
    struct extents n;

    (void)c_tensor;
    if (r == CUDNN_STATUS_SUCCESS)
        r = check(rnn, x_data, y_data, h_tensor, &(struct sizes){weight_size, work_size, reserve_size});
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    n = extents(rnn, x_data);
    need(call, "y", y, n.y, false);
    need(call, "dy", dy, n.y, false);
    need(call, "dx", dx, n.x, false);
    need(call, "hx", hx, n.state, true);
    need(call, "dhy", dhy, n.state, true);
    need(call, "dhx", dhx, n.state, true);
    need(call, "cx", cx, n.state, true);
    need(call, "dcy", dcy, n.state, true);
    need(call, "dcx", dcx, n.state, true);
    need(call, "weights", weights, weight_size / sizeof(float), false);
    need(call, "reserve", reserve, reserve_size / sizeof(float), false);
    return queue(call, handle,
                 &(struct fake_rnn_work){.rnn = *rnn,
                                         .lengths = lengths,
                                         .y = (float *)y,
                                         .dy = dy,
                                         .dx = dx,
                                         .hx = hx,
                                         .dhy = dhy,
                                         .dhx = dhx,
                                         .cx = cx,
                                         .dcy = dcy,
                                         .dcx = dcx,
                                         .weights = weights,
                                         .work = work,
                                         .work_size = work_size,
                                         .reserve = reserve},
                 x_data, backward_data_run);
}

static void backward_weights_run(void *context)
{
    fake_rnn_backward_weights(context);
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, cudnnWgradMode_t add,
                                         const int32_t lengths[], cudnnRNNDataDescriptor_t x_data,
                                         const void *x, cudnnTensorDescriptor_t h_tensor, const void *hx,
                                         cudnnRNNDataDescriptor_t y_data, const void *y, size_t weight_size,
                                         void *dweights, size_t work_size, void *work, size_t reserve_size,
                                         void *reserve)
{
    static const char call[] = "cudnnRNNBackwardWeights_v8";
    cudnnStatus_t r = enter(FAKE_CUDNN);
    struct extents n;

    if (r == CUDNN_STATUS_SUCCESS)
        r = check(rnn, x_data, y_data, h_tensor, &(struct sizes){weight_size, work_size, reserve_size});
    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    if (add != CUDNN_WGRAD_MODE_ADD)
        return CUDNN_STATUS_NOT_SUPPORTED;
    n = extents(rnn, x_data);
    need(call, "x", x, n.x, false);
    need(call, "y", y, n.y, false);
    need(call, "hx", hx, n.state, true);
    need(call, "dweights", dweights, weight_size / sizeof(float), false);
    need(call, "reserve", reserve, reserve_size / sizeof(float), false);
    return queue(call, handle,
                 &(struct fake_rnn_work){.rnn = *rnn,
                                         .lengths = lengths,
                                         .x = x,
                                         .y = (float *)y,
                                         .hx = hx,
                                         .dweights = dweights,
                                         .work = work,
                                         .work_size = work_size,
                                         .reserve = reserve},
                 x_data, backward_weights_run);
}

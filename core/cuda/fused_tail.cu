/* The rest of a tree: a list of operations, carried out by each block for some flows.
 *
 * Vectors stand in shared memory, place by place, the flows of a block side by side. A thread computes one
 * output for four flows, so that a weight is read once for four products and neighbouring threads read
 * neighbouring weights. Few flows are spread over more blocks.
 */
#include "core/cuda/fused_kernels.h"
#include "core/cuda/fused_value.cuh"
#include "core/cuda/launch.h"

enum { QUAD = 4, FLOATS = FUSED_PLACES_MAX * (8 + QUAD), BLOCKS_ENOUGH = 256 };

/* The flows of a block. */
struct group {
    const struct fused_tail *tail;
    uint32_t first, n; /* flows */
    float *floats;
};

/* A row is longer than its flows, so that neighbouring places lie in different banks. */
template <int FLOWS> static __device__ __forceinline__ float *place(const struct group *group, uint32_t place)
{
    return group->floats + place * (FLOWS + QUAD);
}

static __device__ __forceinline__ float activate(enum activation activation, float x)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return fmaxf(x, 0.0F);
    case ACTIVATION_TANH:
        return tanhf(x);
    case ACTIVATION_SIGMOID:
        return 1.0F / (1.0F + expf(-x));
    default: /* linear; logits are those before the softmax */
        return x;
    }
}

/* Each function below: value i of the flow-th of the block. */

static __device__ float column_value(const struct group *group, const struct fused_op *op, uint32_t flow,
                                     uint32_t i)
{
    return fused_value(&group->tail->sources[op->from].columns[i], group->first + flow);
}

static __device__ float state_value(const struct group *group, const struct fused_op *op, uint32_t flow,
                                    uint32_t i)
{
    return group->tail->sources[op->from].states[(size_t)(group->first + flow) * op->out + i];
}

static __device__ float item_value(const struct group *group, const struct fused_op *op, uint32_t flow,
                                   uint32_t i)
{
    const struct fused_source *source = &group->tail->sources[op->from];
    const uint32_t *first_row = source->first_row + group->first + flow;
    uint32_t row = first_row[0] + i / op->out;

    return row < first_row[1] ? fused_value(&source->columns[i % op->out], row) : 0.0F;
}

static __device__ float embedding_value(const struct group *group, const struct fused_op *op, uint32_t flow,
                                        uint32_t i)
{
    float chosen = column_value(group, op, flow, 0);
    uint32_t row = !(chosen > 0.0F) ? 0 : chosen < (float)op->rows ? (uint32_t)chosen : op->rows - 1;

    return group->tail->weights[op->weights + row * op->out + i];
}

/* Neighbouring threads read neighbours in memory: values of a column, or those of one flow. */
enum side_by_side { SIDE_FLOWS, SIDE_VALUES };

template <int FLOWS>
static __device__ void load(const struct group *group, const struct fused_op *op, uint32_t width,
                            enum side_by_side side,
                            float (*value)(const struct group *, const struct fused_op *, uint32_t, uint32_t))
{
    for (uint32_t k = threadIdx.x; k < width * FLOWS; k += FUSED_THREADS) {
        uint32_t flow = side == SIDE_FLOWS ? k % FLOWS : k / width;
        uint32_t i = side == SIDE_FLOWS ? k / FLOWS : k % width;

        place<FLOWS>(group, op->to + i)[flow] = flow < group->n ? value(group, op, flow, i) : 0.0F;
    }
}

template <int FLOWS> static __device__ void dense(const struct group *group, const struct fused_op *op)
{
    const float *weights = group->tail->weights + op->weights, *bias = weights + op->in * op->out;

    for (uint32_t k = threadIdx.x; k < op->out * (FLOWS / QUAD); k += FUSED_THREADS) {
        uint32_t i = k % op->out, quad = k / op->out * QUAD;
        float4 sum = make_float4(bias[i], bias[i], bias[i], bias[i]);

        for (uint32_t j = 0; j < op->in; j++) {
            float weight = weights[j * op->out + i];
            float4 x = *(const float4 *)(place<FLOWS>(group, op->from + j) + quad);

            sum.x = fmaf(weight, x.x, sum.x);
            sum.y = fmaf(weight, x.y, sum.y);
            sum.z = fmaf(weight, x.z, sum.z);
            sum.w = fmaf(weight, x.w, sum.w);
        }
        *(float4 *)(place<FLOWS>(group, op->to + i) + quad) =
            make_float4(activate(op->activation, sum.x), activate(op->activation, sum.y),
                        activate(op->activation, sum.z), activate(op->activation, sum.w));
    }
}

template <int FLOWS>
static __global__ void __launch_bounds__(FUSED_THREADS) tail_kernel(const struct fused_tail tail)
{
    __shared__ __align__(16) float floats[FLOATS];
    uint32_t first = blockIdx.x * FLOWS;
    const struct group group = {&tail, first, min(tail.n_flows - first, (uint32_t)FLOWS), floats};

    for (uint32_t i = 0; i < tail.n_ops; i++) {
        const struct fused_op *op = &tail.ops[i];

        switch (op->kind) {
        case FUSED_OP_COLUMNS:
            load<FLOWS>(&group, op, op->out, SIDE_FLOWS, column_value);
            break;
        case FUSED_OP_STATES:
            load<FLOWS>(&group, op, op->out, SIDE_VALUES, state_value);
            break;
        case FUSED_OP_ITEMS:
            load<FLOWS>(&group, op, op->in * op->out, SIDE_FLOWS, item_value);
            break;
        case FUSED_OP_EMBEDDING:
            load<FLOWS>(&group, op, op->out, SIDE_VALUES, embedding_value);
            break;
        case FUSED_OP_DENSE:
            dense<FLOWS>(&group, op);
            break;
        }
        __syncthreads();
    }
    for (uint32_t k = threadIdx.x; k < group.n * tail.n_labels; k += FUSED_THREADS)
        tail.logits[(size_t)first * tail.n_labels + k] =
            place<FLOWS>(&group, tail.result + k % tail.n_labels)[k / tail.n_labels];
}

cudaError_t fused_tail(cudaStream_t stream, const struct fused_tail *tail)
{
    if (tail->n_flows >= 32 * BLOCKS_ENOUGH && tail->places * (32 + QUAD) <= FLOATS)
        KERNEL_LAUNCH(tail_kernel<32>, (tail->n_flows + 31) / 32, FUSED_THREADS, 0, stream, *tail);
    else
        KERNEL_LAUNCH(tail_kernel<8>, (tail->n_flows + 7) / 8, FUSED_THREADS, 0, stream, *tail);
    return cudaGetLastError();
}

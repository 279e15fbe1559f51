/* The states of recurrent layers: lane u of a sequence holds the weights of unit u for all of a step's
 * inputs. The item after next is on its way from memory while a step is computed, and where it stands is
 * known one step earlier still. */
#include "core/cuda/launch.h"
#include "core/cuda/recurrent.cuh"

/* As cell.cuh wants them; the two biases added up. */
template <class SHAPE>
static __device__ __forceinline__ void load_weights(const struct kernel_recurrent &r, int unit,
                                                    float weights[SHAPE::inputs + 1][CELL_SUMS])
{
#pragma unroll
    for (int k = 0; k <= SHAPE::inputs; k++)
#pragma unroll
        for (int s = 0; s < CELL_SUMS; s++)
            weights[k][s] = 0.0F;
    if (unit >= (int)r.units)
        return;
#pragma unroll
    for (int gate = 0; gate < SHAPE::gates; gate++) {
        const float scale = gate == 2 ? -2.0F * CELL_LOG2_E : -CELL_LOG2_E;
        uint32_t row = (uint32_t)gate * r.units + (uint32_t)unit;

#pragma unroll
        for (int k = 0; k < SHAPE::columns; k++)
            if (k < (int)r.in)
                weights[k][SHAPE::input_sum(gate)] = scale * r.weights[0][row * r.in + k];
#pragma unroll
        for (int k = 0; k < SHAPE::units; k++)
            if (k < (int)r.units)
                weights[SHAPE::columns + k][SHAPE::state_sum(gate)] = scale * r.weights[1][row * r.units + k];
        weights[SHAPE::inputs][SHAPE::input_sum(gate)] += scale * r.weights[2][row];
        weights[SHAPE::inputs][SHAPE::state_sum(gate)] += scale * r.weights[3][row];
    }
}

/* A unit's new state. carry: c, 0 at first. kept: i, f, g, o. */
static __device__ __forceinline__ float lstm(const float sum[CELL_SUMS], float state, float *carry,
                                             float4 *kept)
{
    (void)state;
    *kept = make_float4(cell_sigmoid(sum[0]), cell_sigmoid(sum[1]), cell_tanh(sum[2]), cell_sigmoid(sum[3]));
    *carry = fmaf(kept->y, *carry, kept->x * kept->z);
    return kept->w * cell_tanh(*carry * (-2.0F * CELL_LOG2_E));
}

/* kept: r, z, n, and the state's part of n before the tanh. */
static __device__ __forceinline__ float gru(const float sum[CELL_SUMS], float state, float *carry,
                                            float4 *kept)
{
    float reset = cell_sigmoid(sum[0]);

    (void)carry;
    *kept = make_float4(reset, cell_sigmoid(sum[1]), cell_tanh(fmaf(reset, sum[3], sum[2])),
                        sum[3] * (-0.5F / CELL_LOG2_E));
    return fmaf(kept->y, state - kept->z, kept->z);
}

/* A column of the item at a position; 0 after the end. */
static __device__ __forceinline__ float
item_load(const struct kernel_recurrent &r, const struct recurrent_lane &lane, uint32_t step, size_t position)
{
    return lane.loads && step < lane.length ? r.x[position * r.in + lane.unit] : 0.0F;
}

template <class SHAPE>
static __global__ void __launch_bounds__(CELL_THREADS) walk_forward(const struct kernel_recurrent r)
{
    __shared__ __align__(16) float rows[2 * SHAPE::sequences * SHAPE::row];
    const struct recurrent_lane lane = recurrent_lane<SHAPE>(r, blockIdx.x);
    uint32_t steps = __reduce_max_sync(0xffffffffU, lane.length);
    size_t position = recurrent_position(r, lane, 0), ahead = recurrent_position(r, lane, 1);
    float *now = rows + lane.place * SHAPE::row, *then = now + SHAPE::sequences * SHAPE::row;
    float weights[SHAPE::inputs + 1][CELL_SUMS], carry = 0.0F, state = 0.0F;

    load_weights<SHAPE>(r, lane.unit, weights);
    if (lane.unit < SHAPE::columns)
        now[lane.unit] = item_load(r, lane, 0, position);
    now[SHAPE::columns + lane.unit] = 0.0F;
    __syncwarp();
    for (uint32_t step = 0; step < steps; step++) {
        float next = item_load(r, lane, step + 1, ahead);
        size_t after = recurrent_position(r, lane, step + 2);
        float sum[CELL_SUMS], *free;

        cell_weigh<SHAPE::inputs>(weights, now, sum);
        if (step < lane.length) {
            float4 kept;

            state =
                SHAPE::kind == LAYER_LSTM ? lstm(sum, state, &carry, &kept) : gru(sum, state, &carry, &kept);
            if (lane.gives)
                r.y[position * r.row + lane.unit] = state;
            if (lane.gives && r.kept != nullptr)
                ((float4 *)r.kept)[position * r.units + lane.unit] = kept;
            if (SHAPE::kind == LAYER_LSTM && lane.gives && r.kept != nullptr)
                r.carries[position * r.units + lane.unit] = carry;
        }
        if (lane.unit < SHAPE::columns)
            then[lane.unit] = next;
        then[SHAPE::columns + lane.unit] = state;
        __syncwarp();
        free = now;
        now = then;
        then = free;
        position = ahead;
        ahead = after;
    }
    if (lane.rank < r.n_sequences && lane.gives && r.last != nullptr)
        r.last[(size_t)r.order[lane.rank] * r.row + lane.unit] = state;
}

template <class SHAPE> static void start(cudaStream_t stream, const struct kernel_recurrent *r)
{
    KERNEL_LAUNCH(walk_forward<SHAPE>, (r->n_sequences + SHAPE::sequences - 1) / SHAPE::sequences,
                  CELL_THREADS, 0, stream, *r);
}

#define START_FIRST(kind_, units_, columns_)                                                                 \
    if (r->kind == kind_ && r->units <= units_ && r->in <= columns_) {                                       \
        start<recurrent_shape<kind_, units_, columns_>>(stream, r);                                          \
        return cudaGetLastError();                                                                           \
    }

cudaError_t kernel_recurrent_forward(cudaStream_t stream, const struct kernel_recurrent *r)
{
    if (r->n_sequences == 0)
        return cudaSuccess;
    KERNEL_RECURRENT_SHAPES(START_FIRST)
    return cudaErrorInvalidValue;
}

#define TAKES(kind_, units_, columns_)                                                                       \
    if (layer->kind == kind_ && layer->units <= units_ && layer->in <= columns_)                             \
        return true;

bool kernel_recurrent_takes(const struct layer *layer)
{
    KERNEL_RECURRENT_SHAPES(TAKES)
    return false;
}

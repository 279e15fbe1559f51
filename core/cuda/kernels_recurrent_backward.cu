/* The way back through recurrent layers: each list from its last step to its first.
 *
 * A step takes the gradient of the state, dh, and makes of it the gradients of the four sums of each unit.
 * All lanes of the sequence see these: lane u adds up what its unit's state before has part in them, which is
 * dh of the step before, and adds the products of its own unit's sums with the step's inputs to the gradient
 * of that unit's weights. So one lane holds, in registers, the column u of Wh and what has been added up for
 * the rows u of Wx and Wh.
 *
 * A block goes through many sequences and leaves one row of sums; a second kernel adds up the rows. How many
 * blocks there are depends on the batch alone, and so does the order of all sums.
 */
#include "core/cuda/launch.h"
#include "core/cuda/recurrent.cuh"

enum {
    BLOCKS_MAX = 512, /* some more than run at once, so that they end together */
    WARPS = CELL_THREADS / WARP_LANES,
    ADDED_COLUMNS = WARP_LANES, /* of the rows of sums, by one block of the second kernel */
    ADDED_ROWS = 8,             /* side by side */
};

/* What a lane needs of one step. */
struct step {
    float4 kept;
    float carry, carry_before, before, x, dy;
};

template <class SHAPE>
static __device__ __forceinline__ struct step step_load(const struct kernel_recurrent &r, const float *dy,
                                                        const struct recurrent_lane &lane, uint32_t at)
{
    struct step step = {make_float4(0.0F, 0.0F, 0.0F, 0.0F), 0.0F, 0.0F, 0.0F, 0.0F, 0.0F};
    size_t position = recurrent_position(r, lane, at);

    if (at >= lane.length)
        return step;
    if (lane.loads)
        step.x = r.x[position * r.in + lane.unit];
    if (!lane.gives)
        return step;
    step.kept = ((const float4 *)r.kept)[position * r.units + lane.unit];
    if (dy != nullptr)
        step.dy = dy[position * r.row + lane.unit];
    if (SHAPE::kind == LAYER_LSTM)
        step.carry = r.carries[position * r.units + lane.unit];
    if (at > 0) {
        size_t before = recurrent_position(r, lane, at - 1);

        step.before = r.y[before * r.row + lane.unit];
        if (SHAPE::kind == LAYER_LSTM)
            step.carry_before = r.carries[before * r.units + lane.unit];
    }
    return step;
}

/* Gradients of a unit's four sums from that of its state. carry: dc, which a list ends with 0.
 * Return: what of dh goes to the state before without a weight. */
static __device__ __forceinline__ float lstm_back(const struct step &step, float dh, float *carry,
                                                  float delta[CELL_SUMS])
{
    float i = step.kept.x, f = step.kept.y, g = step.kept.z, o = step.kept.w;
    float c = cell_tanh(step.carry * (-2.0F * CELL_LOG2_E));
    float dc = fmaf(dh * o, fmaf(-c, c, 1.0F), *carry);

    delta[0] = dc * g * i * (1.0F - i);
    delta[1] = dc * step.carry_before * f * (1.0F - f);
    delta[2] = dc * i * fmaf(-g, g, 1.0F);
    delta[3] = dh * c * o * (1.0F - o);
    *carry = dc * f;
    return 0.0F;
}

static __device__ __forceinline__ float gru_back(const struct step &step, float dh, float *carry,
                                                 float delta[CELL_SUMS])
{
    float r = step.kept.x, z = step.kept.y, n = step.kept.z, part = step.kept.w;

    (void)carry;
    delta[2] = dh * (1.0F - z) * fmaf(-n, n, 1.0F);
    delta[1] = dh * (step.before - n) * z * (1.0F - z);
    delta[0] = delta[2] * part * r * (1.0F - r);
    delta[3] = delta[2] * r;
    return dh * z;
}

/* A number of four, where the index is known when it is compiled. */
static __device__ __forceinline__ float quad_at(const float4 &quad, int i)
{
    return i == 0 ? quad.x : i == 1 ? quad.y : i == 2 ? quad.z : quad.w;
}

/* Column `unit` of Wh: by which the state of this unit had part in the gates of each. */
template <class SHAPE>
static __device__ __forceinline__ void load_column(const struct kernel_recurrent &r, int unit,
                                                   float column[SHAPE::units][SHAPE::gates])
{
#pragma unroll
    for (int u = 0; u < SHAPE::units; u++)
#pragma unroll
        for (int gate = 0; gate < SHAPE::gates; gate++)
            column[u][gate] = u < (int)r.units && unit < (int)r.units
                                  ? r.weights[1][((uint32_t)gate * r.units + u) * r.units + unit]
                                  : 0.0F;
}

/* dx of one column from the deltas of all units. */
template <class SHAPE>
static __device__ __forceinline__ float column_gradient(const struct kernel_recurrent &r,
                                                        const float4 *deltas, int column)
{
    float sum = 0.0F;

    for (uint32_t u = 0; u < r.units; u++)
#pragma unroll
        for (int gate = 0; gate < SHAPE::gates; gate++)
            sum = fmaf(quad_at(deltas[u], SHAPE::input_sum(gate)),
                       r.weights[0][((uint32_t)gate * r.units + u) * r.in + column], sum);
    return sum;
}

/* Sums in the making, of the weights of a lane's unit. */
template <class SHAPE> struct weight_sums {
    float inputs[SHAPE::inputs][SHAPE::gates];
    float biases[CELL_SUMS];
    static constexpr int n = SHAPE::inputs * SHAPE::gates + CELL_SUMS;
};

template <class SHAPE> static __device__ __forceinline__ void sums_clear(struct weight_sums<SHAPE> *sums)
{
#pragma unroll
    for (int k = 0; k < SHAPE::inputs; k++)
#pragma unroll
        for (int gate = 0; gate < SHAPE::gates; gate++)
            sums->inputs[k][gate] = 0.0F;
#pragma unroll
    for (int s = 0; s < CELL_SUMS; s++)
        sums->biases[s] = 0.0F;
}

template <class SHAPE>
static __device__ __forceinline__ void sums_add(struct weight_sums<SHAPE> *sums, const float delta[CELL_SUMS],
                                                const float *row)
{
#pragma unroll
    for (int k = 0; k < SHAPE::inputs; k += CELL_QUAD) {
        float4 input = *(const float4 *)(row + k);

#pragma unroll
        for (int gate = 0; gate < SHAPE::gates; gate++) {
            float d = delta[k < SHAPE::columns ? SHAPE::input_sum(gate) : SHAPE::state_sum(gate)];

            sums->inputs[k][gate] = fmaf(d, input.x, sums->inputs[k][gate]);
            sums->inputs[k + 1][gate] = fmaf(d, input.y, sums->inputs[k + 1][gate]);
            sums->inputs[k + 2][gate] = fmaf(d, input.z, sums->inputs[k + 2][gate]);
            sums->inputs[k + 3][gate] = fmaf(d, input.w, sums->inputs[k + 3][gate]);
        }
    }
#pragma unroll
    for (int s = 0; s < CELL_SUMS; s++)
        sums->biases[s] += delta[s];
}

/* One sum over the sequences of a warp, in its first lanes. */
template <class SHAPE> static __device__ __forceinline__ float warp_sum(float mine)
{
#pragma unroll
    for (int apart = SHAPE::units; apart < WARP_LANES; apart *= 2)
        mine += __shfl_xor_sync(0xffffffffU, mine, apart);
    return mine;
}

/* Where the row of a block has the tensors of a layer: one after the other, each as in tree.h. */
struct places {
    uint32_t begin[KERNEL_RECURRENT_TENSORS], end;
};

static __host__ __device__ struct places places_of(uint32_t gates, uint32_t in, uint32_t units)
{
    const uint32_t columns[KERNEL_RECURRENT_TENSORS] = {in, units, 1, 1};
    struct places places;

    places.end = 0;
    for (int t = 0; t < KERNEL_RECURRENT_TENSORS; t++) {
        places.begin[t] = places.end;
        places.end += gates * units * columns[t];
    }
    return places;
}

/* The sums of all warps of the block, into its row. totals: (weight_sums::n, units) in shared memory. */
template <class SHAPE>
static __device__ void sums_put(struct weight_sums<SHAPE> *sums, const struct kernel_recurrent &r,
                                float *totals, float *row)
{
    const struct places places = places_of(SHAPE::gates, r.in, r.units);
    const int unit = (int)threadIdx.x % SHAPE::units, warp = (int)threadIdx.x / WARP_LANES;
    const bool first = (int)threadIdx.x % WARP_LANES < SHAPE::units;
    float *mine = totals + unit;

#pragma unroll
    for (int k = 0; k < SHAPE::inputs; k++)
#pragma unroll
        for (int gate = 0; gate < SHAPE::gates; gate++)
            sums->inputs[k][gate] = warp_sum<SHAPE>(sums->inputs[k][gate]);
#pragma unroll
    for (int s = 0; s < CELL_SUMS; s++)
        sums->biases[s] = warp_sum<SHAPE>(sums->biases[s]);
    for (int turn = 0; turn < WARPS; turn++) {
        if (turn == warp && first) {
#pragma unroll
            for (int k = 0; k < SHAPE::inputs; k++)
#pragma unroll
                for (int gate = 0; gate < SHAPE::gates; gate++) {
                    float *total = mine + (k * SHAPE::gates + gate) * SHAPE::units;

                    *total = (turn > 0 ? *total : 0.0F) + sums->inputs[k][gate];
                }
#pragma unroll
            for (int s = 0; s < CELL_SUMS; s++) {
                float *total = mine + (SHAPE::inputs * SHAPE::gates + s) * SHAPE::units;

                *total = (turn > 0 ? *total : 0.0F) + sums->biases[s];
            }
        }
        __syncthreads();
    }
    for (uint32_t i = threadIdx.x; i < SHAPE::gates * r.units; i += CELL_THREADS) {
        uint32_t gate = i / r.units, u = i % r.units;
        const float *from = totals + gate * SHAPE::units + u;
        const float *biases = totals + SHAPE::inputs * SHAPE::gates * SHAPE::units + u;

        for (uint32_t k = 0; k < r.in; k++)
            row[places.begin[0] + i * r.in + k] = from[k * SHAPE::gates * SHAPE::units];
        for (uint32_t k = 0; k < r.units; k++)
            row[places.begin[1] + i * r.units + k] = from[(SHAPE::columns + k) * SHAPE::gates * SHAPE::units];
        row[places.begin[2] + i] = biases[SHAPE::input_sum((int)gate) * SHAPE::units];
        row[places.begin[3] + i] = biases[SHAPE::state_sum((int)gate) * SHAPE::units];
    }
}

template <class SHAPE>
static __global__ void __launch_bounds__(CELL_THREADS, 2)
    walk_back(const struct kernel_recurrent r, const struct kernel_recurrent_back back, uint32_t groups)
{
    constexpr int ROWS = SHAPE::sequences * SHAPE::row, QUADS = SHAPE::sequences * SHAPE::quads_row;
    __shared__ __align__(16) float rows[2 * ROWS], quads[2 * QUADS];
    __shared__ float totals[weight_sums<SHAPE>::n * SHAPE::units];
    struct weight_sums<SHAPE> sums;
    float column[SHAPE::units][SHAPE::gates];
    int turn = 0;

    load_column<SHAPE>(r, (int)threadIdx.x % SHAPE::units, column);
    sums_clear<SHAPE>(&sums);
    for (uint32_t group = blockIdx.x; group < groups; group += gridDim.x) {
        const struct recurrent_lane lane = recurrent_lane<SHAPE>(r, group);
        uint32_t at = __reduce_max_sync(0xffffffffU, lane.length);
        bool ends = back.dlast != nullptr && lane.gives && lane.rank < r.n_sequences;
        float dh = ends ? back.dlast[(size_t)r.order[lane.rank] * r.row + lane.unit] : 0.0F, carry = 0.0F;
        struct step step = {make_float4(0.0F, 0.0F, 0.0F, 0.0F), 0.0F, 0.0F, 0.0F, 0.0F, 0.0F};

        if (at > 0)
            step = step_load<SHAPE>(r, back.dy, lane, at - 1);
        while (at-- > 0) {
            struct step next = at > 0 ? step_load<SHAPE>(r, back.dy, lane, at - 1) : step;
            float *row = rows + turn * ROWS + lane.place * SHAPE::row;
            float4 *deltas = (float4 *)(quads + turn * QUADS + lane.place * SHAPE::quads_row);
            float delta[CELL_SUMS] = {0.0F, 0.0F, 0.0F, 0.0F}, before = dh;

            if (at < lane.length) {
                dh += step.dy;
                before = SHAPE::kind == LAYER_LSTM ? lstm_back(step, dh, &carry, delta)
                                                   : gru_back(step, dh, &carry, delta);
            }
            if (lane.unit < SHAPE::columns)
                row[lane.unit] = step.x;
            row[SHAPE::columns + lane.unit] = step.before;
            deltas[lane.unit] = make_float4(delta[0], delta[1], delta[2], delta[3]);
            __syncwarp();
#pragma unroll
            for (int u = 0; u < SHAPE::units; u++) {
                float4 theirs = deltas[u];

#pragma unroll
                for (int gate = 0; gate < SHAPE::gates; gate++)
                    before = fmaf(column[u][gate], quad_at(theirs, SHAPE::state_sum(gate)), before);
            }
            dh = before;
            sums_add<SHAPE>(&sums, delta, row);
            if (back.dx != nullptr && lane.loads && at < lane.length) {
                float *dx = back.dx + recurrent_position(r, lane, at) * r.in + lane.unit;
                float gradient = column_gradient<SHAPE>(r, deltas, lane.unit);

                *dx = back.adds ? *dx + gradient : gradient;
            }
            step = next;
            turn ^= 1;
        }
    }
    sums_put<SHAPE>(&sums, r, totals,
                    back.scratch + (size_t)blockIdx.x * places_of(SHAPE::gates, r.in, r.units).end);
}

/* Add the rows up, and that to the gradient. */
static __global__ void add_rows(const struct kernel_recurrent_back back, struct places places,
                                uint32_t n_rows)
{
    __shared__ float sums[ADDED_ROWS][ADDED_COLUMNS];
    uint32_t row = threadIdx.x / ADDED_COLUMNS, column = threadIdx.x % ADDED_COLUMNS;
    uint32_t i = blockIdx.x * ADDED_COLUMNS + column;
    float sum = 0.0F, *to = back.gradient[0] + i;

    for (uint32_t k = row; i < places.end && k < n_rows; k += ADDED_ROWS)
        sum += back.scratch[(size_t)k * places.end + i];
    sums[row][column] = sum;
    __syncthreads();
    if (row > 0 || i >= places.end)
        return;
    for (uint32_t k = 1; k < ADDED_ROWS; k++)
        sum += sums[k][column];
#pragma unroll
    for (int t = 1; t < KERNEL_RECURRENT_TENSORS; t++)
        if (i >= places.begin[t])
            to = back.gradient[t] + (i - places.begin[t]);
    *to += sum;
}

static uint32_t groups_of(uint32_t n_sequences, uint32_t units)
{
    uint32_t sequences = CELL_THREADS / units;

    return (n_sequences + sequences - 1) / sequences;
}

static uint32_t blocks_of(uint32_t n_sequences, uint32_t units)
{
    uint32_t groups = groups_of(n_sequences, units);

    return groups < BLOCKS_MAX ? groups : (uint32_t)BLOCKS_MAX;
}

template <class SHAPE>
static cudaError_t start(cudaStream_t stream, const struct kernel_recurrent *r,
                         const struct kernel_recurrent_back *back)
{
    const struct places places = places_of(SHAPE::gates, r->in, r->units);
    uint32_t blocks = blocks_of(r->n_sequences, SHAPE::units);
    cudaError_t failed;

    KERNEL_LAUNCH(walk_back<SHAPE>, blocks, CELL_THREADS, 0, stream, *r, *back,
                  groups_of(r->n_sequences, SHAPE::units));
    failed = cudaGetLastError();
    if (failed != cudaSuccess)
        return failed;
    KERNEL_LAUNCH(add_rows, (places.end + ADDED_COLUMNS - 1) / ADDED_COLUMNS, ADDED_ROWS * ADDED_COLUMNS, 0,
                  stream, *back, places, blocks);
    return cudaGetLastError();
}

#define START_FIRST(kind_, units_, columns_)                                                                 \
    if (r->kind == kind_ && r->units <= units_ && r->in <= columns_)                                         \
        return start<recurrent_shape<kind_, units_, columns_>>(stream, r, back);

cudaError_t kernel_recurrent_backward(cudaStream_t stream, const struct kernel_recurrent *r,
                                      const struct kernel_recurrent_back *back)
{
    if (r->n_sequences == 0)
        return cudaSuccess;
    KERNEL_RECURRENT_SHAPES(START_FIRST)
    return cudaErrorInvalidValue;
}

#define SCRATCH(kind_, units_, columns_)                                                                     \
    if (layer->kind == kind_ && layer->units <= units_ && layer->in <= columns_)                             \
        return (size_t)places_of(recurrent_shape<kind_, units_, columns_>::gates, (uint32_t)layer->in,       \
                                 (uint32_t)layer->units)                                                     \
                   .end *                                                                                    \
               blocks_of(n_sequences, units_);

size_t kernel_recurrent_scratch(const struct layer *layer, uint32_t n_sequences)
{
    KERNEL_RECURRENT_SHAPES(SCRATCH)
    return 0;
}

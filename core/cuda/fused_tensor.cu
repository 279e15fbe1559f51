/* Recurrent layers on tensor cores: a warp walks 16 sequences, and their states never leave its registers.
 *
 * A step is a product of 16 rows of inputs (item and state before) with the weights, whose columns are the
 * sums of the units. The lane that holds sums as part of the product's result needs to hold the new states as
 * part of the next step's left factor. In that, lane (g, t) has rows g and g + 8 and units 2t, 2t+1, 2t+8,
 * 2t+9 (warp.cuh); in the result it has columns 2t and 2t+1 of each block of 8. So two blocks are given to
 * each of its units, the lane's two columns of the first being sums 0 and 1 of that unit, of the second 2
 * and 3.
 *
 * Tensor cores multiply numbers of 8 or 11 bits. To be as exact as float32, factors are sums of such numbers
 * and the products of their parts are added up, smallest first:
 *
 *     state   of at most 1, weights moderate: halves, two parts each, three products (2^-22)
 *     item    anything that a float can be: brain floats with the exponent of a float, three parts each, cut
 *             off and so without a rest, of the nine products those above 2^-24
 *
 * A lane loads column t of each four columns of an item, and its parts fill one row of a product of 16 and
 * one of 8 columns: (x1, x1, x2, x2) (w1, w2, w1, w2) and (x1, x3) (w3, w1). The last column is 1, for the
 * bias.
 */
#include "core/cuda/fused_kernels.h"
#include "core/cuda/fused_walk.cuh"
#include "core/cuda/launch.h"

enum {
    ROWS = 2,   /* of a lane */
    BLOCKS = 2, /* of columns for a unit */
    PARTS = 2,  /* of a weight: registers for an item's columns, and high and low for a state's units */
    WARPS = FUSED_THREADS / WARP_LANES,
    SEQUENCES = WARPS * FUSED_TENSOR_SEQUENCES,
};

/* A lane's part of the weights and of the state. UNITS / 8 pairs of units, COLUMNS / 4 fours of columns. */
template <int UNITS, int COLUMNS> struct lane_weights {
    uint32_t item[UNITS / 2][(COLUMNS + 1) / 4][PARTS];
    uint32_t high[UNITS / 2][UNITS / 8], low[UNITS / 2][UNITS / 8];
};

template <int UNITS> struct lane_state {
    float carry[UNITS / 4][ROWS];
    uint32_t high[UNITS / 4], low[UNITS / 4]; /* [2 pair + row] */
};

/* weights: register by register, (registers, lanes). */
template <int UNITS, int COLUMNS>
static __device__ __forceinline__ void load_weights(const uint32_t *from,
                                                    struct lane_weights<UNITS, COLUMNS> *to)
{
#pragma unroll
    for (int j = 0; j < UNITS / 2; j++) {
#pragma unroll
        for (int four = 0; four < (COLUMNS + 1) / 4; four++)
#pragma unroll
            for (int part = 0; part < PARTS; part++, from += WARP_LANES)
                to->item[j][four][part] = *from;
#pragma unroll
        for (int pair = 0; pair < UNITS / 8; pair++, from += WARP_LANES)
            to->high[j][pair] = *from;
#pragma unroll
        for (int pair = 0; pair < UNITS / 8; pair++, from += WARP_LANES)
            to->low[j][pair] = *from;
    }
}

/* Where the columns of an item stand as a lane's part of a product's left factor. */
struct lane_item {
    uint32_t of_16[4], of_8[2];
};

static __device__ __forceinline__ void split_item(const float x[ROWS], struct lane_item *item)
{
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float x2 = x[row] - __uint_as_float(__float_as_uint(x[row]) & 0xffff0000U);
        float x3 = x2 - __uint_as_float(__float_as_uint(x2) & 0xffff0000U);

        item->of_16[row] = warp_brains(x[row], x[row]);
        item->of_16[2 + row] = warp_brains(x2, x2);
        item->of_8[row] = warp_brains(x[row], x3);
    }
}

static __device__ __forceinline__ void multiply_item(float sum[4], const struct lane_item *item,
                                                     const uint32_t weights[PARTS])
{
    const uint32_t twice[2] = {weights[0], weights[0]};

    warp_multiply_brain_8(sum, item->of_8, &weights[1]);
    warp_multiply_brain_16(sum, item->of_16, twice);
}

template <int UNITS>
static __device__ __forceinline__ void multiply_state(float sum[4], const uint32_t *state,
                                                      const uint32_t *weights)
{
    if (UNITS == 8)
        warp_multiply_half_8(sum, state, weights);
    else
        warp_multiply_half_16(sum, state, weights);
}

/* One step of one unit in both rows. Return: its new states. */
template <int KIND, int UNITS, int COLUMNS>
static __device__ __forceinline__ void
step_unit(const struct lane_weights<UNITS, COLUMNS> *weights, const struct lane_item *items,
          const struct lane_state<UNITS> *before, int unit, float carry[ROWS], float state[ROWS])
{
    float sum[BLOCKS][4] = {};

#pragma unroll
    for (int b = 0; b < BLOCKS; b++) {
        int j = BLOCKS * unit + b;

#pragma unroll
        for (int four = 0; four < (COLUMNS + 1) / 4; four++)
            multiply_item(sum[b], &items[four], weights->item[j][four]);
        multiply_state<UNITS>(sum[b], before->low, weights->high[j]);
        multiply_state<UNITS>(sum[b], before->high, weights->low[j]);
        multiply_state<UNITS>(sum[b], before->high, weights->high[j]);
    }
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float sums[FUSED_SUMS] = {sum[0][2 * row], sum[0][2 * row + 1], sum[1][2 * row], sum[1][2 * row + 1]};

        state[row] = fused_cell<KIND>(sums, &carry[row]);
    }
}

/* One step of all units; a row whose sequence has ended keeps what it has. */
template <int KIND, int UNITS, int COLUMNS>
static __device__ __forceinline__ void step_all(const struct lane_weights<UNITS, COLUMNS> *weights,
                                                const struct lane_item *items, const bool lives[ROWS],
                                                struct lane_state<UNITS> *state)
{
    uint32_t high[UNITS / 4], low[UNITS / 4];

#pragma unroll
    for (int pair = 0; pair < UNITS / 8; pair++) {
        float fresh[2][ROWS];

#pragma unroll
        for (int i = 0; i < 2; i++) {
            int unit = 2 * pair + i;
            float carry[ROWS] = {state->carry[unit][0], state->carry[unit][1]};

            step_unit<KIND, UNITS, COLUMNS>(weights, items, state, unit, carry, fresh[i]);
#pragma unroll
            for (int row = 0; row < ROWS; row++)
                state->carry[unit][row] = lives[row] ? carry[row] : state->carry[unit][row];
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
            int at = 2 * pair + row;
            uint32_t rounded = warp_halves(fresh[0][row], fresh[1][row]);
            uint32_t rest = warp_halves(fresh[0][row] - warp_half_lower(rounded),
                                        fresh[1][row] - warp_half_upper(rounded));

            high[at] = lives[row] ? rounded : state->high[at];
            low[at] = lives[row] ? rest : state->low[at];
        }
    }
#pragma unroll
    for (int at = 0; at < UNITS / 4; at++) {
        state->high[at] = high[at];
        state->low[at] = low[at];
    }
}

/* The lane's columns of the items of both its rows, as they are in memory. */
template <int COLUMNS>
static __device__ __forceinline__ void
load_items(const struct fused_walk *walk, const struct fused_column columns[(COLUMNS + 1) / 4],
           const struct fused_sequence sequences[ROWS], uint32_t step, uint32_t items[][ROWS])
{
#pragma unroll
    for (int four = 0; four < (COLUMNS + 1) / 4; four++)
#pragma unroll
        for (int row = 0; row < ROWS; row++)
            items[four][row] = fused_sequence_load(walk, &sequences[row], &columns[four], step);
}

/* Those of four columns in parts; the last of all is the bias. */
static __device__ __forceinline__ void split_items(const struct fused_walk *walk,
                                                   const struct fused_column *column,
                                                   const struct fused_sequence sequences[ROWS], uint32_t step,
                                                   const uint32_t loaded[ROWS], bool bias,
                                                   struct lane_item *item)
{
    float x[ROWS];

#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float value = fused_sequence_value(walk, &sequences[row], column, step, loaded[row]);

        x[row] = bias ? 1.0F : value;
    }
    split_item(x, item);
}

/* first: rank of the lane's first row. The flows are looked up again: that costs less than to remember them.
 */
template <int UNITS>
static __device__ __forceinline__ void store_state(const struct fused_walk *walk, uint32_t first, uint32_t t,
                                                   const struct lane_state<UNITS> *state)
{
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        uint32_t flow = fused_flow(walk, first + 8 * row);
        float *to = walk->states + (size_t)flow * walk->states_stride;

        if (flow == UINT32_MAX)
            continue;
#pragma unroll
        for (int pair = 0; pair < UNITS / 8; pair++) {
            uint32_t unit = 8 * pair + 2 * t, high = state->high[2 * pair + row];
            uint32_t low = state->low[2 * pair + row];

            if (unit < walk->units)
                to[unit] = warp_half_lower(high) + warp_half_lower(low);
            if (unit + 1 < walk->units)
                to[unit + 1] = warp_half_upper(high) + warp_half_upper(low);
        }
    }
}

/* Blocks of threads that a multiprocessor should hold at once: as many as their registers leave room for. */
static constexpr int blocks_at_once(int units, int columns)
{
    return columns == 3 ? (units == 8 ? 7 : 4) : (units == 8 ? 5 : 3);
}

template <int KIND, int UNITS, int COLUMNS>
static __global__ void __launch_bounds__(FUSED_THREADS, blocks_at_once(UNITS, COLUMNS))
    tensor_kernel(const struct fused_walk *walks, uint32_t n_blocks)
{
    const struct fused_walk *walk = &walks[blockIdx.x / n_blocks];
    uint32_t lane = threadIdx.x % WARP_LANES, g = lane / 4, t = lane % 4;
    uint32_t first = blockIdx.x % n_blocks * SEQUENCES + threadIdx.x / WARP_LANES * FUSED_TENSOR_SEQUENCES;
    const struct fused_sequence sequences[ROWS] = {fused_sequence(walk, fused_flow(walk, first + g)),
                                                   fused_sequence(walk, fused_flow(walk, first + g + 8))};
    uint32_t steps = __reduce_max_sync(0xffffffffU, max(sequences[0].steps, sequences[1].steps));
    struct lane_weights<UNITS, COLUMNS> weights;
    struct lane_state<UNITS> state = {
    };
    struct fused_column columns[(COLUMNS + 1) / 4];
    uint32_t next[(COLUMNS + 1) / 4][ROWS];

#pragma unroll
    for (int four = 0; four < (COLUMNS + 1) / 4; four++)
        columns[four] = fused_lane_column(walk, 4 * four + t);
    load_weights<UNITS, COLUMNS>((const uint32_t *)walk->weights + lane, &weights);
    load_items<COLUMNS>(walk, columns, sequences, 0, next);
#pragma unroll 1
    for (uint32_t step = 0; step < steps; step++) {
        const bool lives[ROWS] = {step < sequences[0].steps, step < sequences[1].steps};
        struct lane_item items[(COLUMNS + 1) / 4];

#pragma unroll
        for (int four = 0; four < (COLUMNS + 1) / 4; four++)
            split_items(walk, &columns[four], sequences, step, next[four], 4 * four + t == COLUMNS,
                        &items[four]);
        load_items<COLUMNS>(walk, columns, sequences, step + 1, next);
        step_all<KIND, UNITS, COLUMNS>(&weights, items, lives, &state);
    }
    store_state<UNITS>(walk, first + g, t, &state);
}

#define TENSOR_CASE(kind, units, columns)                                                                    \
    case FUSED_SHAPE(kind, units, columns):                                                                  \
        KERNEL_LAUNCH((tensor_kernel<kind, units, columns>), n_walks *n_blocks, FUSED_THREADS, 0, stream,    \
                      walks, n_blocks);                                                                      \
        break;

cudaError_t fused_tensor(cudaStream_t stream, const struct fused_walk *walks, uint32_t n_walks,
                         uint32_t n_flows, uint32_t shape)
{
    uint32_t n_blocks = (n_flows + SEQUENCES - 1) / SEQUENCES;

    switch (shape) {
        FUSED_TENSOR(TENSOR_CASE)
    }
    return cudaGetLastError();
}

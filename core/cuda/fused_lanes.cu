/* Recurrent layers, many lanes a sequence.
 *
 * Lane u of a sequence holds the weights of unit u for all of a step's inputs: the item's columns, then the
 * state before. These stand in shared memory, in two rows by turns, so that a step ends with one wait of the
 * warp. The item after next is on its way from memory while a step is computed.
 *
 * One launch walks every recurrent layer of the tree; a block finds its walk and jumps to the body made for
 * its shape.
 */
#include "core/cuda/fused_kernels.h"
#include "core/cuda/fused_walk.cuh"
#include "core/cuda/launch.h"

/* Two rows a sequence, the most in the shape with the most columns for its units. */
enum { ROWS_FLOATS_MAX = 2 * (FUSED_THREADS / 8) * (8 + 8 + CELL_QUAD) };

/* weights: (columns + units + 1, units) of the four sums; the last row is the bias. */
template <int UNITS, int INPUTS>
static __device__ __forceinline__ void load_weights(const float4 *from, int unit,
                                                    float weights[INPUTS + 1][4])
{
#pragma unroll
    for (int k = 0; k <= INPUTS; k++) {
        float4 w = from[k * UNITS + unit];

        weights[k][0] = w.x;
        weights[k][1] = w.y;
        weights[k][2] = w.z;
        weights[k][3] = w.w;
    }
}

template <int KIND, int UNITS, int COLUMNS>
static __device__ __forceinline__ void walk_lanes(const struct fused_walk *walk, uint32_t block,
                                                  float *shared)
{
    constexpr int INPUTS = COLUMNS + UNITS;
    constexpr int STRIDE = INPUTS + CELL_QUAD; /* so that the sequences of a warp read from different banks */
    constexpr int SEQUENCES = FUSED_THREADS / UNITS;
    int unit = (int)threadIdx.x % UNITS, place = (int)threadIdx.x / UNITS;
    uint32_t flow = fused_flow(walk, block * SEQUENCES + place);
    struct fused_sequence sequence = fused_sequence(walk, flow);
    uint32_t steps = __reduce_max_sync(0xffffffffU, sequence.steps);
    struct fused_column column = fused_lane_column(walk, unit);
    float *now = shared + place * STRIDE, *then = now + SEQUENCES * STRIDE;
    float weights[INPUTS + 1][4], carry = 0.0F, state = 0.0F;

    load_weights<UNITS, INPUTS>((const float4 *)walk->weights, unit, weights);
    if (unit < COLUMNS)
        now[unit] = fused_sequence_value(walk, &sequence, &column, 0,
                                         fused_sequence_load(walk, &sequence, &column, 0));
    now[COLUMNS + unit] = 0.0F;
    __syncwarp();
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t next = fused_sequence_load(walk, &sequence, &column, step + 1);
        float sum[FUSED_SUMS], *free;

        cell_weigh<INPUTS>(weights, now, sum);
        if (step < sequence.steps)
            state = fused_cell<KIND>(sum, &carry);
        if (unit < COLUMNS)
            then[unit] = fused_sequence_value(walk, &sequence, &column, step + 1, next);
        then[COLUMNS + unit] = state;
        __syncwarp();
        free = now;
        now = then;
        then = free;
    }
    if (flow != UINT32_MAX && unit < (int)walk->units)
        walk->states[(size_t)flow * walk->states_stride + unit] = state;
}

/* The walk that a block works on, and which of its blocks it is. */
static __device__ const struct fused_walk *find_walk(const struct fused_walk *walks, uint32_t *block)
{
    const struct fused_walk *walk = walks;

    for (; *block >= walk->n_blocks; walk++)
        *block -= walk->n_blocks;
    return walk;
}

#define WALK_CASE(kind, units, columns)                                                                      \
    case FUSED_SHAPE(kind, units, columns):                                                                  \
        walk_lanes<kind, units, columns>(walk, block, shared);                                               \
        break;

#define WALK_KERNEL(name, blocks_at_once, shapes)                                                            \
    static __global__ void __launch_bounds__(FUSED_THREADS, blocks_at_once)                                  \
        name##_kernel(const struct fused_walk *walks)                                                        \
    {                                                                                                        \
        __shared__ __align__(16) float shared[ROWS_FLOATS_MAX];                                              \
        uint32_t block = blockIdx.x;                                                                         \
        const struct fused_walk *walk = find_walk(walks, &block);                                            \
                                                                                                             \
        switch (walk->shape) {                                                                               \
            shapes(WALK_CASE)                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    cudaError_t name(cudaStream_t stream, const struct fused_walk *walks, uint32_t blocks)                   \
    {                                                                                                        \
        KERNEL_LAUNCH(name##_kernel, blocks, FUSED_THREADS, 0, stream, walks);                               \
        return cudaGetLastError();                                                                           \
    }

WALK_KERNEL(fused_lanes_small, 4, FUSED_LANES_SMALL)
WALK_KERNEL(fused_lanes_large, 2, FUSED_LANES_LARGE)

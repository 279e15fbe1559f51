/* recurrent.cuh - what the way forward and the way back of a recurrent layer share. For kernels only.
 *
 * A sequence is walked by UNITS lanes, one a unit; those that the layer does not have get weights of zero,
 * and stay at zero both ways. Lanes tell each other what all need through shared memory, in two rows by
 * turns, so that a step ends with one wait of the warp.
 */
#ifndef CORE_CUDA_RECURRENT_CUH
#define CORE_CUDA_RECURRENT_CUH

#include "core/cuda/cell.cuh"
#include "core/cuda/kernels_recurrent.h"

/* A shape, and what follows from it. */
template <int KIND, int UNITS, int COLUMNS> struct recurrent_shape {
    static constexpr int kind = KIND, units = UNITS, columns = COLUMNS;
    static constexpr int inputs = COLUMNS + UNITS;
    static constexpr int gates = KIND == LAYER_LSTM ? 4 : 3;
    static constexpr int sequences = CELL_THREADS / UNITS; /* of a block */

    /* A row of inputs, and one that holds four numbers of each unit: longer than need be, so that the
     * sequences of a warp read from different banks. */
    static constexpr int row = inputs + CELL_QUAD, quads_row = (UNITS + 1) * CELL_QUAD;

    /* Which sum the weights of a gate go into: n of a GRU has one for the input and one for the state. */
    static __device__ constexpr int input_sum(int gate)
    {
        return gate;
    }
    static __device__ constexpr int state_sum(int gate)
    {
        return KIND == LAYER_GRU && gate == 2 ? 3 : gate;
    }
};

/* The sequence of a lane, and which unit it is. */
struct recurrent_lane {
    int unit, place; /* place: of the sequence in the block */
    uint32_t rank, length;
    bool loads, gives; /* there is a column, a unit of that number */
};

template <class SHAPE>
static __device__ __forceinline__ struct recurrent_lane recurrent_lane(const struct kernel_recurrent &r,
                                                                       uint32_t group)
{
    struct recurrent_lane lane;

    lane.unit = (int)threadIdx.x % SHAPE::units;
    lane.place = (int)threadIdx.x / SHAPE::units;
    lane.rank = group * SHAPE::sequences + lane.place;
    lane.length = lane.rank < r.n_sequences ? (uint32_t)r.lengths[lane.rank] : 0;
    lane.loads = lane.unit < (int)r.in;
    lane.gives = lane.unit < (int)r.units;
    return lane;
}

/* Position of the item that is seen at a step; anything but the last sees one. */
static __device__ __forceinline__ size_t recurrent_position(const struct kernel_recurrent &r,
                                                            const struct recurrent_lane &lane, uint32_t step)
{
    if (step >= lane.length)
        return 0;
    return r.first_step[r.reversed ? lane.length - 1 - step : step] + lane.rank;
}

#endif

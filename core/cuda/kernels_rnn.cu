/* Between our order and cuDNN's, of weights and of states. One kernel does all pieces of a layer: what is
 * moved is small, and thirty copies would cost thirty starts. */
#include "core/cuda/kernels_rnn.h"

#include "core/cuda/cells.cuh"

enum { THREADS = 128, BLOCKS = 8 /* a piece */ };

/* A row of the grid for each piece. */
static __global__ void pack(struct kernel_pieces pieces, float *space, const float *block)
{
    const struct kernel_piece piece = pieces.pieces[blockIdx.y];

    for (uint32_t i = blockIdx.x * THREADS + threadIdx.x; i < piece.size; i += BLOCKS * THREADS)
        space[piece.space + i] = block[piece.block + i];
}

static __global__ void add(struct kernel_pieces pieces, float *block, const float *space)
{
    const struct kernel_piece piece = pieces.pieces[blockIdx.y];

    for (uint32_t i = blockIdx.x * THREADS + threadIdx.x; i < piece.size; i += BLOCKS * THREADS)
        block[piece.block + i] += space[piece.space + i];
}

cudaError_t kernel_pack(cudaStream_t stream, const struct kernel_pieces *pieces, float *space,
                        const float *block)
{
    KERNEL_LAUNCH(pack, dim3(BLOCKS, pieces->n), THREADS, 0, stream, *pieces, space, block);
    return cudaGetLastError();
}

cudaError_t kernel_add(cudaStream_t stream, const struct kernel_pieces *pieces, float *block,
                       const float *space)
{
    KERNEL_LAUNCH(add, dim3(BLOCKS, pieces->n), THREADS, 0, stream, *pieces, block, space);
    return cudaGetLastError();
}

/* Where cuDNN has the state that we have in a column of an instance. */
static __device__ size_t their_place(const struct kernel_states *states, size_t instance, uint32_t column)
{
    size_t direction = column / states->units;

    return (direction * states->n + states->rank[instance]) * states->units + column % states->units;
}

static __global__ void take_states(struct kernel_states states, float *ours, const float *theirs)
{
    const uint32_t width = states.directions * states.units;

    for (struct cells at = cells_begin(width); at.row < states.n; cells_next(&at, width))
        ours[at.row * width + at.column] = theirs[their_place(&states, at.row, at.column)];
}

static __global__ void give_states(struct kernel_states states, float *theirs, const float *ours)
{
    const uint32_t width = states.directions * states.units;

    for (struct cells at = cells_begin(width); at.row < states.n; cells_next(&at, width))
        theirs[their_place(&states, at.row, at.column)] = ours[at.row * width + at.column];
}

cudaError_t kernel_states_take(cudaStream_t stream, const struct kernel_states *states, float *ours,
                               const float *theirs)
{
    if (states->n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(take_states, cells_blocks(states->n, states->directions * states->units), CELLS_THREADS, 0,
                  stream, *states, ours, theirs);
    return cudaGetLastError();
}

cudaError_t kernel_states_give(cudaStream_t stream, const struct kernel_states *states, float *theirs,
                               const float *ours)
{
    if (states->n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(give_states, cells_blocks(states->n, states->directions * states->units), CELLS_THREADS, 0,
                  stream, *states, theirs, ours);
    return cudaGetLastError();
}

cudaError_t kernel_image(void)
{
    struct cudaFuncAttributes attributes;

    return cudaFuncGetAttributes(&attributes, (const void *)pack);
}

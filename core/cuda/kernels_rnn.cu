/* One kernel for all pieces of a layer: what is moved is small, and thirty copies would cost thirty starts.
 */
#include "core/cuda/kernels_rnn.h"

#include "core/cuda/launch.h"

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

cudaError_t kernel_image(void)
{
    struct cudaFuncAttributes attributes;

    return cudaFuncGetAttributes(&attributes, (const void *)pack);
}

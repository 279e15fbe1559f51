/* cells.cuh - how a kernel walks over the cells of a matrix: all threads of the grid side by side, so that
 * what neighbours read and write is one piece of memory, and any size fits any grid.
 *
 *     for (struct cells at = cells_begin(width); at.row < n; cells_next(&at, width))
 *         ... at.row, at.column ...
 *
 * Row and column are carried along, since dividing for each cell would cost more than most kernels do.
 */
#ifndef CORE_CUDA_CELLS_CUH
#define CORE_CUDA_CELLS_CUH

#include <stddef.h>
#include <stdint.h>

#include "core/cuda/launch.h"

enum { CELLS_THREADS = 256, CELLS_BLOCKS_MAX = 2048 };

struct cells {
    size_t row;
    uint32_t column;
    size_t rows_apart; /* from a cell to the thread's next one */
    uint32_t columns_apart;
};

/* Blocks for a matrix that is not empty. */
static inline unsigned cells_blocks(size_t n, uint32_t width)
{
    size_t blocks = (n * width + CELLS_THREADS - 1) / CELLS_THREADS;

    return (unsigned)(blocks < CELLS_BLOCKS_MAX ? blocks : (size_t)CELLS_BLOCKS_MAX);
}

static inline __device__ struct cells cells_begin(uint32_t width)
{
    size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x, apart = (size_t)gridDim.x * blockDim.x;
    struct cells at;

    at.row = first / width;
    at.column = (uint32_t)(first % width);
    at.rows_apart = apart / width;
    at.columns_apart = (uint32_t)(apart % width);
    return at;
}

static inline __device__ void cells_next(struct cells *at, uint32_t width)
{
    at->row += at->rows_apart;
    at->column += at->columns_apart;
    if (at->column >= width) {
        at->column -= width;
        at->row++;
    }
}

#endif

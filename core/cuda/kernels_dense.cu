/* Dense layers of small batches, several in one kernel. A block has some rows and takes them through all
 * layers: what one layer gives, only the same block needs. Only the gradient of the weights is made of all
 * rows, and comes last. */
#include "core/cuda/activation.cuh"
#include "core/cuda/cells.cuh"
#include "core/cuda/kernels.h"

enum { BLOCK_ROWS = 4 };

/* The rows of a block. */
struct block_rows {
    uint32_t first, n;
};

static __device__ struct block_rows block_rows(uint32_t n)
{
    struct block_rows rows = {blockIdx.x * BLOCK_ROWS, BLOCK_ROWS};

    if (n - rows.first < rows.n)
        rows.n = n - rows.first;
    return rows;
}

static unsigned dense_blocks(const struct kernel_dense_run *run)
{
    return (run->n + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static __global__ void dense_forward(struct kernel_dense_run run)
{
    __shared__ float weights[KERNEL_DENSE_WEIGHTS];
    struct block_rows rows = block_rows(run.n);

    for (unsigned l = 0; l < run.n_layers; l++) {
        const struct kernel_dense *at = &run.layers[l];
        uint32_t apart = at->in | 1; /* odd, so that neighbours read from different banks */

        __syncthreads(); /* what the layer before gives is there, and its weights are no longer needed */
        for (uint32_t i = threadIdx.x; i < at->out * at->in; i += CELLS_THREADS)
            weights[i / at->in * apart + i % at->in] = at->weights[i];
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < rows.n * at->out; i += CELLS_THREADS) {
            uint32_t row = rows.first + i / at->out, unit = i % at->out;
            const float *x = at->x + row * at->in, *w = weights + unit * apart;
            float sum = 0.0F;

            for (uint32_t k = 0; k < at->in; k++)
                sum += x[k] * w[k];
            at->y[row * at->out + unit] = activated(at->activation, sum + at->bias[unit]);
        }
    }
}

cudaError_t kernel_dense_forward(cudaStream_t stream, const struct kernel_dense_run *run)
{
    if (run->n == 0 || run->n_layers == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(dense_forward, dense_blocks(run), CELLS_THREADS, 0, stream, *run);
    return cudaGetLastError();
}

/* The gradient of what a unit was before its activation. */
static __device__ float dense_slope(const struct kernel_dense *at, uint32_t row, uint32_t unit)
{
    uint32_t i = row * at->out + unit;

    return at->dy[i] * slope(at->activation, at->y[i]);
}

/* From the last layer to the first, which may not be asked for it. */
static __global__ void dense_inputs(struct kernel_dense_run run)
{
    struct block_rows rows = block_rows(run.n);

    for (unsigned l = run.n_layers; l-- > 0;) {
        const struct kernel_dense *at = &run.layers[l];

        for (uint32_t i = threadIdx.x; at->dx != NULL && i < rows.n * at->in; i += CELLS_THREADS) {
            uint32_t row = rows.first + i / at->in, column = i % at->in;
            float sum = 0.0F;

            for (uint32_t k = 0; k < at->out; k++)
                sum += dense_slope(at, row, k) * at->weights[k * at->in + column];
            at->dx[row * at->in + column] = sum;
        }
        __syncthreads();
    }
}

/* A row of the grid for each layer; a cell for each weight, and one for each bias, whose input is 1. */
static __global__ void dense_weights(struct kernel_dense_run run)
{
    const struct kernel_dense *at = &run.layers[blockIdx.y];
    uint32_t width = at->in + 1;

    for (struct cells c = cells_begin(width); c.row < at->out; cells_next(&c, width)) {
        uint32_t unit = (uint32_t)c.row;
        bool weight = c.column < at->in;
        float sum = 0.0F;

        for (uint32_t row = 0; row < run.n; row++)
            sum += dense_slope(at, row, unit) * (weight ? at->x[row * at->in + c.column] : 1.0F);
        if (weight)
            at->dweights[unit * at->in + c.column] += sum;
        else
            at->dbias[unit] += sum;
    }
}

cudaError_t kernel_dense_backward(cudaStream_t stream, const struct kernel_dense_run *run)
{
    unsigned blocks = 0;

    if (run->n == 0 || run->n_layers == 0)
        return cudaSuccess;
    if (run->n_layers > 1 || run->layers[0].dx != NULL) {
        cudaError_t failed;

        KERNEL_LAUNCH(dense_inputs, dense_blocks(run), CELLS_THREADS, 0, stream, *run);
        failed = cudaGetLastError();
        if (failed != cudaSuccess)
            return failed;
    }
    for (unsigned l = 0; l < run->n_layers; l++) {
        unsigned here = cells_blocks(run->layers[l].out, run->layers[l].in + 1);

        blocks = here > blocks ? here : blocks;
    }
    KERNEL_LAUNCH(dense_weights, dim3(blocks, run->n_layers), CELLS_THREADS, 0, stream, *run);
    return cudaGetLastError();
}

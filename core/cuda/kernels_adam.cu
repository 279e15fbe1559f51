/* Adam and AdamW over all weights, with the gradient's norm limited. The numbers that a step has for all
 * weights are worked out on the host in float64, as in core/cpu/adam.c. */
#include <math.h>

#include "core/cuda/cells.cuh"
#include "core/cuda/kernels.h"

/* p = p * decay - rate * m / (sqrt(v) * root + epsilon) */
struct adam {
    float rate, root, decay, epsilon;
    float beta1, beta2, rest1, rest2;
};

static struct adam adam_of(const struct optimizer *optimizer, uint64_t step)
{
    double bias1 = 1 - pow(optimizer->beta1, (double)step);
    double bias2 = sqrt(1 - pow(optimizer->beta2, (double)step));
    bool decoupled = optimizer->kind == OPTIMIZER_ADAMW;
    struct adam adam;

    adam.rate = (float)(decoupled ? optimizer->rate / bias1 : optimizer->rate * bias2 / bias1);
    adam.root = (float)(decoupled ? 1 / bias2 : 1);
    adam.decay = (float)(decoupled ? 1 - optimizer->rate * optimizer->weight_decay : 1);
    adam.epsilon = (float)optimizer->epsilon;
    adam.beta1 = (float)optimizer->beta1;
    adam.beta2 = (float)optimizer->beta2;
    adam.rest1 = (float)(1 - optimizer->beta1);
    adam.rest2 = (float)(1 - optimizer->beta2);
    return adam;
}

/* Add up what the threads of a block have, in pairs. Return: the sum, in all of them. */
static __device__ double block_sum(double mine)
{
    __shared__ double sums[CELLS_THREADS];

    sums[threadIdx.x] = mine;
    for (unsigned half = CELLS_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
}

static __global__ void sum_squares(const float *gradient, uint32_t n, double *sums)
{
    double sum = 0;

    for (struct cells at = cells_begin(1); at.row < n; cells_next(&at, 1))
        sum += (double)gradient[at.row] * (double)gradient[at.row];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

/* The sums of the blocks, and the limit that the norm is to stay under; 0: none. */
struct norm {
    const double *sums;
    uint32_t n;
    double clip;
};

/* What the gradient is multiplied with. Every block finds that out for itself: there are few sums. */
static __device__ float scale_of(const struct norm *norm)
{
    double sum = 0;

    for (uint32_t i = threadIdx.x; i < norm->n; i += CELLS_THREADS)
        sum += norm->sums[i];
    return (float)fmin(norm->clip / (sqrt(block_sum(sum)) + 1e-6), 1.0);
}

static __global__ void move_weights(struct adam adam, struct norm norm, uint32_t n, float *weights,
                                    const float *gradient, float *mean, float *variance)
{
    float factor = norm.clip > 0 ? scale_of(&norm) : 1.0F;

    for (struct cells at = cells_begin(1); at.row < n; cells_next(&at, 1)) {
        size_t i = at.row;
        float g = gradient[i] * factor;

        mean[i] = adam.beta1 * mean[i] + adam.rest1 * g;
        variance[i] = adam.beta2 * variance[i] + adam.rest2 * g * g;
        weights[i] =
            weights[i] * adam.decay - adam.rate * mean[i] / (sqrtf(variance[i]) * adam.root + adam.epsilon);
    }
}

/* Without the norm no weight is moved, so that a step that fails can be taken again. */
cudaError_t kernel_adam(cudaStream_t stream, const struct optimizer *optimizer, uint64_t step, uint32_t n,
                        float *weights, const float *gradient, float *mean, float *variance, double *scratch)
{
    unsigned blocks = cells_blocks(n, 1);
    struct norm norm = {scratch, 0, optimizer->clip};

    if (blocks > KERNEL_NORM_SCRATCH)
        blocks = KERNEL_NORM_SCRATCH;
    norm.n = blocks;
    if (norm.clip > 0) {
        cudaError_t failed;

        KERNEL_LAUNCH(sum_squares, blocks, CELLS_THREADS, 0, stream, gradient, n, scratch);
        failed = cudaGetLastError();
        if (failed != cudaSuccess)
            return failed;
    }
    KERNEL_LAUNCH(move_weights, blocks, CELLS_THREADS, 0, stream, adam_of(optimizer, step), norm, n, weights,
                  gradient, mean, variance);
    return cudaGetLastError();
}

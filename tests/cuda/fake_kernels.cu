#include "tests/cuda/fake_kernels.h"

#include "core/cuda/launch.h"

enum { THREADS = 256, ALL_LANES = 0xffffffff };

static __global__ void axpy(float *y, const float *x, float a, unsigned n)
{
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n)
        y[i] += a * x[i];
}

cudaError_t kernel_axpy(cudaStream_t stream, float *y, const float *x, float a, unsigned n)
{
    KERNEL_LAUNCH(axpy, (n + THREADS - 1) / THREADS, THREADS, 0, stream, y, x, a, n);
    return cudaGetLastError();
}

static __global__ void block_sums(float *sums, const float *x)
{
    __shared__ float part[THREADS];
    unsigned i = threadIdx.x;

    part[i] = x[blockIdx.x * blockDim.x + i];
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (i < half)
            part[i] += part[i + half];
        __syncthreads();
    }
    if (i == 0)
        sums[blockIdx.x] = part[0];
}

cudaError_t kernel_block_sums(cudaStream_t stream, float *sums, const float *x, unsigned blocks,
                              unsigned threads)
{
    KERNEL_LAUNCH(block_sums, blocks, threads, 0, stream, sums, x);
    return cudaGetLastError();
}

static __global__ void warp_sums(float *sums, const float *x)
{
    KERNEL_SHARED(float, part);
    float sum = x[blockIdx.x * blockDim.x + threadIdx.x];

    for (int with = warpSize / 2; with > 0; with /= 2)
        sum += __shfl_xor_sync(ALL_LANES, sum, with);
    if (threadIdx.x % warpSize == 0)
        part[threadIdx.x / warpSize] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned warp = 1; warp < blockDim.x / warpSize; warp++)
            sum += part[warp];
        sums[blockIdx.x] = sum;
    }
}

cudaError_t kernel_warp_sums(cudaStream_t stream, float *sums, const float *x, unsigned blocks,
                             unsigned threads)
{
    KERNEL_LAUNCH(warp_sums, blocks, threads, threads / 32 * sizeof(float), stream, sums, x);
    return cudaGetLastError();
}

static __global__ void lanes(int *values)
{
    int *mine = values + threadIdx.x * KERNEL_LANE_VALUES, value = (int)threadIdx.x + 100;

    mine[0] = __shfl_up_sync(ALL_LANES, value, 1);
    mine[1] = __shfl_down_sync(ALL_LANES, value, 2, 8);
    mine[2] = __shfl_xor_sync(ALL_LANES, value, 5);
    mine[3] = __shfl_sync(ALL_LANES, value, 3);
    mine[4] = (int)__ballot_sync(ALL_LANES, threadIdx.x % 3 == 0);
    mine[5] = __reduce_add_sync(ALL_LANES, value);
    mine[6] = __reduce_min_sync(ALL_LANES, value);
    mine[7] = (int)__reduce_max_sync(ALL_LANES, (unsigned)value);
    __syncwarp();
}

cudaError_t kernel_lanes(cudaStream_t stream, int *values)
{
    KERNEL_LAUNCH(lanes, 1, KERNEL_LANES, 0, stream, values);
    return cudaGetLastError();
}

static __global__ void count_threads(unsigned *count)
{
    atomicAdd(count, 1U);
}

cudaError_t kernel_count(cudaStream_t stream, unsigned *count, unsigned blocks, unsigned threads)
{
    KERNEL_LAUNCH(count_threads, blocks, threads, 0, stream, count);
    return cudaGetLastError();
}

static __global__ void left_over(float *found)
{
    KERNEL_SHARED(float, shared);

    found[blockIdx.x] = shared[0];
    shared[0] = 1.0F;
}

cudaError_t kernel_left_over(cudaStream_t stream, float *found, unsigned blocks)
{
    KERNEL_LAUNCH(left_over, blocks, 1, sizeof(float), stream, found);
    return cudaGetLastError();
}

static __global__ void leave_others(void)
{
    if (threadIdx.x > 0)
        __syncthreads();
}

cudaError_t kernel_stuck(cudaStream_t stream)
{
    KERNEL_LAUNCH(leave_others, 1, 32, 0, stream);
    return cudaGetLastError();
}

static __global__ void mismatch(int *values)
{
    if (threadIdx.x % 2 == 0)
        values[threadIdx.x] = __shfl_sync(ALL_LANES, 1, 0);
    else
        values[threadIdx.x] = (int)__ballot_sync(ALL_LANES, 1);
}

cudaError_t kernel_mismatch(cudaStream_t stream, int *values)
{
    KERNEL_LAUNCH(mismatch, 1, 32, 0, stream, values);
    return cudaGetLastError();
}

static __global__ void write_at(float *at, long offset)
{
    at[offset] = 1.0F;
}

cudaError_t kernel_write(cudaStream_t stream, float *at, long offset)
{
    KERNEL_LAUNCH(write_at, 1, 1, 0, stream, at, offset);
    return cudaGetLastError();
}

/* cell.cuh - the arithmetic of recurrent cells with one lane a unit. For kernels only.
 *
 * Every cell is brought into one form: a step makes four weighted sums for each unit, of the item's columns
 * and of the state before, and the cell makes of them its new state. The sums come already multiplied with
 * -log2 e where a sigmoid follows and with -2 log2 e where a tanh follows, so that with E = 2^sum a sigmoid
 * is 1 / (1 + E) and a tanh (1 - E) / (1 + E).
 */
#ifndef CORE_CUDA_CELL_CUH
#define CORE_CUDA_CELL_CUH

#include "core/cuda/warp.cuh"

enum {
    CELL_SUMS = 4, /* of a unit: lstm i, f, c, o; gru r, z, the input's part of n, the state's part of n */
    CELL_THREADS = 128,
    CELL_QUAD = 4, /* floats of a float4 */
};

#define CELL_LOG2_E 1.442695041F

/* Powers beyond 2^40 say nothing new and would overflow. */
static __device__ __forceinline__ float cell_power(float sum)
{
    return warp_exp2(fminf(sum, 40.0F));
}

static __device__ __forceinline__ float cell_sigmoid(float sum)
{
    return warp_reciprocal(1.0F + cell_power(sum));
}

static __device__ __forceinline__ float cell_tanh(float sum)
{
    float power = cell_power(sum);

    return (1.0F - power) * warp_reciprocal(1.0F + power);
}

/* The sums of a lane's unit. weights: of the inputs, then the bias; row: the inputs, in shared memory. */
template <int INPUTS>
static __device__ __forceinline__ void cell_weigh(const float weights[INPUTS + 1][CELL_SUMS],
                                                  const float *row, float sum[CELL_SUMS])
{
#pragma unroll
    for (int s = 0; s < CELL_SUMS; s++)
        sum[s] = weights[INPUTS][s];
#pragma unroll
    for (int k = 0; k < INPUTS; k += CELL_QUAD) {
        float4 input = *(const float4 *)(row + k);

#pragma unroll
        for (int s = 0; s < CELL_SUMS; s++) {
            sum[s] = fmaf(weights[k][s], input.x, sum[s]);
            sum[s] = fmaf(weights[k + 1][s], input.y, sum[s]);
            sum[s] = fmaf(weights[k + 2][s], input.z, sum[s]);
            sum[s] = fmaf(weights[k + 3][s], input.w, sum[s]);
        }
    }
}

#endif

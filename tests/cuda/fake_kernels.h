/* fake_kernels.h - kernels by which test_fake.c looks at the fake device itself. */
#ifndef TESTS_CUDA_FAKE_KERNELS_H
#define TESTS_CUDA_FAKE_KERNELS_H

#include <cuda_runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y (n) = a * x + y. */
cudaError_t kernel_axpy(cudaStream_t stream, float *y, const float *x, float a, unsigned n);

/* sums (blocks) of x (blocks * threads), by halves in static shared memory. */
cudaError_t kernel_block_sums(cudaStream_t stream, float *sums, const float *x, unsigned blocks,
                              unsigned threads);

/* The same in dynamic shared memory, and with what lanes say to each other. */
cudaError_t kernel_warp_sums(cudaStream_t stream, float *sums, const float *x, unsigned blocks,
                             unsigned threads);

/* What each of 40 threads sees of its warp: shuffle up, down, xor, from lane 3; ballot, sum, least, most. */
enum { KERNEL_LANES = 40, KERNEL_LANE_VALUES = 8 };
cudaError_t kernel_lanes(cudaStream_t stream, int *values);

/* count += number of threads, by atomics. */
cudaError_t kernel_count(cudaStream_t stream, unsigned *count, unsigned blocks, unsigned threads);

/* Shared memory of a block as the next one finds it: NaN. */
cudaError_t kernel_left_over(cudaStream_t stream, float *found, unsigned blocks);

/* Faults: a thread that leaves the others at a barrier; lanes at different operations; a write beyond. */
cudaError_t kernel_stuck(cudaStream_t stream);
cudaError_t kernel_mismatch(cudaStream_t stream, int *values);
cudaError_t kernel_write(cudaStream_t stream, float *at, long offset);

#ifdef __cplusplus
}
#endif

#endif

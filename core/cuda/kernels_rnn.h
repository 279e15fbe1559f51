/* kernels_rnn.h - moving weights between a model's tensors and the order in which cuDNN keeps them. */
#ifndef CORE_CUDA_KERNELS_RNN_H
#define CORE_CUDA_KERNELS_RNN_H

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two directions, eight gates of input and state, matrix and bias. */
enum { KERNEL_PIECES_MAX = 2 * 8 * 2 };

/* What stands in one run in both orders, in floats. */
struct kernel_piece {
    uint32_t block; /* in the weight block */
    uint32_t space; /* in cuDNN's weight space */
    uint32_t size;
};
struct kernel_pieces {
    unsigned n;
    struct kernel_piece pieces[KERNEL_PIECES_MAX];
};

/* space = block; the other way, block += space. */
cudaError_t kernel_pack(cudaStream_t stream, const struct kernel_pieces *pieces, float *space,
                        const float *block);
cudaError_t kernel_add(cudaStream_t stream, const struct kernel_pieces *pieces, float *block,
                       const float *space);

/* Last states, or their gradient: ours (n, directions * units) by instance, cuDNN's (directions, n, units) by
 * rank. */
struct kernel_states {
    const uint32_t *rank; /* (n) of an instance */
    uint32_t n, directions, units;
};
cudaError_t kernel_states_take(cudaStream_t stream, const struct kernel_states *states, float *ours,
                               const float *theirs);
cudaError_t kernel_states_give(cudaStream_t stream, const struct kernel_states *states, float *theirs,
                               const float *ours);

/* Whether the device has these kernels: cudaSuccess, or why not. */
cudaError_t kernel_image(void);

#ifdef __cplusplus
}
#endif

#endif

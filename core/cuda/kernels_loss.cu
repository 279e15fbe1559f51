/* Cross-entropy of logits and its gradient; in float64, as there is little of it. */
#include <math.h>

#include "core/cuda/cells.cuh"
#include "core/cuda/kernels.h"

static __global__ void flow_losses(const float *logits, const uint32_t *labels, const float *shares,
                                   uint32_t n, uint32_t n_labels, double *flow_loss, float *copy,
                                   float *dlogits)
{
    for (struct cells at = cells_begin(1); at.row < n; cells_next(&at, 1)) {
        const float *z = logits + at.row * n_labels;
        uint32_t label = labels[at.row];
        double share = (double)shares[at.row], largest = (double)z[0], total = 0;

        for (uint32_t i = 1; i < n_labels; i++)
            largest = fmax(largest, (double)z[i]);
        for (uint32_t i = 0; i < n_labels; i++)
            total += exp((double)z[i] - largest);
        for (uint32_t i = 0; i < n_labels; i++) {
            dlogits[at.row * n_labels + i] =
                (float)(share * (exp((double)z[i] - largest) / total - (i == label ? 1.0 : 0.0)));
            copy[at.row * n_labels + i] = z[i];
        }
        flow_loss[at.row] = share * (log(total) + largest - (double)z[label]);
    }
}

cudaError_t kernel_loss(cudaStream_t stream, const float *logits, const uint32_t *labels, const float *shares,
                        uint32_t n, uint32_t n_labels, double *flow_loss, float *copy, float *dlogits)
{
    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(flow_losses, cells_blocks(n, 1), CELLS_THREADS, 0, stream, logits, labels, shares, n,
                  n_labels, flow_loss, copy, dlogits);
    return cudaGetLastError();
}

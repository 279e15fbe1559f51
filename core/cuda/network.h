/* network.h - any tree on the device, layer by layer: recurrent ones through our own kernels or cuDNN
 * (rnn.h), dense ones through cuBLAS, or several in one kernel of ours where the batch is small, the rest
 * through kernels of ours. Forward, backward and the optimiser's step.
 *
 * Elements are computed in the order of the tree (children first), each layer for all positions at once
 * (layout.h). Backward goes the other way; a shared element's gradients add up in the one gradient block.
 *
 * A failed call leaves the network as it was but for the batch in hand. After -ENOMEM a later call may do.
 */
#ifndef CORE_CUDA_NETWORK_H
#define CORE_CUDA_NETWORK_H

#include <stdbool.h>

#include "core/batch.h"
#include "core/cpu/pool.h"
#include "core/cuda/device.h"
#include "core/engine.h"
#include "core/tree/model.h"

struct cuda_network;

/* Make one; weights: (tree->n_weights) on the host. The optimiser's state is zero.
 *
 * device, pool, tree: must outlive it; the pool writes large batches down for the copy.
 *
 * Return: 0; -ENOTSUP (a layer that cuDNN does not take), -ENOMEM, -ENODEV.
 */
int cuda_network_new(struct cuda_network **networkp, struct device *device, struct pool *pool,
                     const struct tree *tree, const float *weights, struct error *err);
void cuda_network_free(struct cuda_network *network);

/* Whether some layer goes through cuDNN. */
bool cuda_network_needs_cudnn(const struct cuda_network *network);

/* As in struct engine_ops; logits and values are on the host. */
int cuda_network_forward(struct cuda_network *network, const struct batch *batch, float *logits,
                         struct error *err);
int cuda_network_backward(struct cuda_network *network, const struct batch *batch,
                          const struct engine_targets *targets, double *loss, float *logits,
                          struct error *err);
int cuda_network_step(struct cuda_network *network, const struct optimizer *optimizer, struct error *err);
int cuda_network_weights(struct cuda_network *network, float *weights, struct error *err);
int cuda_network_gradient(struct cuda_network *network, float *gradient, struct error *err);
int cuda_network_output(struct cuda_network *network, size_t element, float *values, struct error *err);

/* Device memory that forward takes for one flow whose lists are as long as they may be, in octets. */
size_t cuda_network_flow_octets(const struct tree *tree);

#endif

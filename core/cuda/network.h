/* network.h - any tree on the device, layer by layer: cuDNN for recurrent layers, cuBLAS for dense ones, our
 * kernels for the rest. Forward, backward and the optimiser's step.
 *
 * Elements are computed in the order of the tree (children first), each layer for all positions at once
 * (layout.h). Backward goes the other way; a shared element's gradients add up in the one gradient block.
 */
#ifndef CORE_CUDA_NETWORK_H
#define CORE_CUDA_NETWORK_H

#include <stdbool.h>

#include "core/batch.h"
#include "core/cuda/device.h"
#include "core/engine.h"
#include "core/tree/model.h"

struct network;

/* Make one; weights: (tree->n_weights) on the host. The optimiser's state is zero.
 *
 * Return: 0; -ENOTSUP (a layer that cuDNN does not take), -ENOMEM, -ENODEV.
 */
int network_new(struct network **networkp, struct device *device, const struct tree *tree,
                const float *weights, struct error *err);
void network_free(struct network *network);

/* As in struct engine_ops; logits and values are on the host. */
int network_forward(struct network *network, const struct batch *batch, float *logits, struct error *err);
int network_backward(struct network *network, const struct batch *batch, const struct engine_targets *targets,
                     double *loss, float *logits, struct error *err);
int network_step(struct network *network, const struct optimizer *optimizer, struct error *err);
int network_weights(struct network *network, float *weights, struct error *err);
int network_gradient(struct network *network, float *gradient, struct error *err);
int network_output(struct network *network, size_t element, float *values, struct error *err);

#endif

/* fused.h - the fast way for inference: a whole tree in a few kernels, made for its layers and sizes.
 *
 * A tree is taken apart into the shapes for which there are kernels (fused_shapes.h): recurrent layers whose
 * weights fit into registers, walked with the state never leaving the multiprocessor; the rest of the tree as
 * one list of operations. Which kernel walks a recurrent layer depends on the batch: few flows want short
 * latency (many lanes a flow, float32), many want throughput (tensor cores, each factor as a sum of two
 * halves, so that the result is as exact as float32). A tree with a layer of another shape is not taken, and
 * goes layer by layer (network.h).
 */
#ifndef CORE_CUDA_FUSED_H
#define CORE_CUDA_FUSED_H

#include "core/batch.h"
#include "core/cpu/pool.h"
#include "core/cuda/device.h"
#include "core/tree/model.h"

struct fused;

/* Prepare a tree.
 *
 * weights: (tree->n_weights) on the host, packed for the kernels and copied. pool: packs large batches for
 * the copy; like the device it must outlive this.
 *
 * Return: 0; -ENOTSUP: some layer has a shape there is no kernel for (err names it); -ENOMEM, -ENODEV.
 */
int fused_new(struct fused **fusedp, struct device *device, const struct tree *tree, const float *weights,
              struct pool *pool, struct error *err);
void fused_free(struct fused *fused);

/* Take other weights, (tree->n_weights) on the host. */
int fused_weights(struct fused *fused, const float *weights, struct error *err);

/* Which kernels walk the recurrent layers. */
enum fused_kernels {
    FUSED_KERNELS_BY_SIZE, /* whichever is faster for the batch */
    FUSED_KERNELS_LANES,   /* many lanes a flow */
    FUSED_KERNELS_TENSOR,  /* tensor cores, for the layers that have a shape there and weights within it */
};

/* Choose, for tests and measurements; at first it is by size. */
void fused_choose(struct fused *fused, enum fused_kernels kernels);

/* Logits of a batch: (n_flows, n_labels) on the host. Returns when they are there. Large batches are cut into
 * portions whose copies and kernels overlap on two streams.
 *
 * Return: 0, -ENOMEM, -ENODEV.
 */
int fused_forward(struct fused *fused, const struct batch *batch, float *logits, struct error *err);

/* Carry out the kernels of the portions that went through last so many times more, over what lies on the
 * device since then, without a copy; for measurements. Returns when it is done.
 *
 * n_flows: receives how many flows that were.
 *
 * Return: 0, -ENODEV.
 */
int fused_repeat(struct fused *fused, unsigned times, uint64_t *n_flows, struct error *err);

#endif

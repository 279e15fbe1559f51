/* rnn_way.h - one of cuDNN's ways to walk a recurrent layer, with the weights in the order that it wants.
 *
 * rnn_cudnn.c has one or two of them for a layer and chooses for each batch.
 */
#ifndef CORE_CUDA_RNN_WAY_H
#define CORE_CUDA_RNN_WAY_H

#include "core/cuda/kernels_rnn.h"
#include "core/cuda/rnn.h"

/* What differs from way to way. */
struct rnn_recipe {
    cudnnRNNAlgo_t algorithm;
    bool equal; /* only lists of one length, laid out with their padding */
};

/* A piece of the weights: floats of a tensor of the layer, and where cuDNN has them. */
struct rnn_piece {
    unsigned tensor;
    size_t in_tensor, in_space, size;
};

struct rnn_way {
    const struct rnn_recipe *recipe;
    struct device *device;
    const struct layer *layer;
    cudnnRNNDescriptor_t descriptor;
    size_t space; /* octets of the weights */
    struct device_buffer weights, gradient;
    bool gathered; /* the gradient has something */
    unsigned n_pieces;
    struct rnn_piece pieces[KERNEL_PIECES_MAX];
};

/* Make one; with zeros for weights. dropout: a descriptor of none.
 *
 * Return: 0; -ENOTSUP: cuDNN has no such way for the layer; -ENODEV, -ENOMEM. The way is to be freed in all
 * cases.
 */
int rnn_way_init(struct rnn_way *way, const struct rnn_recipe *recipe, struct device *device,
                 const struct layer *layer, cudnnDropoutDescriptor_t dropout, struct error *err);

/* Free it; fine on zeros. */
void rnn_way_deinit(struct rnn_way *way);

/* Whether it takes lists of such lengths. */
bool rnn_way_takes(const struct rnn_way *way, const struct layout_element *layout);

/* One pass of cuDNN, as in rnn.h, but for states: last ones and their gradient are (directions, n_instances,
 * units) or NULL, and dy is there. work: memory for the length of the pass. -ENOTSUP: it does not do this. */
int rnn_way_forward(struct rnn_way *way, struct rnn_use *use, struct device_buffer *work,
                    const struct layout_element *layout, const float *x, float *y, float *hy, bool training,
                    struct error *err);
int rnn_way_backward(struct rnn_way *way, struct rnn_use *use, struct device_buffer *work,
                     const struct layout_element *layout, const float *x, const float *y, const float *dy,
                     const float *dhy, float *dx, struct error *err);

/* Take the weights from the weight block; add what was gathered to the gradient block; forget it. */
int rnn_way_pack(struct rnn_way *way, const struct tree *tree, const float *weights, struct error *err);
int rnn_way_add(struct rnn_way *way, const struct tree *tree, float *gradient, struct error *err);
int rnn_way_clear(struct rnn_way *way, struct error *err);

#endif

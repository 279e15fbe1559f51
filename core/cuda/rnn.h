/* rnn.h - one recurrent layer through cuDNN: LSTM or GRU, one direction or both, over packed sequences.
 *
 * cuDNN keeps the weights in an order of its own. A layer's tensors (tree.h: Wx, Wh, bx, bh, gates i f c o or
 * r z n) are copied there after each step of the optimiser, and the gradient back. Elements that share
 * weights share the rnn; each use has its own state (struct rnn_use), since backward needs what forward left.
 *
 * Source: cuDNN API, "cudnn_adv": cudnnSetRNNDescriptor_v8, cudnnSetRNNDataDescriptor
 * (CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED), cudnnRNNForward, cudnnRNNBackwardData_v8,
 * cudnnRNNBackwardWeights_v8.
 */
#ifndef CORE_CUDA_RNN_H
#define CORE_CUDA_RNN_H

#include <stdbool.h>

#include "core/cuda/device.h"
#include "core/cuda/layout.h"
#include "core/tree/tree.h"

struct rnn;

/* What one element's pass through the layer needs besides; {0} before the first. */
struct rnn_use {
    cudnnRNNDataDescriptor_t x, y;
    cudnnTensorDescriptor_t state; /* of h and c: (directions, n_instances, units) */
    struct device_buffer reserve;  /* what forward leaves for backward */
    unsigned way;                  /* how forward went (rnn.c) */
};

/* Make one for a layer (LAYER_LSTM or LAYER_GRU). Plain float32; no TF32.
 *
 * Return: 0; -ENOTSUP: cuDNN does not take this layer; -ENODEV, -ENOMEM.
 */
int rnn_new(struct rnn **rnnp, struct device *device, const struct layer *layer, struct error *err);
void rnn_free(struct rnn *rnn);
void rnn_use_deinit(struct rnn_use *use);

/* Give back the memory that grows with batches; the next one takes what it needs. */
void rnn_release(struct rnn *rnn);

/* Take the layer's weights from the weight block, both on the device, order of tree->tensors. */
int rnn_pack(struct rnn *rnn, const struct tree *tree, const float *weights, struct error *err);

/* Over the sequences of an element. All matrices are on the device, rows by position.
 *
 * x: (n_positions, layer->in). y: (n_positions, layer->out) every step's state. last: (n_instances,
 * layer->out) by rank, the state after each list's last step (backward half: after its first, as tree.h
 * says); NULL when the layer has sequence_out. training: keep what rnn_backward() needs in use->reserve.
 */
int rnn_forward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout, const float *x,
                float *y, float *last, bool training, struct error *err);

/* The way back, after an rnn_forward() in training with the same x and y.
 *
 * dy: (n_positions, layer->out) gradient of y, or NULL (zeros). dlast: (n_instances, layer->out) by rank, or
 * NULL (zeros). dx: (n_positions, layer->in) receives the gradient of x. The gradient of the weights is added
 * to what the rnn has gathered since rnn_gradient_clear().
 */
int rnn_backward(struct rnn *rnn, struct rnn_use *use, const struct layout_element *layout, const float *x,
                 const float *y, const float *dy, const float *dlast, float *dx, struct error *err);

/* Set the gathered gradient to zero; write it into the gradient block, in the order of tree->tensors. */
int rnn_gradient_clear(struct rnn *rnn, struct error *err);
int rnn_gradient_unpack(struct rnn *rnn, const struct tree *tree, float *gradient, struct error *err);

#endif

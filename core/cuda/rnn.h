/* rnn.h - one recurrent layer: LSTM or GRU, one direction or both, over packed sequences.
 *
 * A layer for which there are kernels of our own (kernels_recurrent.h) goes through these; any other through
 * cuDNN. Elements that share weights share the rnn; each use has its own state (struct rnn_use), since
 * backward needs what forward left.
 */
#ifndef CORE_CUDA_RNN_H
#define CORE_CUDA_RNN_H

#include <stdbool.h>

#include "core/cuda/device.h"
#include "core/cuda/layout.h"
#include "core/tree/tree.h"

struct rnn;

/* A tree's weights and their gradient on the device: (tree->n_weights) each, in the order of tree->tensors.
 */
struct rnn_block {
    const struct tree *tree;
    const float *weights;
    float *gradient;
};

/* Whose kernels. */
enum rnn_kernels {
    RNN_KERNELS_BY_SHAPE, /* ours, if there are any for the layer */
    RNN_KERNELS_CUDNN,    /* for tests and measurements */
};

/* What one element's pass through the layer needs besides; {0} before the first. */
struct rnn_use {
    struct device_buffer reserve; /* what forward leaves for backward */

    /* cuDNN only. */
    cudnnRNNDataDescriptor_t x, y;
    cudnnTensorDescriptor_t state; /* of h and c: (directions, n_instances, units) */
    unsigned way;                  /* how forward went (rnn_cudnn.c) */
};

/* Make one for a layer (LAYER_LSTM or LAYER_GRU). Plain float32; no TF32.
 *
 * layer: of block->tree; all that the block names must outlive the rnn.
 *
 * Return: 0; -ENOTSUP: cuDNN does not take this layer; -ENODEV, -ENOMEM.
 */
int rnn_new(struct rnn **rnnp, struct device *device, const struct rnn_block *block,
            const struct layer *layer, enum rnn_kernels kernels, struct error *err);
void rnn_free(struct rnn *rnn);
void rnn_use_deinit(struct rnn_use *use);

/* Whether it goes through cuDNN. */
bool rnn_is_cudnn(const struct rnn *rnn);

/* Give back the memory that grows with batches; the next one takes what it needs. */
void rnn_release(struct rnn *rnn);

/* Take the weights from the block as they are now: before the first pass, and after each change. */
int rnn_pack(struct rnn *rnn, struct error *err);

/* What goes through the layer. All matrices are on the device, with a row a position or a row an instance. */
struct rnn_pass {
    const struct layout_element *layout;
    const float *x; /* (n_positions, layer->in) */
    float *y;       /* (n_positions, layer->out) every step's state */
    float *last; /* (n_instances, layer->out) by rank, the state after each list's last step (backward half:
                    after its first, as tree.h says); NULL when the layer has sequence_out */
};

/* training: keep what rnn_backward() needs in use->reserve. */
int rnn_forward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass, bool training,
                struct error *err);

/* Gradients of what went through. */
struct rnn_gradients {
    const float *dy;    /* (n_positions, layer->out) of y; NULL: zeros */
    const float *dlast; /* (n_instances, layer->out) of last; NULL: zeros */
    float *dx;          /* (n_positions, layer->in) receives that of x; NULL: not asked for */
};

/* The way back, after an rnn_forward() in training with the same pass. The gradient of the weights is added
 * to that in the block, once rnn_gradient_add() has been called. */
int rnn_backward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass,
                 const struct rnn_gradients *gradients, struct error *err);

/* Before the first rnn_backward() of a batch: forget what was not added. */
int rnn_gradient_clear(struct rnn *rnn, struct error *err);

/* After the last one: bring all of it into the block. */
int rnn_gradient_add(struct rnn *rnn, struct error *err);

#endif

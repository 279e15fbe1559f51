/* rnn_ops.h - the two kinds of rnn behind rnn.h: through cuDNN (rnn_cudnn.c) and through kernels of our own
 * (rnn_own.c).
 */
#ifndef CORE_CUDA_RNN_OPS_H
#define CORE_CUDA_RNN_OPS_H

#include "core/cuda/rnn.h"

/* As in rnn.h; NULL where there is nothing to do. */
struct rnn_ops {
    int (*forward)(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass, bool training,
                   struct error *err);
    int (*backward)(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass,
                    const struct rnn_gradients *gradients, struct error *err);
    int (*pack)(struct rnn *rnn, struct error *err);
    int (*gradient_clear)(struct rnn *rnn, struct error *err);
    int (*gradient_add)(struct rnn *rnn, struct error *err);
    void (*release)(struct rnn *rnn);
    void (*free)(struct rnn *rnn);
};

/* What both have; first member of each. */
struct rnn {
    const struct rnn_ops *ops;
    struct device *device;
    const struct layer *layer;
    struct rnn_block block;
};

extern const struct rnn_ops rnn_cudnn, rnn_own;

/* Make one; base: all but ops. */
int rnn_cudnn_new(struct rnn **rnnp, const struct rnn *base, struct error *err);
int rnn_own_new(struct rnn **rnnp, const struct rnn *base, struct error *err);

static inline size_t rnn_directions(const struct layer *layer)
{
    return layer->bidirectional ? 2 : 1;
}

#endif

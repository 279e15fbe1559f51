#include "core/cuda/rnn.h"

#include "core/cuda/kernels_recurrent.h"
#include "core/cuda/rnn_ops.h"

int rnn_new(struct rnn **rnnp, struct device *device, const struct rnn_block *block,
            const struct layer *layer, enum rnn_kernels kernels, struct error *err)
{
    const struct rnn base = {.device = device, .layer = layer, .block = *block};
    bool own = kernels == RNN_KERNELS_BY_SHAPE && kernel_recurrent_takes(layer);

    return own ? rnn_own_new(rnnp, &base, err) : rnn_cudnn_new(rnnp, &base, err);
}

void rnn_free(struct rnn *rnn)
{
    if (rnn != NULL)
        rnn->ops->free(rnn);
}

void rnn_use_deinit(struct rnn_use *use)
{
    if (use->x != NULL)
        (void)cudnnDestroyRNNDataDescriptor(use->x);
    if (use->y != NULL)
        (void)cudnnDestroyRNNDataDescriptor(use->y);
    if (use->state != NULL)
        (void)cudnnDestroyTensorDescriptor(use->state);
    device_buffer_deinit(&use->reserve);
    *use = (struct rnn_use){0};
}

bool rnn_is_cudnn(const struct rnn *rnn)
{
    return rnn->ops == &rnn_cudnn;
}

void rnn_release(struct rnn *rnn)
{
    rnn->ops->release(rnn);
}

int rnn_pack(struct rnn *rnn, struct error *err)
{
    return rnn->ops->pack != NULL ? rnn->ops->pack(rnn, err) : 0;
}

int rnn_forward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass, bool training,
                struct error *err)
{
    return rnn->ops->forward(rnn, use, pass, training, err);
}

int rnn_backward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass,
                 const struct rnn_gradients *gradients, struct error *err)
{
    return rnn->ops->backward(rnn, use, pass, gradients, err);
}

int rnn_gradient_clear(struct rnn *rnn, struct error *err)
{
    return rnn->ops->gradient_clear != NULL ? rnn->ops->gradient_clear(rnn, err) : 0;
}

int rnn_gradient_add(struct rnn *rnn, struct error *err)
{
    return rnn->ops->gradient_add != NULL ? rnn->ops->gradient_add(rnn, err) : 0;
}

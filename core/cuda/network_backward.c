/* From the gradient of the logits to that of the weights, which every layer adds to: shared elements have
 * one.
 */
#include "core/cuda/network_parts.h"
#include "core/cuda/status.h"

/* dx may be NULL, where nobody asks for it; dy may be overwritten. */

/* dW += dY' X, db += the sum of dY, dX = dY W, all row-major; to cuBLAS dW' += X' dY and dX' = W' dY'. */
static int dense_backward(struct cuda_network *network, struct cuda_element *e, size_t l, float *dy,
                          float *dx, struct error *err)
{
    const struct cuda_layer *at = &e->layers[l];
    const struct layer *layer = at->layer;
    size_t W = network_weights_at(network, layer, 0), b = network_weights_at(network, layer, 1);
    int in = (int)layer->in, out = (int)layer->out, rows = (int)at->rows_out;
    const float one = 1.0F, zero = 0.0F;

    CUDA_TRY(kernel_bias_backward(network->device->stream, network->gradient + b, dy, at->y, at->rows_out,
                                  (uint32_t)out, layer->activation, network->scratch));
    CUBLAS_TRY(cublasSgemm(network->device->cublas, CUBLAS_OP_N, CUBLAS_OP_T, in, out, rows, &one, at->x, in,
                           dy, out, &one, network->gradient + W, in));
    if (dx != NULL)
        CUBLAS_TRY(cublasSgemm(network->device->cublas, CUBLAS_OP_N, CUBLAS_OP_N, in, rows, out, &one,
                               network->weights + W, in, dy, out, &zero, dx, in));
    return 0;
}

static int recurrent_backward(struct cuda_network *network, struct cuda_element *e, size_t l, float *dy,
                              float *dx, struct error *err)
{
    struct cuda_layer *at = &e->layers[l];
    const struct rnn_pass pass = network_rnn_pass(e, at);
    const struct rnn_gradients gradients = {
        .dy = pass.last == NULL ? dy : NULL, .dlast = pass.last != NULL ? dy : NULL, .dx = dx};

    (void)network;
    return rnn_backward(at->rnn, &at->use, &pass, &gradients, err);
}

static int embedding_backward(struct cuda_network *network, struct cuda_element *e, size_t l, float *dy,
                              float *dx, struct error *err)
{
    const struct cuda_layer *at = &e->layers[l];
    const struct layer *layer = at->layer;

    (void)dx; /* the first layer over own columns: nobody asks */
    CUDA_TRY(kernel_embedding_backward(
        network->device->stream, network->gradient + network_weights_at(network, layer, 0),
        (uint32_t)layer->rows, dy, at->x, at->rows_out, (uint32_t)layer->out, network->scratch));
    return 0;
}

static int dropout_backward(struct cuda_network *network, struct cuda_element *e, size_t l, float *dy,
                            float *dx, struct error *err)
{
    return dx == NULL ? 0 : network_drop(network, e, l, dx, dy, err);
}

static int (*const layer_backward[LAYER_KINDS])(struct cuda_network *network, struct cuda_element *e,
                                                size_t l, float *dy, float *dx, struct error *err) = {
    [LAYER_DENSE] = dense_backward,     [LAYER_LSTM] = recurrent_backward,
    [LAYER_GRU] = recurrent_backward,   [LAYER_EMBEDDING] = embedding_backward,
    [LAYER_DROPOUT] = dropout_backward,
};

/* The gradient of the items to the children they came from; own columns have none. */
static int split_input(struct cuda_network *network, struct cuda_element *e, float *dy, struct error *err)
{
    struct kernel_items items = {
        .whole = dy,
        .n = network_count_items(e),
        .width = (uint32_t)e->element->item_width,
        .index = e->layout->source,
    };

    for (size_t first = 0; first < e->element->n_children; first += KERNEL_PARTS_MAX) {
        network_parts(network, e, first, e->element->n_children, &items);
        CUDA_TRY(kernel_split(network->device->stream, &items));
    }
    return 0;
}

static int element_backward(struct cuda_network *network, struct cuda_element *e, struct error *err)
{
    float *dy = e->gradient;
    unsigned turn = 0;
    int rc = 0;

    for (size_t end = e->element->n_layers, first; rc == 0 && end > 0; end = first) {
        const struct cuda_layer *at = &e->layers[end - 1];
        bool alone = at->run == NETWORK_ALONE;
        float *dx;

        first = alone ? end - 1 : at->run;
        if (alone && layer_rests(network, at->layer))
            continue;
        dx = first > 0 || e->element->n_children > 0 ? network->gradients[turn] : NULL;
        rc = alone ? layer_backward[at->layer->kind](network, e, first, dy, dx, err)
                   : network_run_backward(network, e, first, end, dy, dx, err);
        dy = network->gradients[turn];
        turn ^= 1;
    }
    return rc < 0 ? rc : split_input(network, e, dy, err);
}

int network_go_backward(struct cuda_network *network, struct error *err)
{
    int rc = 0;

    for (size_t i = network->tree->n_elements; rc == 0 && i-- > 0;)
        rc = element_backward(network, &network->elements[i], err);
    return rc;
}

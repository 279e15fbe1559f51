/* From the layout to the root's logits. */
#include "core/cuda/kernels.h"
#include "core/cuda/network_parts.h"
#include "core/cuda/status.h"
#include "core/dropout.h"

void network_parts(const struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                   struct kernel_items *items)
{
    const struct element *element = e->element;
    uint32_t column = 0;

    items->n_parts = 0;
    for (size_t k = 0; k < end && items->n_parts < KERNEL_PARTS_MAX; k++) {
        struct kernel_part part = {.column = column, .width = (uint32_t)element->n_columns};

        if (k < element->n_children) {
            const struct cuda_element *child = &network->elements[element->children[k]];

            part.width = (uint32_t)child->element->out_width;
            part.from = child->output;
            part.to = child->gradient;
        } else {
            part.from = e->layout->values;
        }
        column += part.width;
        if (k >= first)
            items->parts[items->n_parts++] = part;
    }
}

static int join_input(struct cuda_network *network, struct cuda_element *e, struct error *err)
{
    size_t n_parts = e->element->n_children + (e->element->n_columns > 0);
    struct kernel_items items = {
        .whole = e->joined,
        .n = network_count_items(e),
        .width = (uint32_t)e->element->item_width,
        .index = e->layout->source,
    };

    for (size_t first = 0; first < n_parts; first += KERNEL_PARTS_MAX) {
        network_parts(network, e, first, n_parts, &items);
        CUDA_TRY(kernel_join(network->device->stream, &items));
    }
    return 0;
}

/* Y = X W', all row-major; to cuBLAS, which counts columns first, Y' = W X'. */
static int dense_forward(struct cuda_network *network, struct cuda_element *e, size_t l, struct error *err)
{
    const struct cuda_layer *at = &e->layers[l];
    const struct layer *layer = at->layer;
    int in = (int)layer->in, out = (int)layer->out;
    const float one = 1.0F, zero = 0.0F;

    CUBLAS_TRY(cublasSgemm(network->device->cublas, CUBLAS_OP_T, CUBLAS_OP_N, out, (int)at->rows_out, in,
                           &one, network->weights + network_weights_at(network, layer, 0), in, at->x, in,
                           &zero, at->y, out));
    CUDA_TRY(kernel_bias_activation(network->device->stream, at->y,
                                    network->weights + network_weights_at(network, layer, 1), at->rows_out,
                                    (uint32_t)layer->out, layer->activation));
    return 0;
}

static int recurrent_forward(struct cuda_network *network, struct cuda_element *e, size_t l,
                             struct error *err)
{
    struct cuda_layer *at = &e->layers[l];
    const struct rnn_pass pass = network_rnn_pass(e, at);

    return rnn_forward(at->rnn, &at->use, &pass, network->training, err);
}

static int embedding_forward(struct cuda_network *network, struct cuda_element *e, size_t l,
                             struct error *err)
{
    const struct cuda_layer *at = &e->layers[l];
    const struct layer *layer = at->layer;

    CUDA_TRY(kernel_embedding(network->device->stream, at->y,
                              network->weights + network_weights_at(network, layer, 0), (uint32_t)layer->rows,
                              at->x, at->rows_out, (uint32_t)layer->out));
    return 0;
}

int network_drop(const struct cuda_network *network, const struct cuda_element *e, size_t l, float *to,
                 const float *from, struct error *err)
{
    const struct cuda_layer *at = &e->layers[l];

    CUDA_TRY(kernel_dropout(network->device->stream, to, from, at->rows_out, (uint32_t)at->layer->out,
                            at->sequence ? e->layout->instance : NULL, at->sequence ? e->layout->step : NULL,
                            dropout_layer_key(network->dropout_seed, e->index, l), at->layer->rate));
    return 0;
}

static int dropout_forward(struct cuda_network *network, struct cuda_element *e, size_t l, struct error *err)
{
    return network_drop(network, e, l, e->layers[l].y, e->layers[l].x, err);
}

static int (*const layer_forward[LAYER_KINDS])(struct cuda_network *network, struct cuda_element *e, size_t l,
                                               struct error *err) = {
    [LAYER_DENSE] = dense_forward,         [LAYER_LSTM] = recurrent_forward,  [LAYER_GRU] = recurrent_forward,
    [LAYER_EMBEDDING] = embedding_forward, [LAYER_DROPOUT] = dropout_forward,
};

static int element_forward(struct cuda_network *network, struct cuda_element *e, struct error *err)
{
    int rc = e->joined != NULL ? join_input(network, e, err) : 0;

    for (size_t l = 0, end; rc == 0 && l<e->element->n_layers; l = end> l ? end : l + 1) {
        end = network_run_end(e, l);
        if (end > l)
            rc = network_run_forward(network, e, l, end, err);
        else if (!layer_rests(network, e->layers[l].layer))
            rc = layer_forward[e->layers[l].layer->kind](network, e, l, err);
    }
    return rc;
}

int network_go_forward(struct cuda_network *network, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < network->tree->n_elements; i++)
        rc = element_forward(network, &network->elements[i], err);
    return rc;
}

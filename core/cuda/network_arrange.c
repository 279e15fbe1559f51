/* Memory for a batch. In training every value is kept until backward has seen it. In inference only what an
 * element gives is; what lies between its layers gives way to the next element's.
 */
#include <errno.h>

#include "core/cuda/kernels.h"
#include "core/cuda/network_parts.h"

enum {
    PIECE_FLOATS = 64,    /* pieces begin at multiples of 256 octets */
    LAYOUT_WORDS = 6,     /* of a row: where it stands and comes from */
    RECURRENT_FLOATS = 8, /* of a step, for each value it gives: its state, and what cuDNN works with */
};

static float *take(struct arena *arena, size_t n)
{
    float *piece = arena->counting ? NULL : (float *)arena->memory.at + arena->taken;

    arena->taken += (n + PIECE_FLOATS - 1) / PIECE_FLOATS * PIECE_FLOATS;
    if (arena->most < arena->taken)
        arena->most = arena->taken;
    return piece;
}

static float *take_value(struct cuda_network *network, bool keep, size_t rows, size_t width)
{
    return take(keep || network->training ? &network->kept : &network->passing, rows * width);
}

/* The layer whose values are what the element gives; n_layers: the input is. */
static size_t giving_layer(const struct cuda_network *network, const struct element *element)
{
    size_t l = element->n_layers;

    while (l > 0 && layer_rests(network, &element->layers[l - 1]))
        l--;
    return l > 0 ? l - 1 : element->n_layers;
}

/* What an only child gives in the order of the batch is the input. */
static void arrange_input(struct cuda_network *network, struct cuda_element *e, bool keep)
{
    const struct element *element = e->element;

    e->joined = NULL;
    if (element->n_children == 0)
        e->input = e->layout->input;
    else if (e->layout->source == NULL && element->n_children == 1 && element->n_columns == 0)
        e->input = network->elements[element->children[0]].output;
    else
        e->input = e->joined = take_value(network, keep, e->layout->n_positions, element->in_width);
}

static void arrange_layer(struct cuda_network *network, struct cuda_element *e, size_t l, bool keep)
{
    struct cuda_layer *at = &e->layers[l];
    const struct layer *layer = at->layer;

    at->rows_in = l > 0 ? e->layers[l - 1].rows_out : e->layout->n_positions;
    at->rows_out = layer_reduces(layer) ? e->layout->n_instances : at->rows_in;
    at->x = l > 0 ? e->layers[l - 1].y : e->input;
    at->run = network_run_begin(network, e, l);
    if (layer_rests(network, layer)) {
        at->y = (float *)at->x;
        return;
    }
    at->y = take_value(network, keep, at->rows_out, layer->out);
    if (network->training && at->run != NETWORK_ALONE)
        at->gradient = take(&network->kept, at->rows_out * layer->out);
    if (layer_reduces(layer))
        at->steps = take_value(network, false, at->rows_in, layer->out);
}

static void arrange_element(struct cuda_network *network, struct cuda_element *e)
{
    const struct element *element = e->element;
    size_t giving = giving_layer(network, element);

    network->passing.taken = 0;
    arrange_input(network, e, giving == element->n_layers);
    e->output = e->input;
    for (size_t l = 0; l < element->n_layers; l++) {
        arrange_layer(network, e, l, l == giving);
        e->output = e->layers[l].y;
    }
    if (network->training)
        e->gradient = take(&network->kept, e->layout->n_instances * element->out_width);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t layer_scratch(const struct cuda_layer *at)
{
    const struct layer *layer = at->layer;

    switch (layer->kind) {
    case LAYER_DENSE:
        return kernel_bias_scratch(at->rows_out, (uint32_t)layer->out);
    case LAYER_EMBEDDING:
        return kernel_embedding_scratch((uint32_t)layer->rows, at->rows_out, (uint32_t)layer->out);
    default:
        return 0;
    }
}

/* What backward needs besides; one of each is enough for all layers, as they come one after the other. */
static void arrange_backward(struct cuda_network *network, uint32_t n_flows)
{
    size_t values = 0, scratch = 0;

    for (size_t i = 0; i < network->tree->n_elements; i++)
        for (size_t l = 0; l < network->tree->elements[i].n_layers; l++) {
            const struct cuda_layer *at = &network->elements[i].layers[l];

            values = larger(values, at->rows_in * at->layer->in);
            scratch = larger(scratch, layer_scratch(at));
        }
    network->passing.taken = 0;
    network->gradients[0] = take(&network->passing, values);
    network->gradients[1] = take(&network->passing, values);
    network->scratch = take(&network->passing, scratch);
    network->answers = take(&network->kept, network_answers_octets(network, n_flows) / sizeof(float));
}

static void arrange(struct cuda_network *network, uint32_t n_flows, bool counting)
{
    network->kept.counting = network->passing.counting = counting;
    network->kept.taken = 0;
    if (counting)
        network->kept.most = network->passing.most = 0;
    for (size_t i = 0; i < network->tree->n_elements; i++) {
        network->elements[i].layout = &network->layout.elements[i];
        arrange_element(network, &network->elements[i]);
    }
    if (network->training)
        arrange_backward(network, n_flows);
}

int network_arrange(struct cuda_network *network, uint32_t n_flows, struct error *err)
{
    int rc;

    arrange(network, n_flows, true);
    rc =
        device_buffer_reserve(network->device, &network->kept.memory, network->kept.most, sizeof(float), err);
    if (rc == 0)
        rc = device_buffer_reserve(network->device, &network->passing.memory, network->passing.most,
                                   sizeof(float), err);
    if (rc == 0)
        arrange(network, n_flows, false);
    return rc;
}

/* Floats of an element with so many instances and positions: what is joined, and between its layers. */
static size_t layer_floats(const struct element *element, size_t instances, size_t positions)
{
    size_t rows = positions, floats = element->n_children > 0 ? rows * element->in_width : 0;

    for (size_t l = 0; l < element->n_layers; l++) {
        const struct layer *layer = &element->layers[l];

        if (layer->kind == LAYER_LSTM || layer->kind == LAYER_GRU)
            floats += rows * RECURRENT_FLOATS * layer->out;
        if (layer_reduces(layer))
            rows = instances;
        floats += rows * layer->out;
    }
    return floats;
}

size_t cuda_network_flow_octets(const struct tree *tree)
{
    size_t rows[TREE_ELEMENTS_MAX], floats = 0, passing = 0;

    for (size_t i = tree->n_elements; i-- > 0;) { /* parents first */
        const struct element *element = &tree->elements[i];
        size_t instances = element->parent == i ? 1 : rows[element->parent], positions;

        rows[i] = instances * (element->is_list ? element->first : 1);
        positions = element_is_sequence(element) ? rows[i] : instances;
        floats += rows[i] * (element->n_columns + LAYOUT_WORDS) + instances * element->out_width;
        if (element->is_list && element->n_children == 0)
            floats += rows[i] * element->n_columns;
        passing = larger(passing, layer_floats(element, instances, positions));
    }
    return (floats + passing) * sizeof(float);
}

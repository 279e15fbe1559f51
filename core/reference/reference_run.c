#include "core/reference/reference_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/dropout.h"

/* How many steps the layers of an element see for one instance: padding counts. */
static size_t instance_steps(const struct element *element, const struct batch_input *input, size_t instance)
{
    size_t rows;

    if (!element_is_sequence(element))
        return 1;
    rows = input->first_row[instance + 1] - input->first_row[instance];
    return rows > input->padded_rows ? rows : input->padded_rows;
}

static int signal_init(struct signal *signal, size_t n, size_t width)
{
    signal->n = n;
    signal->width = width;
    signal->first = calloc(n + 1, sizeof *signal->first);
    return signal->first == NULL ? -ENOMEM : 0;
}

static int signal_alloc(struct signal *signal)
{
    size_t size = signal->first[signal->n] * signal->width + 1;

    signal->values = calloc(size, sizeof *signal->values);
    signal->gradient = calloc(size, sizeof *signal->gradient);
    return signal->values == NULL || signal->gradient == NULL ? -ENOMEM : 0;
}

static int input_signal(struct signal *signal, const struct element *element, const struct batch_input *input)
{
    if (signal_init(signal, input->n_instances, element->in_width) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < signal->n; i++)
        signal->first[i + 1] = signal->first[i] + instance_steps(element, input, i);
    return signal_alloc(signal);
}

/* The signal after a layer: as long as the one before, or one vector for each instance. */
static int output_signal(struct signal *signal, const struct signal *before, const struct layer *layer)
{
    bool reduces = reference_state_width(layer) > 0 && !layer->sequence_out;

    if (signal_init(signal, before->n, layer->out) < 0)
        return -ENOMEM;
    for (size_t i = 0; i <= signal->n; i++)
        signal->first[i] = reduces ? i : before->first[i];
    return signal_alloc(signal);
}

static int layer_init(struct reference_layer *at, const struct tree *tree, const struct layer *layer,
                      const struct signal *signals, const double *weights, double *gradient)
{
    size_t steps = signals[0].first[signals[0].n];

    at->layer = layer;
    at->in = &signals[0];
    at->out = &signals[1];
    for (unsigned k = 0; k < layer->n_tensors; k++) {
        at->weights[k] = weights + tree->tensors[layer->tensors[k]].offset;
        at->gradients[k] = gradient + tree->tensors[layer->tensors[k]].offset;
    }
    at->states = calloc(steps * reference_state_width(layer) + 1, sizeof *at->states);
    return at->states == NULL ? -ENOMEM : 0;
}

static int element_init(struct reference_run *run, size_t index, const struct batch *batch,
                        const double *weights, double *gradient, uint64_t dropout_seed)
{
    const struct element *element = &run->tree->elements[index];
    struct reference_run_element *at = &run->elements[index];
    int r;

    at->signals = calloc(element->n_layers + 1, sizeof *at->signals);
    at->layers = calloc(element->n_layers + 1, sizeof *at->layers);
    if (at->signals == NULL || at->layers == NULL)
        return -ENOMEM;
    r = input_signal(&at->signals[0], element, &batch->inputs[index]);
    for (size_t i = 0; r == 0 && i < element->n_layers; i++) {
        r = output_signal(&at->signals[i + 1], &at->signals[i], &element->layers[i]);
        if (r == 0)
            r = layer_init(&at->layers[i], run->tree, &element->layers[i], &at->signals[i], weights,
                           gradient);
        at->layers[i].dropping = dropout_seed != 0;
        at->layers[i].dropout_key = dropout_layer_key(dropout_seed, index, i);
    }
    return r;
}

int reference_run_new(struct reference_run **runp, const struct tree *tree, const struct batch *batch,
                      const double *weights, double *gradient, uint64_t dropout_seed)
{
    struct reference_run *run = calloc(1, sizeof *run);
    int r = 0;

    if (run == NULL)
        return -ENOMEM;
    run->tree = tree;
    run->n_flows = batch->n_flows;
    run->elements = calloc(tree->n_elements, sizeof *run->elements);
    if (run->elements == NULL)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < tree->n_elements; i++)
        r = element_init(run, i, batch, weights, gradient, dropout_seed);
    if (r < 0) {
        reference_run_free(run);
        return r;
    }
    *runp = run;
    return 0;
}

static void element_deinit(struct reference_run_element *at, size_t n_layers)
{
    for (size_t i = 0; at->signals != NULL && i <= n_layers; i++) {
        free(at->signals[i].first);
        free(at->signals[i].values);
        free(at->signals[i].gradient);
    }
    for (size_t i = 0; at->layers != NULL && i < n_layers; i++)
        free(at->layers[i].states);
    free(at->signals);
    free(at->layers);
}

void reference_run_free(struct reference_run *run)
{
    if (run == NULL)
        return;
    for (size_t i = 0; run->elements != NULL && i < run->tree->n_elements; i++)
        element_deinit(&run->elements[i], run->tree->elements[i].n_layers);
    free(run->elements);
    free(run);
}

const struct signal *reference_run_signal(const struct reference_run *run, size_t element, size_t layer)
{
    size_t n_layers = run->tree->elements[element].n_layers;

    return &run->elements[element].signals[layer < n_layers ? layer + 1 : n_layers];
}

/* One item: the children's outputs for that row, then the own columns. */
static void item_gather(const struct reference_run *run, const struct element *element,
                        const struct batch_input *input, const double *own, size_t row, double *item)
{
    for (size_t c = 0; c < element->n_children; c++) {
        const struct signal *child = reference_run_signal(run, element->children[c], SIZE_MAX);

        memcpy(item, child->values + row * child->width, child->width * sizeof *item);
        item += child->width;
    }
    for (size_t c = 0; c < element->n_columns; c++)
        item[c] = own != NULL ? own[row * element->n_columns + c]
                              : (double)input->values[row * element->n_columns + c];
}

/* The way back: an item's gradient to the children that made it. */
static void item_scatter(const struct reference_run *run, const struct element *element, size_t row,
                         const double *gradient)
{
    for (size_t c = 0; c < element->n_children; c++) {
        const struct signal *child = reference_run_signal(run, element->children[c], SIZE_MAX);

        memcpy(child->gradient + row * child->width, gradient, child->width * sizeof *gradient);
        gradient += child->width;
    }
}

/* Where the items of an instance stand in its input signal: step by step, or side by side. */
static double *item_at(const struct element *element, const struct signal *input, double *values,
                       size_t instance, size_t item)
{
    return values + input->first[instance] * input->width + item * element->item_width;
}

static size_t first_item(const struct element *element, const struct batch_input *input, size_t instance)
{
    return element->is_list ? input->first_row[instance] : instance;
}

void reference_run_forward(struct reference_run *run, const struct batch *batch, const double *const *inputs)
{
    for (size_t e = 0; e < run->tree->n_elements; e++) {
        const struct element *element = &run->tree->elements[e];
        const struct batch_input *input = &batch->inputs[e];
        struct signal *signal = &run->elements[e].signals[0];

        for (size_t i = 0; i < signal->n; i++)
            for (size_t row = first_item(element, input, i); row < first_item(element, input, i + 1); row++)
                item_gather(run, element, input, inputs != NULL ? inputs[e] : NULL, row,
                            item_at(element, signal, signal->values, i, row - first_item(element, input, i)));
        for (size_t l = 0; l < element->n_layers; l++)
            reference_layer_forward(&run->elements[e].layers[l]);
    }
}

void reference_run_backward(struct reference_run *run, const struct batch *batch)
{
    for (size_t e = run->tree->n_elements; e-- > 0;) {
        const struct element *element = &run->tree->elements[e];
        const struct batch_input *input = &batch->inputs[e];
        struct signal *signal = &run->elements[e].signals[0];

        for (size_t l = element->n_layers; l-- > 0;)
            reference_layer_backward(&run->elements[e].layers[l]);
        for (size_t i = 0; i < signal->n; i++)
            for (size_t row = first_item(element, input, i); row < first_item(element, input, i + 1); row++)
                item_scatter(
                    run, element, row,
                    item_at(element, signal, signal->gradient, i, row - first_item(element, input, i)));
    }
}

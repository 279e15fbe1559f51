/* Dense layers that go together: where a batch is small, starting a product takes longer than making it, so
 * one kernel does all that follow each other. Others go one by one through cuBLAS (network_forward.c).
 */
#include "core/cuda/network_parts.h"
#include "core/cuda/status.h"

static bool is_small(const struct cuda_layer *at)
{
    return at->layer->kind == LAYER_DENSE && at->rows_out <= KERNEL_DENSE_ROWS &&
           (at->layer->in | 1) * at->layer->out <= KERNEL_DENSE_WEIGHTS;
}

size_t network_run_begin(const struct cuda_network *network, const struct cuda_element *e, size_t l)
{
    size_t before = l > 0 ? e->layers[l - 1].run : NETWORK_ALONE;

    if (layer_rests(network, e->layers[l].layer))
        return before;
    if (!is_small(&e->layers[l]))
        return NETWORK_ALONE;
    return before != NETWORK_ALONE && l - before < KERNEL_DENSE_MAX ? before : l;
}

size_t network_run_end(const struct cuda_element *e, size_t first)
{
    size_t end = first;

    while (end < e->element->n_layers && e->layers[end].run == first)
        end++;
    return end;
}

static struct kernel_dense dense_of(const struct cuda_network *network, const struct cuda_layer *at)
{
    size_t W = network_weights_at(network, at->layer, 0), b = network_weights_at(network, at->layer, 1);

    return (struct kernel_dense){
        .in = (uint32_t)at->layer->in,
        .out = (uint32_t)at->layer->out,
        .activation = at->layer->activation,
        .weights = network->weights + W,
        .bias = network->weights + b,
        .x = at->x,
        .y = at->y,
        .dweights = network->gradient + W,
        .dbias = network->gradient + b,
        .dy = at->gradient,
    };
}

/* Layers [first, end) but for those that rest; each hands its gradient to the one before. */
static struct kernel_dense_run run_of(const struct cuda_network *network, const struct cuda_element *e,
                                      size_t first, size_t end)
{
    struct kernel_dense_run run = {.n = e->layers[first].rows_out};
    float *before = NULL;

    for (size_t l = first; l < end; l++) {
        if (layer_rests(network, e->layers[l].layer))
            continue;
        run.layers[run.n_layers] = dense_of(network, &e->layers[l]);
        run.layers[run.n_layers++].dx = before;
        before = e->layers[l].gradient;
    }
    return run;
}

int network_run_forward(struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                        struct error *err)
{
    struct kernel_dense_run run = run_of(network, e, first, end);

    CUDA_TRY(kernel_dense_forward(network->device->stream, &run));
    return 0;
}

int network_run_backward(struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                         const float *dy, float *dx, struct error *err)
{
    struct kernel_dense_run run = run_of(network, e, first, end);

    run.layers[0].dx = dx;
    run.layers[run.n_layers - 1].dy = dy;
    CUDA_TRY(kernel_dense_backward(network->device->stream, &run));
    return 0;
}

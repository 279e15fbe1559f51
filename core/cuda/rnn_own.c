/* A recurrent layer through kernels of our own. They read the weights where they stand in the block and add
 * the gradient to where it stands there, so that nothing is packed before and nothing gathered after.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/cuda/kernels_recurrent.h"
#include "core/cuda/rnn_ops.h"
#include "core/cuda/status.h"

enum { KEPT = 4 /* floats of a unit and step that backward needs, kernels_recurrent.h */ };

struct own {
    struct rnn rnn;
    struct device_buffer scratch; /* for the length of a pass */
};

static struct own *own_from(struct rnn *rnn)
{
    return (struct own *)rnn;
}

static size_t tensor_at(const struct rnn *rnn, size_t direction, size_t k)
{
    size_t tensor = rnn->layer->tensors[direction * KERNEL_RECURRENT_TENSORS + k];

    return rnn->block.tree->tensors[tensor].offset;
}

/* Units of all steps of one direction. */
static size_t units_of(const struct rnn *rnn, const struct layout_element *layout)
{
    return layout->n_positions * rnn->layer->units;
}

/* Floats that forward leaves, four of each step and unit, and c: first the fours of all directions, which are
 * to stand at multiples of 16 octets. */
static size_t kept_floats(const struct rnn *rnn, const struct layout_element *layout)
{
    size_t floats = KEPT + (rnn->layer->kind == LAYER_LSTM ? 1 : 0);

    return rnn_directions(rnn->layer) * units_of(rnn, layout) * floats;
}

static struct kernel_recurrent direction_of(const struct rnn *rnn, const struct rnn_use *use,
                                            const struct rnn_pass *pass, bool training, size_t direction)
{
    const struct layer *layer = rnn->layer;
    const struct layout_element *layout = pass->layout;
    size_t column = direction * layer->units;
    struct kernel_recurrent r = {
        .kind = layer->kind,
        .in = (uint32_t)layer->in,
        .units = (uint32_t)layer->units,
        .reversed = direction == 1,
        .n_sequences = layout->n_instances,
        .n_positions = layout->n_positions,
        .lengths = layout->step_lengths,
        .order = layout->order,
        .first_step = layout->step_firsts,
        .x = pass->x,
        .row = (uint32_t)layer->out,
        .y = pass->y + column,
        .last = pass->last != NULL ? pass->last + column : NULL,
    };

    for (size_t k = 0; k < KERNEL_RECURRENT_TENSORS; k++)
        r.weights[k] = rnn->block.weights + tensor_at(rnn, direction, k);
    if (training) {
        size_t n = units_of(rnn, layout);

        r.kept = (float *)use->reserve.at + direction * n * KEPT;
        r.carries = (float *)use->reserve.at + (rnn_directions(layer) * KEPT + direction) * n;
    }
    return r;
}

static int own_forward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass, bool training,
                       struct error *err)
{
    size_t directions = rnn_directions(rnn->layer);
    int rc = 0;

    if (training)
        rc = device_buffer_reserve(rnn->device, &use->reserve, kept_floats(rnn, pass->layout), sizeof(float),
                                   err);
    for (size_t d = 0; rc == 0 && d < directions; d++) {
        struct kernel_recurrent r = direction_of(rnn, use, pass, training, d);

        rc = status_cuda(kernel_recurrent_forward(rnn->device->stream, &r), "kernel_recurrent_forward", err);
    }
    return rc;
}

static int own_backward(struct rnn *rnn, struct rnn_use *use, const struct rnn_pass *pass,
                        const struct rnn_gradients *gradients, struct error *err)
{
    struct own *own = own_from(rnn);
    size_t floats = kernel_recurrent_scratch(rnn->layer, pass->layout->n_instances);
    int rc = device_buffer_reserve(rnn->device, &own->scratch, floats, sizeof(float), err);

    for (size_t d = 0; rc == 0 && d < rnn_directions(rnn->layer); d++) {
        struct kernel_recurrent r = direction_of(rnn, use, pass, true, d);
        size_t column = d * rnn->layer->units;
        struct kernel_recurrent_back back = {
            .dy = gradients->dy != NULL ? gradients->dy + column : NULL,
            .dlast = gradients->dlast != NULL ? gradients->dlast + column : NULL,
            .dx = gradients->dx,
            .adds = d > 0,
            .scratch = own->scratch.at,
        };

        for (size_t k = 0; k < KERNEL_RECURRENT_TENSORS; k++)
            back.gradient[k] = rnn->block.gradient + tensor_at(rnn, d, k);
        rc = status_cuda(kernel_recurrent_backward(rnn->device->stream, &r, &back),
                         "kernel_recurrent_backward", err);
    }
    return rc;
}

static void own_release(struct rnn *rnn)
{
    device_buffer_deinit(&own_from(rnn)->scratch);
}

static void own_free(struct rnn *rnn)
{
    own_release(rnn);
    free(own_from(rnn));
}

const struct rnn_ops rnn_own = {
    .forward = own_forward,
    .backward = own_backward,
    .release = own_release,
    .free = own_free,
};

int rnn_own_new(struct rnn **rnnp, const struct rnn *base, struct error *err)
{
    struct own *own = calloc(1, sizeof *own);

    if (own == NULL)
        return error_set(err, -ENOMEM, "cuda engine: out of memory");
    own->rnn = *base;
    own->rnn.ops = &rnn_own;
    *rnnp = &own->rnn;
    return 0;
}

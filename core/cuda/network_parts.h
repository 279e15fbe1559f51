/* network_parts.h - the inside of a network, for the files that make it up.
 *
 * network.c owns the weights and says what a pass is; network_arrange.c finds memory for a batch,
 * network_forward.c and network_backward.c walk through the layers, network_dense.c through several at once.
 */
#ifndef CORE_CUDA_NETWORK_PARTS_H
#define CORE_CUDA_NETWORK_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cuda/kernels.h"
#include "core/cuda/layout.h"
#include "core/cuda/network.h"
#include "core/cuda/rnn.h"

#define NETWORK_ALONE SIZE_MAX

struct cuda_layer {
    const struct layer *layer;
    struct rnn *rnn; /* recurrent: its own or that of the layer it shares */
    struct rnn_use use;
    bool sequence; /* it sees one */

    /* Of the batch in hand, on the device. */
    uint32_t rows_in, rows_out;
    const float *x;  /* (rows_in, layer->in) */
    float *y;        /* (rows_out, layer->out); x itself where the layer leaves out nothing */
    float *steps;    /* recurrent, not sequence_out: (rows_in, layer->out) the state of each step */
    size_t run;      /* first of the dense layers that go together with it, or NETWORK_ALONE */
    float *gradient; /* in training, where it is in such a run: of y, from the next layer in it */
};

struct cuda_element {
    const struct element *element;
    size_t index;
    struct cuda_layer layers[TREE_LAYERS_MAX];

    /* Of the batch in hand, on the device. */
    const struct layout_element *layout;
    const float *input;  /* (n_positions, in_width) what the first layer sees */
    float *joined;       /* the same, where it is joined from what children give; else NULL */
    const float *output; /* (n_instances, out_width) */
    float *gradient;     /* the same, in training */
};

/* Device memory that is taken piece by piece. A batch is arranged twice: first only to see how much it takes.
 */
struct arena {
    struct device_buffer memory;
    bool counting; /* pieces are NULL */
    size_t taken;  /* floats */
    size_t most;   /* that were taken at once */
};

struct cuda_network {
    struct device *device;
    const struct tree *tree;
    struct cuda_element *elements; /* (tree->n_elements) */
    struct layout layout;
    struct device_buffer memory;                 /* behind the following */
    float *weights, *gradient, *mean, *variance; /* (tree->n_weights) each */
    double *norm;                                /* (KERNEL_NORM_SCRATCH) */
    uint64_t steps;                              /* of the optimiser */
    bool packed;                                 /* the rnns have the weights as they are */

    /* Of the batch in hand. */
    bool complete; /* it went through */
    bool training;
    uint64_t dropout_seed;
    struct arena kept;            /* as long as the batch */
    struct arena passing;         /* inference: of one element; training: the following, but for targets */
    float *gradients[2];          /* of the values between layers, by turns */
    float *scratch;               /* of sums over rows */
    void *answers;                /* training: what goes back: doubles (n_flows), then logits */
    struct pinned_buffer results; /* the same on the host; in inference without the losses */
};

/* What each flow adds to the loss, and all logits. */
static inline size_t network_answers_octets(const struct cuda_network *network, uint32_t n_flows)
{
    return n_flows * (sizeof(double) + network->tree->n_labels * sizeof(float));
}

/* Whether the layer changes nothing in this pass. */
static inline bool layer_rests(const struct cuda_network *network, const struct layer *layer)
{
    return layer->kind == LAYER_DROPOUT && (!network->training || network->dropout_seed == 0);
}

static inline bool layer_reduces(const struct layer *layer)
{
    return (layer->kind == LAYER_LSTM || layer->kind == LAYER_GRU) && !layer->sequence_out;
}

/* What goes through a recurrent layer. */
static inline struct rnn_pass network_rnn_pass(const struct cuda_element *e, const struct cuda_layer *at)
{
    bool reduces = layer_reduces(at->layer);

    return (struct rnn_pass){e->layout, at->x, reduces ? at->steps : at->y, reduces ? at->y : NULL};
}

/* Place every matrix of the batch that the layout holds; training: network->training. Return: 0, -ENOMEM,
 * -ENODEV. */
int network_arrange(struct cuda_network *network, uint32_t n_flows, struct error *err);

/* Start all kernels from the layout to the root's logits. Return: 0, -ENODEV, -ENOMEM. */
int network_go_forward(struct cuda_network *network, struct error *err);

/* The same from the root's gradient (already there) to that of the weights. */
int network_go_backward(struct cuda_network *network, struct error *err);

/* Which layer begins the run that a layer belongs to; those before it know theirs. */
size_t network_run_begin(const struct cuda_network *network, const struct cuda_element *e, size_t l);

/* The layer behind the run that begins with `first`; `first` itself: there is none. */
size_t network_run_end(const struct cuda_element *e, size_t first);

/* Start a run. dx: of the first of its layers, may be NULL. Return: 0, -ENODEV, -ENOMEM. */
int network_run_forward(struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                        struct error *err);
int network_run_backward(struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                         const float *dy, float *dx, struct error *err);

/* Name parts [first, end) of the items of an element, as many as fit: children in order, then own columns. */
void network_parts(const struct cuda_network *network, const struct cuda_element *e, size_t first, size_t end,
                   struct kernel_items *items);

/* Items of an element: flattened ones are rows side by side, so the same memory. */
static inline uint32_t network_count_items(const struct cuda_element *e)
{
    return e->layout->n_positions * (uint32_t)(e->element->in_width / e->element->item_width);
}

/* Leave out what dropout layer l leaves out, forward of the values and backward of their gradient. Return: 0,
 * -ENODEV. */
int network_drop(const struct cuda_network *network, const struct cuda_element *e, size_t l, float *to,
                 const float *from, struct error *err);

/* Where tensor k of a layer stands in the weights and in the gradient. */
static inline size_t network_weights_at(const struct cuda_network *network, const struct layer *layer,
                                        unsigned k)
{
    return network->tree->tensors[layer->tensors[k]].offset;
}

#endif

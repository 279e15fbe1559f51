/* network.h - a tree made ready to compute: its packed weights, the buffers of a batch, the work to be done.
 *
 * The outputs of an element are rows in the order of the batch, so that a parent finds its children's
 * whatever order they were computed in. Sequences are computed in the order of their length, so that those
 * side by side end at about the same time.
 *
 * The work is cut into blocks of instances. Elements whose children are all done form a wave; the blocks of a
 * wave do not depend on each other.
 */
#ifndef CORE_CPU_NETWORK_H
#define CORE_CPU_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cpu/buffer.h"
#include "core/cpu/pack.h"
#include "core/tree/tree.h"

/* Where there is no sequence, a block holds so many times `lanes` instances: its dense layers then have
 * steps to share weights between, as those of sequences do. */
enum { BLOCK_GROUPS = 4 };

struct layer_pack {
    struct dense_pack forward, back;     /* dense */
    struct recurrent_pack directions[2]; /* lstm, gru */
};

struct network_layer {
    const struct layer *layer;
    struct layer_pack *pack; /* its own or that of the layer it shares */
    bool sequence_in;        /* it sees a sequence */
    bool sequence_out;       /* and gives one */
};

struct network_element {
    const struct element *element;
    size_t index;
    unsigned wave;
    bool sequence; /* a list, not flattened */
    struct network_layer layers[TREE_LAYERS_MAX];
    struct layer_pack *packs; /* (n_layers), owned; NULL in elements that share */

    /* Of the batch in hand. */
    const struct batch_input *input;
    uint32_t n_instances;
    const uint32_t *order;  /* (n_instances) by falling length; NULL: as they come */
    float *output;          /* (n_instances, out_width) */
    float *output_gradient; /* the same */
    struct buffer order_buffer, output_buffer, gradient_buffer;
};

/* One block: instances [first, first + BLOCK_GROUPS * lanes) of an element, of a sequence [.., first +
 * lanes), in the order of the element. */
struct network_task {
    uint32_t element;
    uint32_t first;
};

struct network {
    const struct tree *tree;
    unsigned lanes;
    size_t n_waves;
    struct network_element *elements; /* (tree->n_elements) */

    /* Of the batch in hand. */
    const struct network_task *tasks;      /* those of wave 0, then 1, ... */
    size_t first_task[TREE_DEPTH_MAX + 2]; /* (n_waves + 1) */
    struct buffer tasks_buffer, counts_buffer;
};

/* Make a network for a tree.
 *
 * lanes: of the kernels that will run it. tree: must outlive it.
 *
 * Return: 0, -ENOMEM (it holds nothing).
 */
int network_init(struct network *network, const struct tree *tree, unsigned lanes);

/* Free what it holds; fine on zeros. */
void network_deinit(struct network *network);

/* Pack weights: (tree->n_weights). */
void network_pack(struct network *network, const float *weights);

/* Take a batch: order its sequences, cut it into tasks, make room for outputs and, if asked, their gradients,
 * which are set to zero.
 *
 * batch: borrowed until the next call.
 *
 * Return: 0, -ENOMEM.
 */
int network_prepare(struct network *network, const struct batch *batch, bool gradients);

/* Items of an instance that are walked: its own, or with padding those of the padded list; 1 without a list.
 */
static inline uint32_t network_steps(const struct batch_input *input, uint32_t instance)
{
    uint32_t rows =
        input->first_row != NULL ? input->first_row[instance + 1] - input->first_row[instance] : 1;

    return rows > input->padded_rows ? rows : input->padded_rows;
}

#endif

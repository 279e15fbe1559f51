/* block.h - one block of instances on its way through the layers of an element.
 *
 * Forward loads the input of the instances into lanes, runs the layers and stores the output. Backward runs
 * forward again, this time keeping what the gradient needs: that costs a third more time and saves the memory
 * of all steps of all flows.
 */
#ifndef CORE_CPU_BLOCK_H
#define CORE_CPU_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu/kernels.h"
#include "core/cpu/network.h"

struct block {
    const struct kernels *kernels;
    const struct network *network;
    const struct network_element *element;
    const float *weights;  /* all of the tree */
    float *gradient;       /* the same shape, is added to; NULL in inference */
    uint64_t dropout_seed; /* 0: none */
    bool keeps;            /* for backward */

    /* Instance of each group and lane. Where they run out the first one fills up: it is computed again and
     * not stored. */
    size_t n_groups;
    size_t n_valid;
    uint32_t instances[BLOCK_GROUPS * KERNELS_LANES_MAX];
    uint32_t lengths[KERNELS_LANES_MAX]; /* sequences: steps of each lane */
    uint32_t longest, shortest;

    /* Places in the scratch memory, in vectors; what is there is (steps[i], width). */
    float *scratch;
    size_t taken;
    size_t steps[TREE_LAYERS_MAX + 1];
    float *values[TREE_LAYERS_MAX + 1]; /* the input, then the output of each layer */
    float *kept[TREE_LAYERS_MAX];       /* what a layer places for itself */
    float *gradients[2];                /* of the values, by turns */
};

/* What the blocks of one pass have in common. */
struct block_pass {
    const struct kernels *kernels;
    const struct network *network;
    const float *weights;
    uint64_t dropout_seed;
};

/* Floats of scratch memory that a task needs. backward: for block_backward(). */
size_t block_scratch(const struct block_pass *pass, const struct network_task *task, bool backward);

/* Compute the output of a task's instances. scratch: aligned to KERNELS_ALIGNMENT. */
void block_forward(const struct block_pass *pass, const struct network_task *task, float *scratch);

/* From the output gradient of a task's instances to that of its children's instances and of the weights.
 *
 * gradient: (tree->n_weights) is added to.
 */
void block_backward(const struct block_pass *pass, const struct network_task *task, float *gradient,
                    float *scratch);

/* Place n vectors. Return: where; NULL while only the size is asked for. */
float *block_take(struct block *block, size_t n);

#endif

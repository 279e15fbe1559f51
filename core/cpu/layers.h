/* layers.h - the layer kinds as a table: how each packs its weights and runs over a block. */
#ifndef CORE_CPU_LAYERS_H
#define CORE_CPU_LAYERS_H

#include <stddef.h>

#include "core/cpu/block.h"
#include "core/cpu/network.h"

struct layer_ops {
    /* Allocate and fill the packs of a layer; NULL packs in a layer that needs none stay zero. */
    int (*pack_init)(struct layer_pack *pack, const struct layer *layer);
    void (*pack_fill)(struct layer_pack *pack, const struct layer *layer, const struct tree *tree,
                      const float *weights);

    /* Place what the layer keeps of a block (block_take()). steps: of its input. */
    void (*arrange)(struct block *block, size_t l, size_t steps);

    /* From block->values[l] to block->values[l + 1]. */
    void (*forward)(struct block *block, size_t l);

    /* Add the gradient of the weights to block->gradient.
     *
     * dy: of what the layer gave; may be overwritten. dx: of what it saw, to be filled; NULL: not needed.
     */
    void (*backward)(struct block *block, size_t l, float *dy, float *dx);
};

/* By enum layer_kind. */
extern const struct layer_ops layer_ops[LAYER_KINDS];

#endif

/* fused_plan.h - a tree taken apart into what the fused kernels do: walks and a tail.
 *
 * One walk for each direction of each recurrent layer; the rest of the tree becomes operations over vectors
 * in one region of floats (fused_kernels.h). An element's input is laid out as its layers see it, so that a
 * child writes what it gives straight to its place there.
 *
 * What there is no kernel for is refused: lists in lists, children of a list, layers that give a list on (a
 * recurrent layer before another, a dense or embedding layer item by item), more units or columns than any
 * shape has.
 */
#ifndef CORE_CUDA_FUSED_PLAN_H
#define CORE_CUDA_FUSED_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "core/cuda/fused_kernels.h"
#include "core/tree/tree.h"
#include "flowtrack/error.h"

struct fused_shape {
    enum layer_kind kind;
    unsigned units, columns;
};

struct fused_plan_walk {
    size_t element;
    const struct layer *layer;
    unsigned direction;                   /* 0 forward, 1 backward */
    struct fused_shape lanes;             /* kernel with many lanes a sequence */
    struct fused_shape tensor;            /* kernel on tensor cores; units 0: none has room */
    bool large;                           /* `lanes` is one of FUSED_LANES_LARGE */
    size_t lanes_weights, tensor_weights; /* octets from the start of the packed block */
};

struct fused_plan {
    const struct tree *tree;
    size_t n_walks;
    struct fused_plan_walk *walks; /* (n_walks) those of one kernel side by side */
    size_t n_ops;
    struct fused_op *ops;           /* (n_ops) in the order in which they are carried out */
    const struct layer **op_layers; /* (n_ops) whose weights; NULL: none */
    uint32_t places;                /* floats that a flow needs in the tail */
    uint32_t result;                /* place of the logits */

    /* The packed block: operations, weights of the walks, weights of the tail. */
    size_t tail_weights; /* octet where the latter begin */
    size_t octets;
};

/* Take a tree apart. tree: must outlive the plan.
 *
 * Return: 0; -ENOTSUP: err names the element and the layer; -ENOMEM.
 */
int fused_plan_init(struct fused_plan *plan, const struct tree *tree, struct error *err);

/* Free what it holds; fine on zeros. */
void fused_plan_deinit(struct fused_plan *plan);

/* Registers a lane needs for the weights of a shape on tensor cores. */
static inline size_t fused_tensor_registers(const struct fused_shape *shape)
{
    return shape->units / 2 * ((shape->columns + 1) / 4 * 2 + shape->units / 8 * 2);
}

#endif

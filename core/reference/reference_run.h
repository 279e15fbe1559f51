/* reference_run.h - one batch on its way through a tree: every signal of every element, kept until the next.
 */
#ifndef CORE_REFERENCE_REFERENCE_RUN_H
#define CORE_REFERENCE_REFERENCE_RUN_H

#include "core/batch.h"
#include "core/reference/reference_layer.h"

struct reference_run_element {
    struct signal *signals;         /* (n_layers + 1) the element's input, then what each layer gives */
    struct reference_layer *layers; /* (n_layers) */
};

struct reference_run {
    const struct tree *tree;
    size_t n_flows;
    struct reference_run_element *elements; /* (n_elements) */
};

/* Make room for a batch.
 *
 * weights, gradient: (n_weights) borrowed; the gradient is added to.
 * dropout_seed: 0: no dropout.
 *
 * Return: 0, -ENOMEM.
 */
int reference_run_new(struct reference_run **runp, const struct tree *tree, const struct batch *batch,
                      const double *weights, double *gradient, uint64_t dropout_seed);

/* Free it. NULL is fine. */
void reference_run_free(struct reference_run *run);

/* From inputs to logits. inputs: (n_elements) own columns; an entry of NULL: those of the batch. */
void reference_run_forward(struct reference_run *run, const struct batch *batch, const double *const *inputs);

/* From the gradient of the root's output (already in place) to that of the weights. */
void reference_run_backward(struct reference_run *run, const struct batch *batch);

/* What an element, or one of its layers, gave or is given. */
const struct signal *reference_run_signal(const struct reference_run *run, size_t element, size_t layer);

#endif

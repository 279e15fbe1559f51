/* reference.h - the reference engine in float64, for tests that need more digits than struct engine_ops
 * gives.
 *
 * All functions take an engine opened with engine_reference.
 */
#ifndef CORE_REFERENCE_REFERENCE_H
#define CORE_REFERENCE_REFERENCE_H

#include "core/engine.h"

/* Replace all weights. weights: (n_weights). */
void reference_set_weights(struct engine *engine, const double *weights);

/* The weights, the gradient: (n_weights), owned by the engine. */
const double *reference_weights(const struct engine *engine);
const double *reference_gradient(const struct engine *engine);

/* Like the engine's forward and backward.
 *
 * inputs: (n_elements) own columns of each element in place of batch->inputs[].values, same shape; NULL:
 * those of the batch. targets: NULL: forward only, then loss may be NULL too. logits: (n_flows, n_labels),
 * may be NULL.
 *
 * Return: 0, -ENOMEM.
 */
int reference_run(struct engine *engine, const struct batch *batch, const double *const *inputs,
                  const struct engine_targets *targets, double *loss, double *logits);

/* What a layer of an element gave for the batch that went through last, of sequences only the last step's:
 * (n_instances, layer out). SIZE_MAX: the element's output. */
void reference_output(const struct engine *engine, size_t element, size_t layer, double *values);

#endif

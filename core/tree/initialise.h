/* initialise.h - the weights a model starts from. */
#ifndef CORE_TREE_INITIALISE_H
#define CORE_TREE_INITIALISE_H

#include "core/tree/tree.h"

/* Draw all weights of a tree, element by element in its order, as the layer table says (layer.h).
 *
 * weights: (n_weights).
 * seed: decides every weight.
 *
 * Return: 0, -ENOMEM.
 */
int initialise_weights(const struct tree *tree, float *weights, uint64_t seed);

#endif

/* layer.h - the table of layer kinds: what each is called, what tensors it has, how they start.
 *
 * A new kind is a row here, its keys in tree_json.c, and its functions in the engines.
 */
#ifndef CORE_TREE_LAYER_H
#define CORE_TREE_LAYER_H

#include "core/tree/tree.h"

/* How a tensor's weights start. Source: Keras 2.2, initializers.py. */
enum layer_start {
    START_ZERO,
    START_GLOROT,     /* uniform in +-sqrt(6 / (columns + rows)) */
    START_ORTHOGONAL, /* columns are orthonormal */
    START_SMALL,      /* uniform in +-0.05 */
    START_FORGET,     /* 0; the second block of units (the LSTM's forget gate) 1 */
};

struct layer_tensor {
    const char *name;
    enum { COLUMNS_NONE, COLUMNS_IN, COLUMNS_UNITS } columns;
    enum layer_start start;
};

struct layer_type {
    const char *name;
    bool recurrent;
    bool numbered;      /* in tensor names, always; others only where an element has several of the kind */
    size_t gates;       /* rows of a tensor = gates * units; 0: the layer's table rows */
    unsigned n_tensors; /* of one direction */
    struct layer_tensor tensors[4];
};

const struct layer_type *layer_type(enum layer_kind kind);

/* Kind by its name in JSON. Return: it, -1 if there is none. */
int layer_kind_find(const char *name);

/* The same of activations. */
int activation_find(const char *name);

/* Shape of tensor k of a layer (k counts both directions). */
void layer_tensor_shape(const struct layer *layer, unsigned k, struct tensor *tensor);

/* Whether two layers are the same but for the widths they see. */
bool layer_equal(const struct layer *a, const struct layer *b);

#endif

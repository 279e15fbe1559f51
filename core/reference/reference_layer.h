/* reference_layer.h - each kind of layer, forward and backward, in float64 and without any haste.
 *
 * A signal is what flows between two layers of an element: for every instance a list of vectors (one vector
 * where there is no list), and the gradient of the loss by each value. Layers read one signal and write the
 * next; backward they read the next one's gradient and add to the weights' and to their own input's.
 */
#ifndef CORE_REFERENCE_REFERENCE_LAYER_H
#define CORE_REFERENCE_REFERENCE_LAYER_H

#include "core/tree/tree.h"

struct signal {
    size_t n;      /* instances */
    size_t *first; /* (n + 1) where the steps of each instance begin */
    size_t width;
    double *values;   /* (first[n], width) */
    double *gradient; /* (first[n], width) */
};

/* One layer in one run. */
struct reference_layer {
    const struct layer *layer;
    const double *weights[LAYER_TENSORS_MAX]; /* tensors of the layer */
    double *gradients[LAYER_TENSORS_MAX];     /* to add to */
    const struct signal *in;                  /* its gradient is written to */
    const struct signal *out;                 /* its values are written to */
    double *states;       /* recurrent: (steps of in, reference_state_width()) what each step leaves behind */
    bool dropping;        /* dropout: in training, with a seed */
    uint32_t dropout_key; /* dropout_layer_key() */
};

/* Values that a recurrent layer keeps for each step, both directions; 0 for other kinds. */
size_t reference_state_width(const struct layer *layer);

void reference_layer_forward(const struct reference_layer *layer);
void reference_layer_backward(const struct reference_layer *layer);

/* The recurrent kinds; reference_recurrent.c. */
void reference_recurrent_forward(const struct reference_layer *layer);
void reference_recurrent_backward(const struct reference_layer *layer);

/* y += W x; y: (rows), W: (rows, columns), x: (columns) */
void reference_multiply(const double *W, const double *x, double *y, size_t rows, size_t columns);

/* x += W' y, and dW += y x': what a product gives back. */
void reference_multiply_backward(const double *W, const double *x, const double *dy, double *dx, double *dW,
                                 size_t rows, size_t columns);

#endif

/* activations.h - activations and their slopes, plainly: what the kernels of all engines are tested against.
 */
#ifndef TESTS_UNIT_ACTIVATIONS_H
#define TESTS_UNIT_ACTIVATIONS_H

#include <math.h>

#include "core/tree/tree.h"

static inline double activation_of(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

/* y: what the activation gave. */
static inline double slope_of(enum activation activation, double y)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return y > 0 ? 1 : 0;
    case ACTIVATION_TANH:
        return 1 - y * y;
    case ACTIVATION_SIGMOID:
        return y * (1 - y);
    default:
        return 1;
    }
}

#endif

/* adam.h - one step of Adam or AdamW over all weights. */
#ifndef CORE_CPU_ADAM_H
#define CORE_CPU_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/engine.h"

/* Move the weights against the gradient.
 *
 * step: from 1. n: number of weights. mean, variance: (n) running means of the gradient and its square,
 * zeros before the first step.
 *
 * Source: Kingma and Ba 2015, in the form of Keras 2.2; Loshchilov and Hutter 2019, in the form of PyTorch.
 */
void adam_step(const struct optimizer *optimizer, uint64_t step, size_t n, float *weights,
               const float *gradient, float *mean, float *variance);

#endif

/* activation.cuh - what activations give, and their slopes. */
#ifndef CORE_CUDA_ACTIVATION_CUH
#define CORE_CUDA_ACTIVATION_CUH

#include "core/cuda/launch.h"
#include "core/tree/tree.h"

static inline __device__ float activated(enum activation activation, float x)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0.0F ? x : 0.0F;
    case ACTIVATION_TANH:
        return tanhf(x);
    case ACTIVATION_SIGMOID:
        return 1.0F / (1.0F + expf(-x));
    default: /* softmax is part of the loss */
        return x;
    }
}

/* Of the activation, given what it gave. */
static inline __device__ float slope(enum activation activation, float y)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return y > 0.0F ? 1.0F : 0.0F;
    case ACTIVATION_TANH:
        return 1.0F - y * y;
    case ACTIVATION_SIGMOID:
        return y * (1.0F - y);
    default:
        return 1.0F;
    }
}

/* Whether the slope is 1 everywhere. */
static inline __device__ bool is_straight(enum activation activation)
{
    return activation == ACTIVATION_LINEAR || activation == ACTIVATION_SOFTMAX;
}

#endif

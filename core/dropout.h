/* dropout.h - which values dropout leaves out: one function for all engines, so that they train alike.
 *
 * A counter-based generator: whether a value stays is a hash of where it stands, not of how many values
 * came before, so an engine may visit them in any order, side by side or on another device. 32-bit
 * arithmetic only, so that it runs in vector lanes.
 *
 * A value stands at (element, layer, instance, value): indices of the tree, of the instance in the batch
 * (batch_input.n_instances), and step * width + column inside the instance's sequence (step 0 where there is
 * no list).
 */
#ifndef CORE_DROPOUT_H
#define CORE_DROPOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__ /* the same functions for kernels */
#define DROPOUT_FUNCTION static inline __host__ __device__
#else
#define DROPOUT_FUNCTION static inline
#endif

/* Mix 32 bits so that each depends on all. Source: C. Wellons, "Prospecting for hash functions", 2018
 * (the constants of lowbias32). */
DROPOUT_FUNCTION uint32_t dropout_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

/* Key of one layer in one training step; seed: engine_targets.dropout_seed. */
DROPOUT_FUNCTION uint32_t dropout_layer_key(uint64_t seed, size_t element, size_t layer)
{
    uint32_t key = dropout_mix((uint32_t)seed ^ 0x9e3779b9U);

    key = dropout_mix(key ^ (uint32_t)(seed >> 32));
    return dropout_mix(key ^ ((uint32_t)element << 8 | (uint32_t)layer));
}

/* Key of one instance: constant over its values. */
DROPOUT_FUNCTION uint32_t dropout_instance_key(uint32_t layer_key, uint32_t instance)
{
    return dropout_mix(layer_key ^ instance);
}

/* A value is left out when dropout_mix(instance_key ^ value) is below this. */
DROPOUT_FUNCTION uint32_t dropout_threshold(float rate)
{
    return (uint32_t)((double)rate * 4294967296.0);
}

/* What a value is multiplied with: 0, or 1 / (1 - rate), so that the expectation stays. */
DROPOUT_FUNCTION float dropout_factor(uint32_t instance_key, uint32_t value, float rate)
{
    return dropout_mix(instance_key ^ value) < dropout_threshold(rate) ? 0.0F : 1.0F / (1.0F - rate);
}

#endif

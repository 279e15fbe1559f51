/* random.h - a small generator whose numbers depend on its seed alone, on every machine.
 *
 * Learning draws everything from it (first weights, shuffles, splits, dropout), so that one seed decides one
 * model. Not for secrets.
 *
 * Source: SplitMix64 (Steele, Lea and Flood, 2014).
 */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* the seed */
};

/* A well mixed function of one number; distinct arguments give distinct results. */
static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    return random_mix(random->state);
}

/* Uniform in [0, n); n > 0. The bias is below n / 2^64. */
static inline uint64_t random_below(struct random *random, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * n) >> 64);
}

/* Uniform in [0, 1). */
static inline double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* Put (n) indices into random order (Fisher and Yates). */
static inline void random_shuffle(struct random *random, uint32_t *indices, uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = random_below(random, i);
        uint32_t held = indices[i - 1];

        indices[i - 1] = indices[j];
        indices[j] = held;
    }
}

#endif

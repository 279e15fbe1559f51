/* The median without sorting: each step is compared with all, lane by lane, so that every lane knows how many
 * are below its own. The k-th smallest is the largest of those with at most k below them.
 */
#include "core/tree/id_statistics.h"

#include "core/vector_lanes.h"
#include "flowtrack/record.h"

enum { SHORT_LANES = 16, VECTORS = (RECORD_IDS_MAX + SHORT_LANES - 1) / SHORT_LANES };

typedef uint16_t vector_short __attribute__((vector_size(2 * SHORT_LANES), may_alias));

#define LARGER(a, b) (((a) & (vector_short)((a) > (b))) | ((b) & ~(vector_short)((a) > (b))))

VECTOR_INLINE unsigned largest(const vector_short *lanes)
{
    vector_short v = *lanes, other;

    other = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v = LARGER(v, other);
    other = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v = LARGER(v, other);
    other = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v = LARGER(v, other);
    return v[0] > v[1] ? v[0] : v[1];
}

/* steps: (n), then zeros up to a whole vector. */
VECTOR_INLINE float median(const uint16_t *steps, size_t n)
{
    uint16_t lower = (uint16_t)((n - 1) / 2), upper = (uint16_t)(n / 2);
    vector_short low = {0}, high = {0};

    for (size_t v = 0; v < n; v += SHORT_LANES) {
        vector_short values = *(const vector_short *)(steps + v), below = {0}, lower_here, upper_here;

        for (size_t i = 0; i < n; i++)
            below -= (vector_short)(values > steps[i]);
        lower_here = values & (vector_short)(below <= lower);
        upper_here = values & (vector_short)(below <= upper);
        low = LARGER(low, lower_here);
        high = LARGER(high, upper_here);
    }
    return 0.5F * (float)(largest(&low) + largest(&high));
}

VECTOR_CLONES
void id_statistics(struct id_statistics *statistics, const uint16_t *ids, size_t n)
{
    _Alignas(64) uint16_t steps[VECTORS * SHORT_LANES];
    size_t n_steps = n > 1 ? n - 1 : 0;
    unsigned zeros = 0, ones = 0;

    for (size_t i = 0; i < n; i++)
        zeros += ids[i] == 0;
    for (size_t i = 0; i < n_steps; i++) {
        steps[i] = (uint16_t)(ids[i + 1] - ids[i]);
        ones += steps[i] == 1;
    }
    for (size_t i = n_steps; i % SHORT_LANES != 0; i++)
        steps[i] = 0;
    statistics->zeros = n == 0 ? 1.0F : (float)zeros / (float)n;
    statistics->ones = n_steps == 0 ? 0.0F : (float)ones / (float)n_steps;
    statistics->step = n_steps == 0 ? 0.0F : median(steps, n_steps);
    statistics->few = n < 2 ? 1.0F : 0.0F;
}

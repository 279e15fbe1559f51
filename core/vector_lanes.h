/* vector_lanes.h - values side by side in vector lanes, for what is compiled with VECTOR_CLONES. */
#ifndef CORE_VECTOR_LANES_H
#define CORE_VECTOR_LANES_H

#include <stdint.h>

#include "core/vector.h"

/* Sixteen floats; the compiler splits them into what the instruction set has. */
typedef float vector_float __attribute__((vector_size(4 * VECTOR_LANES), may_alias));
typedef int32_t vector_int __attribute__((vector_size(4 * VECTOR_LANES), may_alias));
typedef uint32_t vector_unsigned __attribute__((vector_size(4 * VECTOR_LANES), may_alias));

enum { VECTOR_ONE_BITS = 0x3f800000 }; /* of 1.0F: a mask & this is 1 or 0 */

/* What works on vectors is part of whoever calls it, and takes them by address: how they are passed by value
 * depends on the instruction set. */
#define VECTOR_INLINE static inline __attribute__((always_inline))

/* Lane by lane: yes where the mask is all ones, no where it is 0. */
#define VECTOR_CHOOSE(mask, yes, no)                                                                         \
    ((vector_float)(((vector_int)(yes) & (mask)) | ((vector_int)(no) & ~(mask))))

/* Sum of the lanes: each step folds the upper half of what is left onto the lower one. */
VECTOR_INLINE float vector_sum(const vector_float *lanes)
{
    vector_float v = *lanes;

    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return v[0] + v[1];
}

/* The largest lane. */
VECTOR_INLINE float vector_max(const vector_float *lanes)
{
    vector_float v = *lanes, other;

    other = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v = VECTOR_CHOOSE(other > v, other, v);
    other = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v = VECTOR_CHOOSE(other > v, other, v);
    other = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v = VECTOR_CHOOSE(other > v, other, v);
    return v[0] > v[1] ? v[0] : v[1];
}

#endif

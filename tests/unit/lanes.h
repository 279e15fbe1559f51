/* lanes.h - what the tests of the CPU kernels share: random vectors, comparison, a run for each set. */
#ifndef TESTS_UNIT_LANES_H
#define TESTS_UNIT_LANES_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cpu/kernels.h"
#include "core/random.h"

static const struct kernels *k; /* under test */
static struct random numbers;

static inline double uniform(double low, double high)
{
    return low + (high - low) * random_unit(&numbers);
}

static inline size_t below(size_t n)
{
    return (size_t)random_below(&numbers, n);
}

/* n vectors of random numbers. */
static inline float *vectors(size_t n, double size)
{
    float *v = aligned_alloc(KERNELS_ALIGNMENT, (n + 1) * KERNELS_LANES_MAX * sizeof *v);

    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n * k->lanes; i++)
        v[i] = (float)uniform(-size, size);
    return v;
}

static inline float *numbers_of(size_t n, double size)
{
    float *v = malloc((n + 1) * sizeof *v);

    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)uniform(-size, size);
    return v;
}

static inline double at(const float *v, size_t vector, size_t lane)
{
    return (double)v[vector * k->lanes + lane];
}

static inline void near(double got, double want, double tolerance, const char *what)
{
    ck_assert_msg(fabs(got - want) <= tolerance, "%s, %s: %.9g instead of %.9g", k->name, what, got, want);
}

/* Run a test for every set that this processor has. */
static inline void each_set(void (*test)(void))
{
    numbers.state = 1;
    for (const struct kernels *const *set = kernels_all; *set != NULL; set++) {
        if (!kernels_supported(*set)) {
            printf("not tested, this processor has no %s\n", (*set)->name);
            continue;
        }
        k = *set;
        test();
    }
}

#endif

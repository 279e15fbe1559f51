/* reference_step.h - Adam and AdamW in float64. */
#ifndef CORE_REFERENCE_REFERENCE_STEP_H
#define CORE_REFERENCE_REFERENCE_STEP_H

#include "core/engine.h"

struct reference_moments {
    double *mean;     /* (n) */
    double *variance; /* (n) */
    unsigned steps;
};

/* One step for (n) weights. gradient: scaled in place if it is clipped. */
void reference_step(const struct optimizer *optimizer, struct reference_moments *moments, double *weights,
                    double *gradient, size_t n);

#endif

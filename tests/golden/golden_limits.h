/* golden_limits.h - comparing what an engine says with the reference numbers.
 *
 * Limits are those of the data's README: relative * s + absolute, where s is the largest reference value of
 * the same row (outputs) or of the same column of the same tensor (gradients; a vector is one column).
 */
#ifndef TESTS_GOLDEN_GOLDEN_LIMITS_H
#define TESTS_GOLDEN_GOLDEN_LIMITS_H

#include "tests/golden/golden.h"

struct golden_limit {
    double relative, absolute;
};

struct golden_limits {
    struct golden_limit output;
    double probability_raw, probability;
    double loss; /* relative */
    struct golden_limit gradient;
    double adam, adamw; /* weights after steps, absolute */
};

/* Keras' defaults. */
extern const struct optimizer golden_adam;

/* The one of a set's `adamw`. */
struct optimizer golden_adamw(const struct golden *golden);

/* values: (GOLDEN_FLOWS, width) against tensor part/key. */
void golden_check_rows(const struct golden *golden, const char *part, const char *key, const double *values,
                       size_t width, struct golden_limit limit);

/* softmax(logits) against `probabilities`. logits: (GOLDEN_FLOWS, 3) */
void golden_check_probabilities(const struct golden *golden, const double *logits, double limit);

void golden_check_loss(const struct golden *golden, const char *part, const char *key, double loss,
                       double limit);

/* gradient: (n_weights) against `gradients`. */
void golden_check_gradient(const struct golden *golden, const double *gradient, struct golden_limit limit);

/* weights: (n_weights) against part/key.
 *
 * least: weights whose first gradient is below least * s are left out: Adam makes a whole step of any
 * gradient, so that rounding decides where theirs go. 0: none.
 */
void golden_check_weights(const struct golden *golden, const char *part, const char *key,
                          const double *weights, double limit, double least);

#endif

/* self_test.h - may an engine be trusted here? The same flows go through it and through one that is.
 *
 * A difference is that of two logits, relative to the largest logit of the flow (or to 1 where all are
 * smaller), which bounds what it does to a probability and yet shows where probabilities are 0 or 1. Float32
 * engines that do the same sums in another order are 1e-7 to 2e-5 off the exact values, so two of them less
 * than 4e-5 from each other; products with the 10 bits of TF32, a kernel built for another device, or memory
 * that forgets are far more.
 */
#ifndef CORE_SELF_TEST_H
#define CORE_SELF_TEST_H

#include "core/engine.h"

/* Flows of a self-test: no multiple of the width of any vector or warp. */
enum { SELF_TEST_FLOWS = 97 };

/* The largest difference that is accepted. */
#define SELF_TEST_LIMIT 1e-4

/* Compare the logits of two engines for flows of every length.
 *
 * engine, trusted: both have loaded the model.
 * difference: the largest that was seen.
 *
 * Return: 0; -EBADMSG: they differ by more than SELF_TEST_LIMIT, or a logit is not finite; what forward()
 * returns; -ENOMEM. err is filled.
 */
int self_test(double *difference, struct engine *engine, struct engine *trusted, const struct model *model,
              struct error *err);

#endif

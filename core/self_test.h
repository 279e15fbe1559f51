/* self_test.h - may an engine be trusted here? The same goes through it and through one that is.
 *
 * Answers. A difference is that of two logits, relative to the largest logit of the flow (or to 1 where all
 * are smaller), which bounds what it does to a probability and yet shows where probabilities are 0 or 1.
 * Float32 engines that do the same sums in another order are 1e-7 to 2e-5 off the exact values, so two of
 * them less than 4e-5 from each other; products with the 10 bits of TF32, a kernel built for another device,
 * or memory that forgets are far more.
 *
 * Learning. Batches of labelled and weighted flows take both through a few steps of training with dropout.
 * All that comes of a step is compared, so that whatever is wrong shows where it begins:
 *
 *     loss, logits   as above
 *     gradient       relative to the largest of its tensor, or to a thousandth of the largest of all in a
 *                    tensor where all are smaller: what is left there when large numbers have cancelled is
 *                    rounding
 *     weights        relative to the rate, which is about as far as a step moves one
 *
 * The lists are of every length, or all of one (for which an engine may have another way); the inputs are
 * drawn from -1 to 1, since sums of raw ones (octets, microseconds) lose more to rounding than an engine
 * should be allowed. So a gradient in float32 is within 1e-5 of one in float64 as a rule, and at worst 2.3e-4
 * off it among 4,000 trees drawn at random; weights were within 1.1e-4, most of which is their own rounding.
 * The limit of 1e-3 is twice what two such engines can be apart.
 *
 * Adam divides a gradient by its own size: of one that is rounding it makes a full step to either side. Here
 * its epsilon is a tenth of what the gradient is in the mean, so that a step follows the gradient steadily;
 * that also shows what is wrong with clipping or with epsilon, which a tiny one would hide.
 *
 * A sum on the very edge of a ReLU may fall to either side by its last bit, and takes a part of the gradient
 * with it: on one in a thousand draws two right engines are apart. So an engine that differs gets other
 * numbers, once; whatever is wrong with it is wrong with these, too.
 */
#ifndef CORE_SELF_TEST_H
#define CORE_SELF_TEST_H

#include "core/engine.h"

enum {
    SELF_TEST_FLOWS = 97,       /* no multiple of the width of any vector or warp */
    SELF_TEST_FLOWS_MAX = 1024, /* of a batch of training */
};

/* The largest differences that are accepted: of logits and losses; of gradients and weights. */
#define SELF_TEST_LIMIT 1e-4
#define SELF_TEST_LEARNING_LIMIT 1e-3

/* Compare the logits of two engines for flows of every length, in every way that the engine has to judge
 * them.
 *
 * engine, trusted: both have loaded the model.
 * difference: the largest that was seen.
 *
 * Return: 0; -EBADMSG: they differ by more than SELF_TEST_LIMIT, or a logit is not finite; what forward()
 * returns; -ENOMEM. err is filled.
 */
int self_test(double *difference, struct engine *engine, struct engine *trusted, const struct model *model,
              struct error *err);

/* The largest differences that were seen in learning. */
struct self_test_learning {
    double logits, loss, gradient, weights;
};

/* Compare how two engines learn, in batches of SELF_TEST_FLOWS flows and of a size asked for.
 *
 * difference: set on success only.
 * engine, trusted: both have loaded the model, and have it afresh on success; where the test fails, load
 * again before anything else.
 * model: with fresh weights, as learning begins. (Large ones make a tree chaotic, where nothing can be
 * compared.)
 * flows: of a batch in the training to come; of larger ones than SELF_TEST_FLOWS_MAX, as many.
 *
 * Return: 0; -EBADMSG: something differs by more than its limit or is not finite; what the engines return;
 * -ENOMEM. err is filled.
 */
int self_test_learning(struct self_test_learning *difference, struct engine *engine, struct engine *trusted,
                       const struct model *model, size_t flows, struct error *err);

#endif

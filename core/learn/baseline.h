/* baseline.h - what can be told from protocol, server port and TTL alone: the figure that every accuracy has
 * to stand beside.
 *
 * A random forest of 100 trees on four numbers: protocol, server port, ttl out, ttl in. The lower of both
 * ports stands for the server's, because a later piece of a long flow may have the server as its source. A
 * model that is no better than this forest has learnt where its captures were taken, not what the traffic is.
 */
#ifndef CORE_LEARN_BASELINE_H
#define CORE_LEARN_BASELINE_H

#include "core/learn/predict.h"

enum { BASELINE_FLOWS = 10000 }; /* learnt from at most; of larger sets a random sample */

/* One line that says what the baseline is, for every place that prints its figures. */
extern const char baseline_description[];

struct baseline;

/* Fit a forest.
 *
 * train: of dataset; flows of labels that `tree` does not have are left out. Flows count by class weights as
 * the model's do: 1/sqrt(n) of their label.
 *
 * Return: 0; -EINVAL (no flows, labels differ), -ENOMEM.
 */
int baseline_fit(struct baseline **baselinep, const struct dataset *dataset, const struct tree *tree,
                 const struct subset *train, uint64_t seed, struct error *err);

void baseline_free(struct baseline *baseline);

/* Append its predictions: logits are the logarithms of the mean leaf shares. Return: 0, -ENOMEM. */
int baseline_predict(const struct baseline *baseline, struct predictions *predictions,
                     const struct subset *subset, uint32_t fold);

/* Fit and predict across folds: for data of which no training part is known. Return: as baseline_fit(), and
 * -EINVAL with too few captures. */
int baseline_across_folds(struct predictions *predictions, const struct tree *tree,
                          const struct subset *subset, unsigned n_folds, uint64_t seed, struct error *err);

#endif

/* forest.h - a random forest on small integers, for the baseline.
 *
 * Each tree grows on a bootstrap sample, tries a few features at every node, and splits where the weighted
 * Gini impurity falls most, until its leaves are pure. A leaf holds the shares of the labels in it; the
 * forest's answer is their mean.
 *
 * Source: Breiman, Random Forests, 2001.
 */
#ifndef CORE_LEARN_FOREST_H
#define CORE_LEARN_FOREST_H

#include <stddef.h>
#include <stdint.h>

enum { FOREST_FEATURES_MAX = 16 };

struct forest;

struct forest_samples {
    size_t n;
    size_t n_features;        /* at most FOREST_FEATURES_MAX */
    size_t n_labels;          /* at most TREE_LABELS_MAX */
    const uint16_t *features; /* (n, n_features) */
    const uint32_t *labels;   /* (n) below n_labels */
    const double *weights;    /* (n_labels) how much a sample of each label counts */
};

/* Grow a forest.
 *
 * samples: n > 0; not kept.
 *
 * Return: 0, -ENOMEM.
 */
int forest_new(struct forest **forestp, const struct forest_samples *samples, unsigned n_trees,
               uint64_t seed);

/* Free it. NULL is fine. */
void forest_free(struct forest *forest);

/* Shares of the labels for one vector of features.
 *
 * shares: (n_labels) filled, sum 1.
 */
void forest_shares(const struct forest *forest, const uint16_t *features, double *shares);

#endif

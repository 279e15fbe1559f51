/* forest.c - growing and asking a random forest.
 *
 * A tree is an array of nodes, the root first, both children of a node side by side. Growing keeps a stack of
 * nodes that own a range of the sample indices; splitting one partitions its range in place. A split is found
 * by sorting the range by one feature and walking the weighted label counts along it.
 */
#include "core/learn/forest.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "core/tree/tree.h"

struct node {
    uint32_t left; /* index of the left child, the right one follows it; 0: a leaf */
    uint32_t feature;
    uint16_t threshold; /* values up to it go left */
};

struct wood { /* one tree */
    size_t n_nodes, capacity;
    struct node *nodes; /* (n_nodes) */
    double *shares;     /* (n_nodes, n_labels) of leaves */
};

struct forest {
    size_t n_features, n_labels;
    unsigned n_trees;
    struct wood *trees; /* (n_trees) */
};

/* Samples begin..end of the index array, of one node. */
struct range {
    uint32_t node;
    uint32_t begin, end;
};

struct growing {
    const struct forest_samples *samples;
    struct random random;
    uint32_t *index;     /* (n) bootstrap sample */
    struct range *stack; /* (2 n) at most: every node owns a sample */
    struct wood *tree;
};

struct split {
    double impurity; /* weighted, of both sides; smaller is better */
    uint32_t feature;
    uint16_t threshold;
};

/* What qsort_r() compares by. */
struct by_feature {
    const struct forest_samples *samples;
    uint32_t feature;
};

static uint16_t value(const struct forest_samples *samples, uint32_t sample, uint32_t feature)
{
    return samples->features[sample * samples->n_features + feature];
}

static int by_value(const void *a, const void *b, void *context)
{
    const struct by_feature *by = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    uint16_t x = value(by->samples, i, by->feature), y = value(by->samples, j, by->feature);

    /* Equal values by index, so that the order never depends on the sort. */
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

static double sum_of(const double *counts, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

/* Gini impurity times weight: sum - sum of squares / sum. */
static double impurity(const double *counts, size_t n)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        sum += counts[i];
        squares += counts[i] * counts[i];
    }
    return sum > 0 ? sum - squares / sum : 0;
}

static void count(const struct growing *growing, const struct range *range, double *counts)
{
    const struct forest_samples *samples = growing->samples;

    memset(counts, 0, samples->n_labels * sizeof(*counts));
    for (uint32_t i = range->begin; i < range->end; i++) {
        uint32_t label = samples->labels[growing->index[i]];

        counts[label] += samples->weights[label];
    }
}

/* Better the split by one feature, if it can be. Sorts the range by it. */
static void try_feature(struct growing *growing, const struct range *range, const double *counts,
                        uint32_t feature, struct split *best)
{
    const struct forest_samples *samples = growing->samples;
    uint32_t *index = growing->index;
    double left[TREE_LABELS_MAX] = {0}, right[TREE_LABELS_MAX];
    struct by_feature by = {.samples = samples, .feature = feature};

    memcpy(right, counts, samples->n_labels * sizeof(*right));
    qsort_r(index + range->begin, range->end - range->begin, sizeof(*index), by_value, &by);
    for (uint32_t i = range->begin; i + 1 < range->end; i++) {
        uint32_t label = samples->labels[index[i]];
        uint16_t here = value(samples, index[i], feature), next = value(samples, index[i + 1], feature);
        double both;

        left[label] += samples->weights[label];
        right[label] -= samples->weights[label];
        if (here == next)
            continue;
        both = impurity(left, samples->n_labels) + impurity(right, samples->n_labels);
        if (both < best->impurity)
            *best = (struct split){
                .impurity = both, .feature = feature, .threshold = (uint16_t)(here + (next - here) / 2)};
    }
}

/* The best split over a random choice of features. As many are tried as the square root of their number says,
 * and further ones while none of those can split at all. Return: whether there is one. */
static bool find_split(struct growing *growing, const struct range *range, const double *counts,
                       struct split *best)
{
    uint32_t n = (uint32_t)growing->samples->n_features, wanted = (uint32_t)sqrt((double)n);
    uint32_t features[FOREST_FEATURES_MAX];

    *best = (struct split){.impurity = INFINITY};
    for (uint32_t f = 0; f < n; f++)
        features[f] = f;
    random_shuffle(&growing->random, features, n);
    for (uint32_t f = 0; f < n && (f < wanted || isinf(best->impurity)); f++)
        try_feature(growing, range, counts, features[f], best);
    return isfinite(best->impurity);
}

/* Put the samples that go left first. Return: where the right ones begin. */
static uint32_t partition(struct growing *growing, const struct range *range, const struct split *split)
{
    uint32_t *index = growing->index;
    uint32_t middle = range->begin;

    for (uint32_t i = range->begin; i < range->end; i++) {
        if (value(growing->samples, index[i], split->feature) <= split->threshold) {
            uint32_t held = index[middle];

            index[middle++] = index[i];
            index[i] = held;
        }
    }
    return middle;
}

/* Append two nodes. Return: index of the first, 0: no memory. */
static uint32_t add_children(struct wood *tree, size_t n_labels)
{
    if (tree->n_nodes + 2 > tree->capacity) {
        size_t capacity = tree->capacity * 2 + 16;
        struct node *nodes = reallocarray(tree->nodes, capacity, sizeof(*nodes));
        double *shares;

        if (nodes == NULL)
            return 0;
        tree->nodes = nodes;
        if ((shares = reallocarray(tree->shares, capacity, n_labels * sizeof(*shares))) == NULL)
            return 0;
        tree->shares = shares;
        tree->capacity = capacity;
    }
    memset(tree->nodes + tree->n_nodes, 0, 2 * sizeof(*tree->nodes));
    tree->n_nodes += 2;
    return (uint32_t)(tree->n_nodes - 2);
}

static void make_leaf(struct wood *tree, uint32_t node, const double *counts, size_t n_labels)
{
    double sum = sum_of(counts, n_labels);

    for (size_t l = 0; l < n_labels; l++)
        tree->shares[node * n_labels + l] = counts[l] / sum;
}

/* Nodes 0 and 1 are the first pair: node 0 is the root, node 1 stays unused, so that a left child is never 0.
 */
static int grow_tree(struct growing *growing)
{
    const struct forest_samples *samples = growing->samples;
    struct wood *tree = growing->tree;
    size_t depth = 0;

    (void)add_children(tree, samples->n_labels);
    if (tree->n_nodes == 0)
        return -ENOMEM;
    growing->stack[depth++] = (struct range){.node = 0, .begin = 0, .end = (uint32_t)samples->n};
    while (depth > 0) {
        struct range range = growing->stack[--depth];
        double counts[TREE_LABELS_MAX];
        struct split split;
        uint32_t left, middle;

        count(growing, &range, counts);
        if (impurity(counts, samples->n_labels) <= 1e-12 || !find_split(growing, &range, counts, &split)) {
            make_leaf(tree, range.node, counts, samples->n_labels);
            continue;
        }
        if ((left = add_children(tree, samples->n_labels)) == 0)
            return -ENOMEM;
        middle = partition(growing, &range, &split);
        tree->nodes[range.node] =
            (struct node){.left = left, .feature = split.feature, .threshold = split.threshold};
        growing->stack[depth++] = (struct range){.node = left, .begin = range.begin, .end = middle};
        growing->stack[depth++] = (struct range){.node = left + 1, .begin = middle, .end = range.end};
    }
    return 0;
}

static int grow_trees(struct forest *forest, struct growing *growing)
{
    size_t n = growing->samples->n;

    for (unsigned t = 0; t < forest->n_trees; t++) {
        int r;

        for (size_t i = 0; i < n; i++)
            growing->index[i] = (uint32_t)random_below(&growing->random, n);
        growing->tree = &forest->trees[t];
        if ((r = grow_tree(growing)) < 0)
            return r;
    }
    return 0;
}

int forest_new(struct forest **forestp, const struct forest_samples *samples, unsigned n_trees, uint64_t seed)
{
    struct forest *forest = calloc(1, sizeof(*forest));
    struct growing growing = {.samples = samples,
                              .random = {.state = seed},
                              .index = calloc(samples->n, sizeof(uint32_t)),
                              .stack = calloc(2 * samples->n, sizeof(struct range))};
    int r = -ENOMEM;

    if (forest != NULL && growing.index != NULL && growing.stack != NULL) {
        *forest = (struct forest){.n_features = samples->n_features,
                                  .n_labels = samples->n_labels,
                                  .n_trees = n_trees,
                                  .trees = calloc(n_trees, sizeof(struct wood))};
        r = forest->trees == NULL ? -ENOMEM : grow_trees(forest, &growing);
    }
    free(growing.index);
    free(growing.stack);
    if (r < 0) {
        forest_free(forest);
        return r;
    }
    *forestp = forest;
    return 0;
}

void forest_free(struct forest *forest)
{
    if (forest == NULL)
        return;
    for (unsigned t = 0; forest->trees != NULL && t < forest->n_trees; t++) {
        free(forest->trees[t].nodes);
        free(forest->trees[t].shares);
    }
    free(forest->trees);
    free(forest);
}

void forest_shares(const struct forest *forest, const uint16_t *features, double *shares)
{
    memset(shares, 0, forest->n_labels * sizeof(*shares));
    for (unsigned t = 0; t < forest->n_trees; t++) {
        const struct wood *tree = &forest->trees[t];
        uint32_t at = 0;

        while (tree->nodes[at].left != 0)
            at = tree->nodes[at].left + (features[tree->nodes[at].feature] > tree->nodes[at].threshold);
        for (size_t l = 0; l < forest->n_labels; l++)
            shares[l] += tree->shares[at * forest->n_labels + l] / forest->n_trees;
    }
}

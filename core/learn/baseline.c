/* baseline.c - what records say about where they were taken, and a forest on it. */
#include "core/learn/baseline.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/learn/forest.h"
#include "core/random.h"

const char baseline_description[] = "random forest on protocol, server port and TTL alone";

enum { FEATURES = 4, TREES = 100 };

#define SHARE_LEAST 1e-3 /* below any share of a leaf in 100 trees; keeps the logarithm finite */

struct baseline {
    struct forest *forest;
    int map[TREE_LABELS_MAX]; /* dataset_map_labels() */
};

static void features_of(const struct record *record, uint16_t *features)
{
    uint16_t a = record->source_port, b = record->destination_port;

    features[0] = record->protocol;
    features[1] = a < b ? a : b;
    features[2] = record->out.ttl;
    features[3] = record->in.ttl;
}

/* Flows with a label in the tree, of large sets a sample: their features and labels. Return: how many. */
static size_t gather(const struct dataset *dataset, const struct subset *train, const int *map, uint64_t seed,
                     uint16_t *features, uint32_t *labels, double *weights, size_t n_labels)
{
    struct random random = {.state = seed};
    size_t n = 0, left = BASELINE_FLOWS, remaining = 0;

    memset(weights, 0, n_labels * sizeof(*weights));
    for (size_t i = 0; i < train->n; i++)
        remaining += map[dataset->label[train->index[i]]] >= 0;
    for (size_t i = 0; i < train->n && left > 0; i++) {
        uint32_t record = train->index[i];
        int label = map[dataset->label[record]];

        /* Selection sampling: take `left` of those that remain (Knuth, TAOCP 3.4.2, algorithm S). */
        if (label < 0 || random_below(&random, remaining--) >= left)
            continue;
        left--;
        features_of(dataset->records[record], features + n * FEATURES);
        labels[n++] = (uint32_t)label;
        weights[label]++;
    }
    for (size_t l = 0; l < n_labels; l++)
        weights[l] = weights[l] > 0 ? 1 / sqrt(weights[l]) : 0;
    return n;
}

int baseline_fit(struct baseline **baselinep, const struct dataset *dataset, const struct tree *tree,
                 const struct subset *train, uint64_t seed, struct error *err)
{
    struct baseline *baseline = calloc(1, sizeof(*baseline));
    size_t most = train->n < BASELINE_FLOWS ? train->n : BASELINE_FLOWS;
    uint16_t *features = calloc(most + 1, FEATURES * sizeof(*features));
    uint32_t *labels = calloc(most + 1, sizeof(*labels));
    double weights[TREE_LABELS_MAX];
    int r;

    if (baseline == NULL || features == NULL || labels == NULL)
        r = error_set(err, -ENOMEM, "no memory for the baseline");
    else
        r = dataset_map_labels(dataset, tree, baseline->map, err);
    if (r == 0) {
        size_t n = gather(dataset, train, baseline->map, seed, features, labels, weights, tree->n_labels);
        struct forest_samples samples = {.n = n,
                                         .n_features = FEATURES,
                                         .n_labels = tree->n_labels,
                                         .features = features,
                                         .labels = labels,
                                         .weights = weights};

        if (n == 0)
            r = error_set(err, -EINVAL, "no flows to fit the baseline to");
        else if ((r = forest_new(&baseline->forest, &samples, TREES, seed)) < 0)
            error_set(err, r, "no memory for the baseline");
    }
    free(features);
    free(labels);
    if (r < 0)
        baseline_free(baseline);
    else
        *baselinep = baseline;
    return r;
}

void baseline_free(struct baseline *baseline)
{
    if (baseline == NULL)
        return;
    forest_free(baseline->forest);
    free(baseline);
}

int baseline_predict(const struct baseline *baseline, struct predictions *predictions,
                     const struct subset *subset, uint32_t fold)
{
    size_t begin = predictions->n;

    if (predictions_extend(predictions, subset, baseline->map, 1, fold) < 0)
        return -ENOMEM;
    for (size_t i = begin; i < predictions->n; i++) {
        uint16_t features[FEATURES];
        double shares[TREE_LABELS_MAX];

        features_of(predictions->dataset->records[predictions->record[i]], features);
        forest_shares(baseline->forest, features, shares);
        for (size_t l = 0; l < predictions->n_labels; l++)
            predictions->logits[i * predictions->n_labels + l] = (float)log(fmax(shares[l], SHARE_LEAST));
    }
    return 0;
}

/* One fold: learn from the others, speak about it. */
static int predict_fold(struct predictions *predictions, const struct tree *tree, const struct subset *subset,
                        const uint32_t *folds, uint32_t fold, uint64_t seed, struct error *err)
{
    struct subset train, held_out;
    struct baseline *baseline;
    int r = split_fold(predictions->dataset, subset, folds, fold, &train, &held_out);

    if (r < 0)
        return error_set(err, r, "no memory for the baseline");
    r = baseline_fit(&baseline, predictions->dataset, tree, &train, seed, err);
    if (r == 0) {
        if ((r = baseline_predict(baseline, predictions, &held_out, fold)) < 0)
            error_set(err, r, "no memory for the baseline");
        baseline_free(baseline);
    }
    subset_free(&train);
    subset_free(&held_out);
    return r;
}

int baseline_across_folds(struct predictions *predictions, const struct tree *tree,
                          const struct subset *subset, unsigned n_folds, uint64_t seed, struct error *err)
{
    uint32_t *folds;
    int r = split_folds(predictions->dataset, subset, n_folds, seed, &folds, err);

    if (r < 0)
        return r;
    for (unsigned fold = 0; fold < n_folds && r == 0; fold++)
        r = predict_fold(predictions, tree, subset, folds, fold, seed, err);
    free(folds);
    return r;
}

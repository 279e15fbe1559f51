/* metrics.c - figures of merit. */
#include "core/learn/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

void metrics_of_confusion(const uint64_t *confusion, size_t n, struct metrics_label *labels)
{
    for (size_t label = 0; label < n; label++) {
        struct metrics_label m = {.right = confusion[label * n + label]};

        for (size_t i = 0; i < n; i++) {
            m.flows += confusion[label * n + i];
            m.predicted += confusion[i * n + label];
        }
        m.precision = ratio(m.right, m.predicted);
        m.recall = ratio(m.right, m.flows);
        m.f1 = ratio(2 * m.right, m.flows + m.predicted);
        labels[label] = m;
    }
}

double metrics_accuracy(const uint64_t *confusion, size_t n)
{
    uint64_t right = 0, all = 0;

    for (size_t i = 0; i < n * n; i++) {
        all += confusion[i];
        if (i % (n + 1) == 0)
            right += confusion[i];
    }
    return all == 0 ? NAN : (double)right / (double)all;
}

double metrics_macro_f1(const uint64_t *confusion, size_t n)
{
    double sum = 0;
    size_t occurring = 0;

    for (size_t label = 0; label < n; label++) {
        uint64_t flows = 0, predicted = 0;

        for (size_t i = 0; i < n; i++) {
            flows += confusion[label * n + i];
            predicted += confusion[i * n + label];
        }
        if (flows == 0)
            continue;
        sum += ratio(2 * confusion[label * n + label], flows + predicted);
        occurring++;
    }
    return occurring == 0 ? NAN : sum / (double)occurring;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double *sorted_copy(const double *values, size_t n)
{
    double *copy = malloc(n * sizeof(*copy));

    if (copy == NULL)
        return NULL;
    memcpy(copy, values, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), compare_doubles);
    return copy;
}

double metrics_auroc(const double *positives, size_t n_positives, const double *negatives, size_t n_negatives)
{
    double *sorted;
    double wins = 0;

    if (n_positives == 0 || n_negatives == 0 || (sorted = sorted_copy(negatives, n_negatives)) == NULL)
        return NAN;
    for (size_t i = 0; i < n_positives; i++) {
        size_t below = 0, not_above = n_negatives; /* sorted[0..below) < x, sorted[0..not_above) <= x */

        for (size_t high = n_negatives; below < high;) {
            size_t middle = below + (high - below) / 2;

            if (sorted[middle] < positives[i])
                below = middle + 1;
            else
                high = middle;
        }
        for (size_t low = below; low < not_above;) {
            size_t middle = low + (not_above - low) / 2;

            if (sorted[middle] <= positives[i])
                low = middle + 1;
            else
                not_above = middle;
        }
        wins += (double)below + 0.5 * (double)(not_above - below);
    }
    free(sorted);
    return wins / (double)n_positives / (double)n_negatives;
}

double metrics_let_through(const double *positives, size_t n_positives, const double *negatives,
                           size_t n_negatives, double keep)
{
    double *sorted;
    double threshold;
    size_t kept, through = 0;

    if (n_positives == 0 || n_negatives == 0 || (sorted = sorted_copy(positives, n_positives)) == NULL)
        return NAN;
    kept = (size_t)ceil(keep * (double)n_positives - 1e-9);
    kept = kept < 1 ? 1 : kept > n_positives ? n_positives : kept;
    threshold = sorted[n_positives - kept];
    free(sorted);
    for (size_t i = 0; i < n_negatives; i++)
        through += negatives[i] >= threshold;
    return (double)through / (double)n_negatives;
}

double metrics_calibration_error(const double *confidence, const uint8_t *right, size_t n,
                                 struct metrics_bin *bins)
{
    struct metrics_bin local[METRICS_BINS];
    double error = 0;

    if (bins == NULL)
        bins = local;
    memset(bins, 0, METRICS_BINS * sizeof(*bins));
    for (size_t i = 0; i < n; i++) {
        int bin = (int)(confidence[i] * METRICS_BINS);

        bin = bin < 0 ? 0 : bin >= METRICS_BINS ? METRICS_BINS - 1 : bin;
        bins[bin].flows++;
        bins[bin].confidence += confidence[i];
        bins[bin].accuracy += right[i];
    }
    for (int i = 0; i < METRICS_BINS; i++) {
        double flows = (double)bins[i].flows;

        error += fabs(bins[i].confidence - bins[i].accuracy);
        bins[i].confidence = bins[i].flows == 0 ? NAN : bins[i].confidence / flows;
        bins[i].accuracy = bins[i].flows == 0 ? NAN : bins[i].accuracy / flows;
    }
    return n == 0 ? NAN : error / (double)n;
}

struct metrics_summary metrics_summary(const double *values, size_t n)
{
    struct metrics_summary summary = {.mean = NAN, .deviation = NAN};
    double sum = 0, squares = 0;

    if (n == 0)
        return summary;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    summary.mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - summary.mean) * (values[i] - summary.mean);
    summary.deviation = n == 1 ? 0 : sqrt(squares / (double)(n - 1));
    return summary;
}

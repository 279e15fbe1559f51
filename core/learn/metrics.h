/* metrics.h - figures of merit as plain functions over plain arrays. */
#ifndef CORE_LEARN_METRICS_H
#define CORE_LEARN_METRICS_H

#include <stddef.h>
#include <stdint.h>

enum { METRICS_BINS = 10 }; /* of a reliability diagram */

/* One label of a confusion matrix. A ratio without a denominator is 0, as is customary for F1. */
struct metrics_label {
    uint64_t flows;     /* that are of this label */
    uint64_t predicted; /* that were called so */
    uint64_t right;     /* both */
    double precision, recall, f1;
};

/* Per-label figures of a confusion matrix.
 *
 * confusion: (n, n) row: truth, column: prediction.
 * labels: (n) filled.
 */
void metrics_of_confusion(const uint64_t *confusion, size_t n, struct metrics_label *labels);

/* Share of the diagonal; NAN for an empty matrix. */
double metrics_accuracy(const uint64_t *confusion, size_t n);

/* Mean F1 over the labels that occur as truth; NAN when there is none. */
double metrics_macro_f1(const uint64_t *confusion, size_t n);

/* Area under the receiver operating characteristic: how often a positive has a higher score than a negative,
 * ties counted half (Mann and Whitney).
 *
 * Return: 0..1, NAN when one side is empty or memory is short.
 */
double metrics_auroc(const double *positives, size_t n_positives, const double *negatives,
                     size_t n_negatives);

/* Share of negatives at or above the score that keeps a share of the positives.
 *
 * keep: 0..1 of the positives, those with the highest scores.
 *
 * Return: 0..1, NAN when one side is empty or memory is short.
 */
double metrics_let_through(const double *positives, size_t n_positives, const double *negatives,
                           size_t n_negatives, double keep);

/* Reliability: what share of the flows called with a confidence near c are right. */
struct metrics_bin {
    uint64_t flows;
    double confidence; /* mean, NAN when empty */
    double accuracy;
};

/* Expected calibration error: mean of |confidence - accuracy| over bins of equal width, weighted by flows
 * (Guo et al., 2017).
 *
 * confidence: (n) of the winner, 0..1. right: (n) 1: it was.
 * bins: (METRICS_BINS) filled; may be NULL.
 *
 * Return: 0..1, NAN for n = 0.
 */
double metrics_calibration_error(const double *confidence, const uint8_t *right, size_t n,
                                 struct metrics_bin *bins);

struct metrics_summary {
    double mean;
    double deviation; /* of the sample (n - 1); 0 for n = 1 */
};

/* Mean and standard deviation; both NAN for n = 0. */
struct metrics_summary metrics_summary(const double *values, size_t n);

#endif

/* Figures of merit against values computed by hand. */
#include "core/learn/metrics.h"

#include <math.h>

#include "tests/unit/unit.h"

/* Rows: truth. */
static const uint64_t confusion[9] = {8, 2, 0, /* */ 1, 3, 0, /* */ 0, 0, 0};

START_TEST(confusion_gives_precision_recall_f1)
{
    struct metrics_label labels[3];

    metrics_of_confusion(confusion, 3, labels);
    ck_assert_uint_eq(labels[0].flows, 10);
    ck_assert_uint_eq(labels[0].predicted, 9);
    ck_assert_uint_eq(labels[0].right, 8);
    ck_assert_double_eq_tol(labels[0].precision, 8.0 / 9, 1e-12);
    ck_assert_double_eq_tol(labels[0].recall, 0.8, 1e-12);
    ck_assert_double_eq_tol(labels[0].f1, 16.0 / 19, 1e-12);
    ck_assert_double_eq_tol(labels[1].f1, 6.0 / 9, 1e-12);
    ck_assert_double_eq(labels[2].precision, 0);
    ck_assert_double_eq(labels[2].recall, 0);
    ck_assert_double_eq(labels[2].f1, 0);
}
END_TEST

START_TEST(macro_f1_leaves_out_labels_that_do_not_occur)
{
    ck_assert_double_eq_tol(metrics_macro_f1(confusion, 3), (16.0 / 19 + 6.0 / 9) / 2, 1e-12);
    ck_assert_double_eq_tol(metrics_accuracy(confusion, 3), 11.0 / 14, 1e-12);
}
END_TEST

START_TEST(an_empty_matrix_has_no_figures)
{
    const uint64_t empty[4] = {0};

    ck_assert(isnan(metrics_accuracy(empty, 2)));
    ck_assert(isnan(metrics_macro_f1(empty, 2)));
}
END_TEST

START_TEST(auroc_counts_ties_half)
{
    const double positives[] = {0.9, 0.5, 0.4}, negatives[] = {0.5, 0.1};

    /* Pairs won: 0.9 both, 0.5 one and a half, 0.4 one: 4.5 of 6. */
    ck_assert_double_eq_tol(metrics_auroc(positives, 3, negatives, 2), 4.5 / 6, 1e-12);
    ck_assert_double_eq_tol(metrics_auroc(negatives, 2, positives, 3), 1.5 / 6, 1e-12);
    ck_assert(isnan(metrics_auroc(positives, 0, negatives, 2)));
    ck_assert(isnan(metrics_auroc(positives, 3, negatives, 0)));
}
END_TEST

START_TEST(let_through_counts_negatives_above_the_kept)
{
    const double positives[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, negatives[] = {2, 1.5, 3, 0};

    /* Nine of ten positives are kept from 2 on: 2 and 3 come through. */
    ck_assert_double_eq_tol(metrics_let_through(positives, 10, negatives, 4, 0.9), 0.5, 1e-12);
    ck_assert_double_eq_tol(metrics_let_through(positives, 10, negatives, 4, 1.0), 0.75, 1e-12);
    ck_assert_double_eq_tol(metrics_let_through(positives, 10, negatives, 4, 0.1), 0, 1e-12);
    ck_assert(isnan(metrics_let_through(positives, 0, negatives, 4, 0.9)));
}
END_TEST

START_TEST(calibration_error_is_the_gap_by_bin)
{
    const double confidence[] = {0.95, 0.95, 0.95, 0.95, 0.55, 0.55, 1.0};
    const uint8_t right[] = {1, 1, 1, 0, 1, 0, 1};
    struct metrics_bin bins[METRICS_BINS];

    /* Top bin: 5 flows, confidence sum 4.8, 4 right; middle bin: 2 flows, 1.1, 1 right. */
    ck_assert_double_eq_tol(metrics_calibration_error(confidence, right, 7, bins), (0.8 + 0.1) / 7, 1e-12);
    ck_assert_uint_eq(bins[9].flows, 5);
    ck_assert_double_eq_tol(bins[9].accuracy, 0.8, 1e-12);
    ck_assert_double_eq_tol(bins[9].confidence, 0.96, 1e-12);
    ck_assert_uint_eq(bins[5].flows, 2);
    ck_assert_uint_eq(bins[0].flows, 0);
    ck_assert(isnan(bins[0].confidence));
    ck_assert(isnan(metrics_calibration_error(confidence, right, 0, NULL)));
}
END_TEST

START_TEST(summary_has_the_deviation_of_the_sample)
{
    const double values[] = {1, 2, 3, 4};

    ck_assert_double_eq_tol(metrics_summary(values, 4).mean, 2.5, 1e-12);
    ck_assert_double_eq_tol(metrics_summary(values, 4).deviation, sqrt(5.0 / 3), 1e-12);
    ck_assert_double_eq(metrics_summary(values, 1).deviation, 0);
    ck_assert(isnan(metrics_summary(values, 0).mean));
}
END_TEST

int main(void)
{
    return UNIT_RUN("metrics", confusion_gives_precision_recall_f1,
                    macro_f1_leaves_out_labels_that_do_not_occur, an_empty_matrix_has_no_figures,
                    auroc_counts_ties_half, let_through_counts_negatives_above_the_kept,
                    calibration_error_is_the_gap_by_bin, summary_has_the_deviation_of_the_sample);
}

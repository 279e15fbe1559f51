/* The forest, and the baseline that it is grown for. */
#include "core/learn/baseline.h"

#include <errno.h>
#include <math.h>

#include "core/learn/evaluate.h"
#include "core/learn/forest.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};
static const struct tree tree = {.name = "t", .n_labels = 3, .labels = {"news", "video", "other"}};

/* Exclusive or of two features: no single split tells anything. */
static void make_xor(uint16_t *features, uint32_t *classes, size_t n)
{
    struct random random = {.state = 3};

    for (size_t i = 0; i < n; i++) {
        features[3 * i] = (uint16_t)random_below(&random, 1000);
        features[3 * i + 1] = (uint16_t)random_below(&random, 1000);
        features[3 * i + 2] = (uint16_t)random_below(&random, 1000);
        classes[i] = (features[3 * i] < 500) != (features[3 * i + 1] < 500);
    }
}

START_TEST(a_forest_learns_what_one_split_cannot)
{
    static uint16_t features[3 * 1200];
    static uint32_t classes[1200];
    const double weights[] = {1, 1};
    struct forest_samples samples = {.n = 1000,
                                     .n_features = 3,
                                     .n_labels = 2,
                                     .features = features,
                                     .labels = classes,
                                     .weights = weights};
    struct forest *forest;
    unsigned right = 0;

    make_xor(features, classes, 1200);
    ck_assert_int_eq(forest_new(&forest, &samples, 50, 1), 0);
    for (size_t i = 1000; i < 1200; i++) {
        double shares[2];

        forest_shares(forest, features + 3 * i, shares);
        ck_assert_double_eq_tol(shares[0] + shares[1], 1, 1e-9);
        right += (shares[1] > shares[0]) == (classes[i] == 1);
    }
    ck_assert_uint_ge(right, 180);
    forest_free(forest);
}
END_TEST

START_TEST(equal_samples_become_one_leaf_of_weighted_shares)
{
    const uint16_t features[] = {5, 5, 5, 5};
    const uint32_t classes[] = {0, 0, 0, 0};
    const double weights[] = {1, 1};
    struct forest_samples samples = {
        .n = 4, .n_features = 1, .n_labels = 2, .features = features, .labels = classes, .weights = weights};
    struct forest *forest;
    double shares[2];

    ck_assert_int_eq(forest_new(&forest, &samples, 3, 1), 0);
    forest_shares(forest, (const uint16_t[]){9}, shares);
    ck_assert_double_eq_tol(shares[0], 1, 1e-12);
    ck_assert_double_eq_tol(shares[1], 0, 1e-12);
    forest_free(forest);
}
END_TEST

/* The ttl of the fixture tells the label. */
START_TEST(baseline_tells_captures_apart_by_ttl)
{
    struct dataset *dataset = flows_even(labels, 3, 6, 10);
    struct predictions predictions;
    struct evaluation evaluation;
    struct subset train, held_out;
    struct baseline *baseline;

    ck_assert_int_eq(split_holdout(dataset, 0.3, 1, &train, &held_out, NULL), 0);
    ck_assert_int_eq(baseline_fit(&baseline, dataset, &tree, &train, 1, NULL), 0);
    predictions_init(&predictions, dataset, &tree);
    ck_assert_int_eq(baseline_predict(baseline, &predictions, &held_out, 0), 0);
    ck_assert_uint_eq(predictions.n, held_out.n);
    ck_assert_int_eq(evaluate(&evaluation, &predictions, NULL, NULL, NULL), 0);
    ck_assert_double_eq(evaluation.all.accuracy, 1);
    evaluation_deinit(&evaluation);
    predictions_deinit(&predictions);
    baseline_free(baseline);
    subset_free(&train);
    subset_free(&held_out);
    dataset_free(dataset);
}
END_TEST

START_TEST(folds_speak_about_every_flow_once)
{
    struct dataset *dataset = flows_even(labels, 3, 4, 5);
    struct predictions predictions;
    bool seen[60] = {false};

    predictions_init(&predictions, dataset, &tree);
    ck_assert_int_eq(baseline_across_folds(&predictions, &tree, NULL, 4, 1, NULL), 0);
    ck_assert_uint_eq(predictions.n, 60);
    for (size_t i = 0; i < predictions.n; i++) {
        ck_assert(!seen[predictions.record[i]]);
        seen[predictions.record[i]] = true;
        ck_assert_uint_lt(predictions.fold[i], 4);
    }
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

/* Flows that the tree has no label for take no place in the sample that is learnt from. */
START_TEST(few_flows_of_the_classes_are_found_among_many_others)
{
    static const unsigned counts[] = {3, 0, 0, 0, 3, 0, 0, 0, 6 * BASELINE_FLOWS};
    static const struct tree classes = {.name = "t", .n_labels = 2, .labels = {"news", "video"}};
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions;
    struct baseline *baseline;
    struct error err = {0};
    struct subset all;

    ck_assert_int_eq(split_all(dataset, &all), 0);
    ck_assert_msg(baseline_fit(&baseline, dataset, &classes, &all, 1, &err) == 0, "%s", err.text);
    predictions_init(&predictions, dataset, &classes);
    ck_assert_int_eq(baseline_predict(baseline, &predictions, &all, 0), 0);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(predictions.logits[2 * i] < predictions.logits[2 * i + 1], predictions.truth[i]);
    predictions_deinit(&predictions);
    baseline_free(baseline);
    subset_free(&all);
    dataset_free(dataset);
}
END_TEST

START_TEST(nothing_to_learn_from_is_refused)
{
    struct dataset *dataset = flows_even(labels, 3, 1, 1);
    struct subset none = {0};
    struct baseline *baseline;
    struct error err;

    ck_assert_int_eq(baseline_fit(&baseline, dataset, &tree, &none, 1, &err), -EINVAL);
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN("baseline", a_forest_learns_what_one_split_cannot,
                    equal_samples_become_one_leaf_of_weighted_shares, baseline_tells_captures_apart_by_ttl,
                    folds_speak_about_every_flow_once, few_flows_of_the_classes_are_found_among_many_others,
                    nothing_to_learn_from_is_refused);
}

/* Temperature and thresholds against values computed by hand. */
#include "core/learn/calibrate.h"

#include <math.h>

#include "tests/unit/unit.h"

enum { MOST = 64 };

struct fixture {
    struct predictions predictions;
    uint32_t record[MOST], fold[MOST];
    int truth[MOST];
    double temperature[MOST];
    float logits[MOST * 3];
};

static void start(struct fixture *fixture, size_t n_labels, int other)
{
    *fixture = (struct fixture){0};
    fixture->predictions = (struct predictions){.n_labels = n_labels,
                                                .other = other,
                                                .record = fixture->record,
                                                .truth = fixture->truth,
                                                .fold = fixture->fold,
                                                .temperature = fixture->temperature,
                                                .logits = fixture->logits};
}

/* A flow of `truth` with a logit of `logit` for `said`, 0 for the others. */
static void add(struct fixture *fixture, int truth, size_t said, float logit, uint32_t fold)
{
    size_t n = fixture->predictions.n++;

    fixture->truth[n] = truth;
    fixture->fold[n] = fold;
    fixture->temperature[n] = 1;
    fixture->logits[n * fixture->predictions.n_labels + said] = logit;
}

static double score(double logit)
{
    return 1 / (1 + exp(-logit));
}

START_TEST(loss_is_the_mean_over_the_flows_with_a_truth)
{
    struct fixture fixture;

    start(&fixture, 2, -1);
    add(&fixture, 0, 0, 3, 0);
    add(&fixture, 1, 0, 1, 1);
    add(&fixture, -1, 0, 9, 0);
    ck_assert_double_eq_tol(calibrate_loss(&fixture.predictions, 1, UINT32_MAX),
                            -(log(score(3)) + log(1 - score(1))) / 2, 1e-9);
    ck_assert_double_eq_tol(calibrate_loss(&fixture.predictions, 2, UINT32_MAX),
                            -(log(score(1.5)) + log(1 - score(0.5))) / 2, 1e-9);
    ck_assert_double_eq_tol(calibrate_loss(&fixture.predictions, 1, 1), -log(score(3)), 1e-9);
}
END_TEST

/* Three of four right at a logit of 4: the loss is least where the score is 3/4, at T = 4 / ln 3. */
START_TEST(temperature_makes_confidence_the_share_that_is_right)
{
    struct fixture fixture;

    start(&fixture, 2, -1);
    for (int i = 0; i < 8; i++)
        add(&fixture, i % 4 == 0 ? 1 : 0, 0, 4, 0);
    ck_assert_double_eq_tol(calibrate_temperature(&fixture.predictions, UINT32_MAX), 4 / log(3), 1e-4);
}
END_TEST

START_TEST(temperature_stays_in_its_range)
{
    struct fixture fixture;

    start(&fixture, 2, -1);
    ck_assert_double_eq(calibrate_temperature(&fixture.predictions, UINT32_MAX), 1);
    for (int i = 0; i < 8; i++)
        add(&fixture, 0, 0, 1, 0);
    ck_assert_double_eq_tol(calibrate_temperature(&fixture.predictions, UINT32_MAX), CALIBRATE_COLDEST, 1e-4);
    for (int i = 0; i < 8; i++)
        fixture.truth[i] = 1;
    ck_assert_double_eq_tol(calibrate_temperature(&fixture.predictions, UINT32_MAX), CALIBRATE_HOTTEST, 1e-3);
}
END_TEST

START_TEST(a_fold_gets_the_temperature_of_the_others)
{
    struct fixture fixture;

    start(&fixture, 2, -1);
    for (int i = 0; i < 8; i++)
        add(&fixture, i % 4 == 0 ? 1 : 0, 0, 4, 0); /* 3 of 4 right */
    for (int i = 0; i < 10; i++)
        add(&fixture, i % 5 == 0 ? 1 : 0, 0, 2, 1); /* 4 of 5 right */
    calibrate_across_folds(&fixture.predictions, 2);
    ck_assert_double_eq_tol(fixture.temperature[0], 2 / log(4), 1e-4);
    ck_assert_double_eq_tol(fixture.temperature[8], 4 / log(3), 1e-4);
}
END_TEST

START_TEST(threshold_is_the_lowest_that_reaches_the_precision)
{
    struct calibration calibration = {0};
    struct fixture fixture;

    start(&fixture, 2, -1);
    for (int i = 0; i < 18; i++)
        add(&fixture, 0, 0, 5, 0); /* all right */
    add(&fixture, 1, 0, 4, 0);
    add(&fixture, 0, 0, 3, 0);
    add(&fixture, 1, 0, 3, 0); /* 19 of 21 right: 0.905 */
    add(&fixture, 1, 0, 2, 0); /* 19 of 22: 0.864 */
    ck_assert_int_eq(calibrate_thresholds(&calibration, &fixture.predictions, 0.9), 0);
    ck_assert(calibration.labels[0].reached);
    ck_assert_double_eq_tol(calibration.labels[0].threshold, score(3), 1e-6);
    ck_assert_uint_eq(calibration.labels[0].flows, 21);
    ck_assert_double_eq_tol(calibration.labels[0].precision, 19.0 / 21, 1e-12);
    /* Never called: nothing to fit, nothing claimed. */
    ck_assert(!calibration.labels[1].reached);
    ck_assert_uint_eq(calibration.labels[1].flows, 0);
    ck_assert(isnan(calibration.labels[1].precision));

    ck_assert_int_eq(calibrate_thresholds(&calibration, &fixture.predictions, 0.5), 0);
    ck_assert_double_eq(calibration.labels[0].threshold, 0);
}
END_TEST

START_TEST(a_precision_out_of_reach_is_said_and_the_best_taken)
{
    struct calibration calibration = {0};
    struct fixture fixture;

    start(&fixture, 2, -1);
    for (int i = 0; i < 10; i++)
        add(&fixture, i < 7 ? 0 : 1, 0, 5, 0); /* 7 of 10 */
    for (int i = 0; i < 10; i++)
        add(&fixture, i < 5 ? 0 : 1, 0, 3, 0); /* 12 of 20 */
    ck_assert_int_eq(calibrate_thresholds(&calibration, &fixture.predictions, 0.9), 0);
    ck_assert(!calibration.labels[0].reached);
    ck_assert_double_eq_tol(calibration.labels[0].threshold, score(5), 1e-6);
    ck_assert_double_eq_tol(calibration.labels[0].precision, 0.7, 1e-12);
}
END_TEST

START_TEST(a_threshold_rests_on_enough_flows)
{
    struct calibration calibration = {0};
    struct fixture fixture;

    start(&fixture, 2, -1);
    for (int i = 0; i < CALIBRATE_SUPPORT - 1; i++)
        add(&fixture, 0, 0, 5, 0);
    for (int i = 0; i < 4; i++)
        add(&fixture, 1, 0, 3, 0); /* 9 of 13: the perfect 9 alone are too few */
    ck_assert_int_eq(calibrate_thresholds(&calibration, &fixture.predictions, 0.9), 0);
    ck_assert(!calibration.labels[0].reached);
    ck_assert_uint_eq(calibration.labels[0].flows, CALIBRATE_SUPPORT + 3);
}
END_TEST

START_TEST(flows_that_other_wins_do_not_count)
{
    struct calibration calibration = {0};
    struct fixture fixture;

    start(&fixture, 3, 2);
    for (int i = 0; i < 10; i++)
        add(&fixture, 0, 0, 5, 0);
    for (int i = 0; i < 20; i++)
        add(&fixture, 1, 2, 5, 0); /* called other */
    ck_assert_int_eq(calibrate_thresholds(&calibration, &fixture.predictions, 0.9), 0);
    ck_assert(calibration.labels[0].reached);
    ck_assert_uint_eq(calibration.labels[0].flows, 10);
}
END_TEST

int main(void)
{
    return UNIT_RUN("calibrate", loss_is_the_mean_over_the_flows_with_a_truth,
                    temperature_makes_confidence_the_share_that_is_right, temperature_stays_in_its_range,
                    a_fold_gets_the_temperature_of_the_others,
                    threshold_is_the_lowest_that_reaches_the_precision,
                    a_precision_out_of_reach_is_said_and_the_best_taken, a_threshold_rests_on_enough_flows,
                    flows_that_other_wins_do_not_count);
}

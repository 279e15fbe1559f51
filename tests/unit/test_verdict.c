/* Every way in which a verdict can come out. */
#include "core/verdict.h"

#include <math.h>

#include "tests/unit/unit.h"

static const double thresholds[] = {0.6, 0.9, 0};

static const struct verdict_rule with_other = {
    .n_labels = 3, .other = 2, .temperature = 1, .thresholds = thresholds};

static struct verdict decide(const struct verdict_rule *rule, float a, float b, float c)
{
    struct verdict verdict;

    verdict_decide(&verdict, rule, (const float[]){a, b, c});
    return verdict;
}

START_TEST(scores_are_a_softmax)
{
    struct verdict verdict = decide(&with_other, 2, 0, 0);

    ck_assert_float_eq_tol(verdict.scores[0], (float)(exp(2) / (exp(2) + 2)), 1e-6);
    ck_assert_float_eq_tol(verdict.scores[0] + verdict.scores[1] + verdict.scores[2], 1, 1e-6);
    ck_assert_float_eq(verdict.confidence, verdict.scores[0]);
}
END_TEST

START_TEST(a_sure_winner_is_classified)
{
    struct verdict verdict = decide(&with_other, 2, 0, 0);

    ck_assert_int_eq(verdict.state, VERDICT_CLASSIFIED);
    ck_assert_int_eq(verdict.label, 0);
}
END_TEST

START_TEST(a_winner_under_its_own_threshold_is_unknown)
{
    struct verdict verdict = decide(&with_other, 0, 2, 0);

    /* 0.787: enough for the first label, not for the second. */
    ck_assert_int_eq(verdict.state, VERDICT_UNKNOWN);
    ck_assert_int_eq(verdict.label, 1);
}
END_TEST

START_TEST(other_with_the_highest_score_is_unknown)
{
    struct verdict verdict = decide(&with_other, 1, 0, 3);

    ck_assert_int_eq(verdict.state, VERDICT_UNKNOWN);
    ck_assert_int_eq(verdict.label, 0);
    ck_assert_float_eq(verdict.confidence, verdict.scores[0]);
}
END_TEST

START_TEST(without_other_the_third_label_can_win)
{
    struct verdict_rule rule = with_other;

    rule.other = -1;
    ck_assert_int_eq(decide(&rule, 1, 0, 3).state, VERDICT_CLASSIFIED);
    ck_assert_int_eq(decide(&rule, 1, 0, 3).label, 2);
}
END_TEST

START_TEST(without_thresholds_the_winner_is_named)
{
    struct verdict_rule rule = with_other;

    rule.thresholds = NULL;
    ck_assert_int_eq(decide(&rule, 0, 0.1F, 0).state, VERDICT_CLASSIFIED);
    ck_assert_int_eq(decide(&rule, 0, 0.1F, 0).label, 1);
}
END_TEST

START_TEST(temperature_flattens_the_scores)
{
    struct verdict_rule rule = with_other;

    rule.temperature = 4;
    ck_assert_float_eq_tol(decide(&rule, 2, 0, 0).confidence, (float)(exp(0.5) / (exp(0.5) + 2)), 1e-6);
    ck_assert_int_eq(decide(&rule, 2, 0, 0).state, VERDICT_UNKNOWN);
}
END_TEST

START_TEST(a_logit_that_is_no_number_gives_no_verdict)
{
    static const float wrong[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < 3; i++) {
        struct verdict verdict = decide(&with_other, 5, wrong[i], 0);

        ck_assert_int_eq(verdict.state, VERDICT_NOT_CLASSIFIED);
        ck_assert_int_eq(verdict.label, -1);
        ck_assert_float_eq(verdict.scores[0], 0);
    }
}
END_TEST

START_TEST(huge_logits_do_not_overflow)
{
    struct verdict verdict = decide(&with_other, 1e30F, -1e30F, 0);

    ck_assert_int_eq(verdict.state, VERDICT_CLASSIFIED);
    ck_assert_float_eq(verdict.confidence, 1);
}
END_TEST

START_TEST(states_have_names)
{
    ck_assert_str_eq(verdict_state_name(VERDICT_CLASSIFIED), "classified");
    ck_assert_str_eq(verdict_state_name(VERDICT_UNKNOWN), "unknown");
    ck_assert_str_eq(verdict_state_name(VERDICT_NOT_CLASSIFIED), "not_classified");
}
END_TEST

int main(void)
{
    return UNIT_RUN("verdict", scores_are_a_softmax, a_sure_winner_is_classified,
                    a_winner_under_its_own_threshold_is_unknown, other_with_the_highest_score_is_unknown,
                    without_other_the_third_label_can_win, without_thresholds_the_winner_is_named,
                    temperature_flattens_the_scores, a_logit_that_is_no_number_gives_no_verdict,
                    huge_logits_do_not_overflow, states_have_names);
}

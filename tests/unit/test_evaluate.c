/* Every figure of an evaluation on a dozen flows, against values computed by hand. */
#include "core/learn/evaluate.h"

#include <errno.h>
#include <math.h>

#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};
static const struct tree with_other = {.name = "t", .n_labels = 3, .labels = {"news", "video", "other"}};
static const struct tree without_other = {.name = "t", .n_labels = 2, .labels = {"news", "video"}};

/* Capture 0: four news; capture 1: four video, two other; capture 2: two other. */
static const unsigned counts[] = {4, 0, 0, /* */ 0, 4, 2, /* */ 0, 0, 2};

/* Logits (news, video, other) in that order. */
static const float logits[12][3] = {
    {4, 0, 0}, {4, 0, 0}, {0, 3, 0}, {2, 0, 3},            /* news: 2 right, 1 video, 1 other */
    {0, 4, 0}, {0, 4, 0}, {0, 4, 0}, {0, 1, 2}, {0, 0, 4}, /* video: 3 right, 1 other; other: right */
    {0, 2, 0}, {0, 0, 4}, {0, 0, 4},                       /* other called video; two right */
};

static struct predictions predict(const struct dataset *dataset, const struct tree *tree)
{
    struct predictions predictions;
    struct subset all;
    int map[TREE_LABELS_MAX];

    ck_assert_int_eq(split_all(dataset, &all), 0);
    predictions_init(&predictions, dataset, tree);
    ck_assert_int_eq(dataset_map_labels(dataset, tree, map, NULL), 0);
    ck_assert_int_eq(predictions_extend(&predictions, &all, map, 1, 0), 0);
    for (size_t i = 0; i < predictions.n; i++)
        memcpy(predictions.logits + i * tree->n_labels, logits[i], tree->n_labels * sizeof(float));
    subset_free(&all);
    return predictions;
}

static double score(double logit, size_t n)
{
    return exp(logit) / (exp(logit) + (double)n - 1);
}

START_TEST(figures_with_other)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(e.flows, 12);
    ck_assert_uint_eq(e.known, 8);
    ck_assert_uint_eq(e.unknowns, 4);
    /* Among the classes: news 3 of 4, video 4 of 4. */
    ck_assert_uint_eq(e.classes.flows, 8);
    ck_assert_double_eq_tol(e.classes.accuracy, 7.0 / 8, 1e-12);
    ck_assert_double_eq_tol(e.classes.macro_f1, (6.0 / 7 + 8.0 / 9) / 2, 1e-12);
    ck_assert_double_eq_tol(e.classes.majority_accuracy, 0.5, 1e-12);
    ck_assert_double_eq_tol(e.classes.majority_macro_f1, (2.0 / 3 + 0) / 2, 1e-12);
    /* Among all: 2 + 3 + 3 of 12. */
    ck_assert_double_eq_tol(e.all.accuracy, 8.0 / 12, 1e-12);
    ck_assert_double_eq_tol(e.all.macro_f1, (4.0 / 6 + 6.0 / 9 + 6.0 / 9) / 3, 1e-12);
    ck_assert_uint_eq(e.confusion[0 * 3 + 2], 1);
    ck_assert_uint_eq(e.confusion[2 * 3 + 1], 1);
    ck_assert(isnan(e.classes.baseline_accuracy));
    /* Verdicts: 2 + 3 right, a news called video and an other called video. */
    ck_assert_uint_eq(e.named, 7);
    ck_assert_uint_eq(e.named_right, 5);
    ck_assert_uint_eq(e.named_other, 1);
    ck_assert_uint_eq(e.label[1].named, 5);
    ck_assert_uint_eq(e.label[1].named_right, 3);
    ck_assert_uint_eq(e.label[0].unknown, 1);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(unknown_traffic_is_ranked_by_the_odds_of_any_class)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;

    /* Log odds of the classes: news 4.02 4.02 3.05 -0.87, video 4.02 x 3, -0.69; other -3.31 x 3, 2.13. The
     * one other above two of the eight classes loses 2 of 32 pairs. Keeping 7.2, so 8 of 8, lets it through.
     */
    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    ck_assert_double_eq_tol(e.auroc, 30.0 / 32, 1e-12);
    ck_assert_double_eq_tol(e.let_through, 1.0 / 4, 1e-12);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(a_model_without_other_is_measured_on_it_all_the_same)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &without_other);
    struct evaluation e;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    ck_assert_int_eq(e.other, -1);
    ck_assert_uint_eq(e.known, 8);
    ck_assert_uint_eq(e.unknowns, 4);
    ck_assert_double_eq_tol(e.classes.accuracy, 7.0 / 8, 1e-12);
    ck_assert_double_eq_tol(e.all.accuracy, 7.0 / 8, 1e-12);
    /* Everything is named: four flows of other too. */
    ck_assert_uint_eq(e.named, 12);
    ck_assert_uint_eq(e.named_right, 7);
    ck_assert_uint_eq(e.named_other, 4);
    /* By the highest score: other has logits 0 0, 0 2, 0 0, 0 0; classes 4 4 3 2 4 4 4 1. The 2 beats the 1
     * and ties with the 2. */
    ck_assert_double_eq_tol(e.auroc, (32 - 1.5) / 32, 1e-12);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(thresholds_turn_names_into_unknown)
{
    const double thresholds[] = {0.99, 0.9, 0};
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;

    /* score(4) 0.965: too little for news, enough for video; score(3) 0.909: the news called video stays. */
    ck_assert_int_eq(evaluate(&e, &predictions, NULL, thresholds, NULL), 0);
    ck_assert_uint_eq(e.named, 4);
    ck_assert_uint_eq(e.named_right, 3);
    ck_assert_uint_eq(e.named_other, 0);
    ck_assert_double_eq(e.label[0].threshold, 0.99);
    ck_assert_uint_eq(e.label[0].unknown, 3);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(coverage_and_precision_follow_the_confidence)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    /* At 0: 7 named, 6 of them of the 8 flows of classes, 5 right. */
    ck_assert_double_eq(e.curve[0].threshold, 0);
    ck_assert_double_eq_tol(e.curve[0].coverage, 6.0 / 8, 1e-12);
    ck_assert_double_eq_tol(e.curve[0].precision, 5.0 / 7, 1e-12);
    /* At 0.92 the five with score(4). */
    ck_assert_double_eq_tol(e.curve[46].threshold, 0.92, 1e-12);
    ck_assert_double_lt(score(3, 3), 0.92);
    ck_assert_double_gt(score(4, 3), 0.92);
    ck_assert_double_eq_tol(e.curve[46].coverage, 5.0 / 8, 1e-12);
    ck_assert_double_eq_tol(e.curve[46].precision, 1, 1e-12);
    /* At 1 none. */
    ck_assert_double_eq_tol(e.curve[50].coverage, 0, 1e-12);
    ck_assert(isnan(e.curve[50].precision));
    /* Seven named flows are too few to rest a promise on. */
    ck_assert(isnan(e.targets[0].coverage));
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(temperature_changes_the_calibration_not_the_winners)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation cold, warm;

    ck_assert_int_eq(evaluate(&cold, &predictions, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < predictions.n; i++)
        predictions.temperature[i] = 2;
    ck_assert_int_eq(evaluate(&warm, &predictions, NULL, NULL, NULL), 0);
    ck_assert_double_eq_tol(warm.temperature, 2, 1e-12);
    ck_assert_double_eq_tol(warm.calibration_error_before, cold.calibration_error, 1e-12);
    ck_assert_double_gt(fabs(warm.calibration_error - cold.calibration_error), 1e-3);
    ck_assert_double_eq(warm.all.accuracy, cold.all.accuracy);
    evaluation_deinit(&cold);
    evaluation_deinit(&warm);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(captures_are_counted_by_name)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;

    ck_assert_int_eq(evaluate(&e, &predictions, &predictions, NULL, NULL), 0);
    ck_assert_uint_eq(e.n_captures, 3);
    ck_assert_str_eq(e.captures[1].name, "capture-001");
    ck_assert_uint_eq(e.captures[1].flows, 6);
    ck_assert_uint_eq(e.captures[1].right, 4);
    ck_assert_uint_eq(e.captures[1].unknown, 2);
    ck_assert_str_eq(e.captures[1].labels, "video 4, other 2");
    ck_assert_double_eq(e.all.baseline_accuracy, e.all.accuracy);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

static char *print(const struct evaluation *e)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_int_eq(evaluation_print(file, e), 0);
    fclose(file);
    return text;
}

START_TEST(text_puts_majority_and_baseline_beside_the_accuracy)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;
    char *text;

    ck_assert_int_eq(evaluate(&e, &predictions, &predictions, NULL, NULL), 0);
    text = print(&e);
    ck_assert_ptr_nonnull(strstr(text, "this model                 0.875      0.873"));
    ck_assert_ptr_nonnull(strstr(text, "majority                   0.500      0.333"));
    ck_assert_ptr_nonnull(strstr(text, "protocol, port, TTL        0.875"));
    ck_assert_ptr_nonnull(strstr(text, "AUROC 0.938"));
    ck_assert_ptr_nonnull(strstr(text, "capture-001 (video 4, other 2)"));
    free(text);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(a_figure_is_put_beside_the_baseline_in_words)
{
    char text[512];

    ck_assert(!evaluation_worth(text, sizeof(text), 0.70, 0.74));
    ck_assert_ptr_nonnull(strstr(text, "TTL alone reach 0.740, the model 0.700"));
    ck_assert(!evaluation_worth(text, sizeof(text), 0.70, 0.69));
    ck_assert_ptr_nonnull(strstr(text, "expect less on traffic from elsewhere"));
    ck_assert(evaluation_worth(text, sizeof(text), 0.80, 0.70));
    ck_assert_ptr_nonnull(strstr(text, "0.100 above"));
    ck_assert(!evaluation_worth(text, sizeof(text), 0.80, NAN));
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(captures_come_worst_first)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    const struct evaluation_capture **captures;
    struct evaluation e;

    /* Right: 2 of 4, 4 of 6, 2 of 2. */
    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    captures = evaluation_worst_captures(&e);
    ck_assert_str_eq(captures[0]->name, "capture-000");
    ck_assert_str_eq(captures[1]->name, "capture-001");
    ck_assert_str_eq(captures[2]->name, "capture-002");
    free(captures);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(text_says_what_is_lost_without_other)
{
    const unsigned classes[] = {4, 0, 0, 4};
    struct dataset *dataset = flows_of_counts(labels, 2, 2, classes);
    struct predictions predictions = predict(dataset, &without_other);
    struct evaluation e;
    char *text;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    ck_assert(isnan(e.auroc));
    text = print(&e);
    ck_assert_ptr_nonnull(strstr(text, "There is no folder \"other\""));
    ck_assert_ptr_nonnull(strstr(text, "has not learnt \"other\""));
    free(text);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

/* Traffic of no class only, and a model that knows nothing of it: hardly a figure is left, and none is "nan".
 */
START_TEST(text_without_any_class_has_no_figures)
{
    const unsigned none[] = {0, 0, 6};
    struct dataset *dataset = flows_of_counts(labels, 3, 1, none);
    struct predictions predictions = predict(dataset, &without_other);
    struct evaluation e;
    char *text;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(e.known, 0);
    ck_assert_uint_eq(e.named_other, e.named);
    text = print(&e);
    ck_assert_msg(strstr(text, "nan") == NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "6 flows of 1 capture:"));
    free(text);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(json_carries_the_figures)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions predictions = predict(dataset, &with_other);
    struct evaluation e;
    cJSON *json, *classes;

    ck_assert_int_eq(evaluate(&e, &predictions, NULL, NULL, NULL), 0);
    json = evaluation_json(&e);
    classes = cJSON_GetObjectItem(json, "classes");
    ck_assert_double_eq_tol(cJSON_GetObjectItem(classes, "accuracy")->valuedouble, 7.0 / 8, 1e-12);
    ck_assert(cJSON_IsNull(cJSON_GetObjectItem(classes, "baseline_accuracy")));
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(json, "confusion")), 3);
    ck_assert_double_eq_tol(cJSON_GetObjectItem(json, "unknown_auroc")->valuedouble, 30.0 / 32, 1e-12);
    cJSON_Delete(json);
    evaluation_deinit(&e);
    predictions_deinit(&predictions);
    dataset_free(dataset);
}
END_TEST

START_TEST(no_flows_are_refused)
{
    struct dataset *dataset = flows_of_counts(labels, 3, 3, counts);
    struct predictions none;
    struct evaluation e;
    struct error err;

    predictions_init(&none, dataset, &with_other);
    ck_assert_int_eq(evaluate(&e, &none, NULL, NULL, &err), -EINVAL);
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN("evaluate", figures_with_other, unknown_traffic_is_ranked_by_the_odds_of_any_class,
                    a_model_without_other_is_measured_on_it_all_the_same, thresholds_turn_names_into_unknown,
                    coverage_and_precision_follow_the_confidence,
                    temperature_changes_the_calibration_not_the_winners, captures_are_counted_by_name,
                    text_puts_majority_and_baseline_beside_the_accuracy,
                    a_figure_is_put_beside_the_baseline_in_words, captures_come_worst_first,
                    text_says_what_is_lost_without_other, text_without_any_class_has_no_figures,
                    json_carries_the_figures, no_flows_are_refused);
}

#include "daemon/metrics.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/stats_json.h"
#include "tests/unit/unit.h"

static struct stats_snapshot counts(void)
{
    struct stats_snapshot counts = {
        .total = {.tracker = {.packets = 10, .decoded = 7, .flows_created = 4, .flows_active = 1},
                  .drops = {.kernel = 5}},
        .finished = 3,
        .classified = 2,
        .unknown = 1,
        .n_labels = 1,
        .labels = {{.name = "a\"b\\c", .flows = 2}},
        .n_engines = 2,
        .engines = {{.name = "cpu", .batches = 1, .flows = 1}, {.name = "cuda", .batches = 1, .flows = 2}},
    };

    counts.total.tracker.ignored.not_ip = 3;
    counts.total.tracker.flows_finished[RECORD_REASON_END] = 3;
    histogram_add(&counts.delay, 700, 2);
    histogram_add(&counts.delay, 10000000, 1);
    return counts;
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            return true;
    }
    return false;
}

static struct tree tree = {.name = "small"};
static const struct model model = {.tree = &tree, .id = "0123456789ab"};
static struct classifier_status classifier = {
    .engine = "cuda",
    .accelerator = {.name = "cuda", .in_use = true, .difference = 0.5, .break_even = 32, .failures = 3},
};

START_TEST(text_says_every_counter)
{
    struct stats_snapshot now = counts();
    struct metrics metrics = {
        .counts = &now, .model = &model, .classifier = &classifier, .started = 1700000000};
    char *text = metrics_text(&metrics);

    ck_assert_ptr_nonnull(text);
    ck_assert(has_line(text, "flowclassd_packets_total 15"));
    ck_assert(has_line(text, "flowclassd_packets_ignored_total{reason=\"not_ip\"} 3"));
    ck_assert(has_line(text, "flowclassd_packets_dropped_total{cause=\"kernel\"} 5"));
    ck_assert(has_line(text, "flowclassd_flows_finished_total{reason=\"end\"} 3"));
    ck_assert(has_line(text, "flowclassd_classified_total{label=\"a\\\"b\\\\c\"} 2"));
    ck_assert(has_line(text, "flowclassd_classified_total{label=\"unknown\"} 1"));
    ck_assert(has_line(text, "flowclassd_verdict_delay_seconds_bucket{le=\"0.0005\"} 0"));
    ck_assert(has_line(text, "flowclassd_verdict_delay_seconds_bucket{le=\"0.001\"} 2"));
    ck_assert(has_line(text, "flowclassd_verdict_delay_seconds_bucket{le=\"+Inf\"} 3"));
    ck_assert(has_line(text, "flowclassd_engine_flows_total{engine=\"cuda\"} 2"));
    ck_assert(has_line(text, "flowclassd_engine_batches_total{engine=\"cpu\"} 1"));
    ck_assert(has_line(text, "flowclassd_model_info{model=\"0123456789ab\",engine=\"cuda\"} 1"));
    ck_assert(has_line(text, "flowclassd_accelerator_in_use 1"));
    ck_assert(has_line(text, "flowclassd_accelerator_break_even_flows 32"));
    ck_assert(has_line(text, "flowclassd_accelerator_difference 0.5"));
    ck_assert(has_line(text, "flowclassd_accelerator_failures_total 3"));
    ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
    free(text);

    classifier.accelerator.break_even = BREAK_EVEN_NEVER;
    text = metrics_text(&metrics);
    ck_assert_ptr_nonnull(text);
    ck_assert(has_line(text, "flowclassd_accelerator_break_even_flows +Inf"));
    free(text);
}
END_TEST

/* Every sample line belongs to the family that was declared last, and no family is declared twice. */
START_TEST(text_keeps_families_together)
{
    struct stats_snapshot now = counts();
    struct metrics metrics = {.counts = &now, .model = &model, .classifier = &classifier};
    char *text = metrics_text(&metrics);
    char family[64] = "", seen[8192] = "", key[80];

    ck_assert_ptr_nonnull(text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (sscanf(line, "# TYPE %63s", family) == 1) {
            (void)snprintf(key, sizeof key, " %s ", family);
            ck_assert_msg(strstr(seen, key) == NULL, "%s twice", family);
            strcat(seen, key);
        } else if (line[0] != '#') {
            ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s in family %s", line, family);
        }
    }
    free(text);
}
END_TEST

START_TEST(file_is_replaced)
{
    struct stats_snapshot now = counts();
    struct metrics metrics = {.counts = &now};
    char path[] = "/tmp/test_metrics.XXXXXX";
    struct error err;

    ck_assert_int_ge(close(mkstemp(path)), 0);
    ck_assert_int_eq(metrics_write(&metrics, path, &err), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(metrics_write(&metrics, "/nonexistent/metrics", &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/metrics"));
}
END_TEST

START_TEST(json_says_whether_the_sums_balance)
{
    struct stats_snapshot now = counts();
    cJSON *stats = stats_json(&now);
    const cJSON *packets = cJSON_GetObjectItem(stats, "packets");

    ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(stats, "balanced")));
    ck_assert_double_eq(cJSON_GetObjectItem(packets, "seen")->valuedouble, 15);
    ck_assert_double_eq(cJSON_GetObjectItem(packets, "dropped")->valuedouble, 5);
    cJSON_Delete(stats);

    now.unknown = 0;
    stats = stats_json(&now);
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(stats, "balanced")),
                     "flows finished do not balance: 3 against 2");
    cJSON_Delete(stats);
}
END_TEST

START_TEST(quantiles_are_bounds_of_buckets)
{
    struct histogram histogram = {0};

    ck_assert_int_eq(histogram_quantile(&histogram, 0.5), 0);
    histogram_add(&histogram, histogram_bounds[2] - 1, 98);
    histogram_add(&histogram, histogram_bounds[5], 1);
    histogram_add(&histogram, histogram_bounds[HISTOGRAM_BUCKETS - 2] + 7, 1);
    ck_assert_int_eq(histogram_quantile(&histogram, 0.5), histogram_bounds[2]);
    ck_assert_int_eq(histogram_quantile(&histogram, 0.99), histogram_bounds[5]);
    ck_assert_int_eq(histogram_quantile(&histogram, 1), histogram_bounds[HISTOGRAM_BUCKETS - 2] + 7);
    ck_assert_uint_eq(histogram.n, 100);
}
END_TEST

int main(void)
{
    return UNIT_RUN("daemon_metrics", text_says_every_counter, text_keeps_families_together, file_is_replaced,
                    json_says_whether_the_sums_balance, quantiles_are_bounds_of_buckets);
}

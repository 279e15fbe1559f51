#include "daemon/stats.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct tree tree = {.n_labels = 3, .labels = {"news", "video", "other"}};
static struct model model = {.tree = &tree};
static struct served_model served = {.model = &model};

/* A source that has seen 10 packets and 5 flows, of which 3 have ended. */
static struct stats_source source(void)
{
    struct stats_source source = {
        .tracker = {.packets = 10, .decoded = 7, .octets = 1000, .flows_created = 5, .flows_active = 2},
        .given = 3,
    };

    source.tracker.ignored.not_ip = 2;
    source.tracker.dropped.flow_memory = 1;
    source.tracker.flows_finished[RECORD_REASON_IDLE] = 2;
    source.tracker.flows_finished[RECORD_REASON_END] = 1;
    return source;
}

static void judge(struct stats *stats, const enum verdict_state *states, const int *labels, size_t n)
{
    struct verdict verdicts[8] = {0};
    struct flow_batch batch = {
        .n = n, .verdict = verdicts, .classified = true, .model = &served, .engine = "cpu"};

    for (size_t i = 0; i < n; i++)
        verdicts[i] = (struct verdict){.state = states[i], .label = labels[i]};
    stats_judged(stats, &batch);
}

START_TEST(sums_balance_at_every_step)
{
    const struct stats_source now = source();
    struct stats_snapshot counts;
    struct stats *stats;
    struct error err;

    ck_assert_int_eq(stats_new(&stats, 2), 0);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), 0);

    stats_source(stats, 0, &now);
    stats_source(stats, 1, &now);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), 0);
    ck_assert_uint_eq(counts.total.tracker.packets, 20);
    ck_assert_uint_eq(counts.finished, 6);
    ck_assert_uint_eq(counts.waiting, 6);

    judge(stats, (enum verdict_state[]){VERDICT_CLASSIFIED, VERDICT_UNKNOWN}, (int[]){1, 0}, 2);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), 0);
    ck_assert_uint_eq(counts.waiting, 4);
    ck_assert_uint_eq(counts.classified, 1);
    ck_assert_uint_eq(counts.unknown, 1);

    stats_judged(stats, &(struct flow_batch){.n = 4, .cause = FLOW_CAUSE_overload});
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), 0);
    ck_assert_uint_eq(counts.waiting, 0);
    ck_assert_uint_eq(counts.not_classified[FLOW_CAUSE_overload], 4);
    ck_assert_uint_eq(stats_not_classified(&counts), 4);
    stats_free(stats);
}
END_TEST

START_TEST(archives_and_flows_nobody_wants_count_too)
{
    struct stats_source now = {.records_read = 7, .given = 7, .not_asked = 7};
    struct stats_snapshot counts;
    struct stats *stats;
    struct error err;

    ck_assert_int_eq(stats_new(&stats, 1), 0);
    stats_source(stats, 0, &now);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), 0);
    ck_assert_uint_eq(counts.finished, 7);
    ck_assert_uint_eq(counts.waiting, 0);
    ck_assert_uint_eq(counts.not_classified[FLOW_CAUSE_not_asked], 7);
    stats_free(stats);
}
END_TEST

START_TEST(every_sum_is_checked)
{
    struct stats_source now;
    struct stats_snapshot counts;
    struct stats *stats;
    struct error err;

    ck_assert_int_eq(stats_new(&stats, 1), 0);
    now = source();
    now.tracker.decoded++;
    stats_source(stats, 0, &now);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "packets do not balance: 10 against 11");

    now = source();
    now.tracker.flows_active--;
    stats_source(stats, 0, &now);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "flows created do not balance: 5 against 4");

    now = source();
    now.given--; /* a flow that the tracker ended and nobody got */
    stats_source(stats, 0, &now);
    stats_read(stats, &counts);
    ck_assert_int_eq(stats_check(&counts, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "flows finished do not balance: 3 against 2");
    stats_free(stats);
}
END_TEST

START_TEST(labels_are_counted_by_name)
{
    struct tree other_tree = {.n_labels = 1, .labels = {"video"}};
    struct model other_model = {.tree = &other_tree};
    struct served_model other = {.model = &other_model};
    struct verdict verdict = {.state = VERDICT_CLASSIFIED, .label = 0};
    struct flow_batch batch = {
        .n = 1, .verdict = &verdict, .classified = true, .model = &other, .engine = "cpu"};
    struct stats_snapshot counts;
    struct stats *stats;

    ck_assert_int_eq(stats_new(&stats, 1), 0);
    judge(stats, (enum verdict_state[]){VERDICT_CLASSIFIED, VERDICT_CLASSIFIED}, (int[]){0, 1}, 2);
    stats_judged(stats, &batch); /* the next model has the label in another place */
    stats_read(stats, &counts);
    ck_assert_uint_eq(counts.n_labels, 2);
    ck_assert_str_eq(counts.labels[0].name, "news");
    ck_assert_uint_eq(counts.labels[0].flows, 1);
    ck_assert_str_eq(counts.labels[1].name, "video");
    ck_assert_uint_eq(counts.labels[1].flows, 2);

    for (int i = 0; i < STATS_LABELS_MAX; i++) {
        (void)snprintf(other_tree.labels[0], TREE_NAME_MAX, "label %d", i);
        stats_judged(stats, &batch);
    }
    stats_read(stats, &counts);
    ck_assert_uint_eq(counts.n_labels, STATS_LABELS_MAX);
    ck_assert_uint_eq(counts.labels_full, 2);
    stats_free(stats);
}
END_TEST

START_TEST(engines_are_counted_by_name)
{
    static const char *const engines[] = {"cpu", "cuda", "cpu", "a", "b", "c"};
    struct verdict verdicts[3] = {{.state = VERDICT_UNKNOWN}, {.state = VERDICT_UNKNOWN}};
    struct flow_batch batch = {.verdict = verdicts, .classified = true, .model = &served};
    struct stats_source now = {.given = 1 + 2 + 3, .records_read = 1 + 2 + 3};
    struct stats_snapshot counts;
    struct stats *stats;
    struct error err;

    ck_assert_int_eq(stats_new(&stats, 1), 0);
    verdicts[2].state = VERDICT_NOT_CLASSIFIED;
    stats_source(stats, 0, &now);
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        batch.engine = engines[i];
        batch.n = i < 3 ? i + 1 : 0;
        stats_judged(stats, &batch);
    }
    stats_read(stats, &counts);
    ck_assert_uint_eq(counts.n_engines, STATS_ENGINES_MAX);
    ck_assert_str_eq(counts.engines[0].name, "cpu");
    ck_assert_uint_eq(counts.engines[0].batches, 2);
    ck_assert_uint_eq(counts.engines[0].flows, 4);
    ck_assert_str_eq(counts.engines[1].name, "cuda");
    ck_assert_uint_eq(counts.engines[1].batches, 1);
    ck_assert_uint_eq(counts.engines[1].flows, 2);
    ck_assert_int_eq(stats_check(&counts, &err), 0);

    counts.engines[0].flows--;
    ck_assert_int_eq(stats_check(&counts, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "flows scored do not balance: 5 against 6");
    stats_free(stats);
}
END_TEST

START_TEST(written_lines_add_up)
{
    struct stats_snapshot counts;
    struct stats *stats;

    ck_assert_int_eq(stats_new(&stats, 1), 0);
    for (int i = 0; i < 2; i++)
        stats_written(stats, &(struct stats_output){.written = 3, .lost = {[STATS_LOSS_queue] = 1}},
                      &(struct stats_output){.lost = {[STATS_LOSS_file] = 4, [STATS_LOSS_queue] = 1}});
    stats_read(stats, &counts);
    ck_assert_uint_eq(counts.verdicts.written, 6);
    ck_assert_uint_eq(stats_lost(&counts.verdicts), 2);
    ck_assert_uint_eq(counts.records.written, 0);
    ck_assert_uint_eq(stats_lost(&counts.records), 10);
    ck_assert_uint_eq(counts.records.lost[STATS_LOSS_file], 8);
    stats_free(stats);
}
END_TEST

int main(void)
{
    return UNIT_RUN("stats", sums_balance_at_every_step, archives_and_flows_nobody_wants_count_too,
                    every_sum_is_checked, labels_are_counted_by_name, engines_are_counted_by_name,
                    written_lines_add_up);
}

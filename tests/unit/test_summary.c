/* What a run over files says of itself at the end. */
#include "daemon/summary.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct tree tree = {.name = "some"};
static struct model model = {.tree = &tree, .id = "3e94b958aa34"};

/* The summary of a run of two seconds has such a line of times. */
static void expect(const struct stats_snapshot *counts, const struct model *judge, const char *times)
{
    const struct summary summary = {
        .counts = counts, .model = judge, .seconds = 2, .files = 1, .packets = judge != NULL};
    char text[4096] = "";
    FILE *to = fmemopen(text, sizeof text, "w");

    ck_assert_ptr_nonnull(to);
    ck_assert_int_eq(summary_print(to, &summary), 0);
    ck_assert_int_eq(fclose(to), 0);
    ck_assert_msg(strstr(text, times) != NULL, "no '%s' in '%s'", times, text);
}

/* The stage that the thread which judges was busy with, or had to wait for, longest. */
START_TEST(what_bounds_a_run_is_said)
{
    struct stats_snapshot counts = {.finished = 9, .classified = 4, .unknown = 5};

    counts.total.tracker.packets = 40;
    counts.spent = (struct stats_spent){.waiting = 3, .judging = 2, .handing = 1};
    expect(&counts, &model, "2.000 s, 20 packets/s, 4 flows/s, bound by reading\n");
    counts.spent = (struct stats_spent){.waiting = 3, .judging = 4, .handing = 3};
    expect(&counts, &model, "4 flows/s, bound by judging\n");
    counts.spent = (struct stats_spent){.waiting = 3, .judging = 4, .handing = 5};
    expect(&counts, &model, "4 flows/s, bound by writing\n");
}
END_TEST

START_TEST(nothing_judged_is_bound_by_nothing)
{
    struct stats_snapshot counts = {.finished = 9};

    expect(&counts, &model, "4 flows/s\n");
    counts.classified = 9;
    expect(&counts, NULL, "4 flows/s\n");
}
END_TEST

int main(void)
{
    return UNIT_RUN("summary", what_bounds_a_run_is_said, nothing_judged_is_bound_by_nothing);
}

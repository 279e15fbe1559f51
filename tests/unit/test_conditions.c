/* What is said goes to standard error, which is a file here. */
#include "daemon/conditions.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/files.h"
#include "tests/unit/unit.h"

static struct conditions conditions;
static struct stats_snapshot counts;

/* Look once a second, from one second to another. Return: what was said, the time not included. */
static const char *look(int from, int to)
{
    static char text[4096];
    int before = dup(STDERR_FILENO);
    int file = open(files_path("said"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t size;

    ck_assert_int_ge(file, 0);
    (void)dup2(file, STDERR_FILENO);
    for (int second = from; second < to; second++)
        conditions_look(&conditions, &counts, "eth0", second * INT64_C(1000000));
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    size = pread(file, text, sizeof text - 1, 0);
    (void)close(file);
    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    return text;
}

START_TEST(a_counter_that_grows_is_told_once_and_at_its_end)
{
    files_setup();
    ck_assert_str_eq(look(0, 10), "");
    counts.total.drops.kernel = 7;
    ck_assert_str_eq(look(10, 11), "test_conditions: eth0: packets are dropped before they can be read\n");
    counts.total.drops.interface = 5;
    ck_assert_str_eq(look(11, 71), "");
    ck_assert_str_eq(look(71, 72),
                     "test_conditions: eth0: 12 packets were dropped before they could be read\n");
    ck_assert_str_eq(look(72, 200), "");
    counts.total.drops.kernel = 8; /* the next time is another one */
    ck_assert_str_eq(look(200, 201), "test_conditions: eth0: packets are dropped before they can be read\n");
    ck_assert_str_eq(look(201, 300),
                     "test_conditions: eth0: 1 packets were dropped before they could be read\n");
    files_teardown();
}
END_TEST

START_TEST(each_condition_has_its_own_words)
{
    static const struct {
        uint64_t *counter;
        const char *begins, *ends;
    } rows[] = {
        {&counts.not_classified[FLOW_CAUSE_overload], "classifier does not keep up",
         "eth0: 3 flows were not"},
        {&counts.total.tracker.flows_finished[RECORD_REASON_RESOURCES], "flow table is full",
         "eth0: 3 flows ended before"},
        {&counts.total.tracker.dropped.flow_memory, "flow table is full", "eth0: 3 flows ended before"},
        {&counts.verdicts.lost[STATS_LOSS_queue], "writing does not keep up", "eth0: 3 verdicts or records"},
        {&counts.records.lost[STATS_LOSS_queue], "writing does not keep up", "eth0: 3 verdicts or records"},
    };

    files_setup();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int second = 1000 * (int)i;

        *rows[i].counter += 3;
        ck_assert_ptr_nonnull(strstr(look(second, second + 50), rows[i].begins));
        ck_assert_ptr_nonnull(strstr(look(second + 50, second + 100), rows[i].ends));
    }
    files_teardown();
}
END_TEST

int main(void)
{
    return UNIT_RUN("conditions", a_counter_that_grows_is_told_once_and_at_its_end,
                    each_condition_has_its_own_words);
}

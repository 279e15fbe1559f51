#include "daemon/conditions.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"

enum { QUIET = 60 * 1000000 }; /* microseconds without growth after which a condition is over */

static uint64_t packets_dropped(const struct stats_snapshot *counts)
{
    return counts->total.drops.kernel + counts->total.drops.interface;
}

static uint64_t flows_shed(const struct stats_snapshot *counts)
{
    return counts->not_classified[FLOW_CAUSE_overload];
}

static uint64_t flows_pushed_out(const struct stats_snapshot *counts)
{
    const struct tracker_stats *tracker = &counts->total.tracker;

    return tracker->flows_finished[RECORD_REASON_RESOURCES] + tracker->dropped.flow_memory;
}

static uint64_t lines_shed(const struct stats_snapshot *counts)
{
    return counts->verdicts.lost[STATS_LOSS_queue] + counts->records.lost[STATS_LOSS_queue];
}

static const struct {
    uint64_t (*count)(const struct stats_snapshot *counts);
    enum log_event_kind begins, ends;
    const char *beginning;
    const char *end; /* behind a number */
} rows[CONDITIONS_N] = {
    {packets_dropped, LOG_EVENT_drops_begin, LOG_EVENT_drops_end,
     "packets are dropped before they can be read", "packets were dropped before they could be read"},
    {flows_shed, LOG_EVENT_overload_begin, LOG_EVENT_overload_end,
     "the classifier does not keep up: flows are not classified",
     "flows were not classified, the classifier keeps up again"},
    {flows_pushed_out, LOG_EVENT_table_full, LOG_EVENT_table_fits,
     "the flow table is full: flows end before their time",
     "flows ended before their time or were not seen, the flow table has room again"},
    {lines_shed, LOG_EVENT_writing_slow, LOG_EVENT_writing_keeps_up,
     "writing does not keep up: verdicts or records are lost",
     "verdicts or records were lost, writing keeps up again"},
};

static void begin_say(size_t i, const char *interface)
{
    log_event(rows[i].begins, &(struct log_fields){.interface = interface}, "%s: %s", interface,
              rows[i].beginning);
}

static void end_say(size_t i, const char *interface, uint64_t n)
{
    char count[24];

    (void)snprintf(count, sizeof count, "%" PRIu64, n);
    log_event(rows[i].ends, &(struct log_fields){.interface = interface, .count = count}, "%s: %s %s",
              interface, count, rows[i].end);
}

void conditions_look(struct conditions *conditions, const struct stats_snapshot *counts,
                     const char *interface, int64_t now)
{
    for (size_t i = 0; i < CONDITIONS_N; i++) {
        struct condition *condition = &conditions->rows[i];
        uint64_t n = rows[i].count(counts);

        if (n > condition->seen && episode_bad(&condition->episode, now, n - condition->seen))
            begin_say(i, interface);
        if (episode_over(&condition->episode, now, QUIET))
            end_say(i, interface, condition->episode.count);
        condition->seen = n;
    }
}

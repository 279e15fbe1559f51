#include "daemon/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"

struct intake {
    struct intake_config config;
    struct tracker *tracker;
    struct flow_batch *batch; /* in hand; NULL: none */
    uint64_t given;
    uint64_t records_read;
    struct stats_source reported; /* what stats has of us */
};

/* Report the counters of flows. They balance while the tracker hands out a flow, those of packets only
 * between two groups of packets. */
static void report_flows(struct intake *intake)
{
    const struct tracker_stats *tracker = tracker_stats(intake->tracker);
    struct stats_source *now = &intake->reported;

    now->tracker.flows_created = tracker->flows_created;
    now->tracker.flows_active = tracker->flows_active;
    memcpy(now->tracker.flows_finished, tracker->flows_finished, sizeof tracker->flows_finished);
    now->records_read = intake->records_read;
    now->given = intake->given;
    now->not_asked = intake->config.writer == NULL ? intake->given : 0;
    stats_source(intake->config.stats, intake->config.index, now);
}

static void report(struct intake *intake)
{
    intake->reported.tracker = *tracker_stats(intake->tracker);
    report_flows(intake);
}

/* The batch in hand leaves. */
static void hand_over(struct intake *intake)
{
    const struct intake_config *config = &intake->config;
    struct flow_batch *batch = intake->batch;
    bool wait = config->pressure == INTAKE_WAITS;

    report_flows(intake);
    if (batch == NULL)
        return;
    intake->batch = NULL;
    if (config->classifier != NULL && classifier_take(config->classifier, batch, wait))
        return;
    batch->cause = config->classifier != NULL ? FLOW_CAUSE_overload : FLOW_CAUSE_not_asked;
    stats_judged(config->stats, batch);
    writer_take(config->writer, batch, wait);
}

/* A finished flow, from the tracker or from an archive (a tracker_record_fn). */
static void take(void *context, const struct record *record)
{
    struct intake *intake = context;

    intake->given++;
    if (intake->config.writer == NULL)
        return;
    if (intake->batch != NULL && flow_batch_add(intake->batch, record))
        return;
    if (intake->batch != NULL)
        hand_over(intake);
    intake->batch = flow_batch_take(intake->config.pool);
    intake->batch->opened = clock_monotonic();
    (void)flow_batch_add(intake->batch, record);
}

int intake_new(struct intake **intakep, const struct intake_config *config, struct error *err)
{
    struct tracker_config tracker = *config->tracker;
    struct intake *intake = calloc(1, sizeof *intake);
    int r;

    if (intake == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    intake->config = *config;
    intake->config.tracker = NULL;
    tracker.on_record = take;
    tracker.context = intake;
    r = tracker_new(&intake->tracker, &tracker, err);
    if (r < 0) {
        free(intake);
        return r;
    }
    *intakep = intake;
    return 0;
}

void intake_free(struct intake *intake)
{
    if (intake == NULL)
        return;
    if (intake->batch != NULL)
        flow_batch_return(intake->config.pool, intake->batch);
    tracker_free(intake->tracker);
    free(intake);
}

struct tracker *intake_tracker(struct intake *intake)
{
    return intake->tracker;
}

void intake_record(struct intake *intake, const struct record *record)
{
    intake->records_read++;
    take(intake, record);
}

void intake_drops(struct intake *intake, const struct capture_drops *drops)
{
    intake->reported.drops = *drops;
}

void intake_poll(struct intake *intake, int64_t now)
{
    report(intake);
    if (intake->batch != NULL && now - intake->batch->opened >= intake->config.delay)
        hand_over(intake);
}

void intake_flush(struct intake *intake)
{
    report(intake);
    hand_over(intake);
}

void intake_drain(struct intake *intake)
{
    intake->config.pressure = INTAKE_WAITS;
    tracker_finish(intake->tracker);
    intake_flush(intake);
}

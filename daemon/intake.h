/* intake.h - the end of the path that one thread feeds: packets or records in, batches out.
 *
 * An intake owns the tracker of its thread. Flows that finish there, and records given directly, are copied
 * into the batch in hand; a batch leaves when it is full or when its first flow has waited for the delay.
 * Where it goes (enum intake_pressure says what a full queue means):
 *
 *     with a classifier    to the classifier's queue; full: wait, or to the writer as not_classified
 * (overload) records only         to the writer's queue nobody wants them    counted, not copied
 *
 * One thread uses an intake.
 */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/classifier.h"
#include "daemon/flow_batch.h"
#include "daemon/stats.h"
#include "daemon/writer.h"
#include "flowtrack/tracker.h"

enum intake_pressure {
    INTAKE_WAITS, /* files: nothing is ever lost */
    INTAKE_SHEDS, /* live: capture never waits */
};

struct intake_config {
    const struct tracker_config *tracker; /* on_record and context are the intake's own; copied */
    enum intake_pressure pressure;
    int64_t delay;                 /* microseconds */
    struct flow_batch_pool *pool;  /* borrowed, like the three that follow */
    struct classifier *classifier; /* NULL: verdicts are not asked for */
    struct writer *writer;         /* NULL: nobody wants the flows; then there is no classifier either */
    struct stats *stats;
    size_t index; /* of its counters in stats */
};

struct intake;

/* Make an intake. Return: 0; -EINVAL, -ENOMEM with err filled. */
int intake_new(struct intake **intakep, const struct intake_config *config, struct error *err);

/* Free it; flows in its tracker are not handed out. NULL is fine. */
void intake_free(struct intake *intake);

/* Where its packets go. */
struct tracker *intake_tracker(struct intake *intake);

/* Take one finished flow that was read from an archive. */
void intake_record(struct intake *intake, const struct record *record);

/* What the capture has lost so far; part of what is reported. */
void intake_drops(struct intake *intake, const struct capture_drops *drops);

/* Report the counters, and let the batch in hand leave if it is due.
 *
 * now: CLOCK_MONOTONIC, microseconds.
 */
void intake_poll(struct intake *intake, int64_t now);

/* Report the counters, and let the batch in hand leave. */
void intake_flush(struct intake *intake);

/* The end: every flow in the tracker ends and leaves. Nothing comes in any more, so this waits for room
 * whatever the pressure. */
void intake_drain(struct intake *intake);

#endif

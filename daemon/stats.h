/* stats.h - what has been counted, and the sums that must balance.
 *
 *     packets seen   = decoded + ignored (by reason) + dropped (by cause)
 *     flows created  = finished (by reason) + active
 *     flows finished = classified + unknown + not classified (by cause) + waiting
 *     flows scored   = by engine = classified + unknown + not classified (scores)
 *
 * They balance in every snapshot, at any moment, because every change of hands is counted under one lock,
 * once for each batch: a capture thread reports its tracker's counters together with the flows it hands over;
 * the classifier moves a batch from waiting to its verdicts. Counters only grow; reading resets nothing.
 */
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/flow_batch.h"
#include "daemon/histogram.h"
#include "flowtrack/capture.h"
#include "flowtrack/error.h"
#include "flowtrack/tracker.h"

enum { STATS_LABELS_MAX = 2 * TREE_LABELS_MAX, STATS_SOURCES_MAX = 64, STATS_ENGINES_MAX = 4 };

/* What one capture, or one reader of archives, has taken in. */
struct stats_source {
    struct tracker_stats tracker;
    struct capture_drops drops; /* packets that never came to the tracker */
    uint64_t records_read;      /* from archives: flows that finished elsewhere */
    uint64_t given;             /* flows that came in here, to be judged */
    uint64_t not_asked;         /* of them, those that nobody wants to judge or write */
};

struct stats_label {
    char name[TREE_NAME_MAX];
    uint64_t flows;
};

/* What an engine has scored. */
struct stats_engine {
    const char *name; /* static */
    uint64_t batches;
    uint64_t flows;
};

/* Why a line or record was not written: X(name, description). A row here is a counter. */
#define STATS_LOSSES(X)                                                                                      \
    X(queue, "the thread that writes could not keep up")                                                     \
    X(file, "the file could not take it")                                                                    \
    X(journal_full, "the journal could not keep up")                                                         \
    X(journal_gone, "no journal took it")

#define STATS_LOSS(name, text) STATS_LOSS_##name,
enum stats_loss { STATS_LOSSES(STATS_LOSS) STATS_LOSSES_N };
#undef STATS_LOSS

/* "queue", ... */
const char *stats_loss_name(enum stats_loss loss);

/* How writing went, for one kind of line. */
struct stats_output {
    uint64_t written;
    uint64_t lost[STATS_LOSSES_N];
};

/* What the thread that judges did with its time, in microseconds. */
struct stats_spent {
    int64_t waiting; /* for flows */
    int64_t judging;
    int64_t handing; /* verdicts to the writer, who may be busy */
};

struct stats_snapshot {
    struct stats_source total; /* over all sources */
    uint64_t finished;         /* flows, as trackers and archive readers count them */
    uint64_t waiting;          /* flows given to be judged that have not been */
    uint64_t classified;
    uint64_t unknown;
    uint64_t not_classified[FLOW_CAUSES_N];
    size_t n_labels;
    struct stats_label labels[STATS_LABELS_MAX];
    uint64_t labels_full; /* classified flows whose label found no row */
    size_t n_engines;
    struct stats_engine engines[STATS_ENGINES_MAX]; /* (n_engines) in order of their first batch */
    struct stats_spent spent;
    struct stats_output verdicts;
    struct stats_output records;
    struct histogram
        delay; /* from the end of a flow to its line in the log; for a batch, that of its first */
};

/* The sides of the sums that have several terms. */
uint64_t stats_seen(const struct stats_source *source); /* packets, dropped ones too */
uint64_t stats_ignored(const struct tracker_stats *tracker);
uint64_t stats_dropped(const struct stats_source *source);
uint64_t stats_finished(const struct tracker_stats *tracker);
uint64_t stats_not_classified(const struct stats_snapshot *snapshot);
uint64_t stats_lost(const struct stats_output *output);

void stats_output_add(struct stats_output *sum, const struct stats_output *one);

struct stats;

/* Make counters, all 0. n_sources: at most STATS_SOURCES_MAX. Return: 0, -ENOMEM. */
int stats_new(struct stats **statsp, size_t n_sources);

void stats_free(struct stats *stats);

/* A source says where it stands. */
void stats_source(struct stats *stats, size_t index, const struct stats_source *now);

/* A batch has its verdicts, or will have none. */
void stats_judged(struct stats *stats, const struct flow_batch *batch);

/* A batch has gone through the thread that judges. */
void stats_spend(struct stats *stats, const struct stats_spent *spent);

/* A batch was written.
 *
 * microseconds: since its first flow ended.
 */
void stats_delay(struct stats *stats, int64_t microseconds, size_t n);

/* Lines were written or lost. */
void stats_written(struct stats *stats, const struct stats_output *verdicts,
                   const struct stats_output *records);

/* Everything as of now. */
void stats_read(struct stats *stats, struct stats_snapshot *snapshot);

/* Whether the sums balance.
 *
 * Return: 0; -EBADMSG, err says which does not and by how much.
 */
int stats_check(const struct stats_snapshot *snapshot, struct error *err);

#endif

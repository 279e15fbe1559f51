#include "daemon/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct stats {
    pthread_mutex_t lock;
    struct stats_snapshot counts; /* all but what is summed over the sources */
    uint64_t judged;              /* flows of batches that came to stats_judged() */
    size_t n_sources;
    struct stats_source sources[];
};

int stats_new(struct stats **statsp, size_t n_sources)
{
    struct stats *stats = calloc(1, sizeof *stats + n_sources * sizeof stats->sources[0]);

    if (stats == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&stats->lock, NULL);
    stats->n_sources = n_sources;
    *statsp = stats;
    return 0;
}

void stats_free(struct stats *stats)
{
    if (stats == NULL)
        return;
    (void)pthread_mutex_destroy(&stats->lock);
    free(stats);
}

void stats_source(struct stats *stats, size_t index, const struct stats_source *now)
{
    pthread_mutex_lock(&stats->lock);
    stats->sources[index] = *now;
    pthread_mutex_unlock(&stats->lock);
}

/* Count a flow under its label, in a row of that name. Labels outlive the models that gave them. */
static void label_count(struct stats_snapshot *counts, const char *label)
{
    size_t i = 0;

    while (i < counts->n_labels && strcmp(counts->labels[i].name, label) != 0)
        i++;
    if (i == STATS_LABELS_MAX) {
        counts->labels_full++;
        return;
    }
    if (i == counts->n_labels) {
        strcpy(counts->labels[i].name, label);
        counts->n_labels++;
    }
    counts->labels[i].flows++;
}

static void verdict_count(struct stats_snapshot *counts, const struct flow_batch *batch, size_t flow)
{
    const struct verdict *verdict = &batch->verdict[flow];

    switch (verdict->state) {
    case VERDICT_CLASSIFIED:
        counts->classified++;
        label_count(counts, batch->model->model->tree->labels[verdict->label]);
        break;
    case VERDICT_UNKNOWN:
        counts->unknown++;
        break;
    case VERDICT_NOT_CLASSIFIED:
        counts->not_classified[FLOW_CAUSE_scores]++;
        break;
    }
}

static void engine_count(struct stats_snapshot *counts, const char *engine, size_t flows)
{
    size_t i = 0;

    while (i < counts->n_engines && strcmp(counts->engines[i].name, engine) != 0)
        i++;
    if (i == STATS_ENGINES_MAX)
        return;
    if (i == counts->n_engines)
        counts->engines[counts->n_engines++].name = engine;
    counts->engines[i].batches++;
    counts->engines[i].flows += flows;
}

void stats_judged(struct stats *stats, const struct flow_batch *batch)
{
    pthread_mutex_lock(&stats->lock);
    stats->judged += batch->n;
    if (batch->classified)
        engine_count(&stats->counts, batch->engine, batch->n);
    else
        stats->counts.not_classified[batch->cause] += batch->n;
    for (size_t i = 0; batch->classified && i < batch->n; i++)
        verdict_count(&stats->counts, batch, i);
    pthread_mutex_unlock(&stats->lock);
}

void stats_spend(struct stats *stats, const struct stats_spent *spent)
{
    pthread_mutex_lock(&stats->lock);
    stats->counts.spent.waiting += spent->waiting;
    stats->counts.spent.judging += spent->judging;
    stats->counts.spent.handing += spent->handing;
    pthread_mutex_unlock(&stats->lock);
}

void stats_delay(struct stats *stats, int64_t microseconds, size_t n)
{
    pthread_mutex_lock(&stats->lock);
    histogram_add(&stats->counts.delay, microseconds, n);
    pthread_mutex_unlock(&stats->lock);
}

void stats_written(struct stats *stats, const struct stats_output *verdicts,
                   const struct stats_output *records)
{
    pthread_mutex_lock(&stats->lock);
    stats_output_add(&stats->counts.verdicts, verdicts);
    stats_output_add(&stats->counts.records, records);
    pthread_mutex_unlock(&stats->lock);
}

static void tracker_add(struct tracker_stats *sum, const struct tracker_stats *one)
{
    sum->packets += one->packets;
    sum->decoded += one->decoded;
    sum->octets += one->octets;
    sum->retransmissions += one->retransmissions;
#define ADD(name, text) sum->ignored.name += one->ignored.name;
    TRACKER_IGNORED(ADD)
#undef ADD
#define ADD(name, text) sum->dropped.name += one->dropped.name;
    TRACKER_DROPPED(ADD)
#undef ADD
#define ADD(name, text) sum->trimmed.name += one->trimmed.name;
    TRACKER_TRIMMED(ADD)
#undef ADD
    sum->flows_created += one->flows_created;
    for (size_t i = 0; i < RECORD_REASONS; i++)
        sum->flows_finished[i] += one->flows_finished[i];
    sum->flows_active += one->flows_active;
    sum->memory += one->memory;
    sum->memory_peak += one->memory_peak;
    if (one->expiry_lag_max > sum->expiry_lag_max)
        sum->expiry_lag_max = one->expiry_lag_max;
}

uint64_t stats_finished(const struct tracker_stats *tracker)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < RECORD_REASONS; i++)
        sum += tracker->flows_finished[i];
    return sum;
}

uint64_t stats_ignored(const struct tracker_stats *tracker)
{
    uint64_t sum = 0;

#define ADD(name, text) sum += tracker->ignored.name;
    TRACKER_IGNORED(ADD)
#undef ADD
    return sum;
}

uint64_t stats_seen(const struct stats_source *source)
{
    return source->tracker.packets + source->drops.kernel + source->drops.interface;
}

uint64_t stats_dropped(const struct stats_source *source)
{
    uint64_t sum = source->drops.kernel + source->drops.interface;

#define ADD(name, text) sum += source->tracker.dropped.name;
    TRACKER_DROPPED(ADD)
#undef ADD
    return sum;
}

uint64_t stats_not_classified(const struct stats_snapshot *snapshot)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < FLOW_CAUSES_N; i++)
        sum += snapshot->not_classified[i];
    return sum;
}

const char *stats_loss_name(enum stats_loss loss)
{
#define NAME(name, text) #name,
    static const char *const names[] = {STATS_LOSSES(NAME)};
#undef NAME

    return names[loss];
}

uint64_t stats_lost(const struct stats_output *output)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < STATS_LOSSES_N; i++)
        sum += output->lost[i];
    return sum;
}

void stats_output_add(struct stats_output *sum, const struct stats_output *one)
{
    sum->written += one->written;
    for (size_t i = 0; i < STATS_LOSSES_N; i++)
        sum->lost[i] += one->lost[i];
}

void stats_read(struct stats *stats, struct stats_snapshot *snapshot)
{
    struct stats_source *total = &snapshot->total;

    pthread_mutex_lock(&stats->lock);
    *snapshot = stats->counts;
    for (size_t i = 0; i < stats->n_sources; i++) {
        const struct stats_source *source = &stats->sources[i];

        tracker_add(&total->tracker, &source->tracker);
        total->drops.kernel += source->drops.kernel;
        total->drops.interface += source->drops.interface;
        total->records_read += source->records_read;
        total->given += source->given;
        total->not_asked += source->not_asked;
    }
    snapshot->not_classified[FLOW_CAUSE_not_asked] += total->not_asked;
    snapshot->finished = stats_finished(&total->tracker) + total->records_read;
    snapshot->waiting = total->given - total->not_asked - stats->judged;
    pthread_mutex_unlock(&stats->lock);
}

static uint64_t by_engine(const struct stats_snapshot *snapshot)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < snapshot->n_engines; i++)
        sum += snapshot->engines[i].flows;
    return sum;
}

static int sum_check(const char *name, uint64_t left, uint64_t right, struct error *err)
{
    if (left == right)
        return 0;
    return error_set(err, -EBADMSG, "%s do not balance: %" PRIu64 " against %" PRIu64, name, left, right);
}

int stats_check(const struct stats_snapshot *snapshot, struct error *err)
{
    const struct tracker_stats *tracker = &snapshot->total.tracker;
    int r = sum_check("packets", stats_seen(&snapshot->total),
                      tracker->decoded + stats_ignored(tracker) + stats_dropped(&snapshot->total), err);

    if (r == 0)
        r = sum_check("flows created", tracker->flows_created,
                      stats_finished(tracker) + tracker->flows_active, err);
    if (r == 0)
        r = sum_check("flows finished", snapshot->finished,
                      snapshot->classified + snapshot->unknown + stats_not_classified(snapshot) +
                          snapshot->waiting,
                      err);
    if (r == 0)
        r = sum_check("flows scored", by_engine(snapshot),
                      snapshot->classified + snapshot->unknown + snapshot->not_classified[FLOW_CAUSE_scores],
                      err);
    return r;
}

#include "daemon/stats_json.h"

#include <stdbool.h>

/* A counter. Beyond 2^53 JSON readers lose the last digits, which takes a million a second for 285 years. */
static void put(cJSON *object, const char *name, uint64_t n)
{
    (void)cJSON_AddNumberToObject(object, name, (double)n);
}

static void put_packets(cJSON *stats, const struct stats_source *source)
{
    const struct tracker_stats *tracker = &source->tracker;
    cJSON *packets = cJSON_AddObjectToObject(stats, "packets");
    cJSON *ignored, *dropped, *trimmed;

    put(packets, "seen", stats_seen(source));
    put(packets, "decoded", tracker->decoded);
    put(packets, "ignored", stats_ignored(tracker));
    put(packets, "dropped", stats_dropped(source));
    put(packets, "octets", tracker->octets);
    put(packets, "retransmissions", tracker->retransmissions);
    ignored = cJSON_AddObjectToObject(packets, "ignored_by_reason");
#define PUT(name, text) put(ignored, #name, tracker->ignored.name);
    TRACKER_IGNORED(PUT)
#undef PUT
    dropped = cJSON_AddObjectToObject(packets, "dropped_by_cause");
    put(dropped, "kernel", source->drops.kernel);
    put(dropped, "interface", source->drops.interface);
#define PUT(name, text) put(dropped, #name, tracker->dropped.name);
    TRACKER_DROPPED(PUT)
#undef PUT
    trimmed = cJSON_AddObjectToObject(packets, "trimmed");
#define PUT(name, text) put(trimmed, #name, tracker->trimmed.name);
    TRACKER_TRIMMED(PUT)
#undef PUT
}

static void put_flows(cJSON *stats, const struct tracker_stats *tracker)
{
    cJSON *flows = cJSON_AddObjectToObject(stats, "flows");
    cJSON *finished;

    put(flows, "created", tracker->flows_created);
    put(flows, "active", tracker->flows_active);
    put(flows, "finished", stats_finished(tracker));
    finished = cJSON_AddObjectToObject(flows, "finished_by_reason");
    for (int i = RECORD_REASON_IDLE; i < RECORD_REASONS; i++)
        put(finished, record_reason_name((enum record_reason)i), tracker->flows_finished[i]);
    put(flows, "memory", tracker->memory);
    put(flows, "memory_peak", tracker->memory_peak);
    (void)cJSON_AddNumberToObject(flows, "expiry_lag_max_seconds", (double)tracker->expiry_lag_max / 1e6);
}

static void put_output(cJSON *object, const struct stats_output *output)
{
    cJSON *causes;

    put(object, "written", output->written);
    put(object, "lost", stats_lost(output));
    causes = cJSON_AddObjectToObject(object, "lost_by_cause");
    for (int i = 0; i < STATS_LOSSES_N; i++)
        put(causes, stats_loss_name((enum stats_loss)i), output->lost[i]);
}

static void put_verdicts(cJSON *stats, const struct stats_snapshot *snapshot)
{
    cJSON *verdicts = cJSON_AddObjectToObject(stats, "verdicts");
    cJSON *causes, *labels, *engines;

    put(verdicts, "flows", snapshot->finished);
    put(verdicts, "classified", snapshot->classified);
    put(verdicts, "unknown", snapshot->unknown);
    put(verdicts, "not_classified", stats_not_classified(snapshot));
    put(verdicts, "waiting", snapshot->waiting);
    causes = cJSON_AddObjectToObject(verdicts, "not_classified_by_cause");
    for (int i = 0; i < FLOW_CAUSES_N; i++)
        put(causes, flow_cause_name((enum flow_cause)i), snapshot->not_classified[i]);
    labels = cJSON_AddObjectToObject(verdicts, "labels");
    for (size_t i = 0; i < snapshot->n_labels; i++)
        put(labels, snapshot->labels[i].name, snapshot->labels[i].flows);
    engines = cJSON_AddObjectToObject(verdicts, "engines");
    for (size_t i = 0; i < snapshot->n_engines; i++) {
        cJSON *engine = cJSON_AddObjectToObject(engines, snapshot->engines[i].name);

        put(engine, "batches", snapshot->engines[i].batches);
        put(engine, "flows", snapshot->engines[i].flows);
    }
    put_output(verdicts, &snapshot->verdicts);
}

static void put_delay(cJSON *stats, const struct histogram *delay)
{
    cJSON *object = cJSON_AddObjectToObject(stats, "delay_seconds");

    (void)cJSON_AddNumberToObject(object, "median", (double)histogram_quantile(delay, 0.5) / 1e6);
    (void)cJSON_AddNumberToObject(object, "p99", (double)histogram_quantile(delay, 0.99) / 1e6);
    (void)cJSON_AddNumberToObject(object, "max", (double)delay->max / 1e6);
}

cJSON *stats_json(const struct stats_snapshot *snapshot)
{
    cJSON *stats = cJSON_CreateObject();
    cJSON *records;
    struct error why;

    put_packets(stats, &snapshot->total);
    put_flows(stats, &snapshot->total.tracker);
    put_verdicts(stats, snapshot);
    records = cJSON_AddObjectToObject(stats, "records");
    put_output(records, &snapshot->records);
    put_delay(stats, &snapshot->delay);
    if (stats_check(snapshot, &why) == 0)
        (void)cJSON_AddTrueToObject(stats, "balanced");
    else
        (void)cJSON_AddStringToObject(stats, "balanced", why.text);
    return stats;
}

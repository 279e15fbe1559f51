#include "daemon/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/paths.h"

static void family(FILE *to, const char *name, const char *type, const char *help)
{
    (void)fprintf(to, "# TYPE flowclassd_%s %s\n# HELP flowclassd_%s %s\n", name, type, name, help);
}

static void counter(FILE *to, const char *name, const char *help, uint64_t n)
{
    family(to, name, "counter", help);
    (void)fprintf(to, "flowclassd_%s_total %" PRIu64 "\n", name, n);
}

static void gauge(FILE *to, const char *name, const char *help, double value)
{
    family(to, name, "gauge", help);
    if (isinf(value))
        (void)fprintf(to, "flowclassd_%s +Inf\n", name);
    else
        (void)fprintf(to, "flowclassd_%s %.17g\n", name, value);
}

/* One counter of a family that has a label. The value is escaped as the format wants it. */
static void labelled(FILE *to, const char *name, const char *label, const char *value, uint64_t n)
{
    (void)fprintf(to, "flowclassd_%s_total{%s=\"", name, label);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            (void)fputs("\\n", to);
        else
            (void)fprintf(to, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    }
    (void)fprintf(to, "\"} %" PRIu64 "\n", n);
}

static void put_packets(FILE *to, const struct stats_source *source)
{
    const struct tracker_stats *tracker = &source->tracker;

    counter(to, "packets", "Packets seen, dropped ones too.", stats_seen(source));
    counter(to, "packets_decoded", "Packets that counted for a flow.", tracker->decoded);
    counter(to, "octets", "Octets of the packets on the wire.", tracker->octets);
    family(to, "packets_ignored", "counter", "Packets that belong to no flow, by reason.");
#define PUT(name, text) labelled(to, "packets_ignored", "reason", #name, tracker->ignored.name);
    TRACKER_IGNORED(PUT)
#undef PUT
    family(to, "packets_dropped", "counter", "Packets lost, by cause.");
    labelled(to, "packets_dropped", "cause", "kernel", source->drops.kernel);
    labelled(to, "packets_dropped", "cause", "interface", source->drops.interface);
#define PUT(name, text) labelled(to, "packets_dropped", "cause", #name, tracker->dropped.name);
    TRACKER_DROPPED(PUT)
#undef PUT
}

static void put_flows(FILE *to, const struct tracker_stats *tracker)
{
    counter(to, "flows_created", "Flows begun.", tracker->flows_created);
    gauge(to, "flows_active", "Flows open now.", (double)tracker->flows_active);
    family(to, "flows_finished", "counter", "Flows ended, by reason.");
    for (int i = RECORD_REASON_IDLE; i < RECORD_REASONS; i++)
        labelled(to, "flows_finished", "reason", record_reason_name((enum record_reason)i),
                 tracker->flows_finished[i]);
    gauge(to, "flow_memory_bytes", "Memory of flows and their lists.", (double)tracker->memory);
    gauge(to, "flow_expiry_lag_max_seconds", "Longest that a flow ended late.",
          (double)tracker->expiry_lag_max / 1e6);
}

static void put_lost(FILE *to, const char *name, const char *help, const struct stats_output *output)
{
    family(to, name, "counter", help);
    for (int i = 0; i < STATS_LOSSES_N; i++)
        labelled(to, name, "cause", stats_loss_name((enum stats_loss)i), output->lost[i]);
}

static void put_verdicts(FILE *to, const struct stats_snapshot *counts)
{
    family(to, "classified", "counter", "Verdicts, by label.");
    for (size_t i = 0; i < counts->n_labels; i++)
        labelled(to, "classified", "label", counts->labels[i].name, counts->labels[i].flows);
    labelled(to, "classified", "label", "unknown", counts->unknown);
    family(to, "not_classified", "counter", "Flows without a verdict, by cause.");
    for (int i = 0; i < FLOW_CAUSES_N; i++)
        labelled(to, "not_classified", "cause", flow_cause_name((enum flow_cause)i),
                 counts->not_classified[i]);
    family(to, "engine_flows", "counter", "Flows scored, by engine.");
    for (size_t i = 0; i < counts->n_engines; i++)
        labelled(to, "engine_flows", "engine", counts->engines[i].name, counts->engines[i].flows);
    family(to, "engine_batches", "counter", "Batches scored, by engine.");
    for (size_t i = 0; i < counts->n_engines; i++)
        labelled(to, "engine_batches", "engine", counts->engines[i].name, counts->engines[i].batches);
    gauge(to, "flows_waiting", "Flows that wait for a verdict.", (double)counts->waiting);
    counter(to, "verdicts_written", "Lines in the verdict log.", counts->verdicts.written);
    put_lost(to, "verdicts_lost", "Lines that are not in the verdict log, by cause.", &counts->verdicts);
    counter(to, "records_written", "Records in archives.", counts->records.written);
    put_lost(to, "records_lost", "Records that are not in archives, by cause.", &counts->records);
}

static void put_delay(FILE *to, const struct histogram *delay)
{
    uint64_t sum = 0;

    family(to, "verdict_delay_seconds", "histogram", "From the end of a flow to its line in the log.");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        sum += delay->counts[i];
        (void)fprintf(to, "flowclassd_verdict_delay_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                      (double)histogram_bounds[i] / 1e6, sum);
    }
    (void)fprintf(to, "flowclassd_verdict_delay_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", delay->n);
    (void)fprintf(to, "flowclassd_verdict_delay_seconds_sum %.6f\n", (double)delay->sum / 1e6);
    (void)fprintf(to, "flowclassd_verdict_delay_seconds_count %" PRIu64 "\n", delay->n);
}

static void put_accelerator(FILE *to, const struct classifier_accelerator *accelerator)
{
    if (accelerator->name == NULL)
        return;
    gauge(to, "accelerator_in_use", "Whether the GPU engine is in use (1) or the CPU stands in (0).",
          accelerator->in_use);
    gauge(to, "accelerator_break_even_flows", "Batches of so many flows and more are for the GPU engine.",
          accelerator->break_even == BREAK_EVEN_NEVER ? INFINITY : (double)accelerator->break_even);
    gauge(to, "accelerator_difference", "Largest difference to the CPU in the last self-test.",
          accelerator->difference);
    counter(to, "accelerator_failures", "How often the GPU engine failed.", accelerator->failures);
    counter(to, "accelerator_retries", "How often it was tried again.", accelerator->retries);
}

static void put_all(FILE *to, const struct metrics *metrics)
{
    family(to, "build", "info", "The program.");
    (void)fprintf(to, "flowclassd_build_info{version=\"%s\"} 1\n", PATHS_VERSION);
    gauge(to, "start_time_seconds", "When the program was started.", metrics->started);
    if (metrics->model != NULL) {
        family(to, "model", "info", "The model in use.");
        (void)fprintf(to, "flowclassd_model_info{model=\"%s\",engine=\"%s\"} 1\n", metrics->model->id,
                      metrics->classifier->engine);
        put_accelerator(to, &metrics->classifier->accelerator);
    }
    put_packets(to, &metrics->counts->total);
    put_flows(to, &metrics->counts->total.tracker);
    put_verdicts(to, metrics->counts);
    put_delay(to, &metrics->counts->delay);
    (void)fputs("# EOF\n", to);
}

char *metrics_text(const struct metrics *metrics)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    bool failed;

    if (to == NULL)
        return NULL;
    put_all(to, metrics);
    failed = ferror(to) != 0;
    if (fclose(to) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static int text_write(const char *text, const char *path, const char *temporary, struct error *err)
{
    FILE *to = fopen(temporary, "we");
    bool failed;

    if (to == NULL)
        return error_set(err, -errno, "%s: %s", temporary, strerror(errno));
    (void)fchmod(fileno(to), 0644); /* node_exporter is another user */
    failed = fputs(text, to) < 0;
    if (fclose(to) != 0 || failed || rename(temporary, path) < 0) {
        int code = -errno;

        (void)remove(temporary);
        return error_set(err, code, "%s: %s", path, strerror(-code));
    }
    return 0;
}

int metrics_write(const struct metrics *metrics, const char *path, struct error *err)
{
    char *text = metrics_text(metrics);
    char *temporary = NULL;
    int r = -ENOMEM;

    if (text != NULL && asprintf(&temporary, "%s.new", path) < 0)
        temporary = NULL;
    if (temporary != NULL)
        r = text_write(text, path, temporary, err);
    else
        (void)error_set(err, r, "%s: out of memory", path);
    free(temporary);
    free(text);
    return r;
}

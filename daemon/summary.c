#include "daemon/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/number_text.h"

/* A term of a sum that is worth a word only when it is not 0. */
struct term {
    const char *name;
    uint64_t n;
};

static void heading(FILE *to, const char *name, uint64_t n)
{
    char text[NUMBER_TEXT_MAX];

    (void)fprintf(to, "  %-10s%s", name, number_text(text, n));
}

/* " (a 1, b 2)"; nothing if all are 0. */
static void reasons(FILE *to, const struct term *terms, size_t n)
{
    char text[NUMBER_TEXT_MAX];
    const char *before = " (";

    for (size_t i = 0; i < n; i++) {
        if (terms[i].n == 0)
            continue;
        (void)fprintf(to, "%s%s %s", before, terms[i].name, number_text(text, terms[i].n));
        before = ", ";
    }
    if (before[0] == ',')
        (void)fputc(')', to);
}

static void print_packets(FILE *to, const struct stats_source *source)
{
    const struct tracker_stats *tracker = &source->tracker;
    char text[NUMBER_TEXT_MAX];
#define TERM(name, text) {#name, tracker->ignored.name},
    const struct term ignored[] = {TRACKER_IGNORED(TERM)};
#undef TERM
#define TERM(name, text) {#name, tracker->dropped.name},
    const struct term dropped[] = {
        {"kernel", source->drops.kernel}, {"interface", source->drops.interface}, TRACKER_DROPPED(TERM)};
#undef TERM

    heading(to, "packets", stats_seen(source));
    (void)fprintf(to, " = %s decoded", number_text(text, tracker->decoded));
    (void)fprintf(to, " + %s ignored", number_text(text, stats_ignored(tracker)));
    reasons(to, ignored, sizeof ignored / sizeof ignored[0]);
    (void)fprintf(to, " + %s dropped", number_text(text, stats_dropped(source)));
    reasons(to, dropped, sizeof dropped / sizeof dropped[0]);
    (void)fputc('\n', to);
}

static void print_flows(FILE *to, const struct tracker_stats *tracker)
{
    struct term ended[RECORD_REASONS];

    for (int i = 0; i < RECORD_REASONS; i++)
        ended[i] = (struct term){record_reason_name((enum record_reason)i), tracker->flows_finished[i]};
    heading(to, "flows", tracker->flows_created);
    reasons(to, ended, RECORD_REASONS);
    (void)fputc('\n', to);
}

static void print_verdicts(FILE *to, const struct summary *summary)
{
    const struct stats_snapshot *counts = summary->counts;
    struct term labels[STATS_LABELS_MAX];
    char text[NUMBER_TEXT_MAX];
#define TERM(name, text) {#name, counts->not_classified[FLOW_CAUSE_##name]},
    const struct term causes[] = {FLOW_CAUSES(TERM)};
#undef TERM

    for (size_t i = 0; i < counts->n_labels; i++)
        labels[i] = (struct term){counts->labels[i].name, counts->labels[i].flows};
    heading(to, "verdicts", counts->finished);
    (void)fprintf(to, " = %s classified", number_text(text, counts->classified));
    reasons(to, labels, counts->n_labels);
    (void)fprintf(to, " + %s unknown", number_text(text, counts->unknown));
    (void)fprintf(to, " + %s not classified", number_text(text, stats_not_classified(counts)));
    reasons(to, causes, sizeof causes / sizeof causes[0]);
    (void)fputc('\n', to);
}

/* Which model judged, and on what; where there were two engines, how many flows each. */
static void print_model(FILE *to, const struct summary *summary)
{
    const struct stats_snapshot *counts = summary->counts;
    const char *before = ", engine ";
    char text[NUMBER_TEXT_MAX];

    (void)fprintf(to, "  %-10s%s (%s)", "model", summary->model->id, summary->model->tree->name);
    for (size_t i = 0; i < counts->n_engines; i++) {
        (void)fprintf(to, "%s%s", before, counts->engines[i].name);
        if (counts->n_engines > 1)
            (void)fprintf(to, " (%s flows)", number_text(text, counts->engines[i].flows));
        before = ", ";
    }
    (void)fputc('\n', to);
}

/* What the run waited for most. */
static const char *bound_by(const struct stats_spent *spent)
{
    if (spent->judging >= spent->waiting && spent->judging >= spent->handing)
        return "judging";
    return spent->waiting >= spent->handing ? "reading" : "writing";
}

static void print_rate(FILE *to, const struct summary *summary)
{
    const struct stats_snapshot *counts = summary->counts;
    char text[NUMBER_TEXT_MAX];

    (void)fprintf(to, "  %-10s%.3f s", "time", summary->seconds);
    if (summary->packets)
        (void)fprintf(
            to, ", %s packets/s",
            number_text(text, (uint64_t)((double)counts->total.tracker.packets / summary->seconds)));
    (void)fprintf(to, ", %s flows/s",
                  number_text(text, (uint64_t)((double)counts->finished / summary->seconds)));
    if (summary->model != NULL && counts->classified + counts->unknown > 0)
        (void)fprintf(to, ", bound by %s", bound_by(&counts->spent));
    (void)fputc('\n', to);
}

static void print_output(FILE *to, const char *name, const struct stats_output *output)
{
    char text[NUMBER_TEXT_MAX];
#define TERM(name, text) {#name, output->lost[STATS_LOSS_##name]},
    const struct term causes[] = {STATS_LOSSES(TERM)};
#undef TERM

    heading(to, name, output->written);
    (void)fprintf(to, " written");
    if (stats_lost(output) > 0) {
        (void)fprintf(to, ", %s lost", number_text(text, stats_lost(output)));
        reasons(to, causes, sizeof causes / sizeof causes[0]);
    }
    (void)fputc('\n', to);
}

int summary_print(FILE *to, const struct summary *summary)
{
    const struct stats_snapshot *counts = summary->counts;
    char text[NUMBER_TEXT_MAX];

    heading(to, summary->packets ? "captures" : "archives", summary->files);
    if (summary->refused > 0)
        (void)fprintf(to, ", %s not readable", number_text(text, summary->refused));
    if (summary->damaged > 0)
        (void)fprintf(to, ", %s damaged place%s skipped", number_text(text, summary->damaged),
                      summary->damaged > 1 ? "s" : "");
    (void)fputc('\n', to);
    if (summary->packets) {
        print_packets(to, &counts->total);
        print_flows(to, &counts->total.tracker);
    }
    if (summary->model != NULL) {
        print_verdicts(to, summary);
        print_model(to, summary);
    }
    if (stats_lost(&counts->verdicts) > 0)
        print_output(to, "log lines", &counts->verdicts);
    if (summary->records)
        print_output(to, "records", &counts->records);
    print_rate(to, summary);
    return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

#include "daemon/log_journal.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/journal.h"
#include "daemon/log_events.h"

enum {
    PATIENCE = 20000,        /* microseconds that may be waited for room ... */
    PATIENCE_EVERY = 100000, /* ... within so many */
    NAME_MAX_OCTETS = 64,
    TEXT_MAX = 1 << 14,
};

struct log_journal {
    struct log_sink sink;
    struct journal journal;
    int64_t patience;           /* microseconds that are left of it */
    int64_t renewed;            /* CLOCK_MONOTONIC: when there was all of it */
    struct stats_output counts; /* since the last flush */
    int failure;                /* the first since then; 0: none */
    struct journal_entry entry;
};

static struct log_journal *journal_of(struct log_sink *sink)
{
    return (struct log_journal *)sink;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text != NULL ? text : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* "192.0.2.1:443", "[2001:db8::1]:443"; an address alone where there are no ports. text: (size) */
static const char *end_text(const cJSON *event, const char *address, const char *port, char *text,
                            size_t size)
{
    const char *name = text_of(event, address);

    if (!cJSON_HasObjectItem(event, port))
        return name;
    (void)snprintf(text, size, strchr(name, ':') != NULL ? "[%s]:%.0f" : "%s:%.0f", name,
                   number_of(event, port));
    return text;
}

/* What somebody wants to read who looks at the journal. text: (size) */
static void sentence(const cJSON *event, char *text, size_t size)
{
    const cJSON *flow = cJSON_GetObjectItemCaseSensitive(event, "flow");
    const cJSON *verdict = cJSON_GetObjectItemCaseSensitive(event, "flowclass");
    char what[TREE_NAME_MAX + 32], from[80], to[80];

    if (cJSON_HasObjectItem(verdict, "confidence"))
        (void)snprintf(what, sizeof what, "%s %.2f", text_of(verdict, "label"),
                       number_of(verdict, "confidence"));
    else
        (void)snprintf(what, sizeof what, "not classified (%s)", text_of(verdict, "cause"));
    (void)snprintf(text, size, "%s: %s %s > %s, %.0f packets, %.0f octets", what, text_of(event, "proto"),
                   end_text(event, "src_ip", "src_port", from, sizeof from),
                   end_text(event, "dest_ip", "dest_port", to, sizeof to),
                   number_of(flow, "pkts_toserver") + number_of(flow, "pkts_toclient"),
                   number_of(flow, "bytes_toserver") + number_of(flow, "bytes_toclient"));
}

/* A value as a field of the key's name. */
static void field_put(struct journal_entry *entry, cJSON *item)
{
    char name[NAME_MAX_OCTETS], text[TEXT_MAX];

    (void)snprintf(name, sizeof name, "FLOWCLASS_%s", item->string);
    for (char *at = name; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    if (cJSON_IsString(item))
        (void)journal_put_text(entry, name, item->valuestring);
    else if (cJSON_PrintPreallocated(item, text, sizeof text, false))
        (void)journal_put_text(entry, name, text);
}

static void fields_put(struct journal_entry *entry, const cJSON *event)
{
    cJSON *item, *below;

    cJSON_ArrayForEach(item, event)
    {
        if (!cJSON_IsObject(item))
            field_put(entry, item);
        else
            cJSON_ArrayForEach(below, item) field_put(entry, below);
    }
}

/* Make an entry of a line. */
static void entry_make(struct journal_entry *entry, const char *line, size_t size)
{
    cJSON *event = cJSON_ParseWithLength(line, size);
    char text[256];

    entry->size = 0;
    if (strcmp(text_of(event, "event_type"), "flowclass") == 0) {
        sentence(event, text, sizeof text);
        log_event_put(entry, LOG_EVENT_verdict, text, strlen(text));
        fields_put(entry, event);
    } else {
        log_event_put(entry, LOG_EVENT_stats, line, size - 1);
    }
    cJSON_Delete(event);
}

/* Send the entry; wait for room while there is patience. */
static int entry_send(struct log_journal *log)
{
    int r = journal_send(&log->journal, &log->entry);

    while (r == -EAGAIN && log->patience > 0) {
        int64_t began = clock_monotonic();

        journal_wait(&log->journal, (int)(log->patience / 1000) + 1);
        log->patience -= clock_monotonic() - began;
        r = journal_send(&log->journal, &log->entry);
    }
    return r;
}

static void journal_line_put(struct log_sink *sink, const char *line, size_t size, int64_t now)
{
    struct log_journal *log = journal_of(sink);
    int r;

    entry_make(&log->entry, line, size);
    r = entry_send(log);
    log->counts.written += r == 0;
    log->counts.lost[STATS_LOSS_journal_full] += r == -EAGAIN;
    log->counts.lost[STATS_LOSS_journal_gone] += r < 0 && r != -EAGAIN;
    if (log->failure == 0)
        log->failure = r;
}

static int journal_flush(struct log_sink *sink, int64_t now, struct stats_output *counts, struct error *err)
{
    struct log_journal *log = journal_of(sink);
    int failure = log->failure;

    if (clock_monotonic() - log->renewed >= PATIENCE_EVERY) {
        log->patience = PATIENCE;
        log->renewed = clock_monotonic();
    }
    stats_output_add(counts, &log->counts);
    log->counts = (struct stats_output){0};
    log->failure = 0;
    if (failure == 0)
        return 0;
    return error_set(err, failure, "%s: %s", log->journal.address.sun_path,
                     failure == -EAGAIN   ? "the journal cannot keep up"
                     : failure == -ENODEV ? "no journal listens there"
                                          : "the journal refuses entries");
}

/* There is nothing to begin anew. */
static int journal_again(struct log_sink *sink, int64_t now, struct error *err)
{
    return 0;
}

static int journal_end(struct log_sink *sink, struct error *err)
{
    journal_close(&journal_of(sink)->journal);
    free(sink);
    return 0;
}

int log_journal_open(struct log_sink **sinkp, const char *socket, struct error *err)
{
    static const struct log_sink_ops ops = {journal_line_put, journal_flush, journal_again, journal_again,
                                            journal_end};
    struct log_journal *log = calloc(1, sizeof *log);
    int r;

    if (log == NULL)
        return error_set(err, -ENOMEM, "%s: out of memory", socket);
    r = journal_open(&log->journal, socket, err);
    if (r < 0) {
        free(log);
        return r;
    }
    log_sink_init(&log->sink, &ops);
    log->patience = PATIENCE;
    log->renewed = clock_monotonic();
    *sinkp = &log->sink;
    return 0;
}

/* tracker.c - decoder and flow table behind one door.
 *
 * Packets are gathered in a group. Their keys are hashed and their index slots fetched as they arrive; when
 * the group is full, the flows they point to are fetched, then the lists of those, and only then the packets
 * are added one after the other. By then most of the memory they touch is in the cache, and the fetches of a
 * group have overlapped.
 *
 * Batches of the joy rules end at marks inside the group, so that grouping shows nowhere.
 */
#include "flowtrack/tracker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/flow_record.h"
#include "flowtrack/flow_table.h"
#include "flowtrack/packet.h"

enum {
    GROUP = 32,              /* packets */
    BATCH = 10,              /* packets of a batch under the joy rules */
    TICK_ALLOWANCE = 500000, /* microseconds by which a tick stays behind, see tracker_tick() */
};

struct group_entry {
    struct packet packet;
    uint64_t hash;
    uint32_t flow; /* number of the flow that was fetched ahead */
    uint8_t side;
    bool batch_end; /* a batch ends behind this packet */
    bool held;      /* a fragment that waited: its time is past, and it is counted already */
};

struct tracker {
    struct tracker_config config;
    struct tracker_stats stats;
    struct decoder *decoder;
    struct flow_table table;
    unsigned n_group;
    unsigned n_batch; /* packets of the batch in hand */
    struct group_entry group[GROUP];
    struct record record; /* handed out */
};

static void hand_out(void *context, const struct flow *flow, enum record_reason reason)
{
    struct tracker *tracker = context;

    flow_record(&tracker->table.flow, flow, reason, &tracker->record);
    tracker->record.interface = tracker->config.interface;
    tracker->config.on_record(tracker->config.context, &tracker->record);
}

int tracker_new(struct tracker **trackerp, const struct tracker_config *config, struct error *err)
{
    struct tracker *tracker = calloc(1, sizeof(*tracker));
    int r;

    if (!tracker)
        return error_set(err, -ENOMEM, "no memory for a tracker");
    tracker->config = *config;
    r = flow_table_init(&tracker->table, config, &tracker->stats, hand_out, tracker, err);
    if (r < 0) {
        free(tracker);
        return r;
    }
    r = decoder_new(&tracker->decoder, config->rules, &tracker->stats);
    if (r < 0) {
        tracker_free(tracker);
        return error_set(err, r, "no memory for a packet decoder");
    }
    *trackerp = tracker;
    return 0;
}

void tracker_free(struct tracker *tracker)
{
    if (!tracker)
        return;
    decoder_free(tracker->decoder);
    flow_table_deinit(&tracker->table);
    free(tracker);
}

int tracker_set_link_type(struct tracker *tracker, int link_type)
{
    tracker_flush(tracker);
    return decoder_set_link_type(tracker->decoder, link_type);
}

static void fetch_group(struct tracker *tracker)
{
    for (unsigned i = 0; i < tracker->n_group; i++) {
        struct group_entry *entry = &tracker->group[i];

        entry->flow = flow_table_prefetch_flow(&tracker->table, entry->hash, entry->side);
    }
    for (unsigned i = 0; i < tracker->n_group; i++)
        flow_table_prefetch_list(&tracker->table, tracker->group[i].flow);
}

static void add(struct tracker *tracker, const struct group_entry *entry)
{
    bool added;

    if (!entry->held)
        flow_table_clock(&tracker->table, entry->packet.time);
    added = flow_table_add(&tracker->table, &entry->packet, entry->hash, entry->side);
    if (entry->held)
        tracker->stats.trimmed.held_memory += !added;
    else if (added)
        tracker->stats.decoded++;
    else
        tracker->stats.dropped.flow_memory++;
}

void tracker_flush(struct tracker *tracker)
{
    fetch_group(tracker);
    for (unsigned i = 0; i < tracker->n_group; i++) {
        const struct group_entry *entry = &tracker->group[i];

        add(tracker, entry);
        if (entry->batch_end)
            flow_table_expire(&tracker->table);
    }
    tracker->n_group = 0;
    if (!tracker->config.rules->expire_in_batches)
        flow_table_expire(&tracker->table);
    flow_table_count_memory(&tracker->table);
}

/* A batch of the joy rules ends behind the last packet in the group. */
static void end_batch(struct tracker *tracker)
{
    tracker->n_batch = 0;
    if (tracker->n_group > 0)
        tracker->group[tracker->n_group - 1].batch_end = true;
    else
        flow_table_expire(&tracker->table);
}

static int64_t bounded_time(int64_t time)
{
    if (time > FLOW_TIME_MAX)
        return FLOW_TIME_MAX;
    return time < -FLOW_TIME_MAX ? -FLOW_TIME_MAX : time;
}

/* Take the packet at the end of the group into it. */
static void gather(struct tracker *tracker, bool held)
{
    struct group_entry *entry = &tracker->group[tracker->n_group++];

    entry->side = flow_key_sort(&entry->packet.key);
    entry->hash = flow_table_hash(&tracker->table, &entry->packet.key);
    entry->batch_end = false;
    entry->held = held;
}

static void flush_when_full(struct tracker *tracker)
{
    /* The histogram reads the payload, which is gone after this call. */
    if (tracker->n_group == GROUP || (tracker->config.byte_dist && tracker->n_group > 0))
        tracker_flush(tracker);
}

/* Take the fragments that need not wait any longer. */
static void gather_held(struct tracker *tracker)
{
    while (packet_held(tracker->decoder, &tracker->group[tracker->n_group].packet)) {
        gather(tracker, true);
        flush_when_full(tracker);
    }
}

/* Take those that are waited for no longer at this time. */
static void gather_overdue(struct tracker *tracker, int64_t now)
{
    decoder_expire(tracker->decoder, now);
    gather_held(tracker);
}

void tracker_packet(struct tracker *tracker, int64_t time, uint32_t captured, uint32_t wire,
                    const uint8_t *bytes)
{
    const struct rules *rules = tracker->config.rules;
    enum packet_result result;

    time = bounded_time(time);
    if (rules->join_fragments) /* before this packet is there, since its time may be another day */
        gather_overdue(tracker, time);
    tracker->stats.packets++;
    tracker->stats.octets += wire;
    result = packet_decode(tracker->decoder, &tracker->group[tracker->n_group].packet, time, captured, wire,
                           bytes);
    if (result == PACKET_DECODED)
        gather(tracker, false);
    else if (result == PACKET_HELD)
        tracker->stats.decoded++;
    if (rules->expire_in_batches && result != PACKET_FILTERED && ++tracker->n_batch == BATCH)
        end_batch(tracker);
    flush_when_full(tracker);
    if (rules->join_fragments)
        gather_held(tracker);
}

void tracker_read_error(struct tracker *tracker)
{
    if (tracker->config.rules->expire_in_batches)
        end_batch(tracker);
}

void tracker_tick(struct tracker *tracker, int64_t now)
{
    if (tracker->config.rules->expire_in_batches)
        return;
    now = bounded_time(now);
    gather_overdue(tracker, now - TICK_ALLOWANCE);
    tracker_flush(tracker);
    flow_table_look_back(&tracker->table, now);
    flow_table_advance(&tracker->table, now - TICK_ALLOWANCE);
}

void tracker_finish(struct tracker *tracker)
{
    gather_overdue(tracker, INT64_MAX);
    tracker_flush(tracker);
    flow_table_finish(&tracker->table);
    tracker->n_batch = 0;
}

const struct tracker_stats *tracker_stats(const struct tracker *tracker)
{
    return &tracker->stats;
}

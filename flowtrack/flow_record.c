/* flow_record.c - from flow to record. */
#include "flowtrack/flow_record.h"

#include <math.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

enum { HANDSHAKE_SYN = TCP_SYN, HANDSHAKE_SYN_ACK = TCP_SYN | TCP_ACK };

/* The side that is "out", -1 if keywords and handshake leave it open. `r` is the side seen first, `w` the
 * other. */
static int decide_out(const struct flow *flow)
{
    unsigned r = flow->first;
    unsigned w = !r;
    const struct flow_side *first = &flow->side[r];
    const struct flow_side *second = &flow->side[w];

    if (first->keyword == KEYWORD_CLIENT)
        return (int)r;
    if (second->keyword == KEYWORD_CLIENT)
        return (int)w;
    if (first->keyword == KEYWORD_SERVER)
        return (int)w;
    if (second->keyword == KEYWORD_SERVER)
        return (int)r;
    if (first->handshake_flags == second->handshake_flags)
        return -1;
    if (first->handshake_flags == HANDSHAKE_SYN)
        return (int)r;
    if (second->handshake_flags == HANDSHAKE_SYN)
        return (int)w;
    return first->handshake_flags == HANDSHAKE_SYN_ACK ? (int)w : (int)r;
}

/* Choose the out side and the times of the record. Return: the out side. */
static unsigned set_direction(const struct flow_context *context, const struct flow *flow,
                              struct record *record)
{
    const struct flow_side *first = &flow->side[flow->first];
    const struct flow_side *second = &flow->side[!flow->first];
    int decided;
    unsigned out;

    record->time_start = first->start;
    record->time_end = first->end;
    if (!(second->flags & SIDE_PRESENT))
        return flow->first;
    decided = decide_out(flow);
    if (decided >= 0)
        out = (unsigned)decided;
    else
        out = first->start < second->start ? flow->first : !flow->first;
    record->time_start = flow->side[out].start;
    if ((decided < 0 || !context->rules->end_of_first_half) && second->end > first->end)
        record->time_end = second->end;
    return out;
}

static void set_key(const struct flow *flow, unsigned out, struct record *record)
{
    const struct flow_key *key = &flow->key;

    memcpy(record->source, out == 0 ? key->source : key->destination, sizeof(record->source));
    memcpy(record->destination, out == 0 ? key->destination : key->source, sizeof(record->destination));
    record->source_port = out == 0 ? key->source_port : key->destination_port;
    record->destination_port = out == 0 ? key->destination_port : key->source_port;
    record->protocol = key->protocol;
    record->family = flow->side[out].family;
    record->has_ports = key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP;
    record->icmp_type = flow->side[flow->first].icmp_type;
    record->icmp_code = flow->side[flow->first].icmp_code;
}

static void set_side(const struct flow_side *side, struct record_side *to)
{
    to->present = side->flags & SIDE_PRESENT;
    to->has_ip = to->present;
    /* Lengths may be negative under the joy rules, whose counter has 32 bits (joy-records section 2.6). */
    to->bytes = side->bytes < 0 ? (uint32_t)side->bytes : (uint64_t)side->bytes;
    to->packets = side->packets;
    to->ttl = side->ttl;
    to->n_ids = 0;
}

/* Packet list entries in the order of the record. */
struct merged {
    const struct flow_entry *entries[RECORD_PACKETS_MAX];
    unsigned n;
};

static bool is_of_side(const struct flow_entry *entry, unsigned side)
{
    return (flow_entry_flags(entry) & FLOW_ENTRY_SIDE) == (side ? FLOW_ENTRY_SIDE : 0);
}

/* Whether two entries that arrived one after the other stand so in the record too. */
static bool in_order(const struct flow_entry *before, const struct flow_entry *after, unsigned out)
{
    int64_t gap = flow_entry_time(after) - flow_entry_time(before);

    return gap > 0 || (gap == 0 && (is_of_side(after, out) || !is_of_side(before, out)));
}

/* The next entry of a side from number `at` on; `n` if there is none. */
static unsigned next_of_side(const struct merged *from, unsigned at, unsigned side)
{
    while (at < from->n && !is_of_side(from->entries[at], side))
        at++;
    return at;
}

/* Merge both sides by time, the in side first where times are equal, the order of arrival kept inside a side.
 */
static void merge(struct merged *merged, unsigned out)
{
    const struct merged from = *merged;
    unsigned next_out = next_of_side(&from, 0, out);
    unsigned next_in = next_of_side(&from, 0, !out);

    for (merged->n = 0; merged->n < from.n; merged->n++) {
        bool take_out = next_out < from.n &&
                        (next_in == from.n ||
                         flow_entry_time(from.entries[next_out]) < flow_entry_time(from.entries[next_in]));

        if (take_out) {
            merged->entries[merged->n] = from.entries[next_out];
            next_out = next_of_side(&from, next_out + 1, out);
        } else {
            merged->entries[merged->n] = from.entries[next_in];
            next_in = next_of_side(&from, next_in + 1, !out);
        }
    }
}

/* Deal the list of the flow out: identifications to their sides, packets to `merged`. */
static void deal(const struct flow_context *context, const struct flow *flow, unsigned out,
                 struct record *record, struct merged *merged)
{
    const struct flow_entry *entries = flow_list_entries(&flow->list, context->slab);
    const struct flow_entry *before = NULL;
    bool ordered = true;

    merged->n = 0;
    for (unsigned i = 0; i < flow->list.n; i++) {
        const struct flow_entry *entry = &entries[i];
        unsigned flags = flow_entry_flags(entry);

        if (flags & FLOW_ENTRY_ID) {
            if (is_of_side(entry, out))
                record->ids_out[record->out.n_ids++] = entry->id;
            else
                record->ids_in[record->in.n_ids++] = entry->id;
        }
        if (!(flags & FLOW_ENTRY_PACKET))
            continue;
        ordered = ordered && (!before || in_order(before, entry, out));
        merged->entries[merged->n++] = entry;
        before = entry;
    }
    if (!ordered)
        merge(merged, out);
}

/* Milliseconds from one time to another, rounded down. */
static uint32_t gap_ms(int64_t from, int64_t to, bool wraps)
{
    int64_t gap = to - from;
    int64_t ms = gap >= 0 ? gap / 1000 : (gap - 999) / 1000;

    if (wraps || (ms >= 0 && ms <= UINT32_MAX))
        return (uint32_t)ms;
    return ms < 0 ? 0 : UINT32_MAX;
}

/* In a record of one side the first entry has no gap, else it counts from time_start. */
static void set_lists(const struct flow_context *context, const struct flow *flow, unsigned out,
                      struct record *record)
{
    bool two = record->in.present;
    bool points_out = two || !context->rules->one_way_points_in;
    int64_t before = record->time_start;
    struct merged merged;

    deal(context, flow, out, record, &merged);
    for (unsigned i = 0; i < merged.n; i++) {
        const struct flow_entry *entry = merged.entries[i];
        int64_t time = flow_entry_time(entry);

        record->packets[i] = (struct record_packet){
            .ipt_ms = two || i > 0 ? gap_ms(before, time, context->rules->ipt_wraps) : 0,
            .bytes = entry->length,
            .out = is_of_side(entry, out) && points_out,
        };
        before = time;
    }
    record->n_packets = (uint8_t)merged.n;
}

/* Return: the sequence number of the side's SYN, 0 if it sent none. */
static uint32_t set_tcp_side(const struct flow_context *context, const struct flow_side *side,
                             struct record_tcp_side *to)
{
    const struct flow_handshake *handshake;

    to->present = side->handshake != 0;
    if (!to->present)
        return 0;
    handshake = slab_at(context->slab, side->handshake);
    to->flags = side->handshake_flags;
    to->window = handshake->window;
    to->options_length = handshake->options_length;
    memcpy(to->options, handshake->options, handshake->options_length);
    return side->handshake_flags == HANDSHAKE_SYN ? handshake->sequence : 0;
}

static void set_tcp(const struct flow_context *context, const struct flow *flow, unsigned out,
                    struct record *record)
{
    uint32_t first_out = set_tcp_side(context, &flow->side[out], &record->tcp_out);
    uint32_t first_in = set_tcp_side(context, &flow->side[!out], &record->tcp_in);

    record->has_tcp = record->tcp_out.present || record->tcp_in.present;
    record->tcp_first_seq = first_out != 0 ? first_out : first_in;
}

/* Sum the histograms of both sides. Return: octets counted. */
static uint32_t sum_octets(const struct flow_context *context, const struct flow *flow, uint32_t counts[256])
{
    uint32_t total = 0;

    memset(counts, 0, 256 * sizeof(*counts));
    for (unsigned s = 0; s < 2; s++) {
        const struct flow_octets *octets;

        if (flow->side[s].octets == 0)
            continue;
        octets = slab_at(context->slab, flow->side[s].octets);
        for (unsigned v = 0; v < 256; v++) {
            counts[v] += octets->counts[v];
            total += octets->counts[v];
        }
    }
    return total;
}

/* Source: joy-records section 11: histogram scaled to 8 bits, entropy of it, mean and standard deviation. */
static void set_byte_dist(const struct flow_context *context, const struct flow *flow, struct record *record)
{
    struct record_byte_dist *dist = &record->byte_dist;
    uint32_t counts[256];
    uint32_t total = sum_octets(context, flow, counts);
    double mean = 0, variance = 0, entropy = 0;
    uint32_t most = 0;
    unsigned shift = 0;

    record->has_byte_dist = record->has_entropy = total > 0;
    if (total == 0)
        return;
    for (unsigned v = 0; v < 256; v++) {
        double share = (double)counts[v] / total;

        mean += v * share;
        entropy -= counts[v] ? share * log2(share) : 0;
        most = counts[v] > most ? counts[v] : most;
    }
    while (most >> shift > UINT8_MAX)
        shift++;
    for (unsigned v = 0; v < 256; v++) {
        dist->counts[v] = (uint8_t)(counts[v] >> shift);
        variance += counts[v] * (v - mean) * (v - mean);
    }
    dist->mean = mean;
    dist->deviation = total > 1 ? sqrt(variance / (total - 1)) : 0;
    dist->entropy = entropy;
    dist->total_entropy = entropy * (double)(record->out.bytes + record->in.bytes);
}

/* What expire_type says. Joy puts a mark on the half seen first, and prints that of the out side. */
static char expire_type(const struct flow_context *context, enum record_reason reason, bool first_is_out)
{
    if (!context->rules->expire_type_may_lack)
        return record_reason_mark(reason);
    if (!first_is_out || (reason != RECORD_REASON_IDLE && reason != RECORD_REASON_ACTIVE))
        return 0;
    return record_reason_mark(reason);
}

void flow_record(const struct flow_context *context, const struct flow *flow, enum record_reason reason,
                 struct record *record)
{
    unsigned out = set_direction(context, flow, record);
    const struct flow_side *sides[2] = {&flow->side[out], &flow->side[!out]};

    set_key(flow, out, record);
    set_side(sides[0], &record->out);
    set_side(sides[1], &record->in);
    record->n_packets = 0;
    if (flow->list.n > 0)
        set_lists(context, flow, out, record);
    set_tcp(context, flow, out, record);
    record->has_byte_dist = record->has_entropy = false;
    if (context->byte_dist)
        set_byte_dist(context, flow, record);
    record->tcp_retrans = sides[0]->tcp_retrans + sides[1]->tcp_retrans;
    record->invalid = !!(sides[0]->flags & SIDE_INVALID) + !!(sides[1]->flags & SIDE_INVALID);
    record->reason = (uint8_t)reason;
    record->expire_type = expire_type(context, reason, out == flow->first);
    record->flow_id = flow->serial;
}

/* flow.c - what a packet does to its flow.
 *
 * Order matters: a retransmission leaves before anything is counted, the packet list decides whether a
 * segment is remembered and whether the keyword still counts, and the times come last.
 */
#include "flowtrack/flow.h"

#include <netinet/in.h>
#include <string.h>

#include "flowtrack/retransmission.h"

enum {
    LISTED_MAX_TCP = 199, /* packet list entries that count, though fewer are kept */
    LISTED_MAX = 200,
    KEYWORD_ENTRIES = 2, /* the keyword is looked for while the list has at most so many */
    HANDSHAKE_SYN = TCP_SYN,
    HANDSHAKE_SYN_ACK = TCP_SYN | TCP_ACK,
};

static bool is_segment(const struct packet *packet)
{
    return packet->key.protocol == IPPROTO_TCP && !packet->malformed;
}

static void count_lost(const struct flow_context *context, bool kept)
{
    if (!kept)
        context->stats->trimmed.list_memory++;
}

static void side_begin(struct flow *flow, unsigned s, const struct packet *packet)
{
    struct flow_side *side = &flow->side[s];

    if (!(flow->side[!s].flags & SIDE_PRESENT)) {
        flow->first = (uint8_t)s;
        flow->idle_due = INT64_MIN;
    }
    side->flags = SIDE_PRESENT;
    side->ttl = UINT8_MAX;
    side->icmp_type = packet->icmp_type;
    side->icmp_code = packet->icmp_code;
}

/* Octets of a segment that were not seen before, 0: a retransmission. */
static int32_t new_payload(const struct flow_context *context, struct flow_side *side,
                           const struct packet *packet)
{
    bool syn = packet->tcp_flags & TCP_SYN;
    uint32_t new_octets;

    if (context->rules->ring_retransmissions)
        return retransmission_ring_has(side, context->slab, packet->tcp_seq) ? 0 : packet->payload_length;
    count_lost(context, retransmission_space_add(side, context->slab, packet->tcp_seq, syn,
                                                 (uint32_t)packet->payload_length, &new_octets));
    return (int32_t)new_octets;
}

/* Judge the payload of a segment.
 *
 * payload: its octets that count.
 *
 * Return: false if the packet is a retransmission and ends here.
 */
static bool take_segment(const struct flow_context *context, struct flow_side *side,
                         const struct packet *packet, int32_t *payload)
{
    if (packet->payload_length <= 0) {
        if (packet->tcp_flags & TCP_SYN && !context->rules->ring_retransmissions)
            (void)new_payload(context, side, packet);
        return true;
    }
    *payload = new_payload(context, side, packet);
    if (*payload < packet->payload_length) {
        side->tcp_retrans++;
        context->stats->retransmissions++;
    }
    if (*payload == 0) {
        side->flags |= SIDE_RETRANSMITTED;
        return false;
    }
    side->flags &= (uint8_t)~SIDE_RETRANSMITTED;
    return true;
}

/* Whether the packet counts for the packet list; remembers a segment under the same condition. */
static bool take_listed(const struct flow_context *context, struct flow_side *side,
                        const struct packet *packet, int32_t payload)
{
    unsigned limit = packet->key.protocol == IPPROTO_TCP ? LISTED_MAX_TCP : LISTED_MAX;

    if (payload == 0 || side->n_listed >= limit)
        return false;
    if (context->rules->ring_retransmissions && is_segment(packet))
        count_lost(context, retransmission_ring_put(side, context->slab, packet->tcp_seq));
    return side->n_listed++ < context->side_packets;
}

/* Keep time, length and identification as far as the limits go. */
static void keep_entry(const struct flow_context *context, struct flow *flow, unsigned s,
                       const struct packet *packet, int32_t payload)
{
    struct flow_side *side = &flow->side[s];
    unsigned flags = s ? FLOW_ENTRY_SIDE : 0;
    bool kept;

    if (take_listed(context, side, packet, payload))
        flags |= FLOW_ENTRY_PACKET;
    if (packet->family == 4 && side->n_ids < context->side_ids)
        flags |= FLOW_ENTRY_ID;
    if (!(flags & (FLOW_ENTRY_PACKET | FLOW_ENTRY_ID)))
        return;
    kept =
        flow_list_append(&flow->list, context->slab, packet->time, flags, (uint16_t)payload, packet->ip_id);
    count_lost(context, kept);
    if (kept && flags & FLOW_ENTRY_ID)
        side->n_ids++;
}

/* Remember the first SYN of a side. Under the joy rules the options of a later one replace those of the
 * first. */
static void keep_handshake(const struct flow_context *context, struct flow_side *side,
                           const struct packet *packet)
{
    struct flow_handshake first = {.sequence = packet->tcp_seq, .window = packet->tcp_window};
    struct flow_handshake *handshake;

    if (packet->tcp_flags != HANDSHAKE_SYN && packet->tcp_flags != HANDSHAKE_SYN_ACK)
        return;
    if (side->handshake_flags == 0)
        side->handshake_flags = packet->tcp_flags;
    else if (!context->rules->last_syn_options || side->handshake == 0 || packet->tcp_options_length == 0)
        return;
    if (side->handshake != 0)
        first = *(struct flow_handshake *)slab_at(context->slab, side->handshake);
    else
        side->handshake = slab_alloc(context->slab, slab_class_for(sizeof(*handshake)));
    count_lost(context, side->handshake != 0);
    if (side->handshake == 0)
        return;
    first.options_length = packet->tcp_options_length;
    memcpy(first.options, packet->tcp_options, packet->tcp_options_length);
    handshake = slab_at(context->slab, side->handshake);
    *handshake = first;
}

static void count_octets(const struct flow_context *context, struct flow_side *side,
                         const struct packet *packet, int32_t payload)
{
    uint32_t seen = (uint32_t)(packet->payload_length - payload); /* of a longer retransmission */
    struct flow_octets *octets;
    int64_t room = FLOW_OCTETS_MAX - side->bytes;

    if (payload <= 0 || packet->payload_captured <= seen || room <= 0)
        return;
    if (side->octets == 0) {
        side->octets = slab_alloc(context->slab, slab_class_for(sizeof(*octets)));
        count_lost(context, side->octets != 0);
        if (side->octets == 0)
            return;
        memset(slab_at(context->slab, side->octets), 0, sizeof(*octets));
    }
    octets = slab_at(context->slab, side->octets);
    for (uint32_t i = seen; i < packet->payload_captured && room-- > 0; i++)
        octets->counts[packet->payload[i]]++;
}

static void take_keyword(struct flow_side *side, const struct packet *packet)
{
    if (side->keyword == KEYWORD_NONE && side->n_listed <= KEYWORD_ENTRIES && !packet->malformed)
        side->keyword = packet->keyword;
}

static int64_t latest_end(const struct flow *flow)
{
    const struct flow_side *a = &flow->side[flow->first];
    const struct flow_side *b = &flow->side[!flow->first];

    return b->flags & SIDE_PRESENT && b->end > a->end ? b->end : a->end;
}

int64_t flow_active_since(const struct flow *flow, const struct rules *rules)
{
    const struct flow_side *a = &flow->side[flow->first];
    const struct flow_side *b = &flow->side[!flow->first];

    if (!(b->flags & SIDE_PRESENT) || (a->start < b->start) != rules->expire_in_batches)
        return a->start;
    return b->start;
}

/* Take the packet's time. Return: true if the active time-out counts from an earlier time than before. */
static bool take_time(const struct flow_context *context, struct flow *flow, unsigned s, int64_t time,
                      bool is_new)
{
    struct flow_side *side = &flow->side[s];
    bool go_back = context->rules->end_may_go_back;
    int64_t since;

    if (!is_new && (side->start != 0 || !go_back)) {
        if (go_back || time > side->end)
            side->end = time;
        return false;
    }
    since = is_new ? flow->side[!s].start : flow_active_since(flow, context->rules);
    side->start = side->end = time;
    return flow_active_since(flow, context->rules) < since;
}

/* Set when the flow is due for silence, after a packet of one side. */
static void take_due(const struct flow_context *context, struct flow *flow, const struct flow_side *side,
                     int64_t time)
{
    int64_t due = time + context->idle_timeout;

    if (flow->closing)
        return;
    if (context->rules->retransmissions_are_silence) {
        due = side->end + context->idle_timeout;
        if (due < flow->idle_due)
            due = latest_end(flow) + context->idle_timeout;
        flow->idle_due = due;
    } else if (due > flow->idle_due) {
        flow->idle_due = due;
    }
}

/* FIN from both sides or RST from one closes a connection; it stays for the last acknowledgements. */
static void take_close(const struct flow_context *context, struct flow *flow, struct flow_side *side,
                       const struct packet *packet)
{
    int64_t due = packet->time + context->linger;

    if (!context->rules->tcp_end_detected || flow->closing || !is_segment(packet))
        return;
    if (packet->tcp_flags & TCP_FIN)
        side->flags |= SIDE_FIN;
    if (!(packet->tcp_flags & TCP_RST) && !(flow->side[0].flags & flow->side[1].flags & SIDE_FIN))
        return;
    flow->closing = true;
    if (due < flow->idle_due)
        flow->idle_due = due;
}

/* Count a packet that is no retransmission. Return: as take_time(). */
static bool count_packet(const struct flow_context *context, struct flow *flow, unsigned s,
                         const struct packet *packet, int32_t payload, bool is_new)
{
    struct flow_side *side = &flow->side[s];

    keep_entry(context, flow, s, packet, payload);
    if (is_segment(packet))
        keep_handshake(context, side, packet);
    if (context->byte_dist)
        count_octets(context, side, packet, payload);
    take_keyword(side, packet);
    side->bytes += payload;
    side->packets++;
    if (packet->ttl < side->ttl)
        side->ttl = packet->ttl;
    return take_time(context, flow, s, packet->time, is_new);
}

bool flow_add(const struct flow_context *context, struct flow *flow, unsigned s, const struct packet *packet)
{
    struct flow_side *side = &flow->side[s];
    bool is_new = !(side->flags & SIDE_PRESENT);
    bool again = packet->malformed && packet->key.protocol == IPPROTO_TCP && !is_new &&
                 context->rules->malformed_tcp_once;
    int32_t payload = again ? 0 : packet->payload_length;
    int64_t due = flow->idle_due;
    bool earlier = false;

    if (is_new)
        side_begin(flow, s, packet);
    side->family = packet->family;
    if (packet->malformed && !again)
        side->flags |= SIDE_INVALID;
    if (is_segment(packet) ? take_segment(context, side, packet, &payload)
                           : !(again && side->flags & SIDE_RETRANSMITTED))
        earlier = count_packet(context, flow, s, packet, payload, is_new);
    take_due(context, flow, side, packet->time);
    take_close(context, flow, side, packet);
    return earlier || flow->idle_due < due;
}

void flow_clear(struct flow *flow, struct slab *slab)
{
    flow_list_clear(&flow->list, slab);
    for (unsigned s = 0; s < 2; s++) {
        slab_free(slab, flow->side[s].memory);
        slab_free(slab, flow->side[s].handshake);
        slab_free(slab, flow->side[s].octets);
    }
}

/* ip.c - IP headers under both rule sets.
 *
 * Lengths follow one path: what the header claims is settled first (off-load, jumbo, capture limit), then the
 * headers are walked, and what is left of the claim is the payload. The joy rules let the walk overtake the
 * claim: their lengths are signed and nothing is held against what was captured.
 */
#include "flowtrack/ip.h"

#include <netinet/in.h>

enum {
    IP4_HEADER = 20,
    IP4_MORE_FRAGMENTS = 0x2000,
    IP4_OFFSET = 0x1fff,
    IP6_HEADER = 40,
    IP6_FRAGMENT_HEADER = 8,
    IP6_FRAGMENT_MORE = 0x1,
    IP6_FRAGMENT_OFFSET = 0xfff8,
    EXTENSIONS_MAX = 16, /* headers of one packet that are walked; the specified ones are fewer than ten */
};

/* Joy's rule 4: a packet longer than the captured frame is what was captured of it. */
static uint32_t cut_to_capture(const struct layer *layer, uint32_t length)
{
    uint32_t captured = (uint32_t)layer->bytes.left;

    return length > captured + layer->ahead ? captured : length;
}

/* ---- IPv4 ---- */

/* Octets of the packet. Off-load engines leave 0 to be filled in when they cut the packet up. */
static uint32_t ip4_length(const struct rules *rules, struct layer *layer)
{
    uint32_t length = bytes_be16_at(&layer->bytes, 2);

    if (length == 0 && rules->offload_lengths)
        return layer->wire;
    return length;
}

static uint64_t *ip4_check(const struct rules *rules, struct layer *layer, uint32_t header, uint32_t length,
                           struct tracker_stats *stats)
{
    if (!rules->headers_unchecked && layer->bytes.left < IP4_HEADER)
        return &stats->ignored.ip_short;
    if (!rules->headers_unchecked && bytes_u8_at(&layer->bytes, 0) >> 4 != 4)
        return &stats->ignored.ip_version;
    if (header < IP4_HEADER)
        return &stats->ignored.ip_header_length;
    if (length < (rules->headers_unchecked ? IP4_HEADER : header) || (layer->carried && length > layer->wire))
        return &stats->ignored.ip_total_length;
    return NULL;
}

/* The authentication header is the one header that may stand between IPv4 and transport. */
static uint64_t *ip4_walk(struct layer *layer, struct ip_payload *payload, struct tracker_stats *stats)
{
    for (unsigned i = 0; payload->protocol == IPPROTO_AH; i++) {
        uint32_t length = (bytes_u8_at(&layer->bytes, 1) + 2u) * 4;

        if (!bytes_have(&layer->bytes, 0, length) || (int32_t)length > payload->length || i == EXTENSIONS_MAX)
            return &stats->ignored.ip_extension;
        payload->protocol = bytes_u8_at(&layer->bytes, 0);
        payload->length -= (int32_t)length;
        payload->skipped += length;
        layer_pass(layer, length, LAYER_OTHER);
    }
    return NULL;
}

static uint64_t *ip4_decode(const struct rules *rules, struct layer *layer, struct packet *packet,
                            struct ip_payload *payload, struct tracker_stats *stats)
{
    struct bytes *bytes = &layer->bytes;
    uint32_t header = (bytes_u8_at(bytes, 0) & 0x0fu) * 4;
    uint32_t length = ip4_length(rules, layer);
    uint16_t part = bytes_be16_at(bytes, 6);
    uint64_t *wrong = ip4_check(rules, layer, header, length, stats);

    if (__builtin_expect(wrong != NULL, 0))
        return wrong;
    if (rules->length_from_capture)
        length = cut_to_capture(layer, length);
    packet->family = 4;
    packet->ip_id = bytes_be16_at(bytes, 4);
    packet->ttl = bytes_u8_at(bytes, 8);
    bytes_copy_at(bytes, 12, packet->key.source, 4);
    bytes_copy_at(bytes, 16, packet->key.destination, 4);
    payload->length = (int32_t)length - (int32_t)header;
    payload->protocol = bytes_u8_at(bytes, 9);
    if (__builtin_expect((part & (IP4_MORE_FRAGMENTS | IP4_OFFSET)) != 0, 0)) {
        payload->fragment = true;
        payload->more = part & IP4_MORE_FRAGMENTS;
        payload->offset = (part & IP4_OFFSET) * 8u;
        payload->id = packet->ip_id;
        payload->id_scope = payload->protocol;
    }
    layer_pass(layer, header, LAYER_OTHER);
    if (payload->protocol == IPPROTO_AH && rules->look_through && payload->offset == 0)
        return ip4_walk(layer, payload, stats);
    return NULL;
}

/* ---- IPv6 ---- */

/* The length in a jumbo payload option, which must be the first header and is the whole packet's then.
 *
 * Return: 0 if there is none. Source: RFC 2675 section 2.
 */
static uint32_t jumbo_length(struct layer *layer)
{
    enum { OPTION_PAD1 = 0, OPTION_JUMBO = 0xc2, JUMBO_LENGTH = 4, OPTIONS_MAX = 16 };
    struct bytes options = layer->bytes;
    size_t end;

    bytes_skip(&options, IP6_HEADER);
    end = (bytes_u8_at(&options, 1) + 1u) * 8;
    for (size_t at = 2, i = 0; at + 2 <= end && i < OPTIONS_MAX; i++) {
        uint8_t option = bytes_u8_at(&options, at);
        uint8_t length = bytes_u8_at(&options, at + 1);

        if (option == OPTION_JUMBO && length == JUMBO_LENGTH)
            return bytes_be32_at(&options, at + 2);
        at += option == OPTION_PAD1 ? 1 : 2u + length;
    }
    return 0;
}

/* Octets of the packet, header included. A payload length of 0 is a jumbo packet, or one before segmentation
 * off-load; neither can be longer than the frame. */
static uint32_t ip6_length(const struct rules *rules, struct layer *layer)
{
    uint32_t length = bytes_be16_at(&layer->bytes, 4);
    uint8_t next = bytes_u8_at(&layer->bytes, 6);
    uint32_t jumbo;

    if (rules->headers_unchecked)
        return (length + IP6_HEADER) & UINT16_MAX;
    if (length != 0 || !rules->offload_lengths || next == IPPROTO_NONE)
        return length + IP6_HEADER;
    jumbo = next == IPPROTO_HOPOPTS ? jumbo_length(layer) : 0;
    if (jumbo != 0 && jumbo <= INT32_MAX - IP6_HEADER && jumbo + IP6_HEADER <= layer->wire)
        return jumbo + IP6_HEADER;
    return layer->wire;
}

/* Joy's walk: every extension header counts 8 octets, ESP is one, n has 8 bits, and no octet of it leaves the
 * payload length. After 256 of them the walk is where it was: it would never end. */
static uint64_t *ip6_walk_by_eight(struct layer *layer, struct ip_payload *payload,
                                   struct tracker_stats *stats)
{
    uint8_t n = 0;

    for (unsigned i = 0;; i++) {
        switch (payload->protocol) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_FRAGMENT:
        case IPPROTO_ESP:
        case IPPROTO_AH:
        case IPPROTO_DSTOPTS:
            if (!bytes_have(&layer->bytes, n * 8u, 1) || i > UINT8_MAX)
                return &stats->ignored.ip_extension;
            payload->protocol = bytes_u8_at(&layer->bytes, n * 8u);
            n++;
            break;
        case IPPROTO_NONE:
            return &stats->ignored.ip_no_next;
        default:
            layer_pass(layer, n * 8u, LAYER_OTHER);
            return NULL;
        }
    }
}

/* The fragment header; one that leaves nothing out makes no fragment (RFC 6946). */
static void ip6_fragment(struct layer *layer, struct ip_payload *payload)
{
    uint16_t part = bytes_be16_at(&layer->bytes, 2);

    if (!(part & (IP6_FRAGMENT_MORE | IP6_FRAGMENT_OFFSET)))
        return;
    payload->fragment = true;
    payload->more = part & IP6_FRAGMENT_MORE;
    payload->offset = part & IP6_FRAGMENT_OFFSET;
    payload->id = bytes_be32_at(&layer->bytes, 4);
}

/* Octets of the extension header in front, 0 if `protocol` is none. */
static uint32_t ip6_extension_length(struct layer *layer, uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
        return (bytes_u8_at(&layer->bytes, 1) + 1u) * 8;
    case IPPROTO_FRAGMENT:
        return IP6_FRAGMENT_HEADER;
    case IPPROTO_AH:
        return (bytes_u8_at(&layer->bytes, 1) + 2u) * 4;
    default:
        return 0;
    }
}

/* The walk by each header's own length. A later fragment ends it: what follows there is data. */
static uint64_t *ip6_walk(struct layer *layer, struct ip_payload *payload, struct tracker_stats *stats)
{
    for (unsigned i = 0; payload->offset == 0; i++) {
        uint8_t protocol = payload->protocol;
        uint32_t length = ip6_extension_length(layer, protocol);

        if (length == 0)
            break;
        if (!bytes_have(&layer->bytes, 0, length) || (int32_t)length > payload->length || i == EXTENSIONS_MAX)
            return &stats->ignored.ip_extension;
        payload->protocol = bytes_u8_at(&layer->bytes, 0);
        payload->length -= (int32_t)length;
        if (protocol == IPPROTO_FRAGMENT)
            ip6_fragment(layer, payload);
        else if (payload->fragment)
            payload->skipped += length;
        layer_pass(layer, length, LAYER_OTHER);
    }
    return payload->protocol == IPPROTO_NONE && payload->offset == 0 ? &stats->ignored.ip_no_next : NULL;
}

static uint64_t *ip6_check(const struct rules *rules, struct layer *layer, struct tracker_stats *stats)
{
    if (rules->headers_unchecked)
        return layer->bytes.left + layer->ahead < IP6_HEADER ? &stats->ignored.ip_short : NULL;
    if (layer->bytes.left < IP6_HEADER)
        return &stats->ignored.ip_short;
    return bytes_u8_at(&layer->bytes, 0) >> 4 != 6 ? &stats->ignored.ip_version : NULL;
}

static uint64_t *ip6_decode(const struct rules *rules, struct layer *layer, struct packet *packet,
                            struct ip_payload *payload, struct tracker_stats *stats)
{
    struct bytes *bytes = &layer->bytes;
    uint64_t *wrong = ip6_check(rules, layer, stats);
    uint32_t length;

    if (wrong)
        return wrong;
    length = ip6_length(rules, layer);
    if (rules->length_from_capture)
        length = cut_to_capture(layer, length);
    else if (length < IP6_HEADER || (layer->carried && length > layer->wire))
        return &stats->ignored.ip_total_length;
    packet->family = 6;
    packet->ttl = bytes_u8_at(bytes, 7);
    bytes_copy_at(bytes, 8, packet->key.source, sizeof packet->key.source);
    bytes_copy_at(bytes, 24, packet->key.destination, sizeof packet->key.destination);
    payload->length = (int32_t)length - IP6_HEADER;
    payload->protocol = bytes_u8_at(bytes, 6);
    layer_pass(layer, IP6_HEADER, LAYER_OTHER);
    if (rules->ext_headers_by_eight)
        return ip6_walk_by_eight(layer, payload, stats);
    return ip6_walk(layer, payload, stats);
}

uint64_t *ip_decode(const struct rules *rules, struct layer *layer, struct packet *packet,
                    struct ip_payload *payload, struct tracker_stats *stats)
{
    *payload = (struct ip_payload){0};
    if (__builtin_expect(layer->type == LAYER_IPV4, 1))
        return ip4_decode(rules, layer, packet, payload, stats);
    return ip6_decode(rules, layer, packet, payload, stats);
}

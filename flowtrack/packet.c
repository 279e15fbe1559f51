/* packet.c - a frame from its first octet to its transport header.
 *
 *     link header    link.h       Ethernet here, since nearly all frames are
 *     tags           tunnel.h     VLAN, MPLS, PPPoE ...
 *     IP             ip.h         addresses, extension headers, fragment
 *     transport      here         ports, payload, keyword
 *     tunnel         tunnel.h     and from the tags on again, for what is in it
 *
 * A tunnel that holds no well-formed IP packet counts as the packet that carries it, so the view of the outer
 * packet is complete before anything in it is tried. Fragments are not looked into: only the first could be.
 */
#include "flowtrack/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/fragment.h"
#include "flowtrack/ip.h"
#include "flowtrack/layer.h"
#include "flowtrack/link.h"
#include "flowtrack/tunnel.h"

struct decoder {
    struct rules rules;
    const struct link_type *link; /* NULL: a link type that is not decoded */
    bool ethernet;                /* link is Ethernet's */
    struct tracker_stats *stats;
    struct fragment_table *fragments; /* NULL: the rules do not join them */
};

/* ---- transport ---- */

static void set_payload(struct packet *packet, const struct bytes *bytes, int32_t length)
{
    uint32_t sent = length > 0 ? (uint32_t)length : 0;

    packet->payload_length = length;
    packet->payload_captured = bytes->left < sent ? (uint32_t)bytes->left : sent;
    packet->payload = packet->payload_captured > 0 ? bytes->at : NULL;
}

static void set_ports(struct packet *packet, struct bytes *bytes)
{
    packet->key.source_port = bytes_be16_at(bytes, 0);
    packet->key.destination_port = bytes_be16_at(bytes, 2);
}

static void copy_tcp_options(struct packet *packet, struct bytes *bytes, uint32_t header)
{
    enum { TCP_HEADER = 20 };
    uint32_t end = bytes->left < header ? (uint32_t)bytes->left : header;

    if (end <= TCP_HEADER)
        return;
    packet->tcp_options_length = (uint8_t)(end - TCP_HEADER);
    bytes_copy_at(bytes, TCP_HEADER, packet->tcp_options, packet->tcp_options_length);
}

/* Return: false if the header is malformed. */
static bool decode_tcp(const struct rules *rules, struct packet *packet, struct bytes bytes, int32_t length)
{
    enum { TCP_HEADER = 20 };
    uint32_t header = (bytes_u8_at(&bytes, 12) >> 4) * 4u;

    packet->tcp_seq = bytes_be32_at(&bytes, 4);
    packet->tcp_flags = bytes_u8_at(&bytes, 13);
    if (header < TCP_HEADER || (int32_t)header > length || (bytes.failed && !rules->headers_unchecked))
        return false;
    packet->tcp_window = bytes_be16_at(&bytes, 14);
    set_ports(packet, &bytes);
    if (packet->tcp_flags & TCP_SYN)
        copy_tcp_options(packet, &bytes, header);
    bytes_skip(&bytes, header);
    set_payload(packet, &bytes, length - (int32_t)header);
    if (packet->payload_length > 0)
        packet->keyword = (uint8_t)keyword_of_tcp(&bytes, (uint32_t)packet->payload_length);
    return true;
}

static bool decode_udp(const struct rules *rules, struct packet *packet, struct bytes bytes, int32_t length)
{
    enum { UDP_HEADER = 8 };

    set_ports(packet, &bytes);
    if (length < UDP_HEADER || (bytes.failed && !rules->headers_unchecked)) {
        packet->key.source_port = packet->key.destination_port = 0;
        return false;
    }
    bytes_skip(&bytes, UDP_HEADER);
    set_payload(packet, &bytes, length - UDP_HEADER);
    if (packet->payload_length > 0)
        packet->keyword =
            (uint8_t)keyword_of_udp(&bytes, (uint32_t)packet->payload_length, rules->dns_asker_is_server);
    return true;
}

static bool decode_icmp(const struct rules *rules, struct packet *packet, struct bytes bytes, int32_t length)
{
    enum { ICMP_HEADER = 8 };

    packet->icmp_type = bytes_u8_at(&bytes, 0);
    packet->icmp_code = bytes_u8_at(&bytes, 1);
    if (length < ICMP_HEADER || (bytes.failed && !rules->headers_unchecked))
        return false;
    bytes_skip(&bytes, ICMP_HEADER);
    set_payload(packet, &bytes, length - ICMP_HEADER);
    return true;
}

/* Decode the transport header.
 *
 * bytes: before it.
 * length: octets of header and payload.
 */
static void decode_transport(struct decoder *decoder, struct packet *packet, struct bytes bytes,
                             int32_t length)
{
    uint64_t *malformed;

    bytes.failed = false;
    switch (packet->key.protocol) {
    case IPPROTO_TCP:
        if (__builtin_expect(decode_tcp(&decoder->rules, packet, bytes, length), 1))
            return;
        malformed = &decoder->stats->trimmed.tcp_header;
        break;
    case IPPROTO_UDP:
        if (__builtin_expect(decode_udp(&decoder->rules, packet, bytes, length), 1))
            return;
        malformed = &decoder->stats->trimmed.udp_header;
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if (decode_icmp(&decoder->rules, packet, bytes, length))
            return;
        malformed = &decoder->stats->trimmed.icmp_header;
        break;
    default:
        set_payload(packet, &bytes, length);
        return;
    }
    packet->malformed = true;
    set_payload(packet, &bytes, length);
    ++*malformed;
}

/* ---- network ---- */

/* From an IP header (or something else) to the payload of its transport.
 *
 * layer: goes to the transport header.
 *
 * Return: NULL, or the counter of what is wrong.
 */
static uint64_t *decode_network(struct decoder *decoder, struct packet *packet, struct layer *layer,
                                struct ip_payload *payload)
{
    const struct rules *rules = &decoder->rules;
    uint64_t *wrong;

    if (layer->type != LAYER_IPV4 && layer->type != LAYER_IPV6)
        return &decoder->stats->ignored.not_ip;
    memset(packet, 0, offsetof(struct packet, tcp_options));
    wrong = ip_decode(rules, layer, packet, payload, decoder->stats);
    if (__builtin_expect(wrong != NULL, 0))
        return wrong;
    if (!rules->families_share_keys)
        packet->key.family = packet->family;
    packet->key.protocol = payload->protocol;
    if (__builtin_expect(payload->fragment, 0)) {
        if (!rules->join_fragments)
            packet->key.protocol = 0;
        if (payload->offset != 0) {
            set_payload(packet, &layer->bytes, payload->length);
            return NULL;
        }
    }
    decode_transport(decoder, packet, layer->bytes, payload->length);
    return NULL;
}

/* Limit a layer to the payload of the IP packet that it stands in: what lies behind is padding. */
static void limit(struct layer *layer, int32_t length)
{
    uint32_t octets = length > 0 ? (uint32_t)length : 0;

    layer->carried = true;
    if (layer->wire > octets)
        layer->wire = octets;
    if (layer->bytes.left > octets)
        layer->bytes.left = octets;
}

/* Replace the view by that of the innermost packet of the tunnels in it. */
static void look_through(struct decoder *decoder, struct packet *packet, struct layer *layer,
                         struct ip_payload *payload)
{
    while (!payload->fragment) {
        struct ip_payload inner_payload;
        struct packet inner;
        enum tunnel_result result;

        limit(layer, payload->length);
        result = tunnel_enter(layer, packet->key.protocol, packet->key.destination_port);
        if (result == TUNNEL_NONE)
            return;
        if (result == TUNNEL_DEEP || !tunnel_skip_tags(layer)) {
            decoder->stats->trimmed.tunnels_deep++;
            return;
        }
        if (layer->bytes.failed || decode_network(decoder, &inner, layer, &inner_payload)) {
            decoder->stats->trimmed.tunnel_content++;
            return;
        }
        *packet = inner;
        *payload = inner_payload;
    }
}

/* ---- link ---- */

/* Joy's filter "ip or ip6 or vlan" on a frame whose link header is complete. */
static bool passes_filter(const struct layer *layer)
{
    switch (layer->type) {
    case LAYER_IPV4:
    case LAYER_IPV6:
    case LAYER_VLAN:
    case LAYER_VLAN_SERVICE:
    case LAYER_VLAN_OLD:
        return !layer->bytes.failed;
    default:
        return false;
    }
}

/* Joy looks past two tags, and past those with this type only. */
static void skip_two_tags(struct layer *layer)
{
    for (unsigned i = 0; i < 2; i++) {
        if (layer->type != LAYER_VLAN && layer->type != LAYER_VLAN_SERVICE)
            return;
        layer_pass(layer, 4, bytes_be16_at(&layer->bytes, 2));
        layer->ahead += 4;
    }
}

/* Take a layer past everything before the IP header.
 *
 * Return: NULL, or the counter of what is wrong.
 */
static uint64_t *decode_link(struct decoder *decoder, struct layer *layer)
{
    if (__builtin_expect(decoder->ethernet, 1))
        layer_pass(layer, LAYER_ETHERNET_HEADER, bytes_be16_at(&layer->bytes, 12));
    else if (decoder->link)
        decoder->link->decode(layer);
    else
        return &decoder->stats->ignored.link_type;
    if (decoder->rules.ethernet_only_filter) {
        if (!passes_filter(layer))
            return &decoder->stats->ignored.filtered;
        skip_two_tags(layer);
        return NULL;
    }
    if (!tunnel_skip_tags(layer))
        return &decoder->stats->ignored.tags_deep;
    return layer->bytes.failed ? &decoder->stats->ignored.link_short : NULL;
}

/* ---- decoder ---- */

enum packet_result packet_decode(struct decoder *decoder, struct packet *packet, int64_t time,
                                 uint32_t captured, uint32_t wire, const uint8_t *bytes)
{
    struct layer layer = {
        .bytes = bytes_over(bytes, captured),
        .wire = wire > captured ? wire : captured,
        .ahead = LAYER_ETHERNET_HEADER,
    };
    struct ip_payload payload;
    uint64_t *wrong = decode_link(decoder, &layer);

    if (layer.wire > INT32_MAX)
        layer.wire = INT32_MAX;
    if (__builtin_expect(!wrong, 1))
        wrong = decode_network(decoder, packet, &layer, &payload);
    if (__builtin_expect(wrong != NULL, 0)) {
        ++*wrong;
        return wrong == &decoder->stats->ignored.filtered ? PACKET_FILTERED : PACKET_IGNORED;
    }
    if (decoder->rules.look_through &&
        __builtin_expect(tunnel_is_possible(packet->key.protocol, packet->key.destination_port), 0))
        look_through(decoder, packet, &layer, &payload);
    packet->time = time;
    if (wire > captured) {
        packet->snapped = true;
        decoder->stats->trimmed.snap++;
    }
    if (__builtin_expect(payload.fragment, 0) && decoder->fragments)
        return fragment_table_place(decoder->fragments, packet, &payload);
    return PACKET_DECODED;
}

bool packet_held(struct decoder *decoder, struct packet *packet)
{
    return decoder->fragments && fragment_table_take(decoder->fragments, packet);
}

void decoder_expire(struct decoder *decoder, int64_t now)
{
    if (decoder->fragments)
        fragment_table_expire(decoder->fragments, now);
}

int decoder_set_link_type(struct decoder *decoder, int link_type)
{
    decoder->link = link_type_find(link_type);
    decoder->ethernet = decoder->link && decoder->link->number == DLT_EN10MB;
    return decoder->link ? 0 : -EPROTONOSUPPORT;
}

int decoder_new(struct decoder **decoderp, const struct rules *rules, struct tracker_stats *stats)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);

    if (!decoder)
        return -ENOMEM;
    decoder->rules = *rules;
    decoder->stats = stats;
    if (rules->join_fragments && fragment_table_new(&decoder->fragments, stats) < 0) {
        free(decoder);
        return -ENOMEM;
    }
    (void)decoder_set_link_type(decoder, DLT_EN10MB);
    *decoderp = decoder;
    return 0;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    fragment_table_free(decoder->fragments);
    free(decoder);
}

/* The decoder under both rule sets. A case is a frame and what each set makes of it; the bytes of a frame are
 * exactly as long as what was captured, so that a sanitizer sees any read behind them.
 */
#include "flowtrack/packet.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

enum { ETHERNET = 1, IPV4 = 0x0800, IPV6 = 0x86dd, ARP = 0x0806, VLAN = 0x8100, VLAN_SERVICE = 0x88a8 };

/* ---- Ethernet and tags ---- */

static void udp4(struct octets *frame)
{
    frame_ethernet(frame, IPV4);
    frame_udp4(frame, 10);
}

static void udp4_padded(struct octets *frame)
{
    udp4(frame);
    octets_fill(frame, 0, 8);
}

static void udp6(struct octets *frame)
{
    frame_ethernet(frame, IPV6);
    frame_udp6(frame, 10);
}

static void arp(struct octets *frame)
{
    frame_ethernet(frame, ARP);
    octets_fill(frame, 0, 28);
}

static void short_frame(struct octets *frame)
{
    frame_ethernet(frame, IPV4);
    frame->length = 13;
}

static void llc_frame(struct octets *frame)
{
    frame_ethernet(frame, 46); /* IEEE 802.3: a length */
    octets_u32(frame, 0xaaaa0300);
    octets_u32(frame, 0x00000000 | IPV4);
    frame_udp4(frame, 10);
}

static void one_tag(struct octets *frame)
{
    frame_ethernet(frame, VLAN);
    frame_vlan(frame, IPV4);
    frame_udp4(frame, 10);
}

static void two_tags(struct octets *frame)
{
    frame_ethernet(frame, VLAN_SERVICE);
    frame_vlan(frame, VLAN);
    frame_vlan(frame, IPV6);
    frame_udp6(frame, 10);
}

static void three_tags(struct octets *frame)
{
    frame_ethernet(frame, VLAN);
    frame_vlan(frame, VLAN);
    frame_vlan(frame, VLAN);
    frame_vlan(frame, IPV4);
    frame_udp4(frame, 10);
}

static void old_tag(struct octets *frame)
{
    frame_ethernet(frame, 0x9100);
    frame_vlan(frame, IPV4);
    frame_udp4(frame, 10);
}

static void tag_and_arp(struct octets *frame)
{
    frame_ethernet(frame, VLAN);
    frame_vlan(frame, ARP);
    octets_fill(frame, 0, 28);
}

static void cut_in_tag(struct octets *frame)
{
    one_tag(frame);
    frame->length = 16;
}

/* ---- IPv4 ---- */

static void ip4_options(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_UDP);
    octets_set(frame, at, 0x46, 1);
    octets_fill(frame, 1, 4);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 3);
    frame_ip4_end(frame, at);
}

static void ip4_header_of_16(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 14, 0x44, 1);
}

static void ip4_version_5(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 14, 0x55, 1);
}

static void ip4_length_19(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 19, 2);
}

static void ip4_length_below_header(struct octets *frame)
{
    ip4_options(frame);
    octets_set(frame, 16, 22, 2);
}

static void ip4_offload(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 0, 2);
}

static void ip4_longer_than_frame(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 1000, 2);
}

static void ip4_slightly_longer(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 38 + 14, 2); /* as long as the whole frame: Joy's test lets it through */
}

static void ip4_cut(struct octets *frame)
{
    udp4(frame);
    frame->length = 14 + 12;
}

static void ip4_other_protocol(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_SCTP);
    octets_fill(frame, 0, 12);
    frame_ip4_end(frame, at);
}

static void ip4_authenticated(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_AH);
    octets_u8(frame, IPPROTO_UDP);
    octets_u8(frame, 4);
    octets_fill(frame, 0, 22);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip4_end(frame, at);
}

static void ip4_authentication_too_long(struct octets *frame)
{
    ip4_authenticated(frame);
    octets_set(frame, 14 + 20 + 1, 200, 1);
}

static void ip4_first_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4_part(frame, IPPROTO_UDP, 1, 0x2000);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 16);
    frame_ip4_end(frame, at);
}

static void ip4_later_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4_part(frame, IPPROTO_UDP, 1, 3);
    octets_fill(frame, 'x', 16);
    frame_ip4_end(frame, at);
}

static void ip4_do_not_fragment(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 20, 0xc000, 2); /* reserved bit and DF */
}

/* ---- IPv6 ---- */

static void ip6_extensions(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_ROUTING, 0);
    frame_extension(frame, IPPROTO_UDP, 0);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_long_extension(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_DSTOPTS);
    frame_extension(frame, IPPROTO_UDP, 2);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_authenticated(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_AH);
    octets_u8(frame, IPPROTO_UDP);
    octets_u8(frame, 1); /* 12 octets, no multiple of 8 */
    octets_fill(frame, 0, 10);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

static void ip6_encrypted(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_ESP);
    octets_fill(frame, 0xee, 32);
    frame_ip6_end(frame, at);
}

static void ip6_no_next(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_NONE, 0);
    frame_ip6_end(frame, at);
}

static void ip6_extension_leaves_packet(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_HOPOPTS, 0);
    frame_ip6_end(frame, at);
}

static void ip6_endless_extensions(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_fill(frame, 0, 2100);
    frame_ip6_end(frame, at);
}

static void ip6_n_wraps(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_fill(frame, 0, 2100);
    octets_set(frame, at + 40 + 8 * 255, IPPROTO_SCTP, 1); /* n is 0 again behind it */
    frame_ip6_end(frame, at);
}

static void ip6_offload(struct octets *frame)
{
    udp6(frame);
    octets_set(frame, 18, 0, 2);
}

static void ip6_jumbo(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    octets_u16(frame, IPPROTO_UDP << 8);
    octets_u16(frame, 0xc204);
    octets_u32(frame, 8 + 8 + 70000);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 70000 + 5);
    octets_set(frame, at + 4, 0, 2);
}

static void ip6_version_4(struct octets *frame)
{
    udp6(frame);
    octets_set(frame, 14, 0x45, 1);
}

static void ip6_cut(struct octets *frame)
{
    udp6(frame);
    frame->length = 14 + 39;
}

static void ip6_frame_of_39(struct octets *frame)
{
    udp6(frame);
    frame->length = 39;
}

static void ip6_atomic_fragment(struct octets *frame)
{
    size_t at;

    frame_ethernet(frame, IPV6);
    at = frame_ip6(frame, IPPROTO_FRAGMENT);
    frame_fragment(frame, IPPROTO_UDP, 0, 99);
    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', 10);
    frame_ip6_end(frame, at);
}

/* ---- transport ---- */

static void tcp_payload(struct octets *frame, uint8_t options, const char *payload)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, IPPROTO_TCP);
    frame_tcp(frame, 1000, 80, FRAME_TCP_ACK, options);
    octets_put(frame, payload, strlen(payload));
    frame_ip4_end(frame, at);
}

static void tcp_plain(struct octets *frame)
{
    tcp_payload(frame, 12, "hello");
}

static void tcp_get(struct octets *frame)
{
    tcp_payload(frame, 0, "GET / HTTP/1.1");
}

static void tcp_bad_offset(struct octets *frame)
{
    tcp_payload(frame, 0, "GET / HTTP/1.1");
    octets_set(frame, 14 + 20 + 12, 0x40, 1);
}

static void tcp_offset_beyond_end(struct octets *frame)
{
    tcp_payload(frame, 0, "");
    octets_set(frame, 14 + 20 + 12, 0x60, 1);
}

static void tcp_header_not_captured(struct octets *frame)
{
    tcp_payload(frame, 0, "GET / HTTP/1.1");
    frame->length = 14 + 20 + 12;
}

static void udp_of_7(struct octets *frame)
{
    udp4(frame);
    octets_set(frame, 16, 27, 2);
}

static void icmp_of(struct octets *frame, uint8_t protocol, size_t length)
{
    size_t at;

    frame_ethernet(frame, IPV4);
    at = frame_ip4(frame, protocol);
    octets_fill(frame, 8, length);
    frame_ip4_end(frame, at);
}

static void icmp(struct octets *frame)
{
    icmp_of(frame, IPPROTO_ICMP, 20);
}

static void icmp6_in_ip4(struct octets *frame)
{
    icmp_of(frame, IPPROTO_ICMPV6, 20);
}

static void icmp_of_7(struct octets *frame)
{
    icmp_of(frame, IPPROTO_ICMP, 7);
}

#define UDP4 "10.0.0.1:1000>10.0.0.2:2000 17 "
#define UDP6 "2001:db8::1:1000>2001:db8::2:2000 17 "

static const struct {
    const char *name;
    void (*make)(struct octets *frame);
    const char *joy;
    const char *flowclassd;
} cases[] = {
    {"IPv4", udp4, UDP4 "10", UDP4 "10"},
    {"padding", udp4_padded, UDP4 "10", UDP4 "10"},
    {"IPv6", udp6, UDP6 "10", UDP6 "10"},
    {"ARP", arp, "filtered: filtered", "ignored: not_ip"},
    {"13 octets", short_frame, "filtered: filtered", "ignored: link_short"},
    {"LLC", llc_frame, "filtered: filtered", UDP4 "10"},
    {"one tag", one_tag, UDP4 "10", UDP4 "10"},
    {"two tags", two_tags, UDP6 "10", UDP6 "10"},
    {"three tags", three_tags, "ignored: not_ip", UDP4 "10"},
    {"old tag", old_tag, "ignored: not_ip", UDP4 "10"},
    {"tag and ARP", tag_and_arp, "ignored: not_ip", "ignored: not_ip"},
    {"cut in tag", cut_in_tag, "ignored: not_ip", "ignored: link_short"},

    {"IPv4 options", ip4_options, UDP4 "3", UDP4 "3"},
    {"IHL 4", ip4_header_of_16, "ignored: ip_header_length", "ignored: ip_header_length"},
    {"version 5", ip4_version_5, UDP4 "10", "ignored: ip_version"},
    {"length 19", ip4_length_19, "ignored: ip_total_length", "ignored: ip_total_length"},
    {"length below header", ip4_length_below_header, "10.0.0.1:0>10.0.0.2:0 17 -2 malformed [udp_header]",
     "ignored: ip_total_length"},
    {"off-load", ip4_offload, "ignored: ip_total_length", UDP4 "10"},
    {"longer than the frame", ip4_longer_than_frame, UDP4 "10", UDP4 "972"},
    {"longer by the link header", ip4_slightly_longer, UDP4 "24", UDP4 "24"},
    {"IPv4 cut", ip4_cut, "0.0.0.0:0>0.0.0.0:0 17 -8 malformed [udp_header]", "ignored: ip_short"},
    {"other protocol", ip4_other_protocol, "10.0.0.1:0>10.0.0.2:0 132 12", "10.0.0.1:0>10.0.0.2:0 132 12"},
    {"AH in IPv4", ip4_authenticated, "10.0.0.1:0>10.0.0.2:0 51 42", UDP4 "10"},
    {"AH too long", ip4_authentication_too_long, "10.0.0.1:0>10.0.0.2:0 51 42", "ignored: ip_extension"},
    {"first fragment", ip4_first_fragment, "10.0.0.1:0>10.0.0.2:0 0 24", UDP4 "16"},
    {"later fragment", ip4_later_fragment, "10.0.0.1:0>10.0.0.2:0 0 16", "held"},
    {"do not fragment", ip4_do_not_fragment, UDP4 "10", UDP4 "10"},

    {"extension headers", ip6_extensions, UDP6 "26", UDP6 "10"},
    {"long extension header", ip6_long_extension, "2001:db8::1:0>2001:db8::2:0 17 34", UDP6 "10"},
    {"AH in IPv6", ip6_authenticated, "2001:db8::1:0>2001:db8::2:0 17 22", UDP6 "10"},
    {"ESP", ip6_encrypted, "2001:db8::1:0>2001:db8::2:0 238 32", "2001:db8::1:0>2001:db8::2:0 50 32"},
    {"no next header", ip6_no_next, "ignored: ip_no_next", "ignored: ip_no_next"},
    {"walk leaves the packet", ip6_extension_leaves_packet, "ignored: ip_extension", "ignored: ip_extension"},
    {"endless walk", ip6_endless_extensions, "ignored: ip_extension", "ignored: ip_extension"},
    {"n wraps", ip6_n_wraps, "2001:db8::1:0>2001:db8::2:0 132 2100", "ignored: ip_extension"},
    {"IPv6 off-load", ip6_offload, "2001:db8::1:0>2001:db8::2:0 17 0 malformed [udp_header]", UDP6 "10"},
    {"jumbo", ip6_jumbo, "2001:db8::1:0>2001:db8::2:0 17 0 malformed [udp_header]", UDP6 "70000"},
    {"version 4", ip6_version_4, UDP6 "10", "ignored: ip_version"},
    {"IPv6 cut", ip6_cut, "2001:db8::1:0>2001:db8:::0 17 -1 malformed [udp_header]", "ignored: ip_short"},
    {"frame of 39", ip6_frame_of_39, "ignored: ip_short", "ignored: ip_short"},
    {"atomic fragment", ip6_atomic_fragment, UDP6 "18", UDP6 "10"},

    {"TCP", tcp_plain, "10.0.0.1:1000>10.0.0.2:80 6 5", "10.0.0.1:1000>10.0.0.2:80 6 5"},
    {"GET", tcp_get, "10.0.0.1:1000>10.0.0.2:80 6 14 client", "10.0.0.1:1000>10.0.0.2:80 6 14 client"},
    {"data offset 16", tcp_bad_offset, "10.0.0.1:0>10.0.0.2:0 6 34 malformed [tcp_header]",
     "10.0.0.1:0>10.0.0.2:0 6 34 malformed [tcp_header]"},
    {"data offset beyond end", tcp_offset_beyond_end, "10.0.0.1:0>10.0.0.2:0 6 20 malformed [tcp_header]",
     "10.0.0.1:0>10.0.0.2:0 6 20 malformed [tcp_header]"},
    {"TCP header not captured", tcp_header_not_captured, "10.0.0.1:0>10.0.0.2:0 6 12 malformed [tcp_header]",
     "10.0.0.1:0>10.0.0.2:0 6 34 malformed [tcp_header]"},
    {"UDP of 7", udp_of_7, "10.0.0.1:0>10.0.0.2:0 17 7 malformed [udp_header]",
     "10.0.0.1:0>10.0.0.2:0 17 7 malformed [udp_header]"},
    {"ICMP", icmp, "10.0.0.1:0>10.0.0.2:0 1 12", "10.0.0.1:0>10.0.0.2:0 1 12"},
    {"ICMPv6 in IPv4", icmp6_in_ip4, "10.0.0.1:0>10.0.0.2:0 58 12", "10.0.0.1:0>10.0.0.2:0 58 12"},
    {"ICMP of 7", icmp_of_7, "10.0.0.1:0>10.0.0.2:0 1 7 malformed [icmp_header]",
     "10.0.0.1:0>10.0.0.2:0 1 7 malformed [icmp_header]"},
};

/* Decode a copy of exactly the captured size, with the wire length of the frame. */
static enum packet_result decode(struct decoder *decoder, struct packet *packet, const struct octets *frame,
                                 uint32_t wire)
{
    uint8_t *exact = malloc(frame->length ? frame->length : 1);
    enum packet_result result;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, frame->bytes, frame->length);
    result = packet_decode(decoder, packet, 0, (uint32_t)frame->length, wire, exact);
    if (result == PACKET_DECODED && packet->payload_captured > 0) {
        ck_assert(packet->payload >= exact);
        ck_assert(packet->payload + packet->payload_captured <= exact + frame->length);
    }
    free(exact);
    return result;
}

/* Return: 1 if it is not as wanted, which is printed. */
static unsigned check(const struct rules *rules, const char *name, void (*make)(struct octets *),
                      const char *want)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    enum packet_result result;
    const char *words;
    unsigned wrong;

    frame.length = 0;
    make(&frame);
    ck_assert_int_eq(decoder_new(&decoder, rules, &stats), 0);
    result = decode(decoder, &packet, &frame, (uint32_t)frame.length);
    words = frame_words(result, &packet, &stats);
    wrong = strcmp(words, want) != 0;
    if (wrong)
        printf("%s, %s: \"%s\", want \"%s\"\n", rules->name, name, words, want);
    decoder_free(decoder);
    return wrong;
}

START_TEST(frames_under_both_rule_sets)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wrong += check(&rules_joy, cases[i].name, cases[i].make, cases[i].joy);
        wrong += check(&rules_flowclassd, cases[i].name, cases[i].make, cases[i].flowclassd);
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Every frame cut at every length, under both rule sets: nothing is read behind the end. */
START_TEST(frames_cut_anywhere)
{
    static const struct rules *const sets[] = {&rules_joy, &rules_flowclassd};
    static struct octets frame;

    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct tracker_stats stats = {0};
        struct decoder *decoder = NULL;
        struct packet packet;
        size_t whole;

        frame.length = 0;
        cases[i / 2].make(&frame);
        whole = frame.length;
        ck_assert_int_eq(decoder_new(&decoder, sets[i % 2], &stats), 0);
        for (frame.length = 0; frame.length <= whole && frame.length < 300; frame.length++)
            (void)decode(decoder, &packet, &frame, (uint32_t)whole);
        decoder_free(decoder);
    }
}
END_TEST

START_TEST(fields_of_a_segment)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    size_t at;

    frame_ethernet(&frame, IPV4);
    at = frame_ip4(&frame, IPPROTO_TCP);
    frame_tcp(&frame, 1000, 80, TCP_SYN, 8);
    octets_put(&frame, "data", 4);
    frame_ip4_end(&frame, at);
    ck_assert_int_eq(decoder_new(&decoder, &rules_flowclassd, &stats), 0);
    ck_assert_int_eq(packet_decode(decoder, &packet, 12345, (uint32_t)frame.length, 100, frame.bytes),
                     PACKET_DECODED);
    ck_assert_int_eq(packet.time, 12345);
    ck_assert_uint_eq(packet.ip_id, 0x1234);
    ck_assert_uint_eq(packet.ttl, 64);
    ck_assert_uint_eq(packet.family, 4);
    ck_assert_uint_eq(packet.key.family, 4);
    ck_assert_uint_eq(packet.tcp_seq, 1000);
    ck_assert_uint_eq(packet.tcp_window, 8192);
    ck_assert_uint_eq(packet.tcp_flags, TCP_SYN);
    ck_assert_uint_eq(packet.tcp_options_length, 8);
    ck_assert_mem_eq(packet.tcp_options, "\1\1\1\1\1\1\1\1", 8);
    ck_assert_mem_eq(packet.payload, "data", 4);
    ck_assert_uint_eq(packet.payload_captured, 4);
    ck_assert(packet.snapped);
    ck_assert_uint_eq(stats.trimmed.snap, 1);
    decoder_free(decoder);
}
END_TEST

START_TEST(families_share_keys_under_joy_only)
{
    static struct octets frame;
    static const struct rules *const sets[] = {&rules_joy, &rules_flowclassd};
    static const uint8_t want[] = {0, 6};

    for (size_t i = 0; i < 2; i++) {
        struct tracker_stats stats = {0};
        struct decoder *decoder = NULL;
        struct packet packet;

        frame.length = 0;
        udp6(&frame);
        ck_assert_int_eq(decoder_new(&decoder, sets[i], &stats), 0);
        ck_assert_int_eq(decode(decoder, &packet, &frame, 0), PACKET_DECODED);
        ck_assert_uint_eq(packet.key.family, want[i]);
        ck_assert_uint_eq(packet.family, 6);
        decoder_free(decoder);
    }
}
END_TEST

/* A segmentation off-load packet has its size from the wire, a cut one from its header. */
START_TEST(sizes_do_not_come_from_what_was_captured)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;

    ck_assert_int_eq(decoder_new(&decoder, &rules_flowclassd, &stats), 0);
    ip4_offload(&frame);
    ck_assert_int_eq(decode(decoder, &packet, &frame, 14 + 20 + 8 + 40000), PACKET_DECODED);
    ck_assert_int_eq(packet.payload_length, 40000);
    ck_assert_uint_eq(packet.payload_captured, 10);
    frame.length = 0;
    udp4(&frame);
    octets_set(&frame, 16, 1028, 2);
    ck_assert_int_eq(decode(decoder, &packet, &frame, 14 + 1028), PACKET_DECODED);
    ck_assert_int_eq(packet.payload_length, 1000);
    decoder_free(decoder);
}
END_TEST

int main(void)
{
    return UNIT_RUN("packet", frames_under_both_rule_sets, frames_cut_anywhere, fields_of_a_segment,
                    families_share_keys_under_joy_only, sizes_do_not_come_from_what_was_captured);
}

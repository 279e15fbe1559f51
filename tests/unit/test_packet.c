/* Ethernet frames, tags and transport headers under both rule sets. */
#include "flowtrack/packet.h"

#include <errno.h>
#include <netinet/in.h>

#include "tests/unit/allocations.h"
#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

enum { IPV4 = 0x0800, IPV6 = 0x86dd, ARP = 0x0806, VLAN = 0x8100, VLAN_SERVICE = 0x88a8 };

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

static const struct frame_case cases[] = {
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

START_TEST(frames_under_both_rule_sets)
{
    frame_check_cases(cases, sizeof cases / sizeof cases[0]);
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
        ck_assert_int_eq(frame_decode(decoder, &packet, 0, &frame, 0), PACKET_DECODED);
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
    udp4(&frame);
    octets_set(&frame, 16, 0, 2);
    ck_assert_int_eq(frame_decode(decoder, &packet, 0, &frame, 14 + 20 + 8 + 40000), PACKET_DECODED);
    ck_assert_int_eq(packet.payload_length, 40000);
    ck_assert_uint_eq(packet.payload_captured, 10);
    frame.length = 0;
    udp4(&frame);
    octets_set(&frame, 16, 1028, 2);
    ck_assert_int_eq(frame_decode(decoder, &packet, 0, &frame, 14 + 1028), PACKET_DECODED);
    ck_assert_int_eq(packet.payload_length, 1000);
    decoder_free(decoder);
}
END_TEST

START_TEST(allocation_failures_are_reported)
{
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    unsigned long n;

    for (n = 0; allocations_fail_at(n), decoder_new(&decoder, &rules_flowclassd, &stats) != 0; n++)
        ck_assert_ptr_null(decoder);
    (void)allocations_fail_none();
    ck_assert_uint_eq(n, 2);
    decoder_free(decoder);
    decoder_free(NULL);
}
END_TEST

int main(void)
{
    return UNIT_RUN("packet", frames_under_both_rule_sets, fields_of_a_segment,
                    families_share_keys_under_joy_only, sizes_do_not_come_from_what_was_captured,
                    allocation_failures_are_reported);
}

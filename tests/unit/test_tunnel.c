/* Tags and tunnels, looked through under the flowclassd rules and left alone under Joy's. A case is a list of
 * headers; the packet at the end is a UDP datagram. */
#include "flowtrack/tunnel.h"

#include <netinet/in.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

enum {
    IPV4 = 0x0800,
    IPV6 = 0x86dd,
    MPLS = 0x8847,
    PPPOE = 0x8864,
    VLAN = 0x8100,
    PORT_GTP = 2152,
    PORT_VXLAN = 4789
};

/* Outer IPv4 and IPv6 headers, closed when the frame is done. */
struct outer {
    size_t at[16];
    bool six[16];
    unsigned n;
};

static void outer4(struct octets *frame, struct outer *outer, uint8_t protocol)
{
    outer->six[outer->n] = false;
    outer->at[outer->n++] = frame_ip4(frame, protocol);
}

static void outer6(struct octets *frame, struct outer *outer, uint8_t next)
{
    outer->six[outer->n] = true;
    outer->at[outer->n++] = frame_ip6(frame, next);
}

static void outer_udp(struct octets *frame, struct outer *outer, uint16_t port)
{
    frame_ethernet(frame, IPV4);
    outer4(frame, outer, IPPROTO_UDP);
    frame_udp(frame, 40000, port);
}

/* A header is what a function of one of these letters puts. */
static void put(struct octets *frame, struct outer *outer, char what)
{
    switch (what) {
    case '4': /* the packet itself */
        frame_udp4(frame, 10);
        break;
    case '6':
        frame_udp6(frame, 10);
        break;
    case 'e':
        frame_ethernet(frame, IPV4);
        break;
    case 's':
        frame_ethernet(frame, IPV6);
        break;
    case 'i':
        outer4(frame, outer, IPPROTO_IPIP);
        break;
    case 'j':
        outer4(frame, outer, IPPROTO_IPV6);
        break;
    case 'k':
        outer6(frame, outer, IPPROTO_IPIP);
        break;
    case 'l':
        outer6(frame, outer, IPPROTO_IPV6);
        break;
    case 'g':
        outer4(frame, outer, IPPROTO_GRE);
        break;
    case 'V':
        outer_udp(frame, outer, PORT_VXLAN);
        break;
    case 'G':
        outer_udp(frame, outer, PORT_GTP);
        break;
    default:
        ck_abort();
    }
}

static const struct {
    const char *name;
    const char *before; /* letters of put() */
    size_t length;
    uint8_t header[64]; /* between what is before and what is behind */
    const char *behind;
    const char *joy;
    const char *flowclassd;
} cases[] = {
#define UDP4 "10.0.0.1:1000>10.0.0.2:2000 17 10"
#define UDP6 "2001:db8::1:1000>2001:db8::2:2000 17 10"
#define OUTER4(protocol, length) "10.0.0.1:0>10.0.0.2:0 " #protocol " " #length
#define OUTER6(protocol, length) "2001:db8::1:0>2001:db8::2:0 " #protocol " " #length
#define OUTER_UDP(port, length) "10.0.0.1:40000>10.0.0.2:" #port " 17 " #length
#define LOST " [tunnel_content]"
#define FILTERED "filtered: filtered"
#define NOT_IP "ignored: not_ip"
    {"4in4", "ei", 0, {0}, "4", OUTER4(4, 38), UDP4},
    {"6in4", "ej", 0, {0}, "6", OUTER4(41, 58), UDP6},
    {"4in6", "sk", 0, {0}, "4", OUTER6(4, 38), UDP4},
    {"6in6", "sl", 0, {0}, "6", OUTER6(41, 58), UDP6},
    {"4in4, nothing in it", "ei", 4, {0x45}, "", OUTER4(4, 4), OUTER4(4, 4) LOST},
    {"4in4, IPv6 in it", "ei", 0, {0}, "6", OUTER4(4, 58), OUTER4(4, 58) LOST},
    {"6in4, longer than the outer packet",
     "ej",
     44,
     {0x60, 0, 0, 0, 0, 5, 59},
     "",
     OUTER4(41, 44),
     OUTER4(41, 44) LOST},
    {"GRE", "eg", 4, {0, 0, 8, 0}, "4", OUTER4(47, 42), UDP4},
    {"GRE, all options", "eg", 16, {0xb0, 0, 0x86, 0xdd}, "6", OUTER4(47, 74), UDP6},
    {"GRE, Ethernet", "eg", 4, {0, 0, 0x65, 0x58}, "e4", OUTER4(47, 56), UDP4},
    {"GRE, tag", "eg", 8, {0, 0, 0x81, 0, 0, 1, 8, 0}, "4", OUTER4(47, 46), UDP4},
    {"GRE, PPTP",
     "eg",
     18,
     {0x30, 0x81, 0x88, 0x0b, 0, 42, 0, 1, [16] = 0x00, 0x21},
     "4",
     OUTER4(47, 56),
     UDP4},
    {"GRE, PPTP acknowledgement",
     "eg",
     12,
     {0x20, 0x81, 0x88, 0x0b},
     "",
     OUTER4(47, 12),
     OUTER4(47, 12) LOST},
    {"GRE, source routing", "eg", 4, {0x40, 0, 8, 0}, "4", OUTER4(47, 42), OUTER4(47, 42)},
    {"GRE, version 2", "eg", 4, {0, 2, 8, 0}, "4", OUTER4(47, 42), OUTER4(47, 42)},
    {"GRE, ARP", "eg", 4, {0, 0, 8, 6}, "4", OUTER4(47, 42), OUTER4(47, 42) LOST},
    {"GRE, cut", "eg", 3, {0, 0, 8}, "", OUTER4(47, 3), OUTER4(47, 3)},
    {"VXLAN", "V", 8, {8, 0, 0, 0, 0, 0, 7, 0}, "e4", OUTER_UDP(4789, 60), UDP4},
    {"VXLAN, IPv6", "V", 8, {8, 0, 0, 0, 0, 0, 7, 0}, "s6", OUTER_UDP(4789, 80), UDP6},
    {"VXLAN, no network", "V", 8, {0, 0, 0, 0, 0, 0, 7, 0}, "e4", OUTER_UDP(4789, 60), OUTER_UDP(4789, 60)},
    {"VXLAN, ARP", "V", 22, {8, [20] = 8, 6}, "", OUTER_UDP(4789, 22), OUTER_UDP(4789, 22) LOST},
    {"port of VXLAN, text", "V", 5, {'h', 'e', 'l', 'l', 'o'}, "", OUTER_UDP(4789, 5), OUTER_UDP(4789, 5)},
    {"GTP-U", "G", 8, {0x30, 0xff, 0, 38}, "4", OUTER_UDP(2152, 46), UDP4},
    {"GTP-U, sequence", "G", 12, {0x32, 0xff, 0, 42}, "4", OUTER_UDP(2152, 50), UDP4},
    {"GTP-U, extensions",
     "G",
     24,
     {0x34, 0xff, 0, 50, [11] = 0x85, 1, 0, 0, 0x85, 2, [23] = 0},
     "6",
     OUTER_UDP(2152, 82),
     UDP6},
    {"GTP-U, extension of length 0",
     "G",
     16,
     {0x34, 0xff, 0, 50, [11] = 0x85, 0},
     "4",
     OUTER_UDP(2152, 54),
     OUTER_UDP(2152, 54)},
    {"GTP-U, echo", "G", 12, {0x32, 1, 0, 4}, "", OUTER_UDP(2152, 12), OUTER_UDP(2152, 12)},
    {"GTP-U, version 2", "G", 8, {0x48, 0xff, 0, 38}, "4", OUTER_UDP(2152, 46), OUTER_UDP(2152, 46)},
    {"MPLS", "", 22, {[12] = 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64}, "4", FILTERED, UDP4},
    {"MPLS, pseudowire", "", 22, {[12] = 0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0}, "e4", FILTERED, UDP4},
    {"MPLS, version 9", "", 19, {[12] = 0x88, 0x47, 0, 1, 1, 64, 0x90}, "", FILTERED, NOT_IP},
    {"PPPoE", "", 22, {[12] = 0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0x00, 0x21}, "4", FILTERED, UDP4},
    {"PPPoE, off-load and padding",
     "",
     60,
     {[12] = 0x88, 0x64,      0x11, 0, 0, 1,  0, 32, 0x00, 0x21, 0x45, 0,    0,   0,
      [31] = 17,   [34] = 10, 0,    0, 1, 10, 0, 0,  2,    0x03, 0xe8, 0x07, 0xd0},
     "",
     FILTERED,
     "10.0.0.1:1000>10.0.0.2:2000 17 2"},
    {"PPPoE, link control",
     "",
     22,
     {[12] = 0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0xc0, 0x21},
     "4",
     FILTERED,
     NOT_IP},
    {"PPPoE behind a tag",
     "",
     26,
     {[12] = 0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1, 0, 60, 0x00, 0x57},
     "6",
     NOT_IP,
     UDP6},
    {"PPPoE, discovery", "", 20, {[12] = 0x88, 0x63, 0x11, 9}, "", FILTERED, NOT_IP},
    {"GRE in 4in4", "eig", 4, {0, 0, 8, 0}, "4", OUTER4(4, 62), UDP4},
    {"eight deep", "eiiiiiiii", 0, {0}, "4", OUTER4(4, 178), UDP4},
    {"nine deep", "eiiiiiiiii", 0, {0}, "4", OUTER4(4, 198), OUTER4(4, 38) " [tunnels_deep]"},
    {"eight labels", "", 46, {[12] = 0x88, 0x47, [44] = 1, 64}, "4", FILTERED, UDP4},
    {"nine labels", "", 50, {[12] = 0x88, 0x47, [48] = 1, 64}, "4", FILTERED, "ignored: tags_deep"},
};

static void make(struct octets *frame, size_t i)
{
    struct outer outer = {0};

    frame->length = 0;
    for (const char *what = cases[i].before; *what; what++)
        put(frame, &outer, *what);
    octets_put(frame, cases[i].header, cases[i].length);
    for (const char *what = cases[i].behind; *what; what++)
        put(frame, &outer, *what);
    while (outer.n-- > 0)
        (outer.six[outer.n] ? frame_ip6_end : frame_ip4_end)(frame, outer.at[outer.n]);
}

START_TEST(tunnels_under_both_rule_sets)
{
    static struct octets frame;
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(&frame, i);
        wrong += frame_check(&rules_joy, 1, cases[i].name, &frame, cases[i].joy);
        wrong += frame_check(&rules_flowclassd, 1, cases[i].name, &frame, cases[i].flowclassd);
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* A packet in a tunnel cannot be longer than what carries it: an off-load length (0) means the rest of the
 * outer packet, not of the frame, which may be padded. */
START_TEST(the_outer_packet_bounds_the_inner_one)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    size_t at;

    frame_ethernet(&frame, IPV4);
    at = frame_ip4(&frame, IPPROTO_IPIP);
    frame_ip4(&frame, IPPROTO_UDP);
    frame_udp(&frame, 1000, 2000);
    octets_fill(&frame, 'x', 10);
    frame_ip4_end(&frame, at);
    octets_fill(&frame, 0, 100);
    ck_assert_int_eq(decoder_new(&decoder, &rules_flowclassd, &stats), 0);
    ck_assert_int_eq(
        packet_decode(decoder, &packet, 0, (uint32_t)frame.length, (uint32_t)frame.length, frame.bytes),
        PACKET_DECODED);
    ck_assert_int_eq(packet.payload_length, 10);
    octets_set(&frame, at + 20 + 2, 39, 2); /* one more than there is */
    ck_assert_int_eq(
        packet_decode(decoder, &packet, 0, (uint32_t)frame.length, (uint32_t)frame.length, frame.bytes),
        PACKET_DECODED);
    ck_assert_uint_eq(packet.key.protocol, IPPROTO_IPIP);
    ck_assert_uint_eq(stats.trimmed.tunnel_content, 1);
    decoder_free(decoder);
}
END_TEST

/* Only the first part of a packet could be looked into, so none is. */
START_TEST(fragments_are_not_looked_into)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    size_t at;

    frame_ethernet(&frame, IPV4);
    at = frame_ip4_part(&frame, IPPROTO_IPIP, 1, 0x2000);
    frame_udp4(&frame, 12);
    frame_ip4_end(&frame, at);
    ck_assert_int_eq(decoder_new(&decoder, &rules_flowclassd, &stats), 0);
    ck_assert_int_eq(
        packet_decode(decoder, &packet, 0, (uint32_t)frame.length, (uint32_t)frame.length, frame.bytes),
        PACKET_DECODED);
    ck_assert_uint_eq(packet.key.protocol, IPPROTO_IPIP);
    ck_assert_int_eq(packet.payload_length, 40);
    decoder_free(decoder);
}
END_TEST

int main(void)
{
    return UNIT_RUN("tunnel", tunnels_under_both_rule_sets, the_outer_packet_bounds_the_inner_one,
                    fragments_are_not_looked_into);
}

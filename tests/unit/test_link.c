/* Each link type before a UDP datagram, under both rule sets. Below Joy's rules a link header counts as one
 * of Ethernet with the matching EtherType. */
#include "flowtrack/link.h"

#include <netinet/in.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#define UDP4 "10.0.0.1:1000>10.0.0.2:2000 17 10"
#define UDP6 "2001:db8::1:1000>2001:db8::2:2000 17 10"
#define NOT_IP "ignored: not_ip"
#define SHORT "ignored: link_short"
#define FILTERED "filtered: filtered"

enum { NONE, FOUR, SIX }; /* the packet behind the header */

static const struct {
    const char *name;
    int number;
    size_t length;
    uint8_t header[64];
    int packet;
    const char *joy;
    const char *flowclassd;
} cases[] = {
    {"null, little", 0, 4, {2, 0, 0, 0}, FOUR, UDP4, UDP4},
    {"null, big", 0, 4, {0, 0, 0, 2}, FOUR, UDP4, UDP4},
    {"null, FreeBSD", 0, 4, {28, 0, 0, 0}, SIX, UDP6, UDP6},
    {"null, Darwin", 0, 4, {30, 0, 0, 0}, SIX, UDP6, UDP6},
    {"null, ISO", 0, 4, {7, 0, 0, 0}, FOUR, FILTERED, NOT_IP},
    {"null, cut", 0, 3, {2, 0, 0}, NONE, FILTERED, SHORT},
    {"loop", 108, 4, {0, 0, 0, 24}, SIX, UDP6, UDP6},
    {"raw", 12, 0, {0}, FOUR, UDP4, UDP4},
    {"raw, as in files", 101, 0, {0}, SIX, UDP6, UDP6},
    {"raw, version 7", 12, 1, {0x70}, NONE, FILTERED, NOT_IP},
    {"raw, empty", 12, 0, {0}, NONE, FILTERED, SHORT},
    {"IPv4", 228, 0, {0}, FOUR, UDP4, UDP4},
    {"IPv6", 229, 0, {0}, SIX, UDP6, UDP6},
    {"cooked", 113, 16, {0, 0, 0, 1, 0, 6, [14] = 0x08, 0x00}, FOUR, UDP4, UDP4},
    {"cooked, tag", 113, 20, {[14] = 0x81, 0x00, 0, 7, 0x86, 0xdd}, SIX, UDP6, UDP6},
    {"cooked, LLC", 113, 24, {[14] = 0, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, FOUR, FILTERED, UDP4},
    {"cooked, CAN", 113, 16, {[14] = 0, 12}, FOUR, FILTERED, NOT_IP},
    {"cooked, cut", 113, 15, {[14] = 8}, NONE, FILTERED, SHORT},
    {"cooked v2", 276, 20, {0x86, 0xdd}, SIX, UDP6, UDP6},
    {"PPP", 9, 2, {0x00, 0x21}, FOUR, UDP4, UDP4},
    {"PPP, framed", 9, 4, {0xff, 0x03, 0x00, 0x57}, SIX, UDP6, UDP6},
    {"PPP, compressed", 9, 1, {0x21}, FOUR, UDP4, UDP4},
    {"PPP, MPLS", 9, 6, {0x02, 0x81, 0, 1, 1, 64}, FOUR, FILTERED, UDP4},
    {"PPP, link control", 9, 2, {0xc0, 0x21}, FOUR, FILTERED, NOT_IP},
    {"serial, PPP", 50, 4, {0xff, 0x03, 0x00, 0x21}, FOUR, UDP4, UDP4},
    {"serial, Cisco", 50, 4, {0x0f, 0x00, 0x08, 0x00}, FOUR, UDP4, UDP4},
    {"PPPoE", 51, 8, {0x11, 0x00, 0, 1, 0, 40, 0x00, 0x21}, FOUR, FILTERED, UDP4},
    {"PPPoE, discovery", 51, 8, {0x11, 0x09, 0, 1, 0, 40, 0x00, 0x21}, FOUR, FILTERED, NOT_IP},
    {"Cisco HDLC", 104, 4, {0x8f, 0x00, 0x86, 0xdd}, SIX, UDP6, UDP6},
    {"Cisco HDLC, keep-alive", 104, 4, {0x8f, 0x00, 0x80, 0x35}, FOUR, FILTERED, NOT_IP},
    {"802.11", 105, 32, {0x08, 0x01, [24] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, FOUR, UDP4, UDP4},
    {"802.11, QoS", 105, 34, {0x88, 0x02, [26] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, FOUR, UDP4, UDP4},
    {"802.11, QoS, HT", 105, 38, {0x88, 0x82, [30] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, FOUR, UDP4, UDP4},
    {"802.11, four addresses",
     105,
     38,
     {0x08, 0x03, [30] = 0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0},
     FOUR,
     UDP4,
     UDP4},
    {"802.11, encrypted", 105, 32, {0x08, 0x41, [24] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, FOUR, FILTERED, NOT_IP},
    {"802.11, aggregate",
     105,
     34,
     {0x88, 0x02, [24] = 0x80, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0},
     FOUR,
     FILTERED,
     NOT_IP},
    {"802.11, no data", 105, 24, {0x48, 0x01}, NONE, FILTERED, NOT_IP},
    {"802.11, beacon", 105, 40, {0x80, 0x00}, NONE, FILTERED, NOT_IP},
    {"802.11, other organisation",
     105,
     32,
     {0x08, 0x01, [24] = 0xaa, 0xaa, 3, 0, 0, 12, 8, 0},
     FOUR,
     FILTERED,
     NOT_IP},
    {"802.11, cut", 105, 20, {0x08, 0x01}, NONE, FILTERED, SHORT},
    {"radiotap",
     127,
     40,
     {0, 0, 8, 0, 0, 0, 0, 0, 0x08, 0x01, [32] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0},
     FOUR,
     UDP4,
     UDP4},
    /* TSFT and Flags behind a second presence word; QoS header of 26 filled up to 28 */
    {"radiotap, padded",
     127,
     25 + 28 + 8,
     {0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, [24] = 0x20, 0x88, 0x01, [53] = 0xaa, 0xaa, 3, 0, 0, 0, 8, 0},
     FOUR,
     UDP4,
     UDP4},
    {"radiotap, longer than the frame", 127, 8, {0, 0, 200, 0, 0, 0, 0, 0}, NONE, FILTERED, SHORT},
    {"PPI", 192, 8, {0, 0, 8, 0, 228, 0, 0, 0}, FOUR, UDP4, UDP4},
    {"PPI, Ethernet", 192, 26, {0, 0, 12, 0, 1, 0, 0, 0, [24] = 0x86, 0xdd}, SIX, UDP6, UDP6},
    {"PPI in PPI", 192, 16, {0, 0, 8, 0, 192, 0, 0, 0, 0, 0, 8, 0, 228, 0, 0, 0}, FOUR, FILTERED, NOT_IP},
    {"unknown", 147, 0, {0}, FOUR, "ignored: link_type", "ignored: link_type"},
};

static unsigned check(const struct rules *rules, size_t i, const char *want)
{
    static struct octets frame;

    frame.length = 0;
    octets_put(&frame, cases[i].header, cases[i].length);
    if (cases[i].packet == FOUR)
        frame_udp4(&frame, 10);
    if (cases[i].packet == SIX)
        frame_udp6(&frame, 10);
    return frame_check(rules, cases[i].number, cases[i].name, &frame, want);
}

START_TEST(link_types_under_both_rule_sets)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wrong += check(&rules_joy, i, cases[i].joy);
        wrong += check(&rules_flowclassd, i, cases[i].flowclassd);
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Joy's cut of a packet longer than what was captured counts a link header of 14 octets, whatever it was. */
START_TEST(captured_length_under_joy)
{
    static struct octets frame;
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;

    ck_assert_int_eq(decoder_new(&decoder, &rules_joy, &stats), 0);
    ck_assert_int_eq(decoder_set_link_type(decoder, 113), 0);
    octets_fill(&frame, 0, 14);
    octets_u16(&frame, 0x0800);
    frame_udp4(&frame, 100);
    for (unsigned cut = 0; cut < 20; cut++) {
        uint32_t captured = (uint32_t)frame.length - cut;

        ck_assert_int_eq(packet_decode(decoder, &packet, 0, captured, captured, frame.bytes), PACKET_DECODED);
        ck_assert_int_eq(packet.payload_length, cut <= 14 ? 100 : 100 - (int)cut);
    }
    decoder_free(decoder);
}
END_TEST

START_TEST(rows_have_one_number_each)
{
    static const int numbers[] = {0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 192, 228, 229, 276};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ck_assert_ptr_nonnull(link_type_find(numbers[i]));
        ck_assert_int_eq(link_type_find(numbers[i])->number, numbers[i]);
    }
    ck_assert_ptr_null(link_type_find(147));
}
END_TEST

int main(void)
{
    return UNIT_RUN("link", link_types_under_both_rule_sets, captured_length_under_joy,
                    rows_have_one_number_each);
}

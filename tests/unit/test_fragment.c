/* Fragments joined to their flow: in order, out of order, lost, doubled, overlapping, and more than the table
 * holds. */
#include "flowtrack/fragment.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#define UDP4 "10.0.0.1:1000>10.0.0.2:2000 17 "
#define UDP6 "2001:db8::1:1000>2001:db8::2:2000 17 "
#define LOST4 "10.0.0.1:0>10.0.0.2:0 17 "

struct fixture {
    struct tracker_stats stats;
    struct decoder *decoder;
    struct packet packet;
    struct octets frame;
};

static struct fixture *setup(void)
{
    static struct fixture fixture;

    memset(&fixture.stats, 0, sizeof fixture.stats);
    ck_assert_int_eq(decoder_new(&fixture.decoder, &rules_flowclassd, &fixture.stats), 0);
    return &fixture;
}

static enum packet_result decode(struct fixture *fixture, int64_t time)
{
    return packet_decode(fixture->decoder, &fixture->packet, time, (uint32_t)fixture->frame.length,
                         (uint32_t)fixture->frame.length, fixture->frame.bytes);
}

/* A fragment of an IPv4 UDP datagram: octets of its payload (the header of 8 is in the first). */
static enum packet_result part4(struct fixture *fixture, uint16_t id, uint32_t offset, uint32_t length,
                                bool more, int64_t time)
{
    struct octets *frame = &fixture->frame;
    size_t at;

    frame->length = 0;
    frame_ethernet(frame, 0x0800);
    at = frame_ip4_part(frame, IPPROTO_UDP, id, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
    if (offset == 0)
        frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', offset == 0 ? length - 8 : length);
    frame_ip4_end(frame, at);
    return decode(fixture, time);
}

static void expect_view(struct fixture *fixture, const char *want)
{
    char words[512];

    frame_view(words, &fixture->packet);
    ck_assert_str_eq(words, want);
}

static void expect_held(struct fixture *fixture, const char *want)
{
    ck_assert(packet_held(fixture->decoder, &fixture->packet));
    ck_assert_ptr_null(fixture->packet.payload);
    expect_view(fixture, want);
}

static void expect_nothing(struct fixture *fixture)
{
    ck_assert(!packet_held(fixture->decoder, &fixture->packet));
}

START_TEST(in_order)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 0, 1480, true, 0), PACKET_DECODED);
    expect_view(fixture, UDP4 "1472");
    ck_assert_int_eq(part4(fixture, 1, 1480, 1480, true, 1), PACKET_DECODED);
    expect_view(fixture, UDP4 "1480");
    ck_assert_int_eq(part4(fixture, 1, 2960, 5, false, 2), PACKET_DECODED);
    expect_view(fixture, UDP4 "5");
    expect_nothing(fixture);
    /* complete, so the identification is free for another packet */
    ck_assert_int_eq(part4(fixture, 1, 0, 1480, true, 3), PACKET_DECODED);
    ck_assert_uint_eq(fixture->stats.ignored.fragment_overlap, 0);
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(last_one_first)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 2960, 5, false, 10), PACKET_HELD);
    ck_assert_int_eq(part4(fixture, 1, 1480, 1480, true, 11), PACKET_HELD);
    expect_nothing(fixture);
    ck_assert_int_eq(part4(fixture, 1, 0, 1480, true, 12), PACKET_DECODED);
    expect_view(fixture, UDP4 "1472");
    expect_held(fixture, UDP4 "5");
    ck_assert_int_eq(fixture->packet.time, 10);
    expect_held(fixture, UDP4 "1480");
    ck_assert_int_eq(fixture->packet.time, 11);
    expect_nothing(fixture);
    decoder_expire(fixture->decoder, INT64_MAX);
    expect_nothing(fixture);
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(packets_do_not_mix)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 0, 1480, true, 0), PACKET_DECODED);
    ck_assert_int_eq(part4(fixture, 2, 1480, 5, false, 0), PACKET_HELD);
    ck_assert_int_eq(part4(fixture, 1, 1480, 5, false, 0), PACKET_DECODED);
    expect_view(fixture, UDP4 "5");
    ck_assert_int_eq(part4(fixture, 2, 0, 1480, true, 0), PACKET_DECODED);
    expect_held(fixture, UDP4 "5");
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(first_one_never_comes)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 1480, 64, true, 1000), PACKET_HELD);
    decoder_expire(fixture->decoder, 1000 + FRAGMENT_TIMEOUT);
    expect_nothing(fixture);
    /* any later fragment lets it go too */
    ck_assert_int_eq(part4(fixture, 2, 0, 1480, true, 1001 + FRAGMENT_TIMEOUT), PACKET_DECODED);
    expect_held(fixture, LOST4 "64 malformed");
    ck_assert_int_eq(fixture->packet.time, 1000);
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_orphan, 1);
    ck_assert_int_eq(part4(fixture, 3, 1480, 64, true, 2000), PACKET_HELD);
    decoder_expire(fixture->decoder, INT64_MAX);
    expect_held(fixture, LOST4 "64 malformed");
    expect_nothing(fixture);
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(overlaps_are_refused)
{
    static const struct {
        uint32_t offset;
        uint32_t length;
        bool more;
    } refused[] = {
        {0, 80, true},      /* the same again */
        {72, 16, true},     /* over the end of the first (teardrop) */
        {40, 8, true},      /* inside it */
        {160, 7, true},     /* no multiple of 8, and not the last */
        {65528, 16, false}, /* ends behind the longest packet (ping of death) */
        {96, 0, false},
    };
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 0, 80, true, 0), PACKET_DECODED);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_int_eq(part4(fixture, 1, refused[i].offset, refused[i].length, refused[i].more, 1),
                         PACKET_IGNORED);
        ck_assert_uint_eq(fixture->stats.ignored.fragment_overlap, i + 1);
    }
    ck_assert_int_eq(part4(fixture, 1, 160, 8, false, 1), PACKET_DECODED);
    ck_assert_int_eq(part4(fixture, 1, 168, 8, true, 1), PACKET_IGNORED);  /* behind the last */
    ck_assert_int_eq(part4(fixture, 1, 144, 8, false, 1), PACKET_IGNORED); /* another last */
    ck_assert_int_eq(part4(fixture, 1, 80, 80, true, 1), PACKET_DECODED);
    ck_assert_int_eq(part4(fixture, 1, 80, 80, true, 1), PACKET_HELD); /* was complete: another packet */
    decoder_free(fixture->decoder);
}
END_TEST

/* A last fragment that ends before others do, which came first. */
START_TEST(a_last_one_before_others_is_refused)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part4(fixture, 1, 160, 8, true, 0), PACKET_HELD);
    ck_assert_int_eq(part4(fixture, 1, 80, 8, false, 0), PACKET_IGNORED);
    ck_assert_uint_eq(fixture->stats.ignored.fragment_overlap, 1);
    decoder_free(fixture->decoder);
}
END_TEST

/* More holes than the table tells apart: fragments still find their flow, only overlaps go unseen. */
START_TEST(many_holes)
{
    struct fixture *fixture = setup();
    unsigned n = 0;

    for (uint32_t i = 1; i <= 2 * FRAGMENT_RANGES_MAX; i++)
        ck_assert_int_eq(part4(fixture, 1, 32 * i, 8, true, 0), PACKET_HELD);
    ck_assert_int_eq(part4(fixture, 1, 0, 16, true, 0), PACKET_DECODED);
    while (packet_held(fixture->decoder, &fixture->packet)) {
        expect_view(fixture, UDP4 "8");
        n++;
    }
    ck_assert_uint_eq(n, 2 * FRAGMENT_RANGES_MAX);
    decoder_free(fixture->decoder);
}
END_TEST

/* Every order of seven fragments ends with all of them in the flow. */
START_TEST(any_order)
{
    enum { PARTS = 7 };
    struct fixture *fixture = setup();
    unsigned order[PARTS];

    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned octets = 0;
        unsigned packets = 0;

        for (unsigned i = 0; i < PARTS; i++)
            order[i] = i;
        for (unsigned i = PARTS - 1; i > 0; i--) {
            unsigned other = (unsigned)rand() % (i + 1);
            unsigned saved = order[i];

            order[i] = order[other];
            order[other] = saved;
        }
        for (unsigned i = 0; i < PARTS; i++) {
            enum packet_result result =
                part4(fixture, (uint16_t)round, order[i] * 16, 16, order[i] != PARTS - 1, (int64_t)round);

            ck_assert(result == PACKET_DECODED || result == PACKET_HELD);
            if (result == PACKET_HELD)
                continue;
            do {
                ck_assert_uint_eq(fixture->packet.key.destination_port, 2000);
                octets += (unsigned)fixture->packet.payload_length;
                packets++;
            } while (packet_held(fixture->decoder, &fixture->packet));
        }
        ck_assert_uint_eq(packets, PARTS);
        ck_assert_uint_eq(octets, PARTS * 16 - 8);
    }
    decoder_expire(fixture->decoder, INT64_MAX);
    expect_nothing(fixture);
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_orphan, 0);
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(a_full_table_gives_up_the_oldest)
{
    struct fixture *fixture = setup();
    unsigned released = 0;

    for (unsigned i = 0; i < FRAGMENT_PACKETS_MAX; i++)
        ck_assert_int_eq(part4(fixture, (uint16_t)i, 64, 64, true, 0), PACKET_HELD);
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_table, 0);
    ck_assert_int_eq(part4(fixture, FRAGMENT_PACKETS_MAX, 64, 64, true, 0), PACKET_HELD);
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_table, 1);
    expect_held(fixture, LOST4 "64 malformed");
    ck_assert_uint_eq(fixture->packet.ip_id, 0);
    expect_nothing(fixture);
    decoder_expire(fixture->decoder, INT64_MAX);
    while (packet_held(fixture->decoder, &fixture->packet))
        released++;
    ck_assert_uint_eq(released, FRAGMENT_PACKETS_MAX);
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_orphan, FRAGMENT_PACKETS_MAX);
    decoder_free(fixture->decoder);
}
END_TEST

START_TEST(without_room_to_wait_a_fragment_goes_without_ports)
{
    struct fixture *fixture = setup();

    for (unsigned i = 0; i < FRAGMENT_HELD_MAX; i++)
        ck_assert_int_eq(part4(fixture, (uint16_t)(i / 8), 64 + i % 8 * 8, 8, true, 0), PACKET_HELD);
    ck_assert_int_eq(part4(fixture, 5000, 64, 8, true, 0), PACKET_DECODED);
    expect_view(fixture, LOST4 "8 malformed");
    ck_assert_uint_eq(fixture->stats.trimmed.fragment_table, 1);
    decoder_free(fixture->decoder);
}
END_TEST

/* Fragments of one TCP segment have the sequence numbers of their octets, so none looks like a
 * retransmission. */
START_TEST(tcp_sequence_goes_on)
{
    struct fixture *fixture = setup();
    struct octets *frame = &fixture->frame;
    size_t at;

    frame->length = 0;
    frame_ethernet(frame, 0x0800);
    at = frame_ip4_part(frame, IPPROTO_TCP, 1, 0x2000);
    frame_tcp(frame, 1000, 80, TCP_ACK | TCP_FIN, 12);
    octets_fill(frame, 'x', 48);
    frame_ip4_end(frame, at);
    ck_assert_int_eq(decode(fixture, 0), PACKET_DECODED);
    ck_assert_uint_eq(fixture->packet.tcp_seq, 1000);
    ck_assert_int_eq(fixture->packet.payload_length, 48);

    frame->length = 0;
    frame_ethernet(frame, 0x0800);
    at = frame_ip4_part(frame, IPPROTO_TCP, 1, 10);
    octets_fill(frame, 'x', 30);
    frame_ip4_end(frame, at);
    ck_assert_int_eq(decode(fixture, 0), PACKET_DECODED);
    expect_view(fixture, "10.0.0.1:1000>10.0.0.2:80 6 30");
    ck_assert_uint_eq(fixture->packet.tcp_seq, 1048);
    ck_assert_uint_eq(fixture->packet.tcp_flags, TCP_ACK);
    ck_assert(!fixture->packet.malformed);
    decoder_free(fixture->decoder);
}
END_TEST

/* A first fragment too small for its TCP header has no ports and no sequence number: nor have the others,
 * else those of several packets would stand in one sequence space and look like retransmissions of each
 * other. */
START_TEST(a_first_one_without_header)
{
    struct fixture *fixture = setup();
    struct octets *frame = &fixture->frame;

    for (uint16_t part = 0; part < 3; part++) {
        static const uint16_t parts[] = {2, 0 | 0x2000, 1 | 0x2000}; /* in units of 8 */
        size_t at;

        frame->length = 0;
        frame_ethernet(frame, 0x0800);
        at = frame_ip4_part(frame, IPPROTO_TCP, 1, parts[part]);
        octets_fill(frame, 7, 8);
        frame_ip4_end(frame, at);
        ck_assert_int_eq(decode(fixture, 0), part == 0 ? PACKET_HELD : PACKET_DECODED);
        if (part > 0)
            expect_view(fixture, "10.0.0.1:0>10.0.0.2:0 6 8 malformed");
        if (part == 1)
            expect_held(fixture, "10.0.0.1:0>10.0.0.2:0 6 8 malformed");
    }
    decoder_free(fixture->decoder);
}
END_TEST

/* part: offset in octets, and 1 if more follow. The first has a further extension header behind the fragment
 * header. */
static enum packet_result part6(struct fixture *fixture, uint16_t part)
{
    struct octets *frame = &fixture->frame;
    size_t at;

    frame->length = 0;
    frame_ethernet(frame, 0x86dd);
    at = frame_ip6(frame, IPPROTO_HOPOPTS);
    frame_extension(frame, IPPROTO_FRAGMENT, 0);
    frame_fragment(frame, IPPROTO_DSTOPTS, part, 0xdeadbeef);
    if (part < 8) {
        frame_extension(frame, IPPROTO_UDP, 0);
        frame_udp(frame, 1000, 2000);
    }
    octets_fill(frame, 'x', 48);
    frame_ip6_end(frame, at);
    return decode(fixture, 0);
}

START_TEST(ipv6)
{
    struct fixture *fixture = setup();

    ck_assert_int_eq(part6(fixture, 112), PACKET_HELD);
    ck_assert_int_eq(part6(fixture, 0 | 1), PACKET_DECODED);
    expect_view(fixture, UDP6 "48");
    expect_held(fixture, UDP6 "48");
    ck_assert_int_eq(part6(fixture, 104 | 1), PACKET_IGNORED); /* over the last one */
    ck_assert_int_eq(part6(fixture, 64 | 1), PACKET_DECODED);
    expect_view(fixture, UDP6 "48");
    decoder_free(fixture->decoder);
}
END_TEST

int main(void)
{
    return UNIT_RUN("fragment", in_order, last_one_first, packets_do_not_mix, first_one_never_comes,
                    overlaps_are_refused, a_last_one_before_others_is_refused, many_holes, any_order,
                    a_full_table_gives_up_the_oldest, without_room_to_wait_a_fragment_goes_without_ports,
                    tcp_sequence_goes_on, a_first_one_without_header, ipv6);
}

/* test_flow_record.c - which side is out, and how two packet lists become one. */
#include "flow_fixture.h"
#include "unit.h"

static struct fixture fixture;

struct half {
    uint8_t keyword;
    uint8_t flags; /* TCP */
};

/* Host 1 sends at 10 ms, host 2 at `second_ms`. Return: the host that is out. */
static unsigned out_host(struct half r, struct half w, int64_t second_ms)
{
    struct packet packets[2] = {make_tcp(at_ms(10), 1, 2, r.flags, 1, 0),
                                make_tcp(at_ms(second_ms), 2, 1, w.flags, 1, 0)};

    packets[0].keyword = r.keyword;
    packets[1].keyword = w.keyword;
    fixture_run(&fixture, &rules_joy, packets, 2);
    ck_assert_uint_eq(fixture.n, 1);
    return fixture.records[0].source[3];
}

/* joy-records section 7, row by row. */
START_TEST(direction_table)
{
    enum { N = KEYWORD_NONE, C = KEYWORD_CLIENT, S = KEYWORD_SERVER, SYN = 0x02, SYN_ACK = 0x12, ACK = 0x10 };
    static const struct {
        struct half r, w;
        unsigned out;
    } rows[] = {
        {{C, SYN_ACK}, {C, SYN}, 1}, {{S, ACK}, {C, ACK}, 2},         {{N, ACK}, {C, ACK}, 2},
        {{S, SYN}, {S, ACK}, 2},     {{N, SYN_ACK}, {S, SYN}, 1},     {{N, SYN}, {N, ACK}, 1},
        {{N, ACK}, {N, SYN}, 2},     {{N, SYN_ACK}, {N, SYN}, 2},     {{N, SYN}, {N, SYN_ACK}, 1},
        {{N, SYN_ACK}, {N, ACK}, 2}, {{N, ACK}, {N, SYN_ACK}, 1},     {{N, ACK}, {N, ACK}, 1},
        {{N, SYN}, {N, SYN}, 1},     {{N, SYN_ACK}, {N, SYN_ACK}, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        ck_assert_msg(out_host(rows[i].r, rows[i].w, 20) == rows[i].out, "row %zu", i);
}
END_TEST

START_TEST(undecided_goes_to_the_start_times)
{
    const struct half none = {KEYWORD_NONE, TCP_ACK};
    const struct half syn = {KEYWORD_NONE, TCP_SYN};

    ck_assert_uint_eq(out_host(none, none, 11), 1);
    ck_assert_uint_eq(out_host(none, none, 10), 2);
    ck_assert_uint_eq(out_host(none, none, 9), 2);
    ck_assert_uint_eq(out_host(syn, syn, 9), 2);
}
END_TEST

START_TEST(other_flag_bits_make_no_handshake)
{
    ck_assert_uint_eq(
        out_host((struct half){KEYWORD_NONE, TCP_ACK}, (struct half){KEYWORD_NONE, TCP_SYN | 0x40}, 20), 1);
}
END_TEST

/* Lengths of the merged list, negative ones for the in side. */
static void check_lengths(const struct record *record, const int *expected, unsigned n)
{
    ck_assert_uint_eq(record->n_packets, n);
    for (unsigned i = 0; i < n; i++) {
        int length = record->packets[i].out ? record->packets[i].bytes : -record->packets[i].bytes;

        ck_assert_int_eq(length, expected[i]);
    }
}

START_TEST(merge_breaks_ties_for_the_in_side)
{
    const struct packet packets[] = {
        make_udp(at_ms(0), 1, 2, 1), make_udp(at_ms(1), 1, 2, 2), make_udp(at_ms(1), 2, 1, 3),
        make_udp(at_ms(1), 1, 2, 4), make_udp(at_ms(2), 2, 1, 5), make_udp(at_ms(2), 1, 2, 6),
    };
    static const int expected[] = {1, -3, 2, 4, -5, 6};

    fixture_run(&fixture, &rules_joy, packets, 6);
    check_lengths(&fixture.records[0], expected, 6);
}
END_TEST

START_TEST(merge_keeps_the_order_inside_a_side)
{
    const struct packet packets[] = {
        make_udp(at_ms(0), 1, 2, 1),  make_udp(at_ms(50), 1, 2, 2), make_udp(at_ms(20), 1, 2, 3),
        make_udp(at_ms(30), 2, 1, 4), make_udp(at_ms(10), 2, 1, 5),
    };
    static const int expected[] = {1, -4, -5, 2, 3};

    fixture_run(&fixture, &rules_joy, packets, 5);
    check_lengths(&fixture.records[0], expected, 5);
    ck_assert_uint_eq(fixture.records[0].packets[1].ipt_ms, 30);
    ck_assert_uint_eq(fixture.records[0].packets[2].ipt_ms, (uint32_t)-20);
    ck_assert_uint_eq(fixture.records[0].packets[3].ipt_ms, 40);
}
END_TEST

START_TEST(lists_stop_at_their_limits)
{
    struct packet packets[120];

    for (int i = 0; i < 120; i++) {
        packets[i] = make_udp(at_ms(i), (uint8_t)(1 + i % 2), (uint8_t)(2 - i % 2), i + 1);
        packets[i].ip_id = (uint16_t)(1000 + i);
    }
    fixture_run(&fixture, &rules_flowclassd, packets, 120);
    ck_assert_uint_eq(fixture.records[0].n_packets, RECORD_PACKETS_MAX);
    ck_assert_uint_eq(fixture.records[0].packets[99].bytes, 100);
    ck_assert_uint_eq(fixture.records[0].out.n_ids, RECORD_IDS_MAX);
    ck_assert_uint_eq(fixture.records[0].ids_out[49], 1098);
    ck_assert_uint_eq(fixture.records[0].ids_in[49], 1099);
    ck_assert_uint_eq(fixture.records[0].out.packets, 60);
    ck_assert_uint_eq(fixture.records[0].out.bytes + fixture.records[0].in.bytes, 120 * 121 / 2);
}
END_TEST

START_TEST(lengths_below_zero_count_in_32_bits)
{
    struct packet packets[] = {make_packet(47, at_ms(0), 1, 2, -6), make_packet(47, at_ms(1), 1, 2, 4),
                               make_packet(47, at_ms(2), 3, 4, -6), make_packet(47, at_ms(3), 3, 4, 10)};

    fixture_run(&fixture, &rules_joy, packets, 4);
    ck_assert_uint_eq(fixture.records[0].out.bytes, UINT32_MAX - 1);
    ck_assert_uint_eq(fixture.records[0].packets[0].bytes, 65530);
    ck_assert_uint_eq(fixture.records[1].out.bytes, 4);
    ck_assert(!fixture.records[0].has_ports);
}
END_TEST

START_TEST(the_keyword_counts_in_the_first_two_packets_with_payload)
{
    struct packet packets[4] = {make_udp(at_ms(0), 1, 2, 5), make_udp(at_ms(1), 2, 1, 5),
                                make_udp(at_ms(2), 2, 1, 5), make_udp(at_ms(3), 2, 1, 5)};

    packets[3].keyword = KEYWORD_CLIENT;
    fixture_run(&fixture, &rules_flowclassd, packets, 4);
    ck_assert_uint_eq(fixture.records[0].source[3], 1);
    packets[2].keyword = KEYWORD_CLIENT;
    fixture_run(&fixture, &rules_flowclassd, packets, 4);
    ck_assert_uint_eq(fixture.records[0].source[3], 2);
}
END_TEST

START_TEST(the_family_is_that_of_the_last_packet)
{
    struct packet packets[2] = {make_udp(at_ms(0), 1, 2, 5), make_udp(at_ms(1), 1, 2, 5)};

    packets[1].family = 6;
    fixture_run(&fixture, &rules_joy, packets, 2);
    ck_assert_uint_eq(fixture.records[0].family, 6);
    ck_assert_uint_eq(fixture.records[0].out.n_ids, 1);
}
END_TEST

START_TEST(a_host_that_talks_to_itself_has_one_side)
{
    struct packet packets[2] = {make_udp(at_ms(0), 1, 1, 5), make_udp(at_ms(1), 1, 1, 5)};

    fixture_run(&fixture, &rules_joy, packets, 2);
    ck_assert_uint_eq(fixture.n, 1);
    ck_assert(!fixture.records[0].in.present);
    ck_assert_uint_eq(fixture.records[0].out.packets, 2);
}
END_TEST

int main(void)
{
    return UNIT_RUN(
        "flow_record", direction_table, undecided_goes_to_the_start_times, other_flag_bits_make_no_handshake,
        merge_breaks_ties_for_the_in_side, merge_keeps_the_order_inside_a_side, lists_stop_at_their_limits,
        lengths_below_zero_count_in_32_bits, the_keyword_counts_in_the_first_two_packets_with_payload,
        the_family_is_that_of_the_last_packet, a_host_that_talks_to_itself_has_one_side);
}

/* test_flow_rules.c - each switch of the rules that a flow or its record asks: the same packets under both
 * sets. */
#include "flow_fixture.h"
#include "unit.h"

static struct fixture joy, ours;

static void run_both(const struct packet *packets, unsigned n)
{
    fixture_run(&joy, &rules_joy, packets, n);
    fixture_run(&ours, &rules_flowclassd, packets, n);
}

#define RUN_BOTH(...)                                                                                        \
    run_both((const struct packet[]){__VA_ARGS__},                                                           \
             sizeof((const struct packet[]){__VA_ARGS__}) / sizeof(struct packet))

static struct packet with_keyword(struct packet packet, enum packet_keyword keyword)
{
    packet.keyword = keyword;
    return packet;
}

static struct packet with_option(struct packet packet, uint8_t option)
{
    packet.tcp_options_length = 1;
    packet.tcp_options[0] = option;
    return packet;
}

static struct packet malformed(int64_t time, uint8_t protocol, uint8_t from, uint8_t to, int32_t length)
{
    struct packet packet = make_packet(protocol, time, from, to, length);

    packet.key.source_port = packet.key.destination_port = 0;
    packet.malformed = true;
    return packet;
}

START_TEST(ring_a_longer_retransmission)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_ACK, 100, 10), make_tcp(at_ms(1), 1, 2, TCP_ACK, 100, 25));
    ck_assert_uint_eq(joy.records[0].out.bytes, 10);
    ck_assert_uint_eq(joy.records[0].out.packets, 1);
    ck_assert_uint_eq(ours.records[0].out.bytes, 25);
    ck_assert_uint_eq(ours.records[0].out.packets, 2);
    ck_assert_uint_eq(ours.records[0].packets[1].bytes, 15);
    ck_assert_uint_eq(joy.records[0].tcp_retrans, 1);
    ck_assert_uint_eq(ours.records[0].tcp_retrans, 1);
}
END_TEST

START_TEST(ring_sequence_number_zero)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_ACK, 0, 10));
    ck_assert_uint_eq(joy.records[0].out.packets, 0);
    ck_assert_uint_eq(joy.records[0].out.ttl, 255);
    ck_assert_int_eq(joy.records[0].time_start, 0);
    ck_assert_uint_eq(joy.records[0].tcp_retrans, 1);
    ck_assert_uint_eq(ours.records[0].out.packets, 1);
    ck_assert_uint_eq(ours.records[0].out.bytes, 10);
}
END_TEST

START_TEST(ring_forgets_after_ten)
{
    struct packet packets[12];

    for (unsigned i = 0; i < 12; i++)
        packets[i] = make_tcp(at_ms(i), 1, 2, TCP_ACK, 1000 + i % 11 * 10, 10);
    run_both(packets, 12);
    ck_assert_uint_eq(joy.records[0].out.packets, 12);
    ck_assert_uint_eq(joy.records[0].tcp_retrans, 0);
    ck_assert_uint_eq(ours.records[0].out.packets, 11);
    ck_assert_uint_eq(ours.records[0].tcp_retrans, 1);
}
END_TEST

START_TEST(ring_stops_when_the_list_is_full)
{
    struct packet packets[203];

    for (unsigned i = 0; i < 200; i++)
        packets[i] = make_tcp(at_ms(i), 1, 2, TCP_ACK, 1000 + i * 10, 10);
    packets[200] =
        make_tcp(at_ms(200), 1, 2, TCP_ACK, 1000 + 199 * 10, 10); /* entry 200 was not remembered */
    packets[201] = make_tcp(at_ms(201), 1, 2, TCP_ACK, 1000 + 198 * 10, 10);
    packets[202] = make_tcp(at_ms(202), 1, 2, TCP_ACK, 1000 + 200 * 10, 10);
    run_both(packets, 203);
    ck_assert_uint_eq(joy.records[0].out.packets, 202);
    ck_assert_uint_eq(joy.records[0].tcp_retrans, 1);
    ck_assert_uint_eq(joy.records[0].n_packets, 50);
    ck_assert_uint_eq(ours.records[0].out.packets, 201);
    ck_assert_uint_eq(ours.records[0].tcp_retrans, 2);
    ck_assert_uint_eq(ours.records[0].n_packets, 50);
}
END_TEST

START_TEST(sequence_numbers_wrap)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_ACK, UINT32_MAX - 4, 10), make_tcp(at_ms(1), 1, 2, TCP_ACK, 5, 10),
             make_tcp(at_ms(2), 1, 2, TCP_ACK, UINT32_MAX - 2, 10));
    ck_assert_uint_eq(joy.records[0].out.packets, 3);
    ck_assert_uint_eq(ours.records[0].out.packets, 2);
    ck_assert_uint_eq(ours.records[0].out.bytes, 20);
    ck_assert_uint_eq(ours.records[0].tcp_retrans, 1);
}
END_TEST

START_TEST(retransmissions_and_silence)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_ACK, 1, 10), make_tcp(at_ms(9000), 1, 2, TCP_ACK, 1, 10),
             make_tcp(at_ms(18000), 1, 2, TCP_ACK, 1, 10));
    ck_assert_uint_eq(joy.n, 1); /* at the end of the capture the last packet that counts is 18 s old */
    ck_assert_uint_eq(joy.records[0].reason, RECORD_REASON_IDLE);
    ck_assert_uint_eq(ours.n, 1);
    ck_assert_uint_eq(ours.records[0].reason, RECORD_REASON_FORCED);
    ck_assert_uint_eq(ours.records[0].tcp_retrans, 2);
    ck_assert_int_eq(ours.records[0].time_end, at_ms(0));
}
END_TEST

START_TEST(options_of_a_repeated_syn)
{
    RUN_BOTH(with_option(make_tcp(at_ms(0), 1, 2, TCP_SYN, 7, 0), 11),
             with_option(make_tcp(at_ms(9), 1, 2, TCP_SYN, 7, 0), 22));
    ck_assert(joy.records[0].has_tcp && ours.records[0].has_tcp);
    ck_assert_uint_eq(joy.records[0].tcp_out.options[0], 22);
    ck_assert_uint_eq(ours.records[0].tcp_out.options[0], 11);
    ck_assert_uint_eq(ours.records[0].tcp_first_seq, 7);
}
END_TEST

START_TEST(malformed_tcp_again)
{
    RUN_BOTH(malformed(at_ms(0), IPPROTO_TCP, 1, 2, 8), malformed(at_ms(1), IPPROTO_TCP, 1, 2, 9));
    ck_assert_uint_eq(joy.records[0].out.packets, 2);
    ck_assert_uint_eq(joy.records[0].out.bytes, 8);
    ck_assert_uint_eq(joy.records[0].n_packets, 1);
    ck_assert_uint_eq(joy.records[0].out.n_ids, 2);
    ck_assert_uint_eq(joy.records[0].invalid, 1);
    ck_assert_uint_eq(ours.records[0].out.bytes, 17);
    ck_assert_uint_eq(ours.records[0].n_packets, 2);
    ck_assert_uint_eq(ours.records[0].invalid, 1);
}
END_TEST

START_TEST(malformed_tcp_behind_a_retransmission)
{
    struct packet data = make_tcp(at_ms(0), 1, 2, TCP_ACK, 5, 10);
    struct packet again;

    data.key.source_port = data.key.destination_port = 0;
    again = data;
    again.time = at_ms(1);
    RUN_BOTH(data, again, malformed(at_ms(2), IPPROTO_TCP, 1, 2, 8));
    ck_assert_uint_eq(joy.records[0].out.packets, 1);
    ck_assert_uint_eq(joy.records[0].invalid, 0);
    ck_assert_uint_eq(ours.records[0].out.packets, 2);
    ck_assert_uint_eq(ours.records[0].invalid, 1);
}
END_TEST

START_TEST(malformed_udp_always_counts)
{
    RUN_BOTH(malformed(at_ms(0), IPPROTO_UDP, 1, 2, 5), malformed(at_ms(1), IPPROTO_UDP, 2, 1, 5));
    ck_assert_uint_eq(joy.records[0].invalid, 2);
    ck_assert_uint_eq(ours.records[0].invalid, 2);
    ck_assert_uint_eq(joy.records[0].out.bytes + joy.records[0].in.bytes, 10);
}
END_TEST

START_TEST(an_end_goes_back)
{
    RUN_BOTH(make_udp(at_ms(50), 1, 2, 10), make_udp(at_ms(20), 1, 2, 10));
    ck_assert_int_eq(joy.records[0].time_end, at_ms(20));
    ck_assert_int_eq(ours.records[0].time_end, at_ms(50));
}
END_TEST

START_TEST(time_zero_is_no_start)
{
    RUN_BOTH(make_udp(0, 1, 2, 10), make_udp(5000, 1, 2, 10));
    ck_assert_int_eq(joy.records[0].time_start, 5000);
    ck_assert_int_eq(ours.records[0].time_start, 0);
    ck_assert_int_eq(ours.records[0].time_end, 5000);
}
END_TEST

START_TEST(fin_of_both_sides_ends_a_flow)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_ACK, 1, 10), make_tcp(at_ms(10), 1, 2, TCP_FIN | TCP_ACK, 11, 0),
             make_tcp(at_ms(20), 2, 1, TCP_FIN | TCP_ACK, 1, 0), make_tcp(at_ms(30), 1, 2, TCP_ACK, 12, 0),
             make_tcp(at_ms(2500), 1, 2, TCP_ACK, 12, 0));
    ck_assert_uint_eq(joy.n, 1);
    ck_assert_uint_eq(joy.records[0].out.packets + joy.records[0].in.packets, 5);
    ck_assert_uint_eq(ours.n, 2);
    ck_assert_uint_eq(ours.records[0].reason, RECORD_REASON_END);
    ck_assert_int_eq(ours.records[0].expire_type, 'e');
    ck_assert_int_eq(ours.records[0].time_end, at_ms(30));
    ck_assert_uint_eq(ours.records[1].reason, RECORD_REASON_FORCED);
}
END_TEST

START_TEST(fin_of_one_side_does_not)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_FIN | TCP_ACK, 1, 10), make_tcp(at_ms(5000), 2, 1, TCP_ACK, 1, 10));
    ck_assert_uint_eq(ours.n, 1);
    ck_assert_uint_eq(ours.records[0].in.packets, 1);
}
END_TEST

START_TEST(reset_ends_a_flow_and_a_syn_begins_another)
{
    RUN_BOTH(make_tcp(at_ms(0), 1, 2, TCP_SYN, 1, 0), make_tcp(at_ms(1), 2, 1, TCP_RST | TCP_ACK, 0, 0),
             make_tcp(at_ms(500), 1, 2, TCP_SYN, 100, 0),
             make_tcp(at_ms(501), 2, 1, TCP_SYN | TCP_ACK, 7, 0));
    ck_assert_uint_eq(joy.n, 1);
    ck_assert_uint_eq(ours.n, 2);
    ck_assert_uint_eq(ours.records[0].reason, RECORD_REASON_END);
    ck_assert_int_eq(ours.records[0].time_end, at_ms(1));
    ck_assert_int_eq(ours.records[1].time_start, at_ms(500));
    ck_assert_uint_eq(ours.records[1].out.packets, 1);
    ck_assert_uint_eq(ours.records[1].in.packets, 1);
}
END_TEST

START_TEST(a_packet_after_the_idle_time)
{
    RUN_BOTH(make_udp(at_ms(0), 1, 2, 10), make_udp(at_ms(10001), 1, 2, 10));
    ck_assert_uint_eq(joy.n, 1); /* no batch ended in between */
    ck_assert_uint_eq(joy.records[0].out.packets, 2);
    ck_assert_uint_eq(ours.n, 2);
    ck_assert_uint_eq(ours.records[0].reason, RECORD_REASON_IDLE);
    ck_assert_uint_eq(ours.records[1].out.packets, 1);
}
END_TEST

START_TEST(a_packet_at_the_idle_time_still_belongs)
{
    RUN_BOTH(make_udp(at_ms(0), 1, 2, 10), make_udp(at_ms(10000), 1, 2, 10));
    ck_assert_uint_eq(ours.n, 1);
}
END_TEST

START_TEST(age_counts_from_the_first_start)
{
    struct packet packets[36];

    packets[0] = make_udp(at_ms(0), 1, 2, 10);
    packets[1] = make_udp(at_ms(5000), 2, 1, 10);
    for (unsigned i = 2; i < 36; i++)
        packets[i] = make_udp(at_ms(4000 + i * 1000), 1, 2, 10);
    run_both(packets, 36);
    ck_assert_uint_eq(ours.n, 2);
    ck_assert_uint_eq(ours.records[0].reason, RECORD_REASON_ACTIVE);
    ck_assert_int_eq(ours.records[0].time_end, at_ms(30000));
    /* Joy's walks are the caller's here; at the end the later start is 34 s old. */
    ck_assert_uint_eq(joy.n, 1);
    ck_assert_uint_eq(joy.records[0].reason, RECORD_REASON_ACTIVE);
    ck_assert_int_eq(joy.records[0].time_end, at_ms(39000));
}
END_TEST

START_TEST(the_joy_walk_wants_both_halves_old)
{
    static struct fixture fixture;
    const struct tracker_config config = fixture_config(&rules_joy);

    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    for (int ms = 0; ms <= 30000; ms += 5000)
        (void)fixture_add(&fixture, make_udp(at_ms(ms), 1, 2, 10));
    (void)fixture_add(&fixture, make_udp(at_ms(30001), 2, 1, 10));
    flow_table_expire(&fixture.table);
    ck_assert_uint_eq(fixture.n, 0);
    for (int ms = 35000; ms <= 60000; ms += 5000)
        (void)fixture_add(&fixture, make_udp(at_ms(ms), 1, 2, 10));
    (void)fixture_add(&fixture, make_udp(at_ms(60001), 1, 2, 10));
    flow_table_expire(&fixture.table);
    ck_assert_uint_eq(fixture.n, 0); /* strictly: not beyond yet */
    (void)fixture_add(&fixture, make_udp(at_ms(60002), 1, 2, 10));
    flow_table_expire(&fixture.table);
    ck_assert_uint_eq(fixture.n, 1);
    ck_assert_int_eq(fixture.records[0].expire_type, 'a');
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(the_joy_walk_asks_for_age_first_and_strictly)
{
    for (int late = 0; late < 2; late++) {
        const struct packet packets[] = {make_udp(at_ms(0), 1, 2, 10),
                                         make_udp(at_ms(30000) + late, 3, 4, 10)};

        fixture_run(&joy, &rules_joy, packets, 2);
        ck_assert_int_eq(joy.records[0].expire_type, late ? 'a' : 'i');
    }
}
END_TEST

START_TEST(gaps_below_zero)
{
    RUN_BOTH(make_udp(at_ms(40), 1, 2, 1), make_udp(at_ms(8), 1, 2, 2));
    ck_assert_uint_eq(joy.records[0].packets[1].ipt_ms, 4294967264u);
    ck_assert_uint_eq(ours.records[0].packets[1].ipt_ms, 0);
}
END_TEST

/* Months between two entries: what keeps the flow open in the meantime has no payload. */
START_TEST(gaps_beyond_32_bits)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);

    config.active_timeout = INT64_C(86400) * 365 * SECOND;
    config.idle_timeout = INT64_C(86400) * 60 * SECOND;
    (void)fixture_init(&ours, &config);
    ck_assert(fixture_add(&ours, make_udp(at_ms(0), 1, 2, 1)));
    ck_assert(fixture_add(&ours, make_udp(at_ms(INT64_C(86400) * 30 * 1000), 1, 2, 0)));
    ck_assert(fixture_add(&ours, make_udp(at_ms(INT64_C(86400) * 60 * 1000), 1, 2, 1)));
    flow_table_finish(&ours.table);
    fixture_deinit(&ours);
    ck_assert_uint_eq(ours.n, 1);
    ck_assert_uint_eq(ours.records[0].packets[1].ipt_ms, UINT32_MAX);
}
END_TEST

START_TEST(gaps_are_rounded_down)
{
    RUN_BOTH(make_udp(at_ms(0) + 999, 1, 2, 1), make_udp(at_ms(0), 1, 2, 2), make_udp(at_ms(2) - 1, 1, 2, 3));
    ck_assert_uint_eq(joy.records[0].packets[1].ipt_ms, UINT32_MAX);
    ck_assert_uint_eq(joy.records[0].packets[2].ipt_ms, 1);
}
END_TEST

START_TEST(end_of_the_second_half)
{
    RUN_BOTH(with_keyword(make_udp(at_ms(0), 1, 2, 10), KEYWORD_CLIENT), make_udp(at_ms(70), 2, 1, 10));
    ck_assert_int_eq(joy.records[0].time_end, at_ms(0));
    ck_assert_int_eq(ours.records[0].time_end, at_ms(70));
}
END_TEST

START_TEST(one_way)
{
    RUN_BOTH(make_udp(at_ms(0), 1, 2, 10), make_udp(at_ms(3), 1, 2, 10));
    ck_assert_uint_eq(joy.records[0].packets[0].out, 0);
    ck_assert_uint_eq(ours.records[0].packets[0].out, 1);
    ck_assert_uint_eq(ours.records[0].packets[1].ipt_ms, 3);
    ck_assert(!ours.records[0].in.present);
}
END_TEST

START_TEST(expire_type_at_the_end_of_the_capture)
{
    RUN_BOTH(make_udp(at_ms(0), 1, 2, 10));
    ck_assert_int_eq(joy.records[0].expire_type, 0);
    ck_assert_int_eq(ours.records[0].expire_type, 'f');
}
END_TEST

START_TEST(expire_type_when_the_second_half_is_out)
{
    RUN_BOTH(make_udp(at_ms(0), 1, 2, 10), with_keyword(make_udp(at_ms(1), 2, 1, 10), KEYWORD_CLIENT),
             make_udp(at_ms(20000), 3, 4, 10));
    ck_assert_int_eq(joy.records[0].expire_type, 0);
    ck_assert_uint_eq(joy.records[0].reason, RECORD_REASON_IDLE);
    ck_assert_int_eq(ours.records[0].expire_type, 'i');
}
END_TEST

START_TEST(every_set_has_a_name)
{
    ck_assert_ptr_eq(rules_find("joy"), &rules_joy);
    ck_assert_ptr_eq(rules_find("flowclassd"), &rules_flowclassd);
    ck_assert_ptr_null(rules_find("other"));
}
END_TEST

int main(void)
{
    return UNIT_RUN(
        "flow_rules", ring_a_longer_retransmission, ring_sequence_number_zero, ring_forgets_after_ten,
        ring_stops_when_the_list_is_full, sequence_numbers_wrap, retransmissions_and_silence,
        options_of_a_repeated_syn, malformed_tcp_again, malformed_tcp_behind_a_retransmission,
        malformed_udp_always_counts, an_end_goes_back, time_zero_is_no_start, fin_of_both_sides_ends_a_flow,
        fin_of_one_side_does_not, reset_ends_a_flow_and_a_syn_begins_another, a_packet_after_the_idle_time,
        a_packet_at_the_idle_time_still_belongs, age_counts_from_the_first_start,
        the_joy_walk_wants_both_halves_old, the_joy_walk_asks_for_age_first_and_strictly, gaps_below_zero,
        gaps_beyond_32_bits, gaps_are_rounded_down, end_of_the_second_half, one_way,
        expire_type_at_the_end_of_the_capture, expire_type_when_the_second_half_is_out, every_set_has_a_name);
}

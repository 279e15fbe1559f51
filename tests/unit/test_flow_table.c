/* test_flow_table.c - the table against the model, its limits, and its order. */
#include <errno.h>

#include "flow_fixture.h"
#include "flow_invariants.h"
#include "flow_model.h"
#include "unit.h"

enum { RECORDS_MAX = 40000 };

static uint64_t random_state;

static unsigned next_random(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 24) % n;
}

/* ---- against the model ---- */

struct run {
    struct flow_table table;
    struct tracker_stats stats;
    struct model *model;
    unsigned n;          /* records that came out of the table */
    unsigned n_compared; /* of them */
    struct record *records;
    int64_t now;
    uint32_t next_sequence[8][8];
};

static void keep_record(void *context, const struct flow *flow, enum record_reason reason)
{
    struct run *run = context;

    ck_assert_uint_lt(run->n, RECORDS_MAX);
    flow_record(&run->table.flow, flow, reason, &run->records[run->n++]);
}

static bool same_record(const struct record *a, const struct record *b)
{
    struct record ours = *a; /* the model knows no TCP options */

    ours.has_tcp = false;
    return record_equal(&ours, b) && a->reason == b->reason;
}

/* Compare what both have so far. */
static void compare(struct run *run)
{
    while (run->n_compared < run->n && run->n_compared < run->model->n_records) {
        ck_assert_msg(same_record(&run->records[run->n_compared], &run->model->records[run->n_compared]),
                      "record %u differs", run->n_compared);
        run->n_compared++;
    }
}

static void compare_all(struct run *run)
{
    compare(run);
    ck_assert_uint_eq(run->n, run->model->n_records);
}

/* Next segment in order, one seen before, or a longer repetition. */
static void fill_segment(struct run *run, struct packet *packet, unsigned from, unsigned to)
{
    static const uint8_t flags[] = {TCP_ACK,           TCP_ACK,           TCP_ACK, TCP_SYN,
                                    TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST, TCP_SYN | 0x40};
    uint32_t *next = &run->next_sequence[from][to];

    packet->tcp_flags = flags[next_random(next_random(4) ? 3 : 8)];
    packet->payload_length = next_random(3) ? (int32_t)next_random(100) : 0;
    packet->tcp_seq = *next;
    if (packet->tcp_flags & TCP_SYN)
        packet->payload_length = 0;
    if (next_random(4) == 0)
        packet->tcp_seq -= next_random(200);
    if ((int32_t)(packet->tcp_seq + (uint32_t)packet->payload_length - *next) > 0)
        *next = packet->tcp_seq + (uint32_t)packet->payload_length;
}

static struct packet random_packet(struct run *run, bool joy)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 0};
    uint8_t protocol = protocols[next_random(6)];
    unsigned from = next_random(8);
    unsigned to = next_random(8);
    struct packet packet = make_packet(protocol, run->now, (uint8_t)from, (uint8_t)to, 0);

    packet.payload_length = next_random(3) ? (int32_t)next_random(70000) : 0;
    packet.ttl = (uint8_t)next_random(256);
    packet.ip_id = (uint16_t)next_random(65536);
    packet.family = joy && next_random(9) == 0 ? 6 : 4;
    packet.keyword = next_random(9) == 0 ? (uint8_t)next_random(3) : KEYWORD_NONE;
    if (next_random(20) == 0) {
        packet.malformed = true;
        packet.key.source_port = packet.key.destination_port = 0;
        packet.keyword = KEYWORD_NONE;
        if (joy && next_random(2))
            packet.payload_length = -(int32_t)next_random(100);
    } else if (protocol == IPPROTO_TCP) {
        fill_segment(run, &packet, from, to);
        if (joy && next_random(30) == 0) /* a real flow with both ports 0, which malformed ones meet */
            packet.key.source_port = packet.key.destination_port = 0;
    }
    if (next_random(10) == 0)
        packet.time -= next_random(2 * SECOND);
    return packet;
}

static void step_time(struct run *run)
{
    if (next_random(400) == 0)
        run->now += (int64_t)next_random(100) * SECOND;
    else if (next_random(3000) == 0)
        run->now -= (int64_t)next_random(1000) * SECOND;
    else
        run->now += next_random(60) ? next_random(100 * MS) : next_random(12 * SECOND);
}

static void add_random(struct run *run, bool joy)
{
    struct packet packet = random_packet(run, joy);
    unsigned side;

    model_add(run->model, &packet);
    side = flow_key_sort(&packet.key);
    flow_table_clock(&run->table, packet.time);
    ck_assert(flow_table_add(&run->table, &packet, flow_table_hash(&run->table, &packet.key), side));
}

static void agree_with_model(const struct rules *rules, uint64_t seed, int64_t start)
{
    const struct tracker_config config = fixture_config(rules);
    bool joy = rules->expire_in_batches;
    static struct run run;

    memset(&run, 0, sizeof(run));
    random_state = seed;
    run.now = start;
    run.records = calloc(RECORDS_MAX, sizeof(struct record));
    run.model = model_new(rules, config.idle_timeout, config.active_timeout, FLOW_TABLE_LINGER);
    ck_assert_int_eq(flow_table_init(&run.table, &config, &run.stats, keep_record, &run, NULL), 0);
    for (int step = 1; step <= 5000; step++) {
        const char *wrong;

        step_time(&run);
        add_random(&run, joy);
        if (joy ? step % 10 == 0 : next_random(20) == 0) {
            flow_table_expire(&run.table);
            model_walk(run.model);
            compare_all(&run);
        }
        if (!joy && next_random(50) == 0) {
            flow_table_advance(&run.table, run.now + 5 * SECOND);
            model_advance(run.model, run.now + 5 * SECOND);
        }
        compare(&run);
        wrong = flow_invariants(&run.table);
        ck_assert_msg(!wrong, "step %d: %s", step, wrong);
    }
    flow_table_finish(&run.table);
    model_finish(run.model);
    compare_all(&run);
    ck_assert_uint_gt(run.n, 100);
    ck_assert_ptr_null(flow_invariants(&run.table));
    flow_table_deinit(&run.table);
    model_free(run.model);
    free(run.records);
}

START_TEST(joy_agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        agree_with_model(&rules_joy, seed * 0x9e3779b97f4a7c15, seed % 4 == 0 ? -3 * SECOND : at_ms(0));
}
END_TEST

START_TEST(flowclassd_agrees_with_the_model)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        agree_with_model(&rules_flowclassd, seed * 0x9e3779b97f4a7c15,
                         seed % 4 == 0 ? -3 * SECOND : at_ms(0));
}
END_TEST

/* ---- limits ---- */

static struct packet from_host(int64_t time, unsigned host)
{
    struct packet packet = make_udp(time, 0, 1, 10);

    packet.key.source[1] = (uint8_t)(host >> 16);
    packet.key.source[2] = (uint8_t)(host >> 8);
    packet.key.source[3] = (uint8_t)host;
    return packet;
}

static unsigned host_of(const struct record *record)
{
    return (unsigned)record->source[1] << 16 | (unsigned)record->source[2] << 8 | record->source[3];
}

static struct fixture fixture;

START_TEST(the_flow_idle_longest_makes_room)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);

    config.max_flows = 4;
    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    for (unsigned i = 1; i <= 4; i++)
        ck_assert(fixture_add(&fixture, from_host(at_ms(100 * i), i)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(500), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(600), 5)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(700), 6)));
    ck_assert_uint_eq(fixture.n, 2);
    ck_assert_uint_eq(host_of(&fixture.records[0]), 2);
    ck_assert_uint_eq(host_of(&fixture.records[1]), 3);
    ck_assert_int_eq(fixture.records[0].expire_type, 'r');
    ck_assert_uint_eq(fixture.stats.flows_finished[RECORD_REASON_RESOURCES], 2);
    ck_assert_uint_eq(fixture.stats.flows_active, 4);
    ck_assert_ptr_null(flow_invariants(&fixture.table));
    fixture_deinit(&fixture);
}
END_TEST

/* What is idle longest does not depend on how old flows may become. */
START_TEST(the_flow_idle_longest_makes_room_under_a_long_active_timeout)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);

    config.max_flows = 2;
    config.active_timeout = INT64_C(30 * 86400) * SECOND;
    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    ck_assert(fixture_add(&fixture, from_host(at_ms(0), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(100), 2)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(5000), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(6000), 3)));
    ck_assert_uint_eq(fixture.n, 1);
    ck_assert_uint_eq(host_of(&fixture.records[0]), 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(what_is_due_ends_as_such_before_others_make_room)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);

    config.max_flows = 2;
    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    ck_assert(fixture_add(&fixture, from_host(at_ms(0), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(9000), 2)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(11000), 3)));
    ck_assert_uint_eq(fixture.n, 1);
    ck_assert_uint_eq(fixture.records[0].reason, RECORD_REASON_IDLE);
    ck_assert_uint_eq(fixture.stats.flows_finished[RECORD_REASON_RESOURCES], 0);
    fixture_deinit(&fixture);
}
END_TEST

static void flood(const struct rules *rules, uint64_t max_memory)
{
    struct tracker_config config = fixture_config(rules);

    config.max_flows = 1 << 20;
    config.max_memory = max_memory;
    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    for (unsigned i = 0; i < 60000; i++) {
        struct packet packet = from_host(at_ms(0) + i * 10, i);

        ck_assert(fixture_add(&fixture, packet));
        if (i % 16 == 0) /* some flows grow long lists */
            for (unsigned j = 0; j < 100; j++)
                ck_assert(fixture_add(&fixture, from_host(at_ms(0) + i * 10, j)));
        if (i % 1000 == 0) {
            flow_table_count_memory(&fixture.table);
            ck_assert_ptr_null(flow_invariants(&fixture.table));
            ck_assert_uint_le(fixture.stats.memory, max_memory);
        }
    }
    ck_assert_uint_gt(fixture.stats.flows_finished[RECORD_REASON_RESOURCES], 0);
    ck_assert_uint_gt(fixture.stats.flows_active, max_memory / 4000);
    ck_assert_uint_eq(fixture.stats.trimmed.list_memory, 0);
    flow_table_finish(&fixture.table);
    ck_assert_uint_eq(fixture.stats.flows_active, 0);
    ck_assert_ptr_null(flow_invariants(&fixture.table));
    fixture_deinit(&fixture);
}

START_TEST(memory_is_bounded)
{
    flood(&rules_flowclassd, FLOW_TABLE_MEMORY_MIN);
    flood(&rules_flowclassd, 8 << 20);
    flood(&rules_joy, FLOW_TABLE_MEMORY_MIN);
}
END_TEST

START_TEST(limits_out_of_range_are_refused)
{
    const struct tracker_config good = fixture_config(&rules_joy);
    struct tracker_config bad[7] = {good, good, good, good, good, good, good};

    bad[0].idle_timeout = 0;
    bad[1].active_timeout = INT64_MAX;
    bad[2].side_packets = RECORD_SIDE_PACKETS_MAX + 1;
    bad[3].side_ids = RECORD_IDS_MAX + 1;
    bad[4].max_flows = 0;
    bad[5].max_flows = UINT32_MAX;
    bad[6].max_memory = 1 << 20;
    for (int i = 0; i < 7; i++) {
        struct error err = {0};

        ck_assert_int_eq(
            flow_table_init(&fixture.table, &bad[i], &fixture.stats, fixture_on_end, &fixture, &err),
            -EINVAL);
        ck_assert_int_eq(err.code, -EINVAL);
        ck_assert_str_ne(err.text, "");
    }
}
END_TEST

/* ---- order and time ---- */

START_TEST(ends_come_in_order_of_due_times_or_of_creation)
{
    static const unsigned made[] = {1, 2, 3};
    static const unsigned due[] = {2, 3, 1};

    for (int joy = 0; joy < 2; joy++) {
        const struct tracker_config config = fixture_config(joy ? &rules_joy : &rules_flowclassd);

        ck_assert_int_eq(fixture_init(&fixture, &config), 0);
        ck_assert(fixture_add(&fixture, from_host(at_ms(0), 1)));
        ck_assert(fixture_add(&fixture, from_host(at_ms(1), 2)));
        ck_assert(fixture_add(&fixture, from_host(at_ms(2), 3)));
        ck_assert(fixture_add(&fixture, from_host(at_ms(9), 1)));
        flow_table_clock(&fixture.table, at_ms(60000));
        flow_table_expire(&fixture.table);
        ck_assert_uint_eq(fixture.n, 3);
        for (int i = 0; i < 3; i++)
            ck_assert_uint_eq(host_of(&fixture.records[i]), (joy ? made : due)[i]);
        ck_assert_int_ge(fixture.stats.expiry_lag_max, 49 * (int64_t)SECOND);
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(a_clock_set_back_ends_what_is_open)
{
    const struct tracker_config config = fixture_config(&rules_flowclassd);

    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    ck_assert(fixture_add(&fixture, from_host(at_ms(3600000), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(3599000), 1))); /* one second late: belongs */
    ck_assert_uint_eq(fixture.n, 0);
    ck_assert(fixture_add(&fixture, from_host(at_ms(0), 1)));
    ck_assert(fixture_add(&fixture, from_host(at_ms(1), 1)));
    ck_assert_uint_eq(fixture.n, 1);
    ck_assert_uint_eq(fixture.records[0].out.packets, 2);
    ck_assert_uint_eq(fixture.records[0].reason, RECORD_REASON_FORCED);
    flow_table_finish(&fixture.table);
    ck_assert_uint_eq(fixture.records[1].out.packets, 2);
    fixture_deinit(&fixture);
}
END_TEST

START_TEST(extreme_times_are_harmless)
{
    static const int64_t times[] = {0, -1, FLOW_TIME_MAX, -FLOW_TIME_MAX, 1, FLOW_TIME_MAX - 1};

    for (int joy = 0; joy < 2; joy++) {
        const struct tracker_config config = fixture_config(joy ? &rules_joy : &rules_flowclassd);

        ck_assert_int_eq(fixture_init(&fixture, &config), 0);
        for (unsigned i = 0; i < 600; i++) {
            ck_assert(fixture_add(&fixture, from_host(times[i * 7 % 6], i % 5)));
            if (i % 10 == 0)
                flow_table_expire(&fixture.table);
            ck_assert_ptr_null(flow_invariants(&fixture.table));
        }
        flow_table_finish(&fixture.table);
        ck_assert_uint_gt(fixture.n, 4);
        fixture_deinit(&fixture);
    }
}
END_TEST

START_TEST(a_finished_table_starts_anew)
{
    const struct tracker_config config = fixture_config(&rules_joy);

    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    for (int round = 0; round < 3; round++) {
        ck_assert(fixture_add(&fixture, from_host(at_ms(100000 - round * 50000), 1)));
        ck_assert(fixture_add(&fixture, from_host(at_ms(100001 - round * 50000), 2)));
        flow_table_finish(&fixture.table);
        ck_assert_uint_eq(fixture.n, 2 * (unsigned)round + 2);
        ck_assert_uint_eq(host_of(&fixture.records[2 * round]), 1);
        ck_assert_uint_eq(fixture.records[2 * round].flow_id, 2 * (unsigned)round + 1);
    }
    fixture_deinit(&fixture);
}
END_TEST

int main(void)
{
    return UNIT_RUN(
        "flow_table", joy_agrees_with_the_model, flowclassd_agrees_with_the_model,
        the_flow_idle_longest_makes_room, the_flow_idle_longest_makes_room_under_a_long_active_timeout,
        what_is_due_ends_as_such_before_others_make_room, memory_is_bounded, limits_out_of_range_are_refused,
        ends_come_in_order_of_due_times_or_of_creation, a_clock_set_back_ends_what_is_open,
        extreme_times_are_harmless, a_finished_table_starts_anew);
}

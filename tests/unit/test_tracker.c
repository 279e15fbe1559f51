/* test_tracker.c - frames in, records out: sums, batches, groups, ticks, fragments that wait. */
#include "flowtrack/tracker.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

enum { SECOND = 1000000, FRAME = 14 + 20 + 8 + 40, RECORDS_MAX = 4096 };

static const int64_t origin = INT64_C(1700000000) * SECOND;

struct run {
    struct tracker *tracker;
    unsigned n;
    struct record records[RECORDS_MAX];
};

static struct run runs[2];

static void keep_record(void *context, const struct record *record)
{
    struct run *run = context;

    ck_assert_uint_lt(run->n, RECORDS_MAX);
    record_copy(&run->records[run->n++], record);
}

static void run_begin(struct run *run, const struct rules *rules)
{
    const struct tracker_config config = {
        .rules = rules,
        .idle_timeout = 10 * SECOND,
        .active_timeout = 30 * SECOND,
        .side_packets = RECORD_SIDE_PACKETS_MAX,
        .side_ids = RECORD_IDS_MAX,
        .max_flows = 1000,
        .max_memory = 16 << 20,
        .interface = 7,
        .on_record = keep_record,
        .context = run,
    };
    struct error err;

    run->n = 0;
    ck_assert_int_eq(tracker_new(&run->tracker, &config, &err), 0);
}

/* Ethernet, IPv4 from 10.0.0.`host`, UDP. fragment: the octets at offset 6 of the IP header. */
static void make_frame(uint8_t frame[FRAME], unsigned host, uint16_t fragment)
{
    static const uint8_t start[14 + 20 + 8] = {
        [12] = 0x08, [14] = 0x45, [17] = FRAME - 14, [19] = 1, [22] = 64, [23] = 17,
        [26] = 10,   [30] = 10,   [33] = 99,         [34] = 4, [36] = 80, [39] = 48,
    };

    memset(frame, 0, FRAME);
    memcpy(frame, start, sizeof(start));
    frame[20] = (uint8_t)(fragment >> 8);
    frame[21] = (uint8_t)fragment;
    frame[28] = (uint8_t)(host >> 8);
    frame[29] = (uint8_t)host;
}

static void put(struct run *run, int64_t time, unsigned host)
{
    uint8_t frame[FRAME];

    make_frame(frame, host, 0);
    tracker_packet(run->tracker, time, FRAME, FRAME, frame);
}

static void check_sums(const struct run *run)
{
    const struct tracker_stats *stats = tracker_stats(run->tracker);
    uint64_t packets = stats->decoded;
    uint64_t finished = 0;

#define SUM_IGNORED(name, text) packets += stats->ignored.name;
#define SUM_DROPPED(name, text) packets += stats->dropped.name;
    TRACKER_IGNORED(SUM_IGNORED)
    TRACKER_DROPPED(SUM_DROPPED)
    for (int i = 0; i < RECORD_REASONS; i++)
        finished += stats->flows_finished[i];
    ck_assert_uint_eq(stats->packets, packets);
    ck_assert_uint_eq(stats->flows_created, finished + stats->flows_active);
    ck_assert_uint_eq(finished, run->n);
    ck_assert_uint_le(stats->memory, stats->memory_peak);
}

START_TEST(sums_balance_at_any_moment)
{
    static const struct rules *const sets[] = {&rules_joy, &rules_flowclassd};

    for (int s = 0; s < 2; s++) {
        struct run *run = &runs[0];
        uint64_t random = 7;

        run_begin(run, sets[s]);
        for (int i = 0; i < 3000; i++) {
            uint8_t frame[FRAME];

            random = random * 6364136223846793005u + 1442695040888963407u;
            make_frame(frame, (unsigned)(random >> 40) % 50, random >> 60 ? 0 : (uint16_t)(random >> 20));
            if (random >> 58 == 3)
                frame[(random >> 50) % FRAME] ^= (uint8_t)(random >> 30);
            tracker_packet(run->tracker, origin + i * 37000,
                           random >> 59 == 5 ? (random >> 40) % FRAME : FRAME, FRAME, frame);
            if (i % 11 == 0) {
                tracker_flush(run->tracker);
                check_sums(run);
            }
        }
        tracker_finish(run->tracker);
        check_sums(run);
        ck_assert_uint_eq(tracker_stats(run->tracker)->flows_active, 0);
        ck_assert_uint_eq(tracker_stats(run->tracker)->packets, 3000);
        ck_assert_uint_eq(tracker_stats(run->tracker)->octets, 3000 * FRAME);
        tracker_free(run->tracker);
    }
}
END_TEST

START_TEST(joy_batches_are_of_ten)
{
    struct run *run = &runs[0];

    run_begin(run, &rules_joy);
    put(run, origin, 1);
    for (int i = 0; i < 8; i++)
        put(run, origin + 11 * SECOND, 2);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 0);
    put(run, origin + 11 * SECOND, 2);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 1);
    ck_assert_uint_eq(run->records[0].source[3], 1);
    ck_assert_uint_eq(run->records[0].interface, 7);
    tracker_free(run->tracker);
}
END_TEST

START_TEST(a_read_error_ends_a_joy_batch)
{
    struct run *run = &runs[0];

    run_begin(run, &rules_joy);
    put(run, origin, 1);
    put(run, origin + 11 * SECOND, 2);
    tracker_read_error(run->tracker);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 1);
    for (int i = 0; i < 9; i++) /* counts from 0 again */
        put(run, origin + 22 * SECOND, 3);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 1);
    put(run, origin + 22 * SECOND, 3);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 2);
    tracker_free(run->tracker);
}
END_TEST

START_TEST(frames_that_the_filter_stops_are_in_no_batch)
{
    struct run *run = &runs[0];
    uint8_t arp[FRAME] = {[12] = 0x08, [13] = 0x06};

    run_begin(run, &rules_joy);
    put(run, origin, 1);
    put(run, origin + 11 * SECOND, 2);
    for (int i = 0; i < 20; i++)
        tracker_packet(run->tracker, origin + 12 * SECOND, FRAME, FRAME, arp);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 0);
    check_sums(run);
    tracker_free(run->tracker);
}
END_TEST

/* The same packets: from a file, and live with ticks and flushes in between. */
START_TEST(live_and_file_give_the_same_records)
{
    uint64_t random = 99;
    int64_t now = origin;

    run_begin(&runs[0], &rules_flowclassd);
    run_begin(&runs[1], &rules_flowclassd);
    for (int i = 0; i < 3000; i++) {
        unsigned host;

        random = random * 6364136223846793005u + 1442695040888963407u;
        host = (unsigned)(random >> 40) % 40;
        now += (random >> 33) % 64 ? (int64_t)(random >> 50) % 100000 : 7 * SECOND;
        put(&runs[0], now, host);
        put(&runs[1], now, host);
        if ((random >> 20) % 3 == 0)
            tracker_flush(runs[1].tracker);
        if ((random >> 22) % 4 == 0)
            tracker_tick(runs[1].tracker, now + (int64_t)(random >> 10) % 500000);
    }
    tracker_finish(runs[0].tracker);
    tracker_finish(runs[1].tracker);
    ck_assert_uint_eq(runs[0].n, runs[1].n);
    ck_assert_uint_gt(runs[0].n, 100);
    for (unsigned i = 0; i < runs[0].n; i++) {
        ck_assert(record_equal(&runs[0].records[i], &runs[1].records[i]));
        ck_assert_uint_eq(runs[0].records[i].flow_id, runs[1].records[i].flow_id);
    }
    tracker_free(runs[0].tracker);
    tracker_free(runs[1].tracker);
}
END_TEST

START_TEST(a_tick_ends_flows_though_no_packet_comes)
{
    struct run *run = &runs[0];

    run_begin(run, &rules_flowclassd);
    put(run, origin, 1);
    tracker_tick(run->tracker, origin + 10 * SECOND + SECOND / 4);
    ck_assert_uint_eq(run->n, 0);
    tracker_tick(run->tracker, origin + 10 * SECOND + SECOND);
    ck_assert_uint_eq(run->n, 1);
    ck_assert_int_eq(run->records[0].expire_type, 'i');
    ck_assert_int_le(tracker_stats(run->tracker)->expiry_lag_max, SECOND / 2);
    tracker_free(run->tracker);

    run_begin(run, &rules_joy);
    put(run, origin, 1);
    tracker_tick(run->tracker, origin + 100 * SECOND);
    tracker_flush(run->tracker);
    ck_assert_uint_eq(run->n, 0);
    tracker_free(run->tracker);
}
END_TEST

START_TEST(a_tick_sees_that_the_clock_was_set_back)
{
    struct run *run = &runs[0];

    run_begin(run, &rules_flowclassd);
    put(run, origin + 60 * SECOND, 1);
    tracker_tick(run->tracker, origin + 60 * SECOND);
    tracker_tick(run->tracker, origin + 50 * SECOND);
    ck_assert_uint_eq(run->n, 0);
    tracker_tick(run->tracker, origin + 50 * SECOND - 1);
    ck_assert_uint_eq(run->n, 1);
    ck_assert_uint_eq(run->records[0].reason, RECORD_REASON_FORCED);
    put(run, origin + 50 * SECOND, 1);
    tracker_tick(run->tracker, origin + 61 * SECOND);
    ck_assert_uint_eq(run->n, 2);
    ck_assert_uint_eq(run->records[1].reason, RECORD_REASON_IDLE);
    tracker_free(run->tracker);
}
END_TEST

START_TEST(fragments_wait_for_their_ports)
{
    struct run *run = &runs[0];
    uint8_t frame[FRAME];

    run_begin(run, &rules_flowclassd);
    make_frame(frame, 1, 48 / 8); /* the last one comes first */
    tracker_packet(run->tracker, origin, FRAME, FRAME, frame);
    tracker_flush(run->tracker);
    check_sums(run);
    make_frame(frame, 1, 0x2000);
    tracker_packet(run->tracker, origin + 1000, FRAME, FRAME, frame);
    make_frame(frame, 2, 48 / 8); /* its first one never comes */
    tracker_packet(run->tracker, origin + 2000, FRAME, FRAME, frame);
    tracker_finish(run->tracker);
    ck_assert_uint_eq(run->n, 2);
    ck_assert_uint_eq(run->records[0].out.packets, 2);
    ck_assert_uint_eq(run->records[0].source_port, 1024);
    ck_assert_uint_eq(run->records[1].source_port, 0);
    ck_assert_uint_eq(tracker_stats(run->tracker)->decoded, 3);
    check_sums(run);
    tracker_free(run->tracker);
}
END_TEST

/* What waits for its first fragment belongs to the time before the step: it must neither wait until that time
 * comes again, nor be taken for a flow of then. */
START_TEST(fragments_do_not_wait_beyond_a_clock_set_back)
{
    struct run *run = &runs[0];
    const struct tracker_stats *stats;
    uint8_t frame[FRAME];

    for (int live = 0; live < 2; live++) {
        run_begin(run, &rules_flowclassd);
        stats = tracker_stats(run->tracker);
        put(run, origin + 3600 * INT64_C(1000000) - 1000, 1);
        make_frame(frame, 2, 48 / 8);
        tracker_packet(run->tracker, origin + 3600 * INT64_C(1000000), FRAME, FRAME, frame);
        if (live)
            tracker_tick(run->tracker, origin);
        put(run, origin, 1);
        tracker_flush(run->tracker);
        ck_assert_uint_eq(stats->trimmed.fragment_orphan, 1);
        ck_assert_uint_eq(run->n, 2);
        put(run, origin + 11 * SECOND, 1);
        tracker_flush(run->tracker);
        ck_assert_uint_eq(run->n, 3);
        ck_assert_uint_eq(stats->flows_active, 1);
        check_sums(run);
        tracker_free(run->tracker);
    }
}
END_TEST

START_TEST(byte_distribution_covers_both_sides)
{
    struct run *run = &runs[0];
    const struct tracker_config config = {
        .rules = &rules_flowclassd,
        .idle_timeout = 10 * SECOND,
        .active_timeout = 30 * SECOND,
        .max_flows = 10,
        .max_memory = 16 << 20,
        .byte_dist = true,
        .on_record = keep_record,
        .context = run,
    };
    uint8_t frame[FRAME];

    run->n = 0;
    ck_assert_int_eq(tracker_new(&run->tracker, &config, NULL), 0);
    make_frame(frame, 1, 0);
    memset(frame + FRAME - 10, 200, 10);
    for (int i = 0; i < 40; i++)
        tracker_packet(run->tracker, origin + i, FRAME, FRAME, frame);
    tracker_finish(run->tracker);
    ck_assert_uint_eq(run->n, 1);
    ck_assert(run->records[0].has_byte_dist);
    ck_assert_uint_eq(run->records[0].byte_dist.counts[0], 1200 >> 3);
    ck_assert_uint_eq(run->records[0].byte_dist.counts[200], 400 >> 3);
    ck_assert_float_eq_tol(run->records[0].byte_dist.mean, 50, 1e-4);
    ck_assert_float_eq_tol(run->records[0].byte_dist.deviation, 86.6295, 1e-3);
    ck_assert_float_eq_tol(run->records[0].byte_dist.entropy, 0.811278, 1e-5);
    ck_assert_float_eq_tol(run->records[0].byte_dist.total_entropy, 1600 * 0.811278, 1e-2);
    ck_assert_uint_eq(run->records[0].n_packets, 0);
    tracker_free(run->tracker);
}
END_TEST

START_TEST(an_unknown_link_type_is_counted)
{
    struct run *run = &runs[0];

    run_begin(run, &rules_flowclassd);
    ck_assert_int_eq(tracker_set_link_type(run->tracker, 9999), -EPROTONOSUPPORT);
    put(run, origin, 1);
    tracker_finish(run->tracker);
    ck_assert_uint_eq(tracker_stats(run->tracker)->ignored.link_type, 1);
    ck_assert_uint_eq(run->n, 0);
    check_sums(run);
    tracker_free(run->tracker);
}
END_TEST

int main(void)
{
    return UNIT_RUN("tracker", sums_balance_at_any_moment, joy_batches_are_of_ten,
                    a_read_error_ends_a_joy_batch, frames_that_the_filter_stops_are_in_no_batch,
                    live_and_file_give_the_same_records, a_tick_ends_flows_though_no_packet_comes,
                    a_tick_sees_that_the_clock_was_set_back, fragments_wait_for_their_ports,
                    fragments_do_not_wait_beyond_a_clock_set_back, byte_distribution_covers_both_sides,
                    an_unknown_link_type_is_counted);
}

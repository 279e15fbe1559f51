/* flow_fixture.h - what tests of flows need: packets made by hand, a table, and the records that came out. */
#ifndef TESTS_UNIT_FLOW_FIXTURE_H
#define TESTS_UNIT_FLOW_FIXTURE_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "flowtrack/flow_record.h"
#include "flowtrack/flow_table.h"

enum { SECOND = 1000000, MS = 1000, START_SECOND = 1700000000, FIXTURE_RECORDS = 64 };

/* Microseconds since 1970 of a moment counted from an arbitrary start. */
static inline int64_t at_ms(int64_t ms)
{
    return (int64_t)START_SECOND * SECOND + ms * MS;
}

/* A packet from port 1000 + `from` of 10.0.0.`from` to the like of `to`. */
static inline struct packet make_packet(uint8_t protocol, int64_t time, uint8_t from, uint8_t to,
                                        int32_t length)
{
    struct packet packet = {
        .key = {.source = {10, 0, 0, from}, .destination = {10, 0, 0, to}, .protocol = protocol},
        .time = time,
        .payload_length = length,
        .family = 4,
        .ttl = 64,
        .ip_id = 1,
    };

    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
        packet.key.source_port = (uint16_t)(1000 + from);
        packet.key.destination_port = (uint16_t)(1000 + to);
    }
    return packet;
}

static inline struct packet make_tcp(int64_t time, uint8_t from, uint8_t to, uint8_t flags, uint32_t sequence,
                                     int32_t length)
{
    struct packet packet = make_packet(IPPROTO_TCP, time, from, to, length);

    packet.tcp_flags = flags;
    packet.tcp_seq = sequence;
    return packet;
}

static inline struct packet make_udp(int64_t time, uint8_t from, uint8_t to, int32_t length)
{
    return make_packet(IPPROTO_UDP, time, from, to, length);
}

struct fixture {
    struct flow_table table;
    struct tracker_stats stats;
    unsigned n; /* records that came out */
    struct record records[FIXTURE_RECORDS];
};

static inline void fixture_on_end(void *context, const struct flow *flow, enum record_reason reason)
{
    struct fixture *fixture = context;

    if (fixture->n < FIXTURE_RECORDS)
        flow_record(&fixture->table.flow, flow, reason, &fixture->records[fixture->n]);
    fixture->n++;
}

static inline struct tracker_config fixture_config(const struct rules *rules)
{
    return (struct tracker_config){
        .rules = rules,
        .idle_timeout = 10 * SECOND,
        .active_timeout = 30 * SECOND,
        .side_packets = RECORD_SIDE_PACKETS_MAX,
        .side_ids = RECORD_IDS_MAX,
        .max_flows = 1000,
        .max_memory = 64 << 20,
    };
}

/* Return: 0, or what flow_table_init() returns. */
static inline int fixture_init(struct fixture *fixture, const struct tracker_config *config)
{
    memset(fixture, 0, sizeof(*fixture));
    return flow_table_init(&fixture->table, config, &fixture->stats, fixture_on_end, fixture, NULL);
}

static inline bool fixture_add(struct fixture *fixture, struct packet packet)
{
    unsigned side = flow_key_sort(&packet.key);

    flow_table_clock(&fixture->table, packet.time);
    return flow_table_add(&fixture->table, &packet, flow_table_hash(&fixture->table, &packet.key), side);
}

static inline void fixture_deinit(struct fixture *fixture)
{
    flow_table_deinit(&fixture->table);
}

/* Run packets through a table of their own, to the end of the capture. */
static inline void fixture_run(struct fixture *fixture, const struct rules *rules,
                               const struct packet *packets, unsigned n)
{
    const struct tracker_config config = fixture_config(rules);

    (void)fixture_init(fixture, &config);
    for (unsigned i = 0; i < n; i++)
        (void)fixture_add(fixture, packets[i]);
    flow_table_finish(&fixture->table);
    fixture_deinit(fixture);
}

#endif

/* records.h - records for tests: random ones of every kind, the same for the same seed. */
#ifndef TESTS_UNIT_RECORDS_H
#define TESTS_UNIT_RECORDS_H

#include <string.h>

#include "flowtrack/record.h"

struct records_random {
    uint64_t state;
};

/* SplitMix64. */
static inline uint64_t records_next(struct records_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint64_t records_below(struct records_random *random, uint64_t n)
{
    return records_next(random) % n;
}

/* A number whose count of bits is as random as its value: small ones and the limits come often. */
static inline uint64_t records_number(struct records_random *random, unsigned bits)
{
    uint64_t all = UINT64_MAX >> (64 - bits);
    uint64_t number = records_next(random) >> records_below(random, 64);

    return records_below(random, 16) == 0 ? all : number & all;
}

static inline void records_octets(struct records_random *random, uint8_t *octets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        octets[i] = (uint8_t)records_next(random);
}

static inline void records_address(struct records_random *random, uint8_t family, uint8_t address[16])
{
    memset(address, 0, 16);
    records_octets(random, address, family == 4 ? 4 : 16);
    for (unsigned i = 0; family == 6 && i < 8; i++) /* runs of zeros, of any length at any place */
        if (records_below(random, 2) == 0)
            memset(address + 2 * i, 0, 2);
    if (family == 6 && records_below(random, 8) == 0)
        memcpy(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}

static inline void records_side(struct records_random *random, struct record_side *side, uint16_t *ids)
{
    side->present = true;
    side->bytes = records_number(random, 64);
    side->packets = records_number(random, 64);
    side->has_ip = records_below(random, 8) > 0;
    if (!side->has_ip)
        return;
    side->ttl = (uint8_t)records_number(random, 8);
    side->n_ids = (uint8_t)records_below(random, RECORD_IDS_MAX + 1);
    for (unsigned i = 0; i < side->n_ids; i++)
        ids[i] = (uint16_t)records_number(random, 16);
}

/* Options that JSON can carry in full: none behind the first that does not fit or the end mark. */
static inline void records_options(struct records_random *random, struct record_tcp_side *side)
{
    static const uint8_t kinds[] = {1, 2, 3, 4, 8, 30, 254}, sizes[] = {1, 4, 3, 2, 10, 6, 2};
    unsigned n = 0;

    for (unsigned left = (unsigned)records_below(random, 12); left > 0; left--) {
        unsigned i = (unsigned)records_below(random, sizeof kinds);
        unsigned size = sizes[i];

        if (records_below(random, 16) == 0 && kinds[i] != 1 && kinds[i] != 4)
            size = 2 + (unsigned)records_below(random, 12);
        if (n + size > RECORD_TCP_OPTIONS_MAX)
            break;
        records_octets(random, side->options + n, size);
        side->options[n] = kinds[i];
        if (size > 1)
            side->options[n + 1] = (uint8_t)size;
        n += size;
    }
    if (n < RECORD_TCP_OPTIONS_MAX && records_below(random, 4) == 0)
        n += 1; /* the end mark: 0 */
    side->options_length = (uint8_t)n;
}

static inline void records_tcp_side(struct records_random *random, struct record_tcp_side *side)
{
    side->present = records_below(random, 3) > 0;
    if (!side->present)
        return;
    side->flags = (uint8_t)records_number(random, 8);
    side->window = (uint16_t)records_number(random, 16);
    records_options(random, side);
}

/* A multiple of a millionth: what JSON carries. */
static inline double records_decimal(struct records_random *random)
{
    return (double)records_number(random, 40) / 1e6;
}

static inline void records_byte_dist(struct records_random *random, struct record *record)
{
    struct record_byte_dist *dist = &record->byte_dist;
    bool payload = record->out.bytes + (record->in.present ? record->in.bytes : 0) > 0;

    memset(dist, 0, sizeof *dist);
    record->has_byte_dist = records_below(random, 4) == 0;
    record->has_entropy = payload && records_below(random, 4) == 0;
    if (record->has_byte_dist)
        records_octets(random, dist->counts, sizeof dist->counts);
    if (record->has_byte_dist && payload) {
        dist->mean = records_decimal(random);
        dist->deviation = records_decimal(random);
    }
    if (record->has_entropy) {
        dist->entropy = records_decimal(random);
        dist->total_entropy = records_decimal(random);
    }
}

/* What seconds of 64 bits leave of a time in microseconds. */
static inline int64_t records_time(struct records_random *random)
{
    int64_t time = (int64_t)(records_number(random, 63) % UINT64_C(9000000000000000000));

    return records_below(random, 4) == 0 ? -time : time;
}

/* Fill a record with what JSON can carry. */
static inline void records_make(struct records_random *random, struct record *record)
{
    static const char marks[] = {0, 'a', 'i', 'e', 'f', 'r'};

    memset(record, 0, sizeof *record);
    record->family = records_below(random, 3) == 0 ? 6 : 4;
    records_address(random, record->family, record->source);
    records_address(random, record->family, record->destination);
    record->protocol = (uint8_t)records_number(random, 8);
    record->has_ports = records_below(random, 2) == 0;
    if (record->has_ports) {
        record->source_port = (uint16_t)records_number(random, 16);
        record->destination_port = (uint16_t)records_number(random, 16);
    }
    records_side(random, &record->out, record->ids_out);
    if (records_below(random, 2) == 0)
        records_side(random, &record->in, record->ids_in);
    record->time_start = records_time(random);
    record->time_end = records_time(random);
    record->n_packets = (uint8_t)records_below(random, RECORD_PACKETS_MAX + 1);
    for (unsigned i = 0; i < record->n_packets; i++)
        record->packets[i] = (struct record_packet){.ipt_ms = (uint32_t)records_number(random, 32),
                                                    .bytes = (uint16_t)records_number(random, 16),
                                                    .out = (uint8_t)records_below(random, 2)};
    record->has_tcp = records_below(random, 2) == 0;
    if (record->has_tcp) {
        record->tcp_first_seq = (uint32_t)records_number(random, 32);
        records_tcp_side(random, &record->tcp_out);
        records_tcp_side(random, &record->tcp_in);
    }
    record->tcp_retrans = (uint32_t)records_number(random, 32);
    record->invalid = (uint32_t)records_number(random, 32);
    record->expire_type = marks[records_below(random, sizeof marks)];
    record->reason = record_reason_of_mark(record->expire_type);
    records_byte_dist(random, record);
}

#endif

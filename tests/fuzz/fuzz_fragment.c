/* fuzz_fragment.c - the fragment table against what it promises: a fragment that waits comes out exactly once
 * and unchanged but for its ports, and one is refused only if its octets were seen or cannot be.
 *
 * Input: fragments of 8 octets: identification (1), flags (1: more, 2: IPv6, 4: TCP, 8: expire first), offset
 * in units of 8 (2), length (2), time since the one before in 16 ms (2).
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/bytes.h"
#include "flowtrack/fragment.h"
#include "tests/fuzz/fuzz.h"

/* One table for all inputs; every input leaves it empty. */
static struct fragment_table *table;
static struct tracker_stats stats;

struct run {
    uint64_t placed; /* octets and fragments that went in and were not refused */
    uint64_t n_placed;
    uint64_t out;
    uint64_t n_out;
};

static void count_out(struct run *run, const struct packet *packet)
{
    run->out += (uint64_t)packet->payload_length;
    run->n_out++;
    if (!packet->malformed && packet->key.protocol == IPPROTO_UDP)
        assert(packet->key.source_port == 1000 && packet->key.destination_port == packet->ip_id);
}

static void take(struct run *run)
{
    struct packet packet;

    while (fragment_table_take(table, &packet)) {
        assert(!packet.payload && packet.payload_captured == 0);
        count_out(run, &packet);
        assert(run->n_out <= run->n_placed);
    }
}

/* A first fragment has a UDP header, or a TCP header of 20. */
static void place(struct run *run, uint8_t id, uint8_t flags, uint32_t offset, int32_t length, int64_t time)
{
    enum { MORE = 1, SIX = 2, TCP = 4 };
    struct packet packet = {
        .time = time, .family = flags & SIX ? 6 : 4, .ip_id = id, .payload_length = length};
    struct ip_payload payload = {
        .length = length, .fragment = true, .more = flags & MORE, .offset = offset, .id = id};
    int32_t header = flags & TCP ? 20 : 8;
    enum packet_result result;

    packet.key.family = packet.family;
    packet.key.protocol = flags & TCP ? IPPROTO_TCP : IPPROTO_UDP;
    payload.id_scope = flags & SIX ? 0 : packet.key.protocol;
    if (offset == 0 && length >= header) {
        packet.key.source_port = 1000;
        packet.key.destination_port = id;
        packet.payload_length = length - header;
    } else if (offset == 0) {
        packet.malformed = true;
    }
    run->placed += (uint64_t)packet.payload_length;
    run->n_placed++;
    result = fragment_table_place(table, &packet, &payload);
    if (result == PACKET_DECODED) {
        /* ports of a first fragment without a header are 0 for all */
        if (packet.key.source_port == 0)
            packet.malformed = true;
        count_out(run, &packet);
    } else if (result == PACKET_IGNORED) {
        run->placed -= (uint64_t)packet.payload_length;
        run->n_placed--;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { STEP = 8, EXPIRE = 8 };
    struct bytes input = bytes_over(bytes, size);
    struct run run = {0};
    int64_t time = 0;

    if (!table && fragment_table_new(&table, &stats) < 0)
        abort();
    for (; input.left >= STEP; bytes_skip(&input, STEP)) {
        uint8_t flags = bytes_u8_at(&input, 1);

        time += bytes_be16_at(&input, 6) * INT64_C(16000);
        if (flags & EXPIRE)
            fragment_table_expire(table, time);
        place(&run, bytes_u8_at(&input, 0), flags, bytes_be16_at(&input, 2) * 8u % 65536,
              bytes_be16_at(&input, 4), time);
        take(&run);
    }
    fragment_table_expire(table, INT64_MAX);
    take(&run);
    assert(run.n_placed == run.n_out && run.placed == run.out);
    return 0;
}

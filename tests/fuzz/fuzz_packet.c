/* fuzz_packet.c - the decoder, with what its fragment table makes of several frames in a row.
 *
 * Input: octet 0 chooses the rules (bit 0) and the link type (the rest); then frames, each with 4 octets
 * before it: captured length and time since the one before, big-endian. Octets on the wire: the captured
 * ones, twice as many if the time is odd.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/bytes.h"
#include "flowtrack/packet.h"
#include "tests/fuzz/fuzz.h"

static const int link_types[] = {1, 0, 108, 12, 228, 229, 113, 276, 9, 50, 51, 104, 105, 127, 192, 147};

/* One decoder for each rule set and all inputs, since making one takes longer than most inputs; every input
 * leaves its fragment table empty. */
static struct decoder *decoders[2];
static struct tracker_stats stats[2];

struct run {
    const struct rules *rules;
    struct decoder *decoder;
    const struct tracker_stats *stats;
    uint64_t packets;
    uint64_t decoded;
    uint64_t held;
    uint64_t released;
};

static uint64_t ignored(const struct tracker_stats *counted)
{
    uint64_t sum = 0;

#define ADD(name, text) sum += counted->ignored.name;
    TRACKER_IGNORED(ADD)
#undef ADD
    return sum;
}

/* What holds of every view. frame: (captured), NULL for a fragment that waited. */
static void check(const struct run *run, const struct packet *packet, const uint8_t *frame, size_t captured)
{
    bool has_ports = packet->key.protocol == IPPROTO_TCP || packet->key.protocol == IPPROTO_UDP;

    assert(packet->family == 4 || packet->family == 6);
    assert(packet->key.family == (run->rules->families_share_keys ? 0 : packet->family));
    assert(has_ports || (packet->key.source_port == 0 && packet->key.destination_port == 0));
    assert(run->rules->headers_unchecked || packet->payload_length >= 0);
    assert(!packet->malformed || (packet->key.source_port == 0 && packet->key.destination_port == 0));
    assert(packet->tcp_options_length <= sizeof packet->tcp_options);
    assert((packet->payload != NULL) == (packet->payload_captured > 0));
    if (!packet->payload)
        return;
    assert(frame);
    assert(packet->payload_captured <= (uint32_t)packet->payload_length);
    assert(packet->payload >= frame && packet->payload + packet->payload_captured <= frame + captured);
}

static void take_held(struct run *run)
{
    struct packet packet;

    while (packet_held(run->decoder, &packet)) {
        check(run, &packet, NULL, 0);
        run->released++;
        assert(run->released <= run->held);
    }
}

static void decode(struct run *run, const uint8_t *bytes, size_t captured, uint32_t wire, int64_t time)
{
    uint8_t *frame = malloc(captured ? captured : 1);
    struct packet packet;

    if (!frame)
        abort();
    memcpy(frame, bytes, captured);
    run->packets++;
    switch (packet_decode(run->decoder, &packet, time, (uint32_t)captured, wire, frame)) {
    case PACKET_DECODED:
        run->decoded++;
        check(run, &packet, frame, captured);
        break;
    case PACKET_HELD:
        run->held++;
        break;
    default:
        break;
    }
    assert(run->packets == run->decoded + run->held + ignored(run->stats));
    take_held(run);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { HEAD = 4 };
    struct bytes input = bytes_over(bytes, size);
    uint8_t choice = bytes_u8_at(&input, 0);
    unsigned set = choice & 1;
    struct run run = {.rules = set ? &rules_flowclassd : &rules_joy, .stats = &stats[set]};
    int64_t time = 0;

    if (!decoders[set] && decoder_new(&decoders[set], run.rules, &stats[set]) < 0)
        abort();
    run.decoder = decoders[set];
    stats[set] = (struct tracker_stats){0};
    (void)decoder_set_link_type(run.decoder,
                                link_types[(choice >> 1) % (sizeof link_types / sizeof link_types[0])]);
    bytes_skip(&input, 1);
    while (input.left >= HEAD) {
        size_t captured = bytes_be16_at(&input, 0);
        uint16_t gap = bytes_be16_at(&input, 2);

        bytes_skip(&input, HEAD);
        if (captured > input.left)
            captured = input.left;
        time += gap * INT64_C(1000);
        decode(&run, input.at, captured, (uint32_t)(gap & 1 ? 2 * captured : captured), time);
        bytes_skip(&input, captured);
    }
    decoder_expire(run.decoder, INT64_MAX);
    take_held(&run);
    assert(run.held == run.released);
    return 0;
}

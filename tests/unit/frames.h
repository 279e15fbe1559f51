/* frames.h - frames made header by header, and the view that the decoder has of them, in words.
 *
 * IP lengths are left open (0) and set by frame_ip4_end() and frame_ip6_end(), so that a test can also set
 * what it likes.
 */
#ifndef TESTS_UNIT_FRAMES_H
#define TESTS_UNIT_FRAMES_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "flowtrack/packet.h"
#include "tests/unit/octets.h"

enum { FRAME_TCP_ACK = 0x10, FRAME_IP4_HEADER = 20, FRAME_IP6_HEADER = 40 };

static inline void frame_ethernet(struct octets *frame, uint16_t type)
{
    octets_fill(frame, 0x02, 12);
    octets_u16(frame, type);
}

/* Tag 7 and what comes behind it. */
static inline void frame_vlan(struct octets *frame, uint16_t type)
{
    octets_u16(frame, 7);
    octets_u16(frame, type);
}

/* 10.0.0.1 to 10.0.0.2, identification 0x1234, TTL 64. Return: where the header is. */
static inline size_t frame_ip4_part(struct octets *frame, uint8_t protocol, uint16_t id, uint16_t part)
{
    size_t at = frame->length;

    octets_u16(frame, 0x4500);
    octets_u16(frame, 0);
    octets_u16(frame, id);
    octets_u16(frame, part);
    octets_u8(frame, 64);
    octets_u8(frame, protocol);
    octets_u16(frame, 0);
    octets_u32(frame, 0x0a000001);
    octets_u32(frame, 0x0a000002);
    return at;
}

static inline size_t frame_ip4(struct octets *frame, uint8_t protocol)
{
    return frame_ip4_part(frame, protocol, 0x1234, 0);
}

static inline void frame_ip4_end(struct octets *frame, size_t at)
{
    octets_set(frame, at + 2, frame->length - at, 2);
}

/* 2001:db8::1 to 2001:db8::2, hop limit 63. */
static inline size_t frame_ip6(struct octets *frame, uint8_t next)
{
    size_t at = frame->length;

    octets_u32(frame, 0x60000000);
    octets_u16(frame, 0);
    octets_u8(frame, next);
    octets_u8(frame, 63);
    for (uint32_t host = 1; host <= 2; host++) {
        octets_u32(frame, 0x20010db8);
        octets_fill(frame, 0, 8);
        octets_u32(frame, host);
    }
    return at;
}

static inline void frame_ip6_end(struct octets *frame, size_t at)
{
    octets_set(frame, at + 4, frame->length - at - FRAME_IP6_HEADER, 2);
}

/* IPv6 extension header of 8 * (more + 1) octets. */
static inline void frame_extension(struct octets *frame, uint8_t next, uint8_t more)
{
    octets_u8(frame, next);
    octets_u8(frame, more);
    octets_u8(frame, 1); /* PadN over the rest */
    octets_u8(frame, (uint8_t)(4 + more * 8));
    octets_fill(frame, 0, 4u + more * 8u);
}

/* IPv6 fragment header. part: offset in octets, and 1 if more follow. */
static inline void frame_fragment(struct octets *frame, uint8_t next, uint16_t part, uint32_t id)
{
    octets_u8(frame, next);
    octets_u8(frame, 0);
    octets_u16(frame, part);
    octets_u32(frame, id);
}

/* Header of 20 octets and `options` of NOP. */
static inline void frame_tcp(struct octets *frame, uint16_t from, uint16_t to, uint8_t flags, uint8_t options)
{
    octets_u16(frame, from);
    octets_u16(frame, to);
    octets_u32(frame, 1000); /* sequence number */
    octets_u32(frame, 0);
    octets_u8(frame, (uint8_t)((5 + options / 4) << 4));
    octets_u8(frame, flags);
    octets_u16(frame, 8192); /* window */
    octets_u32(frame, 0);
    octets_fill(frame, 1, options);
}

static inline void frame_udp(struct octets *frame, uint16_t from, uint16_t to)
{
    octets_u16(frame, from);
    octets_u16(frame, to);
    octets_u32(frame, 0);
}

/* An IPv4 or IPv6 packet with a UDP datagram, ports 1000 and 2000, `payload` octets of 'x'. */
static inline void frame_udp4(struct octets *frame, size_t payload)
{
    size_t at = frame_ip4(frame, IPPROTO_UDP);

    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', payload);
    frame_ip4_end(frame, at);
}

static inline void frame_udp6(struct octets *frame, size_t payload)
{
    size_t at = frame_ip6(frame, IPPROTO_UDP);

    frame_udp(frame, 1000, 2000);
    octets_fill(frame, 'x', payload);
    frame_ip6_end(frame, at);
}

/* The name of the only counter of a group that is not 0, "" if all are. */
#define FRAME_COUNTER(name, text)                                                                            \
    if (stats->FRAME_GROUP.name)                                                                             \
        strcat(strcat(words, words[0] ? " " : ""), #name);

static inline void frame_ignored(char *words, const struct tracker_stats *stats)
{
#define FRAME_GROUP ignored
    TRACKER_IGNORED(FRAME_COUNTER)
#undef FRAME_GROUP
}

static inline void frame_trimmed(char *words, const struct tracker_stats *stats)
{
#define FRAME_GROUP trimmed
    TRACKER_TRIMMED(FRAME_COUNTER)
#undef FRAME_GROUP
}

/* "SOURCE:PORT>DESTINATION:PORT PROTOCOL LENGTH", then "client", "server", "malformed" where that is so. */
static inline void frame_view(char *words, const struct packet *packet)
{
    static const char *const keywords[] = {"", " client", " server"};
    char source[INET6_ADDRSTRLEN];
    char destination[INET6_ADDRSTRLEN];
    int family = packet->family == 4 ? AF_INET : AF_INET6;

    inet_ntop(family, packet->key.source, source, sizeof source);
    inet_ntop(family, packet->key.destination, destination, sizeof destination);
    sprintf(words, "%s:%u>%s:%u %u %d%s%s", source, packet->key.source_port, destination,
            packet->key.destination_port, packet->key.protocol, packet->payload_length,
            keywords[packet->keyword], packet->malformed ? " malformed" : "");
}

/* What a result is, in words: the view, and in brackets what was counted as lost; else the reason. */
static inline const char *frame_words(enum packet_result result, const struct packet *packet,
                                      const struct tracker_stats *stats)
{
    static char words[512];
    char counters[256] = "";

    switch (result) {
    case PACKET_DECODED:
        frame_view(words, packet);
        frame_trimmed(counters, stats);
        if (counters[0])
            sprintf(words + strlen(words), " [%s]", counters);
        return words;
    case PACKET_HELD:
        return "held";
    default:
        frame_ignored(counters, stats);
        sprintf(words, "%s: %s", result == PACKET_FILTERED ? "filtered" : "ignored", counters);
        return words;
    }
}

/* Decode a copy of exactly the captured size, so that a sanitizer sees any read behind it.
 *
 * packet: its payload is gone.
 */
static inline enum packet_result frame_decode(struct decoder *decoder, struct packet *packet, int64_t time,
                                              const struct octets *frame, uint32_t wire)
{
    uint8_t *exact = malloc(frame->length ? frame->length : 1);
    enum packet_result result;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, frame->bytes, frame->length);
    result = packet_decode(decoder, packet, time, (uint32_t)frame->length, wire, exact);
    if (result == PACKET_DECODED && packet->payload) {
        ck_assert(packet->payload >= exact);
        ck_assert(packet->payload + packet->payload_captured <= exact + frame->length);
        packet->payload = NULL;
    }
    free(exact);
    return result;
}

/* Decode one frame with a decoder of its own. Return: 1 if the view is not as wanted, which is printed. */
static inline unsigned frame_check(const struct rules *rules, int link_type, const char *name,
                                   const struct octets *frame, const char *want)
{
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    const char *words;
    unsigned wrong;

    ck_assert_int_eq(decoder_new(&decoder, rules, &stats), 0);
    (void)decoder_set_link_type(decoder, link_type);
    words = frame_words(frame_decode(decoder, &packet, 0, frame, (uint32_t)frame->length), &packet, &stats);
    wrong = strcmp(words, want) != 0;
    if (wrong)
        printf("%s, %s: \"%s\", want \"%s\"\n", rules->name, name, words, want);
    decoder_free(decoder);
    return wrong;
}

/* A frame and what each rule set makes of it. */
struct frame_case {
    const char *name;
    void (*make)(struct octets *frame);
    const char *joy;
    const char *flowclassd;
};

/* Check Ethernet frames under both rule sets, then cut at every length, where only survival counts. */
static inline void frame_check_cases(const struct frame_case *cases, size_t n_cases)
{
    static const struct rules *const sets[] = {&rules_joy, &rules_flowclassd};
    static struct octets frame;
    unsigned wrong = 0;

    for (size_t i = 0; i < 2 * n_cases; i++) {
        const struct frame_case *row = &cases[i / 2];
        struct tracker_stats stats = {0};
        struct decoder *decoder = NULL;
        struct packet packet;
        size_t whole;

        frame.length = 0;
        row->make(&frame);
        whole = frame.length;
        wrong += frame_check(sets[i % 2], 1, row->name, &frame, i % 2 == 0 ? row->joy : row->flowclassd);
        ck_assert_int_eq(decoder_new(&decoder, sets[i % 2], &stats), 0);
        for (frame.length = 0; frame.length <= whole && frame.length < 300; frame.length++)
            (void)frame_decode(decoder, &packet, 0, &frame, (uint32_t)whole);
        decoder_free(decoder);
    }
    ck_assert_uint_eq(wrong, 0);
}

#endif

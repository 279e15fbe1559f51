/* packet.h - one captured frame decoded into a view: link, tags and tunnels, IP, transport.
 *
 * A view is self-contained: nothing in it points into the frame except `payload`, so that views of several
 * packets can be gathered before their flows are looked up. Every way in which a frame can be malformed has a
 * name and a counter (tracker.h).
 */
#ifndef FLOWTRACK_PACKET_H
#define FLOWTRACK_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/flow_key.h"
#include "flowtrack/keyword.h"
#include "flowtrack/record.h"
#include "flowtrack/rules.h"
#include "flowtrack/tracker.h"

enum packet_tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_ACK = 0x10,
};

struct packet {
    struct flow_key key;    /* source and destination as sent, not sorted */
    int64_t time;           /* microseconds since 1970 UTC */
    int32_t payload_length; /* octets after the transport header by the IP length; the joy rules let it go
                               below 0 */
    uint32_t tcp_seq;
    uint16_t ip_id; /* IPv4 */
    uint16_t tcp_window;
    uint8_t family; /* 4 or 6 */
    uint8_t ttl;    /* or hop limit */
    uint8_t tcp_flags;
    uint8_t keyword; /* enum packet_keyword */
    uint8_t icmp_type;
    uint8_t icmp_code;
    bool malformed; /* transport header missing or wrong: ports 0, payload is the whole IP payload */
    bool snapped;   /* the frame was cut by the snap length */
    uint8_t tcp_options_length; /* octets of tcp_options; only filled for packets with SYN */
    uint32_t payload_captured;  /* octets of `payload` */
    const uint8_t *payload;     /* captured part of the payload, in the frame; NULL if there is none */
    uint8_t tcp_options[RECORD_TCP_OPTIONS_MAX];
};

struct decoder;

/* Make a decoder (it owns the fragment table where the rules join fragments).
 *
 * rules: copied.
 * stats: where ignored packets and lost details are counted; must outlive the decoder. The sums over all
 * packets (packets, decoded, octets) belong to the caller.
 *
 * Return: 0, -ENOMEM.
 */
int decoder_new(struct decoder **decoderp, const struct rules *rules, struct tracker_stats *stats);

/* NULL is fine. Fragments that still wait are lost: decoder_expire() first. */
void decoder_free(struct decoder *decoder);

/* Choose the link type (DLT_ or LINKTYPE_) of the frames that follow; Ethernet at first.
 *
 * Return: 0; -EPROTONOSUPPORT: frames that follow count as ignored.link_type.
 */
int decoder_set_link_type(struct decoder *decoder, int link_type);

enum packet_result {
    PACKET_DECODED,
    PACKET_HELD, /* decoded: a fragment that waits for the first of its packet; packet_held() gives it later
                  */
    PACKET_FILTERED, /* counted; for the joy rules the packet does not exist, not even for batches */
    PACKET_IGNORED,  /* counted */
};

/* Decode one frame.
 *
 * bytes: (captured); payload points into it.
 * packet: filled on PACKET_DECODED, else without meaning.
 */
enum packet_result packet_decode(struct decoder *decoder, struct packet *packet, int64_t time,
                                 uint32_t captured, uint32_t wire, const uint8_t *bytes);

/* Take a fragment that waits no longer: its first fragment has come (it then carries the ports of that), or
 * will not be waited for any more (it then has ports 0, like a malformed packet). To be called after each
 * packet_decode() and after decoder_expire() until it returns false; every fragment held comes out exactly
 * once, with its own time.
 *
 * packet: filled on true; its payload is NULL.
 */
bool packet_held(struct decoder *decoder, struct packet *packet);

/* Stop waiting for fragments that belong to packets begun further from `now` than the time-out (fragment.h);
 * INT64_MAX: for all of them. */
void decoder_expire(struct decoder *decoder, int64_t now);

#endif

/* flow.h - a flow while it is open, and what a packet does to it.
 *
 * A flow holds both directions of a 5-tuple. Its sides are numbered by the order of the sorted key (side 0
 * sends from the smaller end), so that a packet finds its side without looking at the flow. What Joy keeps as
 * two linked one-way flows are the two sides here: a side that has not sent is not there, and `first` is the
 * one seen first.
 *
 * A flow is three cache lines: who it is and when it is due, then one line for each side; a packet touches
 * the first and that of its side. All that can grow lies in blocks of a slab.
 */
#ifndef FLOWTRACK_FLOW_H
#define FLOWTRACK_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/flow_key.h"
#include "flowtrack/flow_list.h"
#include "flowtrack/packet.h"
#include "flowtrack/rules.h"
#include "flowtrack/slab.h"

enum flow_side_flag {
    SIDE_PRESENT = 1,       /* has sent */
    SIDE_INVALID = 2,       /* began with a malformed packet */
    SIDE_RETRANSMITTED = 4, /* its last data segment was a retransmission */
    SIDE_HAS_NEXT = 8,      /* `sequence` means something (sequence space) */
    SIDE_FIN = 16,
};

struct flow_side {
    int64_t start; /* microseconds since 1970 UTC */
    int64_t end;
    int64_t bytes;    /* payload octets; below 0 as far as the joy rules let lengths be negative */
    uint64_t packets; /* without retransmissions */
    uint32_t tcp_retrans;
    uint32_t sequence;       /* next number expected */
    uint32_t memory;         /* block: numbers seen before, or holes (retransmission.h) */
    uint32_t handshake;      /* block: struct flow_handshake */
    uint32_t octets;         /* block: struct flow_octets */
    uint8_t n_memory;        /* slots or holes in `memory` */
    uint8_t at_memory;       /* where the next slot is written */
    uint8_t n_listed;        /* packets that count for the packet list, kept or not */
    uint8_t n_ids;           /* IP identifications kept */
    uint8_t flags;           /* enum flow_side_flag */
    uint8_t handshake_flags; /* 0x02 or 0x12 once seen */
    uint8_t keyword;         /* enum packet_keyword */
    uint8_t ttl;             /* lowest */
    uint8_t family;          /* of the last packet */
    uint8_t icmp_type;       /* of the first packet */
    uint8_t icmp_code;
    uint8_t unused;
};

struct flow {
    struct flow_key key; /* sorted */
    int64_t idle_due;    /* the flow ends when the clock is beyond this and no packet came */
    uint64_t serial;     /* order of creation, from 1; 0: not in use */
    struct flow_list list;
    uint8_t first; /* the side seen first */
    bool closing;  /* FIN or RST seen: idle_due is fixed */
    struct flow_side side[2];
};

_Static_assert(sizeof(struct flow_side) == 64 && sizeof(struct flow) == 192, "one cache line each");

/* The first packet of a side with flags SYN or SYN+ACK. */
struct flow_handshake {
    uint32_t sequence;
    uint16_t window;
    uint8_t options_length;
    uint8_t options[RECORD_TCP_OPTIONS_MAX];
};

/* How often each octet value was sent among the first FLOW_OCTETS_MAX octets of payload of a side. */
struct flow_octets {
    uint16_t counts[256];
};

enum { FLOW_OCTETS_MAX = 4000 };

/* What all flows of a table share. */
struct flow_context {
    const struct rules *rules;
    struct slab *slab;
    int64_t idle_timeout;  /* microseconds */
    int64_t linger;        /* microseconds that a flow stays open after FIN or RST */
    unsigned side_packets; /* entries kept of each side */
    unsigned side_ids;
    bool byte_dist;
    struct tracker_stats *stats; /* trimmed.list_memory and retransmissions are counted here */
};

/* Add a packet to its flow.
 *
 * flow: key and serial are set, all else is 0 when it is new.
 * side: 1 if flow_key_sort() exchanged the ends of the packet's key, else 0.
 *
 * Return: true if the flow may have to end earlier than it would have before.
 * Source: joy-records sections 3, 4, 5 and 8.
 */
bool flow_add(const struct flow_context *context, struct flow *flow, unsigned side,
              const struct packet *packet);

/* The time from which the active time-out counts: when the rules expire in batches the later of the starts of
 * both sides, else the earlier. */
int64_t flow_active_since(const struct flow *flow, const struct rules *rules);

/* Return the blocks of a flow. */
void flow_clear(struct flow *flow, struct slab *slab);

#endif

/* tracker.h - captured packets in, flow records out: the front door of flowtrack/.
 *
 * A tracker owns one decoder, one fragment table and one flow table; it belongs to one thread (a capture
 * worker). Nothing in it logs, blocks or allocates without bound: what cannot be kept is counted in
 * tracker_stats.
 *
 *     tracker_packet()   for each captured packet
 *     tracker_tick()     live: from a timer, so that flows end though no packet comes
 *     tracker_finish()   end of the capture: every flow left is handed out
 *
 * Records are handed out through a callback, in the order in which flows end. Packets are taken in small
 * groups so that the memory of their flows is fetched side by side (flow_table.h), hence a record may come a
 * few packets late; tracker_flush() ends the group in hand.
 */
#ifndef FLOWTRACK_TRACKER_H
#define FLOWTRACK_TRACKER_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/error.h"
#include "flowtrack/record.h"
#include "flowtrack/rules.h"

struct tracker;

/* Called for each finished flow.
 *
 * record: belongs to the tracker and is valid only during the call; keep a record_copy().
 */
typedef void tracker_record_fn(void *context, const struct record *record);

struct tracker_config {
    const struct rules *rules;
    int64_t idle_timeout;   /* microseconds; 10 s in Joy */
    int64_t active_timeout; /* microseconds; 30 s in Joy */
    unsigned side_packets;  /* packet list entries of a side, at most RECORD_SIDE_PACKETS_MAX */
    unsigned side_ids;      /* at most RECORD_IDS_MAX */
    uint32_t max_flows;     /* open at once; when full the flow idle longest ends early */
    uint64_t max_memory;    /* octets of the flow table, lists included */
    bool byte_dist;         /* collect the octet histogram */
    uint16_t interface;     /* goes into every record */
    uint64_t ids_after;     /* flow ids count up from here, so that trackers of one run need share none */
    tracker_record_fn *on_record;
    void *context; /* for on_record */
};

/* Packets that are seen and give nothing, by reason: X(name, description). A row here is a counter. */
#define TRACKER_IGNORED(X)                                                                                   \
    X(not_ip, "no IP packet in the frame")                                                                   \
    X(filtered, "not of the traffic the rules look at")                                                      \
    X(link_short, "link header cut short")                                                                   \
    X(link_type, "link type that is not decoded")                                                            \
    X(tags_deep, "more tags or tunnels than are looked through")                                             \
    X(ip_short, "IP header cut short")                                                                       \
    X(ip_version, "IP version that is not the one its frame names")                                          \
    X(ip_header_length, "IPv4 header length below 20")                                                       \
    X(ip_total_length, "IP total length shorter than its header")                                            \
    X(ip_extension, "IPv6 extension headers that do not end in a transport header")                          \
    X(ip_no_next, "IPv6 without a next header (59)")                                                         \
    X(fragment_overlap, "fragment over another one, or that cannot be placed")

/* Packets that should have counted and do not, by cause. */
#define TRACKER_DROPPED(X) X(flow_memory, "no memory for a new flow")

/* Detail lost while the packet itself was counted. */
#define TRACKER_TRIMMED(X)                                                                                   \
    X(list_memory, "packet list or id entries not kept: memory limit")                                       \
    X(held_memory, "fragment that waited, and then no memory for its flow")                                  \
    X(snap, "packets cut by the snap length")                                                                \
    X(tcp_header, "TCP header cut or wrong: no ports")                                                       \
    X(udp_header, "UDP header cut: no ports")                                                                \
    X(icmp_header, "ICMP header cut")                                                                        \
    X(tunnel_content, "tunnel without an IP packet: counts as what carries it")                              \
    X(tunnels_deep, "more tunnels than are looked through: counts as what carries the rest")                 \
    X(fragment_orphan, "fragment whose first one did not come in time: no ports")                            \
    X(fragment_table, "fragment table full: no ports")

#define TRACKER_FIELD(name, text) uint64_t name;
struct tracker_stats {
    uint64_t packets; /* = decoded + sum(ignored) + sum(dropped), at any moment outside a group */
    uint64_t decoded;
    uint64_t octets;          /* wire length of all packets */
    uint64_t retransmissions; /* of the decoded: TCP segments that were counted before */
    struct {
        TRACKER_IGNORED(TRACKER_FIELD)
    } ignored;
    struct {
        TRACKER_DROPPED(TRACKER_FIELD)
    } dropped;
    struct {
        TRACKER_TRIMMED(TRACKER_FIELD)
    } trimmed;
    uint64_t flows_created;                  /* = sum(flows_finished) + flows_active */
    uint64_t flows_finished[RECORD_REASONS]; /* by enum record_reason */
    uint64_t flows_active;
    uint64_t memory;        /* octets in use for flows and lists */
    uint64_t memory_peak;   /* the most there were */
    int64_t expiry_lag_max; /* microseconds between the moment a flow was due and when it ended */
};
#undef TRACKER_FIELD

/* Make a tracker.
 *
 * config: copied; rules must outlive the tracker.
 * trackerp: the new tracker, for tracker_free().
 *
 * Return: 0, -EINVAL (a limit out of range, named in err), -ENOMEM.
 */
int tracker_new(struct tracker **trackerp, const struct tracker_config *config, struct error *err);

/* Free a tracker and the flows left in it (they are not handed out). NULL is fine. */
void tracker_free(struct tracker *tracker);

/* Say which link type (LINKTYPE_/DLT_ number) the packets that follow have. Ends the group in hand.
 *
 * Return: 0, -EPROTONOSUPPORT (packets of this type will be counted as ignored.link_type).
 */
int tracker_set_link_type(struct tracker *tracker, int link_type);

/* Take one captured packet. Never fails: what is wrong with it is counted.
 *
 * time: microseconds since 1970 UTC.
 * captured, wire: lengths in octets.
 * bytes: (captured), needed only during the call.
 */
void tracker_packet(struct tracker *tracker, int64_t time, uint32_t captured, uint32_t wire,
                    const uint8_t *bytes);

/* Process the group of packets in hand. Call when no further packet is at hand. */
void tracker_flush(struct tracker *tracker);

/* The capture had a read error at this point; Joy ends a batch there. */
void tracker_read_error(struct tracker *tracker);

/* Live: let flows end that are due at `now`, a time on the clock of the packets (microseconds). Call it when
 * no further packet is at hand, a few times a second.
 *
 * The tick stays half a second behind `now`, so that a packet which the kernel has stamped but not yet handed
 * over does not find its flow gone. As long as no packet is later than that, the records are those that a
 * file of the same packets gives: what ends a flow, and in which order, follows from packet times alone.
 * When the clock was set back by more than the idle time-out, all flows end. Under the joy rules only packets
 * end flows, so a tick does nothing.
 */
void tracker_tick(struct tracker *tracker, int64_t now);

/* Hand out every flow left (forced), and start anew as if no packet had been seen. Counters go on. */
void tracker_finish(struct tracker *tracker);

/* Figures as of now; the pointer stays valid, the numbers move with the tracker. Same thread only. */
const struct tracker_stats *tracker_stats(const struct tracker *tracker);

#endif

/* rules.h - the two rule sets by which packets become records, as named switches.
 *
 * `joy` is exactly Cisco Joy 4.5.0 with wide counters, its oddities included: it proves the machinery, and
 * keeps models valid that were trained on Joy archives. `flowclassd` is the same record without the faults.
 * Code asks a switch by name, never which rule set it is; every switch has a unit test that shows both
 * settings.
 */
#ifndef FLOWTRACK_RULES_H
#define FLOWTRACK_RULES_H

#include <stdbool.h>

struct rules {
    const char *name; /* as in --rules */

    /* Which packets are read (capture.h) and looked at (packet.h). */
    bool first_interface;      /* of a pcapng file speaks for all; else they are joined */
    bool ethernet_only_filter; /* Joy's filter "ip or ip6 or vlan" after any link header; else every IP packet
                                */
    bool look_through;         /* tunnels and tags: QinQ, MPLS, PPPoE, GRE, IP-in-IP, VXLAN, GTP-U */
    bool ext_headers_by_eight; /* IPv6 extension headers count 8 octets each and stay in the payload length */
    bool headers_unchecked; /* headers that were not captured read as 0, the version nibble is not looked at,
                               lengths may go below 0 */
    bool length_from_capture; /* a packet cut by the snap length shrinks to what was captured */
    bool join_fragments;      /* fragments belong to their flow; else protocol 0 */
    bool offload_lengths;     /* IPv4 total length 0 is a segmentation off-load packet; else dropped */
    bool families_share_keys; /* 1.2.3.4 and 102:304:: are the same address */

    /* What a packet does to its flow (flow.h). */
    bool ring_retransmissions; /* Joy's ring of ten sequence numbers; else by sequence space, with wrap */
    bool retransmissions_are_silence; /* they do not keep a flow open; else the idle time counts from them too
                                       */
    bool last_syn_options;   /* the TCP options of a side are those of its last SYN; else of the first */
    bool malformed_tcp_once; /* of malformed TCP packets only the first of a half counts its octets */
    bool end_may_go_back; /* a half ends with its last packet, though that be earlier, and time 0 is no start;
                             else with its latest */
    bool tcp_end_detected; /* FIN and RST end a flow after a short linger */

    /* When records end (flow_table.h). */
    bool expire_in_batches; /* after every ten packets, the later start of both halves counting for the active
                               time-out; else at the packet's own time, before it is added, and the first
                               start */

    /* What a record says (flow_record.h). */
    bool ipt_wraps;            /* gaps as unsigned 32 bit, negative ones too; else cut to what that holds */
    bool end_of_first_half;    /* time_end ignores the second half where the direction is decided */
    bool dns_asker_is_server;  /* a DNS query marks its sender as the server (packet.h) */
    bool one_way_points_in;    /* dir "<" in records of one side */
    bool expire_type_may_lack; /* the mark sits on the half seen first, and none at the end of the capture */
};

extern const struct rules rules_joy;
extern const struct rules rules_flowclassd;

/* The rule set of that name, NULL if there is none. */
const struct rules *rules_find(const char *name);

#endif

/* ip.h - the IP header and IPv6 extension headers: from an IP packet to its transport header.
 *
 * Source: RFC 791, RFC 8200; for the joy rules joy-records section 2.
 */
#ifndef FLOWTRACK_IP_H
#define FLOWTRACK_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/layer.h"
#include "flowtrack/packet.h"
#include "flowtrack/rules.h"
#include "flowtrack/tracker.h"

/* What the IP header says about its payload. */
struct ip_payload {
    int32_t length;   /* octets by the IP length; below 0 only under the joy rules */
    uint8_t protocol; /* of the transport header */
    bool fragment;    /* one of several parts, the first one included */
    bool more;        /* not the last part */
    uint32_t offset;  /* of this part, octets */
    uint32_t id;      /* of the packet that was parted */
    uint8_t id_scope; /* within which `id` is unique: IPv4 the protocol field, IPv6 0 */
    uint32_t skipped; /* octets of extension headers in this part, before `length` begins */
};

/* Decode the IP header.
 *
 * layer: before an IP packet, type LAYER_IPV4 or LAYER_IPV6; goes to the transport header.
 * packet: addresses, family, ttl and ip_id are set.
 * stats: has the counters that the result points to.
 *
 * Return: NULL, or the counter of what is wrong with the packet.
 */
uint64_t *ip_decode(const struct rules *rules, struct layer *layer, struct packet *packet,
                    struct ip_payload *payload, struct tracker_stats *stats);

#endif

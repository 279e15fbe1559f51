/* layer.h - where the decoding of one frame stands: what comes next, and how much of it there is.
 *
 * Link headers (link.h), tags and tunnels (tunnel.h) each take a layer past their own header and say in
 * `type` what follows. Everything that follows has an EtherType, so one number names it whatever the headers
 * were.
 */
#ifndef FLOWTRACK_LAYER_H
#define FLOWTRACK_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/bytes.h"

/* EtherTypes that are decoded (IEEE registry), and two of our own below 0x0600, where a length would stand.
 */
enum layer_type {
    LAYER_OTHER = 0, /* nothing that could hold an IP packet */
    LAYER_LLC = 1,   /* IEEE 802.2; every length of IEEE 802.3 (up to 0x05dc) means it as well */
    LAYER_LENGTH_MAX = 0x05dc,
    LAYER_IPV4 = 0x0800,
    LAYER_ETHERNET = 0x6558, /* transparent Ethernet bridging */
    LAYER_VLAN = 0x8100,     /* IEEE 802.1Q */
    LAYER_IPV6 = 0x86dd,
    LAYER_PPP = 0x880b,
    LAYER_MPLS = 0x8847,
    LAYER_MPLS_UPSTREAM = 0x8848,
    LAYER_PPPOE_SESSION = 0x8864,
    LAYER_VLAN_SERVICE = 0x88a8, /* IEEE 802.1ad */
    LAYER_VLAN_OLD = 0x9100,     /* stacked tags before 802.1ad */
    LAYER_VLAN_OLDER = 0x9200,
};

/* Link header, then tags and tunnels; of the two latter at most this many are looked through. */
enum { LAYER_DEPTH_MAX = 8, LAYER_ETHERNET_HEADER = 14 };

struct layer {
    struct bytes bytes; /* from the next header to the end of what was captured */
    uint32_t wire;      /* octets from there to the end of the frame as it was sent */
    uint32_t ahead;     /* octets before, had the link header been Ethernet's (joy-records section 2) */
    uint16_t type;      /* what comes next: EtherType */
    uint8_t depth;      /* tags and tunnels passed */
    bool carried;       /* inside an IP packet, beyond whose end (`wire`) nothing can be */
};

/* Go past a header.
 *
 * length: octets; what was not captured of it is an error of the cursor.
 * type: what comes behind it.
 */
static inline void layer_pass(struct layer *layer, uint32_t length, uint16_t type)
{
    bytes_skip(&layer->bytes, length);
    layer->wire = layer->wire > length ? layer->wire - length : 0;
    layer->type = type;
}

/* The type of an IP packet by its version nibble (RFC 4928 section 2 has why that is asked). */
static inline uint16_t layer_ip_type(struct layer *layer, uint32_t offset)
{
    switch (bytes_u8_at(&layer->bytes, offset) >> 4) {
    case 4:
        return LAYER_IPV4;
    case 6:
        return LAYER_IPV6;
    default:
        return LAYER_OTHER;
    }
}

#endif

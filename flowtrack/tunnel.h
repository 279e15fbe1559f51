/* tunnel.h - tags between link header and IP packet, and tunnels inside IP packets.
 *
 * Both are looked through to a depth of LAYER_DEPTH_MAX together.
 */
#ifndef FLOWTRACK_TUNNEL_H
#define FLOWTRACK_TUNNEL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/layer.h"

enum tunnel_port { TUNNEL_PORT_GTP_U = 2152, TUNNEL_PORT_VXLAN = 4789 };

/* First two octets of a GRE header. Source: RFC 2784 and 2890 (version 0), RFC 2637 section 4.1 (version 1).
 */
enum tunnel_gre {
    TUNNEL_GRE_CHECKSUM = 0x8000,
    TUNNEL_GRE_ROUTING = 0x4000,
    TUNNEL_GRE_KEY = 0x2000,
    TUNNEL_GRE_SEQUENCE = 0x1000,
    TUNNEL_GRE_ACKNOWLEDGEMENT = 0x0080,
    TUNNEL_GRE_VERSION = 0x0007,
};

/* Take a layer past VLAN tags, MPLS labels, PPPoE, PPP, LLC and Ethernet headers, up to an IP packet or
 * something else. Octets of them that were not captured are an error of the layer's cursor.
 *
 * Return: false if there are more of them than are looked through.
 */
bool tunnel_skip_tags(struct layer *layer);

/* Whether it is worth a try to enter a tunnel: for nearly all packets it is not. */
static inline bool tunnel_is_possible(uint8_t protocol, uint16_t port)
{
    switch (protocol) {
    case IPPROTO_UDP:
        return port == TUNNEL_PORT_VXLAN || port == TUNNEL_PORT_GTP_U;
    case IPPROTO_IPIP:
    case IPPROTO_IPV6:
    case IPPROTO_GRE:
        return true;
    default:
        return false;
    }
}

enum tunnel_result {
    TUNNEL_NONE,    /* no tunnel known here */
    TUNNEL_ENTERED, /* the layer stands before what the tunnel carries */
    TUNNEL_DEEP,    /* a tunnel, at a depth that is not looked through */
};

/* Enter a tunnel: IPv4 or IPv6 in IP, GRE (also of PPTP), VXLAN, GTP-U.
 *
 * layer: before the payload of an IP packet; changed only if the result is TUNNEL_ENTERED.
 * protocol: of that packet.
 * port: UDP destination port, anything else for other protocols.
 *
 * That a tunnel was entered says nothing yet about what is in it: any datagram may go to such a port.
 */
enum tunnel_result tunnel_enter(struct layer *layer, uint8_t protocol, uint16_t port);

#endif

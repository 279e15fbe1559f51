/* tunnel.h - tags between link header and IP packet, and tunnels inside IP packets.
 *
 * Both are looked through to a depth of LAYER_DEPTH_MAX together.
 */
#ifndef FLOWTRACK_TUNNEL_H
#define FLOWTRACK_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/layer.h"

/* Take a layer past VLAN tags, MPLS labels, PPPoE, PPP, LLC and Ethernet headers, up to an IP packet or
 * something else. Octets of them that were not captured are an error of the layer's cursor.
 *
 * Return: false if there are more of them than are looked through.
 */
bool tunnel_skip_tags(struct layer *layer);

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

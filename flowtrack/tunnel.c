#include "flowtrack/tunnel.h"

#include "flowtrack/link.h"

/* ---- tags ---- */

static bool is_tag(uint16_t type)
{
    switch (type) {
    case LAYER_VLAN:
    case LAYER_VLAN_SERVICE:
    case LAYER_VLAN_OLD:
    case LAYER_VLAN_OLDER:
    case LAYER_MPLS:
    case LAYER_MPLS_UPSTREAM:
    case LAYER_PPPOE_SESSION:
    case LAYER_PPP:
    case LAYER_ETHERNET:
        return true;
    default:
        return type != LAYER_OTHER && type <= LAYER_LENGTH_MAX;
    }
}

/* One label. Behind the last one an IP packet shows by its version; a pseudowire begins with a control word
 * whose first nibble is 0. Source: RFC 3032 section 2.1, RFC 4385 section 3. */
static void pass_label(struct layer *layer)
{
    enum { BOTTOM_OF_STACK = 0x100, CONTROL_WORD = 4 };
    bool bottom = bytes_be32_at(&layer->bytes, 0) & BOTTOM_OF_STACK;

    layer_pass(layer, 4, layer->type);
    if (!bottom)
        return;
    layer->type = layer_ip_type(layer, 0);
    if (layer->type == LAYER_OTHER && bytes_u8_at(&layer->bytes, 0) >> 4 == 0)
        layer_pass(layer, CONTROL_WORD, LAYER_ETHERNET);
}

/* Source: RFC 2516 section 4. */
static void pass_pppoe(struct layer *layer)
{
    enum { VERSION_1_TYPE_1_SESSION = 0x1100 };
    bool session = bytes_be16_at(&layer->bytes, 0) == VERSION_1_TYPE_1_SESSION;
    uint16_t length = bytes_be16_at(&layer->bytes, 4);

    layer_pass(layer, 6, session ? LAYER_PPP : LAYER_OTHER);
    if (layer->wire > length)
        layer->wire = length;
}

static void pass_tag(struct layer *layer)
{
    switch (layer->type) {
    case LAYER_VLAN:
    case LAYER_VLAN_SERVICE:
    case LAYER_VLAN_OLD:
    case LAYER_VLAN_OLDER:
        layer_pass(layer, 4, bytes_be16_at(&layer->bytes, 2));
        break;
    case LAYER_MPLS:
    case LAYER_MPLS_UPSTREAM:
        pass_label(layer);
        break;
    case LAYER_PPPOE_SESSION:
        pass_pppoe(layer);
        break;
    case LAYER_PPP:
        link_decode_ppp(layer);
        break;
    case LAYER_ETHERNET:
        layer_pass(layer, LAYER_ETHERNET_HEADER, bytes_be16_at(&layer->bytes, 12));
        break;
    default:
        link_decode_llc(layer);
    }
}

bool tunnel_skip_tags(struct layer *layer)
{
    while (is_tag(layer->type)) {
        if (layer->depth == LAYER_DEPTH_MAX)
            return false;
        layer->depth++;
        pass_tag(layer);
    }
    return true;
}

/* ---- tunnels ---- */

/* Source: RFC 2784 and 2890 (version 0), RFC 2637 section 4.1 (version 1, PPTP). */
static bool enter_gre(struct layer *layer)
{
    uint16_t flags = bytes_be16_at(&layer->bytes, 0);
    uint16_t type = bytes_be16_at(&layer->bytes, 2);
    uint32_t length = 4;

    if (flags & TUNNEL_GRE_ROUTING || (flags & TUNNEL_GRE_VERSION) > 1)
        return false;
    if (flags & TUNNEL_GRE_CHECKSUM)
        length += 4;
    if (flags & TUNNEL_GRE_KEY)
        length += 4;
    if (flags & TUNNEL_GRE_SEQUENCE)
        length += 4;
    if ((flags & TUNNEL_GRE_VERSION) == 1 && (flags & TUNNEL_GRE_ACKNOWLEDGEMENT))
        length += 4;
    layer_pass(layer, length, type);
    return true;
}

/* Source: RFC 7348 section 5. */
static bool enter_vxlan(struct layer *layer)
{
    enum { NETWORK_VALID = 0x08 };

    if (!(bytes_u8_at(&layer->bytes, 0) & NETWORK_VALID))
        return false;
    layer_pass(layer, 8, LAYER_ETHERNET);
    return true;
}

/* A user packet; every other message of GTP-U is no tunnel. Source: 3GPP TS 29.281 sections 5.1 and 5.2. */
static bool enter_gtp(struct layer *layer)
{
    enum {
        VERSION_AND_TYPE = 0xf0,
        VERSION_1_GTP = 0x30,
        EXTENSION = 0x04,
        ANY_OPTION = 0x07,
        USER_PACKET = 0xff,
        EXTENSIONS_MAX = 8,
    };
    uint8_t flags = bytes_u8_at(&layer->bytes, 0);
    uint8_t next = 0;
    uint32_t length = 8;

    if ((flags & VERSION_AND_TYPE) != VERSION_1_GTP || bytes_u8_at(&layer->bytes, 1) != USER_PACKET)
        return false;
    if (flags & ANY_OPTION)
        length += 4;
    if (flags & EXTENSION)
        next = bytes_u8_at(&layer->bytes, length - 1);
    for (unsigned i = 0; next != 0; i++) {
        uint32_t octets = bytes_u8_at(&layer->bytes, length) * 4u;

        if (octets == 0 || i == EXTENSIONS_MAX)
            return false;
        length += octets;
        next = bytes_u8_at(&layer->bytes, length - 1);
    }
    layer_pass(layer, length, layer_ip_type(layer, length));
    return true;
}

static bool enter_udp(struct layer *layer, uint16_t port)
{
    enum { UDP_HEADER = 8 };

    layer_pass(layer, UDP_HEADER, LAYER_OTHER);
    switch (port) {
    case TUNNEL_PORT_VXLAN:
        return enter_vxlan(layer);
    case TUNNEL_PORT_GTP_U:
        return enter_gtp(layer);
    default:
        return false;
    }
}

enum tunnel_result tunnel_enter(struct layer *layer, uint8_t protocol, uint16_t port)
{
    struct layer inner = *layer;
    bool entered = false;

    switch (protocol) {
    case IPPROTO_UDP:
        entered = enter_udp(&inner, port);
        break;
    case IPPROTO_IPIP:
        layer_pass(&inner, 0, LAYER_IPV4);
        entered = true;
        break;
    case IPPROTO_IPV6:
        layer_pass(&inner, 0, LAYER_IPV6);
        entered = true;
        break;
    case IPPROTO_GRE:
        entered = enter_gre(&inner);
        break;
    default:
        break;
    }
    if (!entered || inner.bytes.failed)
        return TUNNEL_NONE;
    if (layer->depth == LAYER_DEPTH_MAX)
        return TUNNEL_DEEP;
    inner.depth++;
    *layer = inner;
    return TUNNEL_ENTERED;
}

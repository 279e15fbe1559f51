/* link.c - link headers. Each function is one row of the table at the end; none of them checks how much was
 * captured, since the cursor does (bytes.h).
 */
#include "flowtrack/link.h"

#include <pcap/dlt.h>
#include <stddef.h>

/* LINKTYPE_ numbers of the link types whose DLT_ number is another one on this system. */
enum { LINKTYPE_RAW_IP = 101, DLT_RAW_OPENBSD = 14 };

static void decode_ethernet(struct layer *layer)
{
    layer_pass(layer, LAYER_ETHERNET_HEADER, bytes_be16_at(&layer->bytes, 12));
}

/* The protocol field of Linux cooked captures: an EtherType, or a number below 0x0600 that says "no
 * EtherType". */
static uint16_t cooked_type(uint16_t protocol)
{
    enum { COOKED_802_2 = 4 };

    if (protocol > LAYER_LENGTH_MAX)
        return protocol;
    return protocol == COOKED_802_2 ? LAYER_LLC : LAYER_OTHER;
}

/* Source: LINKTYPE_LINUX_SLL of the tcpdump group. */
static void decode_cooked(struct layer *layer)
{
    layer_pass(layer, 16, cooked_type(bytes_be16_at(&layer->bytes, 14)));
}

/* Source: LINKTYPE_LINUX_SLL2 of the tcpdump group. */
static void decode_cooked2(struct layer *layer)
{
    layer_pass(layer, 20, cooked_type(bytes_be16_at(&layer->bytes, 0)));
}

static void decode_raw(struct layer *layer)
{
    layer_pass(layer, 0, layer_ip_type(layer, 0));
}

static void decode_ipv4(struct layer *layer)
{
    layer_pass(layer, 0, LAYER_IPV4);
}

static void decode_ipv6(struct layer *layer)
{
    layer_pass(layer, 0, LAYER_IPV6);
}

/* The address family in the byte order of the host that captured (LOOP: of the network); families are below
 * 256, so the value tells the order. IPv6 has one number each on Linux, NetBSD, FreeBSD and Darwin. */
static void decode_loopback(struct layer *layer)
{
    uint32_t family = bytes_be32_at(&layer->bytes, 0);

    if (family > UINT16_MAX)
        family = bytes_le32_at(&layer->bytes, 0);
    switch (family) {
    case 2:
        layer_pass(layer, 4, LAYER_IPV4);
        return;
    case 10:
    case 24:
    case 28:
    case 30:
        layer_pass(layer, 4, LAYER_IPV6);
        return;
    default:
        layer_pass(layer, 4, LAYER_OTHER);
    }
}

/* Source: RFC 1661 section 2 (a protocol field whose first octet is odd is compressed to that octet), RFC
 * 1662. */
void link_decode_ppp(struct layer *layer)
{
    enum { ADDRESS_CONTROL = 0xff03, PPP_IPV4 = 0x21, PPP_IPV6 = 0x57, PPP_MPLS = 0x281 };
    uint32_t length = 2;
    uint16_t protocol;

    if (bytes_be16_at(&layer->bytes, 0) == ADDRESS_CONTROL)
        layer_pass(layer, 2, LAYER_PPP);
    protocol = bytes_u8_at(&layer->bytes, 0);
    if (protocol & 1)
        length = 1;
    else
        protocol = bytes_be16_at(&layer->bytes, 0);
    switch (protocol) {
    case PPP_IPV4:
        layer_pass(layer, length, LAYER_IPV4);
        return;
    case PPP_IPV6:
        layer_pass(layer, length, LAYER_IPV6);
        return;
    case PPP_MPLS:
        layer_pass(layer, length, LAYER_MPLS);
        return;
    default:
        layer_pass(layer, length, LAYER_OTHER);
    }
}

static void decode_cisco_hdlc(struct layer *layer)
{
    layer_pass(layer, 4, bytes_be16_at(&layer->bytes, 2));
}

/* PPP in HDLC-like framing, or Cisco's framing, which the first octet tells. Source: RFC 1547 section 4.3.1.
 */
static void decode_serial(struct layer *layer)
{
    enum { CISCO_UNICAST = 0x0f, CISCO_MULTICAST = 0x8f };
    uint8_t address = bytes_u8_at(&layer->bytes, 0);

    if (address == CISCO_UNICAST || address == CISCO_MULTICAST)
        decode_cisco_hdlc(layer);
    else
        link_decode_ppp(layer);
}

static void decode_pppoe(struct layer *layer)
{
    layer_pass(layer, 0, LAYER_PPPOE_SESSION);
}

/* Source: IEEE 802.2 and RFC 1042; the second form is the bridge tunnel of IEEE 802.1H. */
void link_decode_llc(struct layer *layer)
{
    enum { SNAP = 0xaaaa03, ETHERNET = 0x000000, BRIDGE_TUNNEL = 0x0000f8 };
    uint32_t llc = bytes_be32_at(&layer->bytes, 0) >> 8;
    uint32_t organisation = bytes_be32_at(&layer->bytes, 2) & 0xffffff;
    uint16_t type = bytes_be16_at(&layer->bytes, 6);

    if (llc != SNAP || (organisation != ETHERNET && organisation != BRIDGE_TUNNEL) ||
        type <= LAYER_LENGTH_MAX)
        type = LAYER_OTHER;
    layer_pass(layer, 8, type);
}

/* A frame of IEEE 802.11. Only data frames in the clear hold packets; aggregates (A-MSDU) are not taken
 * apart.
 *
 * align: the header is followed by octets that fill it up to a multiple of this.
 * Source: IEEE 802.11-2020 section 9.2.4.
 */
static void decode_wireless_frame(struct layer *layer, uint32_t align)
{
    enum {
        TYPE = 0x0c,
        TYPE_DATA = 0x08,
        SUBTYPE_NULL = 0x40,
        SUBTYPE_QOS = 0x80,
        TO_AND_FROM_DS = 0x03,
        PROTECTED = 0x40,
        ORDER = 0x80,
        AGGREGATE = 0x80,
    };
    uint8_t control = bytes_u8_at(&layer->bytes, 0);
    uint8_t flags = bytes_u8_at(&layer->bytes, 1);
    uint32_t header = 24;
    bool data = (control & TYPE) == TYPE_DATA && !(control & SUBTYPE_NULL) && !(flags & PROTECTED);

    if ((flags & TO_AND_FROM_DS) == TO_AND_FROM_DS)
        header += 6;
    if (control & SUBTYPE_QOS) {
        if (bytes_u8_at(&layer->bytes, header) & AGGREGATE)
            data = false;
        header += 2;
        if (flags & ORDER)
            header += 4;
    }
    layer_pass(layer, (header + align - 1) / align * align, LAYER_OTHER);
    if (data)
        link_decode_llc(layer);
}

static void decode_wireless(struct layer *layer)
{
    decode_wireless_frame(layer, 1);
}

/* Source: radiotap.org, fields TSFT and Flags. */
static void decode_radiotap(struct layer *layer)
{
    enum { PRESENT_TSFT = 1 << 0, PRESENT_FLAGS = 1 << 1, FLAG_PADDED = 0x20 };
    const uint32_t present_more = 1u << 31;
    uint16_t length = bytes_le16_at(&layer->bytes, 2);
    uint32_t present = bytes_le32_at(&layer->bytes, 4);
    uint32_t at = 8;
    uint32_t align = 1;

    if (present & PRESENT_FLAGS) {
        for (uint32_t word = present; (word & present_more) && at < length; at += 4)
            word = bytes_le32_at(&layer->bytes, at);
        if (present & PRESENT_TSFT)
            at = (at + 7) / 8 * 8 + 8;
        if (at < length && (bytes_u8_at(&layer->bytes, at) & FLAG_PADDED))
            align = 4;
    }
    layer_pass(layer, length, LAYER_OTHER);
    decode_wireless_frame(layer, align);
}

/* Per-packet information: a header of its own, then a frame of the link type it names. Source: PPI
 * specification. */
static void decode_ppi(struct layer *layer)
{
    uint16_t length = bytes_le16_at(&layer->bytes, 2);
    uint32_t number = bytes_le32_at(&layer->bytes, 4);
    const struct link_type *inner = NULL;

    if (number != DLT_PPI && number <= UINT16_MAX)
        inner = link_type_find((int)number);
    layer_pass(layer, length, LAYER_OTHER);
    if (inner)
        inner->decode(layer);
}

static const struct link_type link_types[] = {
    {DLT_EN10MB, "Ethernet", decode_ethernet},
    {DLT_NULL, "BSD null", decode_loopback},
    {DLT_LOOP, "BSD loop", decode_loopback},
    {DLT_RAW, "raw IP", decode_raw},
    {DLT_RAW_OPENBSD, "raw IP", decode_raw},
    {LINKTYPE_RAW_IP, "raw IP", decode_raw},
    {DLT_IPV4, "IPv4", decode_ipv4},
    {DLT_IPV6, "IPv6", decode_ipv6},
    {DLT_LINUX_SLL, "Linux cooked", decode_cooked},
    {DLT_LINUX_SLL2, "Linux cooked v2", decode_cooked2},
    {DLT_PPP, "PPP", link_decode_ppp},
    {DLT_PPP_SERIAL, "PPP over serial", decode_serial},
    {DLT_PPP_ETHER, "PPPoE", decode_pppoe},
    {DLT_C_HDLC, "Cisco HDLC", decode_cisco_hdlc},
    {DLT_IEEE802_11, "IEEE 802.11", decode_wireless},
    {DLT_IEEE802_11_RADIO, "radiotap", decode_radiotap},
    {DLT_PPI, "PPI", decode_ppi},
};

const struct link_type *link_type_find(int number)
{
    for (size_t i = 0; i < sizeof link_types / sizeof link_types[0]; i++)
        if (link_types[i].number == number)
            return &link_types[i];
    return NULL;
}

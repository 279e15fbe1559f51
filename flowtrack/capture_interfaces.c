/* capture_interfaces.c - which numbers libpcap gives, and to what.
 *
 * libpcap numbers the interface blocks that it takes, from 0 in every section. What it does not take (cut
 * short, lengths that differ) gets no number here either.
 */
#include "flowtrack/capture_interfaces.h"

#include <string.h>

#include "flowtrack/bytes.h"

enum {
    BODY = 8, /* where it begins: behind type and length */
    TRAILER = 4,
    INTERFACE_HEAD = 8, /* link type, reserved, snap length */
    SECTION_HEAD = 16,  /* byte order, version, length */
};

static const uint32_t left_out_type = UINT32_C(1) << 31; /* of local use: libpcap passes over it */

static uint32_t read_32(const struct capture_interfaces *interfaces, const uint8_t *at)
{
    struct bytes bytes = bytes_over(at, 4);

    return interfaces->big_endian ? bytes_be32_at(&bytes, 0) : bytes_le32_at(&bytes, 0);
}

static uint16_t read_16(const struct capture_interfaces *interfaces, const uint8_t *at)
{
    struct bytes bytes = bytes_over(at, 2);

    return interfaces->big_endian ? bytes_be16_at(&bytes, 0) : bytes_le16_at(&bytes, 0);
}

static void write_16(const struct capture_interfaces *interfaces, uint8_t *at, uint16_t value)
{
    uint16_t octets = interfaces->big_endian ? htobe16(value) : htole16(value);

    memcpy(at, &octets, sizeof octets);
}

static void write_32(const struct capture_interfaces *interfaces, uint8_t *at, uint32_t value)
{
    uint32_t octets = interfaces->big_endian ? htobe32(value) : htole32(value);

    memcpy(at, &octets, sizeof octets);
}

static bool is_whole(const struct capture_interfaces *interfaces, const uint8_t *block, size_t length,
                     size_t head)
{
    return length >= BODY + head + TRAILER && read_32(interfaces, block + length - TRAILER) == length;
}

/* A further section: numbers start anew, if it is one to libpcap. */
static void pass_section(struct capture_interfaces *interfaces, const uint8_t *block, size_t length)
{
    enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d, MAJOR = 1 };

    if (!is_whole(interfaces, block, length, SECTION_HEAD) ||
        read_32(interfaces, block + BODY) != BYTE_ORDER_MAGIC ||
        read_16(interfaces, block + BODY + 4) != MAJOR)
        return;
    interfaces->n = interfaces->n_foreign = 0;
    memset(interfaces->foreign, 0, sizeof interfaces->foreign);
}

/* Snap length 0 is the greatest there is. An interface beyond those told apart stays as it is. */
static const char *pass_interface(struct capture_interfaces *interfaces, uint8_t *block, size_t length)
{
    uint16_t link_type;
    uint32_t number = interfaces->n;

    if (!is_whole(interfaces, block, length, INTERFACE_HEAD) || number == CAPTURE_INTERFACES_MAX)
        return NULL;
    link_type = read_16(interfaces, block + BODY);
    if (!interfaces->has_first)
        interfaces->link_type = link_type;
    interfaces->has_first = true;
    interfaces->n++;
    write_32(interfaces, block + BODY + 4, 0);
    if (link_type == interfaces->link_type)
        return NULL;
    write_16(interfaces, block + BODY, interfaces->link_type);
    interfaces->foreign[number / 64] |= UINT64_C(1) << number % 64;
    interfaces->n_foreign++;
    return "its link type is not that of the first interface, its packets are left out";
}

static void pass_packet(struct capture_interfaces *interfaces, uint8_t *block, size_t length, uint32_t type)
{
    uint32_t number = 0;

    if (interfaces->n_foreign == 0 || length < BODY + 4)
        return;
    if (type == CAPTURE_BLOCK_ENHANCED)
        number = read_32(interfaces, block + BODY);
    else if (type == CAPTURE_BLOCK_OBSOLETE)
        number = read_16(interfaces, block + BODY);
    if (number >= CAPTURE_INTERFACES_MAX || !(interfaces->foreign[number / 64] >> number % 64 & 1))
        return;
    write_32(interfaces, block, left_out_type | type);
    interfaces->left_out++;
}

const char *capture_interfaces_pass(struct capture_interfaces *interfaces, uint8_t *block, size_t length)
{
    uint32_t type = read_32(interfaces, block);

    switch (type) {
    case CAPTURE_BLOCK_SECTION:
        pass_section(interfaces, block, length);
        return NULL;
    case CAPTURE_BLOCK_INTERFACE:
        return pass_interface(interfaces, block, length);
    case CAPTURE_BLOCK_OBSOLETE:
    case CAPTURE_BLOCK_SIMPLE:
    case CAPTURE_BLOCK_ENHANCED:
        pass_packet(interfaces, block, length, type);
        return NULL;
    default:
        return NULL;
    }
}

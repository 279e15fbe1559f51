/* capture_interfaces.h - the interfaces of a pcapng file, made one for libpcap.
 *
 * A pcapng file may come from several interfaces, and merged captures mostly do. libpcap gives a file one
 * link type and one snap length, those of the first interface; another one that differs in either it refuses,
 * and numbers those behind it wrongly, so that their packets are lost or get the time resolution of another.
 *
 * Here every interface block is changed to one that libpcap takes, so that the numbers stay right, and the
 * packets of interfaces with another link type are told, so that they can be left out.
 */
#ifndef FLOWTRACK_CAPTURE_INTERFACES_H
#define FLOWTRACK_CAPTURE_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAPTURE_BLOCK_INTERFACE = 1,
    CAPTURE_BLOCK_OBSOLETE = 2, /* packet blocks: this, simple, enhanced */
    CAPTURE_BLOCK_SIMPLE = 3,
    CAPTURE_BLOCK_ENHANCED = 6,
    CAPTURE_BLOCK_SECTION = 0x0a0d0d0a,
    CAPTURE_INTERFACES_MAX = 1024, /* numbers of a section that are told apart */
};

struct capture_interfaces {
    bool big_endian;
    bool has_first;
    uint16_t link_type; /* of the first one of the file */
    uint32_t n;         /* in this section */
    uint32_t n_foreign; /* of them, with another link type */
    uint64_t foreign[CAPTURE_INTERFACES_MAX / 64];
    uint64_t left_out; /* packets */
};

/* Look at a block before libpcap does, and change it where that is needed.
 *
 * block: (length), a whole one; of packet blocks the first 12 octets will do. Its length is sound.
 *
 * Return: NULL; what is to be said of an interface.
 * Source: draft-ietf-opsawg-pcapng sections 4.1 to 4.4 and A.
 */
const char *capture_interfaces_pass(struct capture_interfaces *interfaces, uint8_t *block, size_t length);

#endif

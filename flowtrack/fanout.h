/* fanout.h - which of several captures gets a packet of their interface: a program for the kernel.
 *
 * Both directions of a flow must come to the same capture, fragments and tunnelled packets too. The kernel's
 * own hash (PACKET_FANOUT_HASH) does not see to that: fragments have no ports to be hashed, and putting them
 * together first gives packets that nobody sent; VXLAN has other ports in each direction; of ESP it takes the
 * security parameter index for ports; and kernels before 2023 leave the ports out as soon as a packet has an
 * IPv6 flow label, which one end of a connection may set and the other one not.
 *
 * So the kernel is given a classic BPF program (PACKET_FANOUT_CBPF). It goes to the IP packet whose flow
 * packet.c will find, through the same tags and tunnels, and hashes the two addresses of that, in whatever
 * order, under a secret. All packets between two addresses therefore come to the same capture. What holds no
 * IP packet goes to the first one.
 *
 * It is stricter than packet.c in two places: more than FANOUT_EXTENSIONS_MAX IPv6 extension headers or
 * FANOUT_GTP_EXTENSIONS_MAX of GTP-U are not looked behind. And it goes by the addresses in a tunnel also
 * where packet.c counts the packet around them: if the inner packet is malformed, or beyond the snap length.
 */
#ifndef FLOWTRACK_FANOUT_H
#define FLOWTRACK_FANOUT_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FANOUT_EXTENSIONS_MAX = 3,
    FANOUT_GTP_EXTENSIONS_MAX = 2,
};

struct fanout_options {
    bool ethernet;     /* frames sent by this machine begin with an Ethernet header */
    bool look_through; /* as rules.look_through: tunnels count as what is in them */
    uint32_t secret[4];
};

/* Write the program. What it returns is a hash; the kernel takes it modulo the number of captures.
 *
 * instructions: (BPF_MAXINSNS)
 *
 * Return: instructions; -ENOMEM.
 */
int fanout_program(struct sock_filter *instructions, const struct fanout_options *options);

#endif

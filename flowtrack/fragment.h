/* fragment.h - the table that joins IP fragments to the flow of their packet.
 *
 * Only the first fragment of a packet has ports. The table remembers them for the others, and keeps the sizes
 * and times of fragments that come before the first; no payload is put together. It has a fixed size: when it
 * is full, the oldest packet is given up, and whoever waited for its first fragment goes without ports.
 *
 * A fragment that lies over one seen before (a duplicate, or an attack by overlap), that ends behind the
 * 65,535 octets a packet can have, or that has a size no fragment can have, is refused.
 */
#ifndef FLOWTRACK_FRAGMENT_H
#define FLOWTRACK_FRAGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/ip.h"
#include "flowtrack/packet.h"
#include "flowtrack/tracker.h"

enum {
    FRAGMENT_PACKETS_MAX = 4096,    /* packets whose fragments are being joined */
    FRAGMENT_HELD_MAX = 8192,       /* fragments that wait for their first one, over all packets */
    FRAGMENT_RANGES_MAX = 6,        /* separate stretches of one packet that are told apart */
    FRAGMENT_TIMEOUT = 5 * 1000000, /* microseconds from the first fragment seen of a packet */
};

struct fragment_table;

/* stats: where fragments given up are counted; must outlive the table. Return: 0, -ENOMEM. */
int fragment_table_new(struct fragment_table **tablep, struct tracker_stats *stats);

/* NULL is fine. */
void fragment_table_free(struct fragment_table *table);

/* Place a fragment.
 *
 * packet: decoded; the first fragment with its ports. Any other gets the ports, and for TCP the sequence
 * number of its place, if the first one is known.
 *
 * payload: what its IP header said.
 *
 * Return: PACKET_DECODED, PACKET_HELD, or PACKET_IGNORED (counted).
 */
enum packet_result fragment_table_place(struct fragment_table *table, struct packet *packet,
                                        const struct ip_payload *payload);

/* Take the next fragment that need not wait any more (packet_held()). */
bool fragment_table_take(struct fragment_table *table, struct packet *packet);

/* Give up packets begun further than FRAGMENT_TIMEOUT from `now`: before it, or behind it (the clock was set
 * back, and they would wait until that time comes again); INT64_MAX: all. */
void fragment_table_expire(struct fragment_table *table, int64_t now);

#endif

/* retransmission.h - which TCP payload was seen before.
 *
 * Two memories, one for each rule set. Joy's is a ring of the sequence numbers of the last ten data segments:
 * a segment with one of these numbers is a retransmission as a whole, whatever its length. The other follows
 * the sequence space: it knows the next number expected, and up to RETRANSMISSION_HOLES ranges before it that
 * have not been seen yet, so that segments out of order are new and of a longer repetition the new part
 * counts.
 */
#ifndef FLOWTRACK_RETRANSMISSION_H
#define FLOWTRACK_RETRANSMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/flow.h"

enum { RETRANSMISSION_RING = 10, RETRANSMISSION_HOLES = 4 };

/* Joy's ring: whether a data segment was seen before.
 *
 * Source: joy-records section 4. The ring starts out with ten numbers 0, so that a segment with number 0
 * counts as seen until they are overwritten. (Joy keeps lengths beside the numbers; they decide nothing.)
 */
bool retransmission_ring_has(const struct flow_side *side, const struct slab *slab, uint32_t sequence);

/* Joy's ring: remember a data segment in place of the oldest one.
 *
 * Return: true, false if there is no memory for it.
 */
bool retransmission_ring_put(struct flow_side *side, struct slab *slab, uint32_t sequence);

/* Sequence space: how much of a segment is new, and remember it.
 *
 * syn: the segment carries SYN, which takes one sequence number before the payload.
 * length: octets of payload, may be 0.
 * new_octets: how many of them were not seen before.
 *
 * Return: true, false if a hole had to be forgotten for lack of memory (its octets will count as seen).
 */
bool retransmission_space_add(struct flow_side *side, struct slab *slab, uint32_t sequence, bool syn,
                              uint32_t length, uint32_t *new_octets);

#endif

/* retransmission.c - Joy's ring of sequence numbers, and sequence space with holes.
 *
 * Sequence numbers are compared as distances modulo 2^32 (RFC 9293 section 3.4), so that they may wrap.
 */
#include "flowtrack/retransmission.h"

#include <string.h>

struct hole {
    uint32_t begin;
    uint32_t end;
};

/* A SYN whose number is further off than this from where the connection stands begins another connection. */
enum { SYN_DISTANCE_MAX = 1 << 24 };

bool retransmission_ring_has(const struct flow_side *side, const struct slab *slab, uint32_t sequence)
{
    const uint32_t *slots;

    if (sequence == 0 && side->n_memory < RETRANSMISSION_RING)
        return true;
    if (side->n_memory == 0)
        return false;
    slots = slab_at(slab, side->memory);
    for (unsigned i = 0; i < side->n_memory; i++)
        if (slots[i] == sequence)
            return true;
    return false;
}

/* The ring starts with the smallest block; slots beyond it are still 0. */
static bool ring_grow(struct flow_side *side, struct slab *slab)
{
    size_t used = side->n_memory * sizeof(uint32_t);
    uint32_t block = slab_alloc(slab, slab_class_for(used + sizeof(uint32_t)));

    if (block == 0)
        return false;
    if (used > 0)
        memcpy(slab_at(slab, block), slab_at(slab, side->memory), used);
    slab_free(slab, side->memory);
    side->memory = block;
    return true;
}

bool retransmission_ring_put(struct flow_side *side, struct slab *slab, uint32_t sequence)
{
    if (side->at_memory == side->n_memory) {
        if ((side->n_memory * sizeof(uint32_t)) % SLAB_UNIT == 0 && !ring_grow(side, slab))
            return false;
        side->n_memory++;
    }
    ((uint32_t *)slab_at(slab, side->memory))[side->at_memory] = sequence;
    side->at_memory = (uint8_t)((side->at_memory + 1) % RETRANSMISSION_RING);
    return true;
}

static int32_t distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}

static void remove_hole(struct flow_side *side, struct hole *holes, unsigned i)
{
    side->n_memory--;
    memmove(&holes[i], &holes[i + 1], (side->n_memory - i) * sizeof(*holes));
}

/* Remember a range that was jumped over; the oldest hole is forgotten when there are too many. */
static bool add_hole(struct flow_side *side, struct slab *slab, struct hole hole)
{
    struct hole *holes;

    if (side->memory == 0)
        side->memory = slab_alloc(slab, slab_class_for(RETRANSMISSION_HOLES * sizeof(struct hole)));
    if (side->memory == 0)
        return false;
    holes = slab_at(slab, side->memory);
    if (side->n_memory == RETRANSMISSION_HOLES)
        remove_hole(side, holes, 0);
    holes[side->n_memory++] = hole;
    return true;
}

/* Fill the part of hole i that lies in begin..end. Return: octets filled. */
static uint32_t fill_hole(struct flow_side *side, struct hole *holes, unsigned i, struct hole range)
{
    struct hole hole = holes[i];
    uint32_t begin = distance(hole.begin, range.begin) > 0 ? range.begin : hole.begin;
    uint32_t end = distance(hole.end, range.end) < 0 ? range.end : hole.end;

    if (distance(begin, end) <= 0)
        return 0;
    if (begin == hole.begin && end == hole.end) {
        remove_hole(side, holes, i);
    } else if (begin == hole.begin) {
        holes[i].begin = end;
    } else {
        holes[i].end = begin;
        if (end != hole.end && side->n_memory < RETRANSMISSION_HOLES) /* else the rest is forgotten */
            holes[side->n_memory++] = (struct hole){end, hole.end};
    }
    return end - begin;
}

static uint32_t fill_holes(struct flow_side *side, const struct slab *slab, struct hole range)
{
    uint32_t filled = 0;
    struct hole *holes;

    if (side->n_memory == 0)
        return 0;
    holes = slab_at(slab, side->memory);
    for (unsigned i = side->n_memory; i-- > 0;)
        filled += fill_hole(side, holes, i, range);
    return filled;
}

bool retransmission_space_add(struct flow_side *side, struct slab *slab, uint32_t sequence, bool syn,
                              uint32_t length, uint32_t *new_octets)
{
    uint32_t begin = sequence + syn;
    uint32_t end = begin + length;
    uint32_t next = side->sequence;
    int32_t ahead = distance(next, begin);
    bool kept = true;

    if (!(side->flags & SIDE_HAS_NEXT) || (syn && (ahead > SYN_DISTANCE_MAX || ahead < -SYN_DISTANCE_MAX))) {
        side->flags |= SIDE_HAS_NEXT;
        side->n_memory = 0;
        side->sequence = end;
        *new_octets = length;
        return true;
    }
    if (length == 0) {
        *new_octets = 0;
        return true;
    }
    if (ahead >= 0) {
        if (ahead > 0)
            kept = add_hole(side, slab, (struct hole){next, begin});
        side->sequence = end;
        *new_octets = length;
        return kept;
    }
    *new_octets = fill_holes(side, slab, (struct hole){begin, distance(next, end) > 0 ? next : end});
    if (distance(next, end) > 0) {
        *new_octets += end - next;
        side->sequence = end;
    }
    return true;
}

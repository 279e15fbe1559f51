/* flow_index.h - the hash table that finds the flow of a key.
 *
 * Open addressing with linear probing over slots of 8 octets: 32 bits of the hash and the number of a flow. A
 * look-up thus touches one cache line here, and that of the flow it finds. Removal closes the gap, so there
 * are no tombstones. The table doubles when it is half full.
 */
#ifndef FLOWTRACK_FLOW_INDEX_H
#define FLOWTRACK_FLOW_INDEX_H

#include <stdint.h>

struct flow_slot {
    uint32_t tag;  /* lower half of the hash; where the slot belongs and what to compare first */
    uint32_t flow; /* number + 1, 0: empty */
};

struct flow_index {
    struct flow_slot *slots;
    uint32_t mask; /* number of slots - 1 */
    uint32_t used;
};

#define FLOW_INDEX_NONE UINT32_MAX

/* Make an empty table. Return: 0, -ENOMEM. */
int flow_index_init(struct flow_index *index);
void flow_index_deinit(struct flow_index *index);

/* Take out all flows. The table keeps its size. */
void flow_index_clear(struct flow_index *index);

/* Octets that the slots take. */
static inline uint64_t flow_index_size(const struct flow_index *index)
{
    return ((uint64_t)index->mask + 1) * sizeof(struct flow_slot);
}

/* Whether the table should grow before it takes another flow. */
static inline int flow_index_is_crowded(const struct flow_index *index)
{
    return index->used >= (index->mask + 1) / 2;
}

/* Double the table. Return: 0, -ENOMEM; then it is as before and still works. */
int flow_index_grow(struct flow_index *index);

/* Enter a flow under its hash. Return: 0, -ENOMEM (seven eighths full: growing failed before). */
int flow_index_insert(struct flow_index *index, uint64_t hash, uint32_t flow);

/* Take a flow out, which must be in under this hash. */
void flow_index_remove(struct flow_index *index, uint64_t hash, uint32_t flow);

static inline void flow_index_prefetch(const struct flow_index *index, uint64_t hash)
{
    __builtin_prefetch(&index->slots[(uint32_t)hash & index->mask]);
}

/* Walk the flows that may have this hash: position is set by the first call and moved on by each.
 *
 *     for (n = flow_index_first(index, hash, &at); n != FLOW_INDEX_NONE; n = flow_index_next(index, hash,
 * &at))
 */
static inline uint32_t flow_index_next(const struct flow_index *index, uint64_t hash, uint32_t *position)
{
    for (;;) {
        const struct flow_slot *slot = &index->slots[*position];

        *position = (*position + 1) & index->mask;
        if (slot->flow == 0)
            return FLOW_INDEX_NONE;
        if (slot->tag == (uint32_t)hash)
            return slot->flow - 1;
    }
}

static inline uint32_t flow_index_first(const struct flow_index *index, uint64_t hash, uint32_t *position)
{
    *position = (uint32_t)hash & index->mask;
    return flow_index_next(index, hash, position);
}

#endif

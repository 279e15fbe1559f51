/* flow_index.c - hash table of flow numbers.
 *
 * Invariant: from the slot where an entry belongs (tag & mask) to the one where it stands, no slot is empty.
 */
#include "flowtrack/flow_index.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "flowtrack/memory.h"

enum { FIRST_SLOTS = 4096 };

static struct flow_slot *map_slots(uint64_t n_slots)
{
    return memory_map(n_slots * sizeof(struct flow_slot));
}

int flow_index_init(struct flow_index *index)
{
    struct flow_slot *slots = map_slots(FIRST_SLOTS);

    if (!slots)
        return -ENOMEM;
    *index = (struct flow_index){.slots = slots, .mask = FIRST_SLOTS - 1};
    return 0;
}

void flow_index_deinit(struct flow_index *index)
{
    if (index->slots)
        memory_unmap(index->slots, flow_index_size(index));
    *index = (struct flow_index){0};
}

void flow_index_clear(struct flow_index *index)
{
    if (index->used > 0)
        memset(index->slots, 0, flow_index_size(index));
    index->used = 0;
}

static void place(struct flow_slot *slots, uint32_t mask, struct flow_slot entry)
{
    uint32_t at = entry.tag & mask;

    while (slots[at].flow != 0)
        at = (at + 1) & mask;
    slots[at] = entry;
}

int flow_index_grow(struct flow_index *index)
{
    uint64_t n_slots = ((uint64_t)index->mask + 1) * 2;
    struct flow_slot *slots;

    if (n_slots > UINT32_MAX)
        return -ENOMEM;
    slots = map_slots(n_slots);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i <= index->mask; i++)
        if (index->slots[i].flow != 0)
            place(slots, (uint32_t)n_slots - 1, index->slots[i]);
    memory_unmap(index->slots, flow_index_size(index));
    index->slots = slots;
    index->mask = (uint32_t)n_slots - 1;
    return 0;
}

int flow_index_insert(struct flow_index *index, uint64_t hash, uint32_t flow)
{
    if (index->used >= (index->mask + 1) / 8 * 7)
        return -ENOMEM;
    place(index->slots, index->mask, (struct flow_slot){(uint32_t)hash, flow + 1});
    index->used++;
    return 0;
}

/* Empty a slot, and move entries behind it forward that would no longer be found. */
static void close_gap(struct flow_index *index, uint32_t gap)
{
    uint32_t at = gap;

    for (;;) {
        uint32_t home;

        at = (at + 1) & index->mask;
        if (index->slots[at].flow == 0)
            break;
        home = index->slots[at].tag & index->mask;
        if (((at - home) & index->mask) < ((at - gap) & index->mask))
            continue; /* belongs behind the gap */
        index->slots[gap] = index->slots[at];
        gap = at;
    }
    index->slots[gap] = (struct flow_slot){0};
}

void flow_index_remove(struct flow_index *index, uint64_t hash, uint32_t flow)
{
    uint32_t at = (uint32_t)hash & index->mask;

    while (index->slots[at].flow != flow + 1)
        at = (at + 1) & index->mask;
    close_gap(index, at);
    index->used--;
}

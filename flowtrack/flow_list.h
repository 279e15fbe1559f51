/* flow_list.h - what a flow remembers of its packets, in order of arrival, both sides in one list.
 *
 * One entry holds the time and length for the packet list, the IP identification, or both. The list starts in
 * a small block and moves to a larger one when it is full.
 */
#ifndef FLOWTRACK_FLOW_LIST_H
#define FLOWTRACK_FLOW_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/slab.h"

enum flow_entry_flag {
    FLOW_ENTRY_SIDE = 1,   /* sent by side 1, else by side 0 */
    FLOW_ENTRY_PACKET = 2, /* counts for the packet list */
    FLOW_ENTRY_ID = 4,     /* counts for the list of IP identifications */
    FLOW_ENTRY_FLAGS = 8,
};

/* Times beyond this are cut to it, so that they fit beside the flags and no sum of a time and a time-out
 * overflows: 18,000 years in microseconds. */
#define FLOW_TIME_MAX (INT64_C(1) << 59)

struct __attribute__((packed, aligned(4))) flow_entry {
    int64_t stamp;   /* time * FLOW_ENTRY_FLAGS + flags */
    uint16_t length; /* payload, modulo 65536 */
    uint16_t id;
};

_Static_assert(sizeof(struct flow_entry) == 12, "five of them in the smallest block");

struct __attribute__((packed, aligned(2))) flow_list {
    uint32_t block; /* 0: none yet */
    uint8_t n;      /* entries in use */
    uint8_t capacity;
};

static inline struct flow_entry *flow_list_entries(const struct flow_list *list, const struct slab *slab)
{
    return slab_at(slab, list->block);
}

static inline unsigned flow_entry_flags(const struct flow_entry *entry)
{
    return (unsigned)(entry->stamp & (FLOW_ENTRY_FLAGS - 1));
}

static inline int64_t flow_entry_time(const struct flow_entry *entry)
{
    return entry->stamp >> 3;
}

/* Append an entry.
 *
 * time: at most FLOW_TIME_MAX either way.
 * flags: enum flow_entry_flag.
 *
 * Return: true; false if there is no memory for it, then the list is as before.
 */
bool flow_list_append(struct flow_list *list, struct slab *slab, int64_t time, unsigned flags,
                      uint16_t length, uint16_t id);

/* Return the memory of a list. */
void flow_list_clear(struct flow_list *list, struct slab *slab);

#endif

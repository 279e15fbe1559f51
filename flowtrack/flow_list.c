/* flow_list.c - the growing list of a flow. */
#include "flowtrack/flow_list.h"

#include <string.h>

enum { SMALLEST = 64 };

/* Move the list to a block about four times as large: most flows stay in the first one, and those that do not
 * seldom move. */
static bool grow(struct flow_list *list, struct slab *slab)
{
    size_t used = (size_t)list->n * sizeof(struct flow_entry);
    unsigned class = slab_class_for(used == 0 ? SMALLEST : used * 4);
    size_t capacity;
    uint32_t block;

    if (class == SLAB_CLASSES)
        class = SLAB_CLASSES - 1;
    capacity = slab_class_size(class) / sizeof(struct flow_entry);
    if (capacity <= list->n)
        return false;
    block = slab_alloc(slab, class);
    if (block == 0)
        return false;
    if (used > 0)
        memcpy(slab_at(slab, block), slab_at(slab, list->block), used);
    slab_free(slab, list->block);
    list->block = block;
    list->capacity = (uint8_t)capacity;
    return true;
}

bool flow_list_append(struct flow_list *list, struct slab *slab, int64_t time, unsigned flags,
                      uint16_t length, uint16_t id)
{
    struct flow_entry *entry;

    if (list->n == list->capacity && !grow(list, slab))
        return false;
    entry = &flow_list_entries(list, slab)[list->n++];
    entry->stamp = time * FLOW_ENTRY_FLAGS + (int64_t)flags;
    entry->length = length;
    entry->id = id;
    return true;
}

void flow_list_clear(struct flow_list *list, struct slab *slab)
{
    slab_free(slab, list->block);
    *list = (struct flow_list){0};
}

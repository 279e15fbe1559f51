/* slab.h - blocks of a few sizes for what a flow collects: lists, sequence memory, TCP options.
 *
 * One region of address space is cut into pages of SLAB_PAGE octets. A page holds blocks of one size class
 * while any of them is in use, and then can serve another class; so the memory in use follows what flows
 * need, within a hard limit. Blocks are named by 32-bit handles (0: none) to keep flows small.
 */
#ifndef FLOWTRACK_SLAB_H
#define FLOWTRACK_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SLAB_PAGE = 65536,
    SLAB_UNIT = 32, /* block sizes are multiples, handles count in it */
    SLAB_CLASSES = 7,
    SLAB_TRIES = 8, /* calls of on_full for one block */
};

/* Called when the limit is reached: return blocks if possible. Return: true if it is worth another try. */
typedef bool slab_full_fn(void *context);

struct slab_page {
    uint32_t free;  /* handle of the first returned block, chained through their first octets */
    uint32_t next;  /* page number in the list of pages of the class with room, or of free pages */
    uint32_t prev;  /* page number; SLAB_NO_PAGE at the head */
    uint16_t used;  /* blocks in use */
    uint16_t fresh; /* blocks never handed out start here */
    uint8_t class;
};

struct slab {
    uint8_t *region;
    struct slab_page *pages;        /* (n_pages) */
    uint32_t n_pages;               /* that the region has */
    uint32_t max_pages;             /* that may be in use */
    uint32_t n_touched;             /* pages ever used: those below this number */
    uint32_t n_used;                /* pages with blocks in use */
    uint32_t idle;                  /* first free page below n_touched */
    uint32_t partial[SLAB_CLASSES]; /* first page of the class with room */
    slab_full_fn *on_full;
    void *context; /* for on_full */
};

/* Reserve a region.
 *
 * octets: the most the blocks may ever take; beyond 128 GiB, which is what handles can name, they take that.
 *
 * Return: 0, -ENOMEM, -EINVAL (less than a page).
 */
int slab_init(struct slab *slab, uint64_t octets);
void slab_deinit(struct slab *slab);

/* Limit the pages in use from now on. Those above the limit stay until their blocks are returned. */
void slab_set_limit(struct slab *slab, uint64_t octets);

/* Say whom to ask for room. NULL: nobody. */
void slab_on_full(struct slab *slab, slab_full_fn *on_full, void *context);

/* Return all blocks. */
void slab_clear(struct slab *slab);

/* Octets of the blocks of a class, and the smallest class that holds so many octets (SLAB_CLASSES: none). */
size_t slab_class_size(unsigned class);
unsigned slab_class_for(size_t octets);

/* Take a block. Its content is undefined. Return: its handle, 0 if the limit is reached. */
uint32_t slab_alloc(struct slab *slab, unsigned class);

/* Return a block. Handle 0 is fine. */
void slab_free(struct slab *slab, uint32_t handle);

static inline void *slab_at(const struct slab *slab, uint32_t handle)
{
    return slab->region + (size_t)(handle - 1) * SLAB_UNIT;
}

/* Pages that may still be taken. */
static inline uint32_t slab_room(const struct slab *slab)
{
    return slab->max_pages > slab->n_used ? slab->max_pages - slab->n_used : 0;
}

#endif

/* slab.c - blocks of a few sizes out of one bounded region.
 *
 * Invariants: a page with used > 0 belongs to a class, and is in the list of that class exactly while it has
 * room. A page with used = 0 is in the list of idle pages, or was never touched.
 */
#include "flowtrack/slab.h"

#include <errno.h>
#include <string.h>

#include "flowtrack/memory.h"

#define SLAB_NO_PAGE UINT32_MAX

/* Pages whose blocks handles can name. */
#define PAGES_MAX (UINT32_MAX / (SLAB_PAGE / SLAB_UNIT))

static const uint16_t class_sizes[SLAB_CLASSES] = {32, 64, 128, 256, 512, 1024, 2432};

size_t slab_class_size(unsigned class)
{
    return class_sizes[class];
}

unsigned slab_class_for(size_t octets)
{
    unsigned class = 0;

    while (class < SLAB_CLASSES && class_sizes[class] < octets)
        class ++;
    return class;
}

int slab_init(struct slab *slab, uint64_t octets)
{
    uint64_t n_pages = octets / SLAB_PAGE < PAGES_MAX ? octets / SLAB_PAGE : PAGES_MAX;
    struct slab made = {.n_pages = (uint32_t)n_pages, .max_pages = (uint32_t)n_pages};

    if (n_pages == 0)
        return -EINVAL;
    made.pages = memory_map(n_pages * sizeof(struct slab_page));
    made.region = memory_map(n_pages * SLAB_PAGE);
    if (!made.pages || !made.region) {
        slab_deinit(&made);
        return -ENOMEM;
    }
    slab_clear(&made);
    *slab = made;
    return 0;
}

void slab_on_full(struct slab *slab, slab_full_fn *on_full, void *context)
{
    slab->on_full = on_full;
    slab->context = context;
}

void slab_clear(struct slab *slab)
{
    slab->n_touched = 0;
    slab->n_used = 0;
    slab->idle = SLAB_NO_PAGE;
    for (unsigned i = 0; i < SLAB_CLASSES; i++)
        slab->partial[i] = SLAB_NO_PAGE;
}

void slab_deinit(struct slab *slab)
{
    memory_unmap(slab->pages, slab->n_pages * sizeof(struct slab_page));
    memory_unmap(slab->region, (size_t)slab->n_pages * SLAB_PAGE);
    memset(slab, 0, sizeof(*slab));
}

void slab_set_limit(struct slab *slab, uint64_t octets)
{
    uint64_t pages = octets / SLAB_PAGE;

    slab->max_pages = pages < slab->n_pages ? (uint32_t)pages : slab->n_pages;
}

static unsigned blocks_per_page(unsigned class)
{
    return SLAB_PAGE / class_sizes[class];
}

static void link_page(struct slab *slab, uint32_t number, uint32_t *head)
{
    struct slab_page *page = &slab->pages[number];

    page->prev = SLAB_NO_PAGE;
    page->next = *head;
    if (*head != SLAB_NO_PAGE)
        slab->pages[*head].prev = number;
    *head = number;
}

static void unlink_page(struct slab *slab, uint32_t number, uint32_t *head)
{
    struct slab_page *page = &slab->pages[number];

    if (page->prev == SLAB_NO_PAGE)
        *head = page->next;
    else
        slab->pages[page->prev].next = page->next;
    if (page->next != SLAB_NO_PAGE)
        slab->pages[page->next].prev = page->prev;
}

/* Give an idle page, or else the next untouched one, to a class. */
static uint32_t take_page(struct slab *slab, unsigned class)
{
    uint32_t number = slab->idle;
    struct slab_page *page;

    if (slab_room(slab) == 0)
        return SLAB_NO_PAGE;
    if (number != SLAB_NO_PAGE)
        unlink_page(slab, number, &slab->idle);
    else
        number = slab->n_touched++; /* exists: n_touched = n_used < max_pages when no page is idle */
    slab->n_used++;
    page = &slab->pages[number];
    page->class = (uint8_t) class;
    page->free = 0;
    page->used = 0;
    page->fresh = 0;
    link_page(slab, number, &slab->partial[class]);
    return number;
}

static uint32_t page_handle(uint32_t number, unsigned class, unsigned block)
{
    return number * (SLAB_PAGE / SLAB_UNIT) + block * (class_sizes[class] / SLAB_UNIT) + 1;
}

static uint32_t take_block(struct slab *slab, unsigned class)
{
    uint32_t number = slab->partial[class];
    struct slab_page *page;
    uint32_t handle;

    if (number == SLAB_NO_PAGE)
        number = take_page(slab, class);
    if (number == SLAB_NO_PAGE)
        return 0;
    page = &slab->pages[number];
    handle = page->free;
    if (handle != 0) {
        memcpy(&page->free, slab_at(slab, handle), sizeof(page->free));
        if (page->free != 0)
            __builtin_prefetch(slab_at(slab, page->free), 1); /* the next one taken */
    } else {
        handle = page_handle(number, class, page->fresh++);
    }
    page->used++;
    if (page->used == blocks_per_page(class))
        unlink_page(slab, number, &slab->partial[class]);
    return handle;
}

uint32_t slab_alloc(struct slab *slab, unsigned class)
{
    uint32_t handle = take_block(slab, class);

    for (int i = 0; handle == 0 && i < SLAB_TRIES && slab->on_full && slab->on_full(slab->context); i++)
        handle = take_block(slab, class);
    return handle;
}

void slab_free(struct slab *slab, uint32_t handle)
{
    struct slab_page *page;
    uint32_t number;

    if (handle == 0)
        return;
    number = (handle - 1) / (SLAB_PAGE / SLAB_UNIT);
    page = &slab->pages[number];
    if (page->used == blocks_per_page(page->class))
        link_page(slab, number, &slab->partial[page->class]);
    memcpy(slab_at(slab, handle), &page->free, sizeof(page->free));
    page->free = handle;
    page->used--;
    if (page->used == 0) {
        unlink_page(slab, number, &slab->partial[page->class]);
        link_page(slab, number, &slab->idle);
        slab->n_used--;
    }
}

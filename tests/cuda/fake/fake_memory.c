/* Device memory: one stretch of addresses that is closed to the host, with room between what is allocated.
 *
 * Allocations are kept in the order of their addresses, and a new one takes the first gap that is wide
 * enough. Before and after each lies a red zone. Without the address sanitizer it is filled with a pattern
 * that is looked at whenever the memory is closed again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/cuda/fake/fake_parts.h"

#if FAKE_SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(at, size) ((void)(at), (void)(size))
#define __asan_unpoison_memory_region(at, size) ((void)(at), (void)(size))
#endif

enum { ALIGNMENT = 256, RED_ZONE = 512, BLOCKS_MAX = 4096, FRESH = 0xff, PATTERN = 0xa5 };
static const size_t addresses = (size_t)2 << 30;

struct block {
    size_t at, size; /* from the start of the stretch; the red zones lie around it */
    bool fresh;      /* not filled yet */
};

static unsigned char *stretch;
static struct block blocks[BLOCKS_MAX];
static size_t n_blocks, used;
static size_t opened; /* octets that were ever in use: what is opened and closed */
static unsigned depth;

static size_t block_end(const struct block *block)
{
    return block->at + (block->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + RED_ZONE;
}

/* A block that holds an address. Return: its index, or n_blocks. */
static size_t block_of(const void *at)
{
    size_t offset = (size_t)((const unsigned char *)at - stretch);

    for (size_t i = 0; i < n_blocks; i++)
        if (offset >= blocks[i].at && offset < blocks[i].at + blocks[i].size)
            return i;
    return n_blocks;
}

bool fake_memory_touches(const void *at, size_t size)
{
    uintptr_t begin = (uintptr_t)stretch, first = (uintptr_t)at;

    return stretch != NULL && first + size > begin && first < begin + addresses;
}

bool fake_on_device(const void *at, size_t size)
{
    size_t i, offset;

    if (!fake_memory_touches(at, 1))
        return false;
    i = block_of(at);
    if (i == n_blocks)
        return false;
    offset = (size_t)((const unsigned char *)at - stretch) - blocks[i].at;
    return size <= blocks[i].size - offset;
}

size_t fake_memory_used(void)
{
    return used;
}

void fake_need(const char *call, const char *argument, const void *at, size_t size)
{
    if (!fake_on_device(at, size))
        fake_die("%s: %zu octets at %s are not in one allocation of the device", call, size, argument);
}

static void red_zones(const struct block *block, void (*each)(unsigned char *zone, size_t size))
{
    each(stretch + block->at - RED_ZONE, RED_ZONE);
    each(stretch + block->at + block->size, block_end(block) - block->at - block->size);
}

static void zone_make(unsigned char *zone, size_t size)
{
    if (!FAKE_SANITIZED)
        memset(zone, PATTERN, size);
    __asan_poison_memory_region(zone, size);
}

static void zone_check(unsigned char *zone, size_t size)
{
    for (size_t i = 0; !FAKE_SANITIZED && i < size; i++)
        if (zone[i] != PATTERN)
            fake_die("something was written beside an allocation");
}

static void zone_clear(unsigned char *zone, size_t size)
{
    __asan_unpoison_memory_region(zone, size);
}

static void protect(int how)
{
    if (opened != 0 && mprotect(stretch, opened, how) != 0)
        fake_die("mprotect() of %zu octets failed", opened);
}

void fake_memory_unlock(void)
{
    if (depth++ > 0)
        return;
    protect(PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < n_blocks; i++)
        if (blocks[i].fresh) {
            __asan_unpoison_memory_region(stretch + blocks[i].at, blocks[i].size);
            red_zones(&blocks[i], zone_make);
            memset(stretch + blocks[i].at, FRESH, blocks[i].size);
            blocks[i].fresh = false;
        }
}

void fake_memory_lock(void)
{
    if (--depth > 0)
        return;
    for (size_t i = 0; i < n_blocks; i++)
        red_zones(&blocks[i], zone_check);
    protect(PROT_NONE);
}

void *fake_memory_new(size_t size)
{
    struct block block = {.at = RED_ZONE, .size = size, .fresh = true};
    size_t i = 0;

    if (stretch == NULL)
        stretch = mmap(NULL, addresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stretch == MAP_FAILED)
        fake_die("no room for %zu octets of addresses", addresses);
    if (size > fake_setup.memory - used || n_blocks == BLOCKS_MAX)
        return NULL;
    while (i < n_blocks && block_end(&block) > blocks[i].at - RED_ZONE)
        block.at = block_end(&blocks[i++]) + RED_ZONE;
    if (block_end(&block) > addresses)
        return NULL;
    memmove(blocks + i + 1, blocks + i, (n_blocks - i) * sizeof *blocks);
    blocks[i] = block;
    n_blocks++;
    used += size;
    if (opened < block_end(&block))
        opened = block_end(&block);
    return stretch + block.at;
}

/* Forget one; nobody may touch its octets before they are given out again. */
static void forget(size_t i)
{
    red_zones(&blocks[i], zone_clear);
    __asan_poison_memory_region(stretch + blocks[i].at, blocks[i].size);
    used -= blocks[i].size;
    n_blocks--;
    memmove(blocks + i, blocks + i + 1, (n_blocks - i) * sizeof *blocks);
}

bool fake_memory_free(void *at)
{
    size_t i = fake_memory_touches(at, 1) ? block_of(at) : n_blocks;

    if (i == n_blocks || stretch + blocks[i].at != (unsigned char *)at)
        return false;
    forget(i);
    return true;
}

void fake_memory_reset(void)
{
    while (n_blocks > 0)
        forget(n_blocks - 1);
    if (opened != 0) {
        __asan_unpoison_memory_region(stretch, opened);
        (void)madvise(stretch, opened, MADV_DONTNEED);
    }
    opened = 0;
}

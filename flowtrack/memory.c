/* memory.c - mmap() with huge pages. */
#include "flowtrack/memory.h"

#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static void *map(size_t octets)
{
    void *region =
        mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return region == MAP_FAILED ? NULL : region;
}

/* Map more than is needed and cut both ends off, so that the rest starts at a huge page. */
static void *map_aligned(size_t octets)
{
    char *region = map(octets + HUGE_PAGE);
    size_t head;

    if (!region)
        return NULL;
    head = -(uintptr_t)region & (HUGE_PAGE - 1);
    if (head > 0)
        (void)munmap(region, head);
    if (head < HUGE_PAGE)
        (void)munmap(region + head + octets, HUGE_PAGE - head);
    return region + head;
}

static size_t whole_pages(size_t octets)
{
    return (octets + 4095) & ~(size_t)4095;
}

void *memory_map(size_t octets)
{
    void *region;

    if (octets == 0 || octets > SIZE_MAX / 2)
        return NULL;
    octets = whole_pages(octets);
    if (octets < HUGE_PAGE)
        return map(octets);
    region = map_aligned(octets);
    if (region)
        (void)madvise(region, octets, MADV_HUGEPAGE); /* a wish: small pages work too */
    return region;
}

void memory_unmap(void *region, size_t octets)
{
    if (region)
        (void)munmap(region, whole_pages(octets));
}

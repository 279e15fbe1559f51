/* memory.h - large regions of address space, backed by memory only where they are touched.
 *
 * The flow table reserves room for its largest size once and never moves it; huge pages save most of the
 * address translation misses that looking up one of a million flows would cost.
 */
#ifndef FLOWTRACK_MEMORY_H
#define FLOWTRACK_MEMORY_H

#include <stddef.h>

/* Reserve a zeroed region.
 *
 * octets: size; above one huge page (2 MiB) the region is aligned to it and huge pages are asked for.
 *
 * Return: the region, for memory_unmap() with the same size; NULL if the system refuses.
 */
void *memory_map(size_t octets);

/* Give a region back. NULL is fine. */
void memory_unmap(void *region, size_t octets);

#endif

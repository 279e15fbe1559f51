/* buffer.h - aligned memory that grows and is kept for the next batch. */
#ifndef CORE_CPU_BUFFER_H
#define CORE_CPU_BUFFER_H

#include <stddef.h>

struct buffer {
    void *at;
    size_t octets; /* that there is room for */
};

/* Make room for n values of a size, aligned to KERNELS_ALIGNMENT; what was in it may be lost.
 *
 * Return: 0, -ENOMEM (the buffer is empty).
 */
int buffer_reserve(struct buffer *buffer, size_t n, size_t size);

/* Free the memory; fine on zeros. */
void buffer_deinit(struct buffer *buffer);

#endif

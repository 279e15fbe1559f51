#include "core/cpu/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/cpu/kernels.h"

int buffer_reserve(struct buffer *buffer, size_t n, size_t size)
{
    size_t octets;

    if (__builtin_mul_overflow(n, size, &octets) || octets > SIZE_MAX / 2) {
        buffer_deinit(buffer);
        return -ENOMEM;
    }
    if (octets <= buffer->octets && buffer->at != NULL)
        return 0;
    buffer_deinit(buffer);
    octets = (octets + octets / 4) / KERNELS_ALIGNMENT * KERNELS_ALIGNMENT + KERNELS_ALIGNMENT;
    buffer->at = aligned_alloc(KERNELS_ALIGNMENT, octets);
    if (buffer->at == NULL)
        return -ENOMEM;
    buffer->octets = octets;
    return 0;
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct buffer){0};
}

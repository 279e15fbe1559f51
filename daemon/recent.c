#include "daemon/recent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct recent {
    pthread_mutex_t lock;
    uint64_t end; /* octets ever added */
    char ring[];  /* (RECENT_SIZE) octet p stands at p % RECENT_SIZE */
};

int recent_new(struct recent **recentp)
{
    struct recent *recent = malloc(sizeof *recent + RECENT_SIZE);

    if (recent == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&recent->lock, NULL);
    recent->end = 0;
    *recentp = recent;
    return 0;
}

void recent_free(struct recent *recent)
{
    if (recent == NULL)
        return;
    (void)pthread_mutex_destroy(&recent->lock);
    free(recent);
}

static void ring_put(struct recent *recent, const char *from, size_t size)
{
    size_t at = recent->end % RECENT_SIZE;
    size_t first = size < RECENT_SIZE - at ? size : RECENT_SIZE - at;

    memcpy(recent->ring + at, from, first);
    memcpy(recent->ring, from + first, size - first);
    recent->end += size;
}

static void ring_get(const struct recent *recent, uint64_t position, char *to, size_t size)
{
    size_t at = position % RECENT_SIZE;
    size_t first = size < RECENT_SIZE - at ? size : RECENT_SIZE - at;

    memcpy(to, recent->ring + at, first);
    memcpy(to + first, recent->ring, size - first);
}

void recent_add(struct recent *recent, const char *lines, size_t size)
{
    pthread_mutex_lock(&recent->lock);
    while (size > RECENT_SIZE) { /* only the last ones can be kept */
        lines += size - RECENT_SIZE;
        recent->end += size - RECENT_SIZE;
        size = RECENT_SIZE;
    }
    ring_put(recent, lines, size);
    pthread_mutex_unlock(&recent->lock);
}

uint64_t recent_end(struct recent *recent)
{
    uint64_t end;

    pthread_mutex_lock(&recent->lock);
    end = recent->end;
    pthread_mutex_unlock(&recent->lock);
    return end;
}

/* Where the first whole line at or behind a position begins that has been partly overwritten. */
static uint64_t skip_line(const struct recent *recent, uint64_t position)
{
    while (position < recent->end && recent->ring[position % RECENT_SIZE] != '\n')
        position++;
    return position < recent->end ? position + 1 : recent->end;
}

size_t recent_read(struct recent *recent, uint64_t *position, char *text, size_t size)
{
    const char *newline;
    size_t n;

    pthread_mutex_lock(&recent->lock);
    if (recent->end > RECENT_SIZE && *position < recent->end - RECENT_SIZE)
        *position = skip_line(recent, recent->end - RECENT_SIZE);
    n = recent->end - *position < size ? (size_t)(recent->end - *position) : size;
    ring_get(recent, *position, text, n);
    pthread_mutex_unlock(&recent->lock);
    newline = n > 0 ? memrchr(text, '\n', n) : NULL;
    n = newline != NULL ? (size_t)(newline - text) + 1 : 0;
    *position += n;
    return n;
}

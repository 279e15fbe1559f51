#include "daemon/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/clock.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    bool closed;
    size_t capacity;
    size_t n;
    size_t first; /* where the oldest item is */
    void *items[];
};

int queue_new(struct queue **queuep, size_t capacity)
{
    struct queue *queue = calloc(1, sizeof *queue + capacity * sizeof queue->items[0]);
    pthread_condattr_t monotonic;

    if (queue == NULL)
        return -ENOMEM;
    queue->capacity = capacity;
    /* Without attributes none of these can fail on Linux. */
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->not_full, &monotonic);
    (void)pthread_cond_init(&queue->not_empty, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *queuep = queue;
    return 0;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    (void)pthread_cond_destroy(&queue->not_empty);
    (void)pthread_cond_destroy(&queue->not_full);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static bool push(struct queue *queue, void *item, bool wait)
{
    bool taken;

    pthread_mutex_lock(&queue->lock);
    while (wait && queue->n == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    taken = !queue->closed && queue->n < queue->capacity;
    if (taken) {
        queue->items[(queue->first + queue->n) % queue->capacity] = item;
        queue->n++;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

bool queue_push(struct queue *queue, void *item)
{
    return push(queue, item, true);
}

bool queue_try_push(struct queue *queue, void *item)
{
    return push(queue, item, false);
}

/* Take the oldest item, if there is one; the lock is held. */
static void *take(struct queue *queue)
{
    void *item;

    if (queue->n == 0)
        return NULL;
    item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->n--;
    pthread_cond_signal(&queue->not_full);
    return item;
}

void *queue_pop(struct queue *queue)
{
    void *item;

    pthread_mutex_lock(&queue->lock);
    while (queue->n == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    item = take(queue);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

int queue_pop_within(struct queue *queue, void **itemp, int64_t microseconds)
{
    int64_t until = clock_monotonic() + microseconds;
    struct timespec end = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
    void *item;
    bool closed;
    int r = 0;

    pthread_mutex_lock(&queue->lock);
    while (r == 0 && queue->n == 0 && !queue->closed)
        r = pthread_cond_timedwait(&queue->not_empty, &queue->lock, &end);
    item = take(queue);
    closed = queue->closed;
    pthread_mutex_unlock(&queue->lock);
    if (item == NULL)
        return closed ? -1 : 0;
    *itemp = item;
    return 1;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_full);
    pthread_cond_broadcast(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_length(struct queue *queue)
{
    size_t n;

    pthread_mutex_lock(&queue->lock);
    n = queue->n;
    pthread_mutex_unlock(&queue->lock);
    return n;
}

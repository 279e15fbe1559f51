/* A job is published under the lock by a new generation number; each thread then draws task indices from one
 * counter until there are none left, and the last to run out wakes the caller. A thread that wakes late finds
 * the counter used up and only reports back, so no job begins before all threads have left the last one.
 */
#include "core/cpu/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct pool *pool;
    unsigned index;
    pthread_t thread;
};

struct pool {
    unsigned threads;
    struct worker *workers; /* (threads - 1) started */

    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    unsigned long generation; /* under lock: of the job in hand */
    unsigned busy;            /* under lock: workers that have not finished it */
    bool leave;               /* under lock */

    atomic_size_t next; /* task */
    size_t n_tasks;
    void (*task)(void *context, unsigned worker, size_t index);
    void *context;
};

static void draw_tasks(struct pool *pool, unsigned worker)
{
    size_t index;

    while ((index = atomic_fetch_add(&pool->next, 1)) < pool->n_tasks)
        pool->task(pool->context, worker, index);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    unsigned long seen = 0;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->leave)
            pthread_cond_wait(&pool->begin, &pool->lock);
        if (pool->leave)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        draw_tasks(pool, worker->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->end);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned usable_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n > 0 ? (unsigned)n : 1;
}

/* Start all workers; on failure pool->threads counts those that run, and the caller. */
static int start_workers(struct pool *pool, unsigned threads)
{
    sigset_t all, before;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pool->threads = 1; rc == 0 && pool->threads < threads;) {
        struct worker *worker = &pool->workers[pool->threads - 1];

        *worker = (struct worker){.pool = pool, .index = pool->threads};
        rc = pthread_create(&worker->thread, NULL, work, worker);
        if (rc == 0)
            pool->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int pool_new(struct pool **poolp, unsigned threads, struct error *err)
{
    struct pool *pool = calloc(1, sizeof *pool);
    unsigned wanted = threads > 0 ? threads : usable_processors();
    int rc;

    if (pool != NULL)
        pool->workers = calloc(wanted, sizeof *pool->workers);
    if (pool == NULL || pool->workers == NULL) {
        free(pool);
        return error_set(err, -ENOMEM, "engine: out of memory");
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->begin, NULL);
    pthread_cond_init(&pool->end, NULL);
    rc = start_workers(pool, wanted);
    if (rc != 0 && threads > 0) {
        pool_free(pool);
        return error_set(err, -ENODEV, "engine: cannot start %u threads: %s", threads, strerror(rc));
    }
    *poolp = pool;
    return 0;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->leave = true;
    pthread_cond_broadcast(&pool->begin);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->end);
    pthread_cond_destroy(&pool->begin);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

unsigned pool_threads(const struct pool *pool)
{
    return pool->threads;
}

void pool_run(struct pool *pool, size_t n_tasks, void (*task)(void *context, unsigned worker, size_t index),
              void *context)
{
    if (pool == NULL || pool->threads == 1 || n_tasks == 1) {
        for (size_t i = 0; i < n_tasks; i++)
            task(context, 0, i);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->n_tasks = n_tasks;
    pool->task = task;
    pool->context = context;
    atomic_store(&pool->next, 0);
    pool->busy = pool->threads - 1;
    pool->generation++;
    pthread_cond_broadcast(&pool->begin);
    pthread_mutex_unlock(&pool->lock);
    draw_tasks(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->end, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

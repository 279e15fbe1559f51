/* pool.h - a few threads that do the numbered tasks of one job together.
 *
 * The caller is one of them: a pool of one has no thread of its own. Which thread does which task is left to
 * chance, so tasks must not depend on it. One job at a time.
 */
#ifndef CORE_CPU_POOL_H
#define CORE_CPU_POOL_H

#include <stddef.h>

#include "flowtrack/error.h"

struct pool;

/* Start the threads, all signals blocked in them.
 *
 * threads: the caller included; 0: as many as the process may run on, or as the system gives if that is
 * fewer: the caller alone does the work too.
 *
 * Return: 0, -ENOMEM, -ENODEV (the system does not give as many threads as were asked for).
 */
int pool_new(struct pool **poolp, unsigned threads, struct error *err);

/* End the threads. NULL is fine. */
void pool_free(struct pool *pool);

/* Threads, the caller included. */
unsigned pool_threads(const struct pool *pool);

/* Do a job; returns when all its tasks are done.
 *
 * pool: NULL: the caller alone. task: called once for each index below n_tasks; worker (below pool_threads())
 * tells the threads apart: 0 is the caller.
 */
void pool_run(struct pool *pool, size_t n_tasks, void (*task)(void *context, unsigned worker, size_t index),
              void *context);

#endif

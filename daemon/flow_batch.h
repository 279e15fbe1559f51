/* flow_batch.h - the records of finished flows that travel together, and what is said of them.
 *
 * A fixed number of batches goes round: taken empty from the pool, filled by a capture thread (batcher.h),
 * given verdicts by the classifier, written by the writer, and put back. So a record is copied once, no
 * memory is allocated on the way, and memory has a bound. Whoever holds a batch is the only one to touch it.
 */
#ifndef DAEMON_FLOW_BATCH_H
#define DAEMON_FLOW_BATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "daemon/served_model.h"
#include "flowtrack/record.h"

/* Why flows have no verdict: X(name, description). A row here is a counter. The last one concerns a single
 * flow, the others a batch as a whole. */
#define FLOW_CAUSES(X)                                                                                       \
    X(not_asked, "records only")                                                                             \
    X(overload, "the classifier could not keep up")                                                          \
    X(engine, "the engine failed")                                                                           \
    X(scores, "the scores were not finite")

#define FLOW_CAUSE(name, text) FLOW_CAUSE_##name,
enum flow_cause { FLOW_CAUSES(FLOW_CAUSE) FLOW_CAUSES_N };
#undef FLOW_CAUSE

/* "not_asked", ... */
const char *flow_cause_name(enum flow_cause cause);

struct flow_batch {
    size_t n;                     /* flows */
    size_t capacity;              /* flows */
    const struct record **record; /* (n) in `memory` */
    struct verdict *verdict;      /* (n) filled by the classifier */
    bool classified;              /* there are verdicts; else `cause` says why not */
    enum flow_cause cause;
    struct served_model *model; /* that gave the verdicts; a reference, NULL without */
    const char *engine;         /* name of the engine that did */
    int64_t opened;             /* CLOCK_MONOTONIC, microseconds: when the first record came */
    size_t used;                /* octets of `memory` */
    size_t size;
    unsigned char *memory;
};

/* Batches nobody uses lie on a stack, so that the one used last, which is in the cache, is used next. */
struct flow_batch_pool {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    size_t n;
    struct flow_batch *batches; /* (n) */
    size_t n_empty;
    struct flow_batch **empty; /* (n), of them n_empty */
};

/* Make the batches.
 *
 * n: batches.
 * capacity: flows of a batch.
 *
 * Return: 0, -ENOMEM.
 */
int flow_batch_pool_init(struct flow_batch_pool *pool, size_t n, size_t capacity);

/* Free them; every batch must be back. */
void flow_batch_pool_deinit(struct flow_batch_pool *pool);

/* Take an empty batch, waiting for one. */
struct flow_batch *flow_batch_take(struct flow_batch_pool *pool);

/* Put a batch back; lets its model go. */
void flow_batch_return(struct flow_batch_pool *pool, struct flow_batch *batch);

/* Append a copy of a record.
 *
 * Return: true; false: no room, the batch is full.
 */
bool flow_batch_add(struct flow_batch *batch, const struct record *record);

#endif

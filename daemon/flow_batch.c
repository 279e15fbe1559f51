#include "daemon/flow_batch.h"

#include <errno.h>
#include <stdlib.h>

/* Octets of a batch for each flow it can hold. Most flows are short; a batch full of long ones leaves with
 * fewer flows. */
enum { OCTETS_A_FLOW = 640 };

const char *flow_cause_name(enum flow_cause cause)
{
#define NAME(name, text) #name,
    static const char *const names[] = {FLOW_CAUSES(NAME)};
#undef NAME

    return names[cause];
}

static int batch_init(struct flow_batch *batch, size_t capacity)
{
    size_t size = capacity * OCTETS_A_FLOW;

    *batch = (struct flow_batch){
        .capacity = capacity,
        .size = size > sizeof(struct record) ? size : sizeof(struct record),
    };
    batch->record = malloc(capacity * sizeof batch->record[0]);
    batch->verdict = malloc(capacity * sizeof batch->verdict[0]);
    batch->memory = malloc(batch->size);
    return batch->record != NULL && batch->verdict != NULL && batch->memory != NULL ? 0 : -ENOMEM;
}

static void batch_deinit(struct flow_batch *batch)
{
    free(batch->record);
    free(batch->verdict);
    free(batch->memory);
}

int flow_batch_pool_init(struct flow_batch_pool *pool, size_t n, size_t capacity)
{
    int r = 0;

    *pool = (struct flow_batch_pool){.n = n};
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->returned, NULL);
    pool->batches = calloc(n, sizeof pool->batches[0]);
    pool->empty = calloc(n, sizeof pool->empty[0]);
    if (pool->batches == NULL || pool->empty == NULL)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = batch_init(&pool->batches[i], capacity);
        pool->empty[pool->n_empty++] = &pool->batches[i];
    }
    if (r < 0)
        flow_batch_pool_deinit(pool);
    return r;
}

void flow_batch_pool_deinit(struct flow_batch_pool *pool)
{
    for (size_t i = 0; pool->batches != NULL && i < pool->n; i++)
        batch_deinit(&pool->batches[i]);
    free(pool->batches);
    free(pool->empty);
    (void)pthread_cond_destroy(&pool->returned);
    (void)pthread_mutex_destroy(&pool->lock);
    *pool = (struct flow_batch_pool){0};
}

struct flow_batch *flow_batch_take(struct flow_batch_pool *pool)
{
    struct flow_batch *batch;

    pthread_mutex_lock(&pool->lock);
    while (pool->n_empty == 0)
        pthread_cond_wait(&pool->returned, &pool->lock);
    batch = pool->empty[--pool->n_empty];
    pthread_mutex_unlock(&pool->lock);
    return batch;
}

void flow_batch_return(struct flow_batch_pool *pool, struct flow_batch *batch)
{
    served_model_unref(batch->model);
    batch->model = NULL;
    batch->classified = false;
    batch->n = 0;
    batch->used = 0;
    pthread_mutex_lock(&pool->lock);
    pool->empty[pool->n_empty++] = batch;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->lock);
}

bool flow_batch_add(struct flow_batch *batch, const struct record *record)
{
    size_t size = (record_size(record) + _Alignof(struct record) - 1) & -_Alignof(struct record);
    struct record *copy = (struct record *)(void *)(batch->memory + batch->used);

    if (batch->n == batch->capacity || size > batch->size - batch->used)
        return false;
    record_copy(copy, record);
    batch->used += size;
    batch->record[batch->n++] = copy;
    return true;
}

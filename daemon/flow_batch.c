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
    struct flow_batch_pool made = {.n = n};
    int r = queue_new(&made.empty, n);

    made.batches = calloc(n, sizeof made.batches[0]);
    if (made.batches == NULL)
        r = -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = batch_init(&made.batches[i], capacity);
        if (r == 0)
            (void)queue_try_push(made.empty, &made.batches[i]);
    }
    if (r < 0) {
        flow_batch_pool_deinit(&made);
        return r;
    }
    *pool = made;
    return 0;
}

void flow_batch_pool_deinit(struct flow_batch_pool *pool)
{
    for (size_t i = 0; pool->batches != NULL && i < pool->n; i++)
        batch_deinit(&pool->batches[i]);
    free(pool->batches);
    queue_free(pool->empty);
    *pool = (struct flow_batch_pool){0};
}

struct flow_batch *flow_batch_take(struct flow_batch_pool *pool)
{
    return queue_pop(pool->empty);
}

void flow_batch_return(struct flow_batch_pool *pool, struct flow_batch *batch)
{
    served_model_unref(batch->model);
    batch->model = NULL;
    batch->classified = false;
    batch->n = 0;
    batch->used = 0;
    (void)queue_try_push(pool->empty, batch);
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

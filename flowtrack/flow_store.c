/* flow_store.c - numbers, index entries and blocks of flows. */
#include "flowtrack/flow_store.h"

#include <errno.h>
#include <string.h>

#include "flowtrack/memory.h"

enum {
    COMMIT_STEP = 1024, /* flow numbers taken into use at a time */
    FLOW_OCTETS = sizeof(struct flow) + 2 * sizeof(struct wheel_link),
};

static uint64_t committed_flows(const struct flow_table *table)
{
    return ((uint64_t)table->n_touched + COMMIT_STEP - 1) / COMMIT_STEP * COMMIT_STEP;
}

/* Octets in use without those of the slab. */
static uint64_t fixed_memory(const struct flow_table *table)
{
    return committed_flows(table) * FLOW_OCTETS + flow_index_size(&table->index) +
           2 * (WHEEL_SLOTS + 1) * sizeof(struct wheel_link);
}

uint64_t flow_store_memory(const struct flow_table *table)
{
    return fixed_memory(table) + (uint64_t)table->slab.n_used * SLAB_PAGE;
}

/* What is not committed otherwise is left to the slab. */
static void set_slab_limit(struct flow_table *table)
{
    uint64_t fixed = fixed_memory(table);

    slab_set_limit(&table->slab, fixed < table->max_memory ? table->max_memory - fixed : 0);
}

/* Whether a new flow needs the place of another. */
bool flow_store_lacks_number(const struct flow_table *table)
{
    if (table->free != 0)
        return false;
    return table->n_touched == table->max_flows ||
           (table->n_touched % COMMIT_STEP == 0 &&
            flow_store_memory(table) + (uint64_t)COMMIT_STEP * FLOW_OCTETS > table->max_memory);
}

/* A number for a new flow, FLOW_INDEX_NONE if there is none. */
static uint32_t take_number(struct flow_table *table)
{
    if (table->free != 0) {
        uint32_t number = table->free - 1;

        table->free = table->flows[number].list.block;
        if (table->free != 0)
            __builtin_prefetch(&table->flows[table->free - 1], 1); /* the next one taken */
        return number;
    }
    if (flow_store_lacks_number(table))
        return FLOW_INDEX_NONE;
    if (table->n_touched++ % COMMIT_STEP == 0)
        set_slab_limit(table);
    return table->n_touched - 1;
}

static void give_number_back(struct flow_table *table, uint32_t number)
{
    table->flows[number].serial = 0;
    table->flows[number].list.block = table->free;
    table->free = number + 1;
}

/* The index doubles when it is half full, as far as memory goes; without it there is room for some more. */
static int enter(struct flow_table *table, uint64_t hash, uint32_t number)
{
    if (flow_index_is_crowded(&table->index) &&
        flow_store_memory(table) + 2 * flow_index_size(&table->index) <= table->max_memory &&
        flow_index_grow(&table->index) == 0)
        set_slab_limit(table);
    return flow_index_insert(&table->index, hash, number);
}

uint32_t flow_store_open(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    uint32_t number = take_number(table);
    struct flow *flow;

    if (number == FLOW_INDEX_NONE)
        return number;
    if (enter(table, hash, number) < 0) {
        give_number_back(table, number);
        return FLOW_INDEX_NONE;
    }
    flow = &table->flows[number];
    memset(flow, 0, sizeof(*flow));
    flow->key = *key;
    flow->serial = ++table->serial;
    return number;
}

void flow_store_close(struct flow_table *table, uint32_t number)
{
    struct flow *flow = &table->flows[number];

    flow_index_remove(&table->index, flow_key_hash(&flow->key, table->secret), number);
    flow_clear(flow, &table->slab);
    give_number_back(table, number);
}

void flow_store_clear(struct flow_table *table)
{
    flow_index_clear(&table->index);
    slab_clear(&table->slab);
    table->n_touched = 0;
    table->free = 0;
    set_slab_limit(table);
}

int flow_store_init(struct flow_table *table)
{
    int r;

    table->flows = memory_map((size_t)table->max_flows * sizeof(struct flow));
    if (!table->flows)
        return -ENOMEM;
    r = flow_index_init(&table->index);
    if (r == 0)
        r = slab_init(&table->slab, table->max_memory);
    if (r == 0)
        set_slab_limit(table);
    return r;
}

void flow_store_deinit(struct flow_table *table)
{
    memory_unmap(table->flows, (size_t)table->max_flows * sizeof(struct flow));
    flow_index_deinit(&table->index);
    slab_deinit(&table->slab);
}

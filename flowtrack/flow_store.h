/* flow_store.h - where the flows of a table are kept: numbers, index entries and blocks, all of them counted.
 *
 * Part of the flow table (flow_table.h). A flow number is never used yet (>= n_touched), free (serial 0, in
 * the free chain), or open (serial set, in the index under its key).
 *
 * Memory is counted as it is committed: flow numbers ever used, in steps; slab pages in use; the index. What
 * the limit leaves is the slab's.
 */
#ifndef FLOWTRACK_FLOW_STORE_H
#define FLOWTRACK_FLOW_STORE_H

#include "flowtrack/flow_table.h"

/* Reserve address space for the limits of a table.
 *
 * Return: 0, -ENOMEM; then flow_store_deinit() is still to be called.
 */
int flow_store_init(struct flow_table *table);
void flow_store_deinit(struct flow_table *table);

/* Octets committed. */
uint64_t flow_store_memory(const struct flow_table *table);

/* Whether a new flow would have to take the place of another. */
bool flow_store_lacks_number(const struct flow_table *table);

/* Open a flow under a key that is not open yet; all but key and serial is 0.
 *
 * Return: its number; FLOW_INDEX_NONE if there is no number or no room in the index.
 */
uint32_t flow_store_open(struct flow_table *table, const struct flow_key *key, uint64_t hash);

/* Give an open flow back, with its blocks. */
void flow_store_close(struct flow_table *table, uint32_t number);

/* Give all flows back at once. */
void flow_store_clear(struct flow_table *table);

/* The open flow of a key, FLOW_INDEX_NONE if there is none. */
static inline uint32_t flow_store_find(const struct flow_table *table, const struct flow_key *key,
                                       uint64_t hash)
{
    uint32_t at;
    uint32_t number = flow_index_first(&table->index, hash, &at);

    while (number != FLOW_INDEX_NONE && !flow_key_equal(&table->flows[number].key, key))
        number = flow_index_next(&table->index, hash, &at);
    return number;
}

#endif

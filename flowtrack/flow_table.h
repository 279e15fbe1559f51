/* flow_table.h - all open flows: found by key, ended on time, bounded in number and memory.
 *
 * Flows live in one array and are named by their number in it; an index finds them by key. Two timing wheels
 * know which may be due, one for silence and one for age, so that ending flows never looks at all of them.
 * When the table is full, in flows or in octets, the flow idle longest ends early.
 *
 * The clock is the latest packet time. Under the joy rules only flow_table_expire() ends flows, and those due
 * then end in order of creation. Else every packet first ends what is due at its time, in the order in which
 * it was due, so that the records do not depend on when anybody looked: live and from a file they are the
 * same.
 */
#ifndef FLOWTRACK_FLOW_TABLE_H
#define FLOWTRACK_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/error.h"
#include "flowtrack/flow.h"
#include "flowtrack/flow_index.h"
#include "flowtrack/tracker.h"
#include "flowtrack/wheel.h"

enum {
    FLOW_TABLE_LINGER = 2000000,     /* microseconds that a TCP flow stays open after FIN or RST */
    FLOW_TABLE_MEMORY_MIN = 4 << 20, /* smallest config.max_memory */
};

/* Called for each flow that ends; its blocks and number are taken back afterwards. */
typedef void flow_end_fn(void *context, const struct flow *flow, enum record_reason reason);

struct flow_table {
    struct flow_context flow; /* what flow_add() needs */
    struct flow *flows;       /* (max_flows) */
    uint32_t max_flows;
    uint32_t n_touched; /* flows ever used: those below this number */
    uint32_t free;      /* number + 1 of the first flow given back, chained by flow.list.block */
    uint64_t max_memory;
    int64_t active_timeout;
    int64_t clock;   /* latest packet time, or tick */
    uint64_t serial; /* of the flow made last */
    uint64_t secret[2];
    struct flow_index index;
    struct slab slab;
    struct wheel idle;
    struct wheel active;
    uint32_t current;    /* flow whose packet is being added */
    bool current_is_out; /* it is not in the idle wheel */
    flow_end_fn *on_end;
    void *context;
};

/* Make an empty table.
 *
 * config: limits and time-outs, checked here.
 * stats: flows, memory and lag are counted there.
 * on_end, context: called for each flow that ends.
 *
 * table must not move afterwards.
 *
 * Return: 0, -EINVAL (a limit out of range, named in err), -ENOMEM.
 */
int flow_table_init(struct flow_table *table, const struct tracker_config *config,
                    struct tracker_stats *stats, flow_end_fn *on_end, void *context, struct error *err);

/* Take a table down. Flows left in it are not handed out. */
void flow_table_deinit(struct flow_table *table);

/* The three steps of fetching the memory of a flow ahead of its packet, each some packets before the next.
 *
 * key: sorted. side: that of the packet.
 */
static inline uint64_t flow_table_hash(const struct flow_table *table, const struct flow_key *key)
{
    uint64_t hash = flow_key_hash(key, table->secret);

    flow_index_prefetch(&table->index, hash);
    return hash;
}

static inline uint32_t flow_table_prefetch_flow(const struct flow_table *table, uint64_t hash, unsigned side)
{
    uint32_t at;
    uint32_t number = flow_index_first(&table->index, hash, &at);

    if (number != FLOW_INDEX_NONE) {
        __builtin_prefetch(&table->flows[number], 1);
        __builtin_prefetch(&table->flows[number].side[side], 1);
    }
    return number;
}

static inline void flow_table_prefetch_list(const struct flow_table *table, uint32_t number)
{
    const struct flow_list *list;

    if (number == FLOW_INDEX_NONE)
        return;
    list = &table->flows[number].list;
    if (list->block != 0)
        __builtin_prefetch(&flow_list_entries(list, &table->slab)[list->n], 1);
}

/* Take the time of a packet that is about to be added. Under the joy rules the clock only rises; else what is
 * due by now ends, or flow_table_look_back().
 */
void flow_table_clock(struct flow_table *table, int64_t time);

/* End all that is open if time has stepped back by more than the idle time-out: another capture behind this
 * one, a clock that was set. It would stay until that time comes again, and every packet of now would seem to
 * be long due. Does nothing under the joy rules.
 */
void flow_table_look_back(struct flow_table *table, int64_t time);

/* Add a packet to its flow, which is made if it does not exist.
 *
 * packet: with its key sorted.
 * hash: by flow_table_hash().
 * side: 1 if sorting exchanged the ends.
 *
 * Return: true; false if there was no memory for a new flow.
 */
bool flow_table_add(struct flow_table *table, const struct packet *packet, uint64_t hash, unsigned side);

/* End what is due by the clock. Joy rules: at the end of a batch; else at any time. */
void flow_table_expire(struct flow_table *table);

/* Other rules: advance the clock without a packet and end what is due. An earlier time is ignored. */
void flow_table_advance(struct flow_table *table, int64_t now);

/* Bring stats.memory up to date. */
void flow_table_count_memory(struct flow_table *table);

/* End every flow, in order of creation, and set the clock back to its start. */
void flow_table_finish(struct flow_table *table);

#endif

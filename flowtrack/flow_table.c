/* flow_table.c - packets to their flows.
 *
 * Flows are kept by flow_store.c and ended by flow_expiry.c; here each packet finds or makes its flow. When
 * the table is full a flow ends for each one that is made. Some slab pages are held back, so that every block
 * class finds one while flows are ending.
 */
#include "flowtrack/flow_table.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "flowtrack/flow_expiry.h"
#include "flowtrack/flow_store.h"

enum { RESERVE_PAGES = 2 * SLAB_CLASSES }; /* slab pages that new flows leave free */

#define TIMEOUT_MAX (INT64_C(86400000000) * 365)

void flow_table_count_memory(struct flow_table *table)
{
    struct tracker_stats *stats = table->flow.stats;

    stats->memory = flow_store_memory(table);
    if (stats->memory > stats->memory_peak)
        stats->memory_peak = stats->memory;
}

static bool lacks_pages(const struct flow_table *table)
{
    return slab_room(&table->slab) < RESERVE_PAGES;
}

/* Return: the number of a new flow, FLOW_INDEX_NONE if there is no memory for one. */
static uint32_t make_flow(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    struct tracker_stats *stats = table->flow.stats;
    uint32_t number;

    if (lacks_pages(table) || flow_store_lacks_number(table))
        flow_expiry_catch_up(table);
    /* One more than is made, so that the reserve fills up again. */
    for (int i = 0; i < 2 && lacks_pages(table); i++)
        (void)flow_expiry_evict(table);
    number = flow_store_open(table, key, hash);
    if (number == FLOW_INDEX_NONE && flow_expiry_evict(table))
        number = flow_store_open(table, key, hash);
    if (number == FLOW_INDEX_NONE)
        return number;
    wheel_follow(&table->idle, table->clock);
    wheel_follow(&table->active, table->clock);
    stats->flows_created++;
    stats->flows_active++;
    return number;
}

void flow_table_look_back(struct flow_table *table, int64_t time)
{
    if (table->flow.rules->expire_in_batches || table->clock - time <= table->flow.idle_timeout)
        return;
    flow_table_expire(table);
    flow_expiry_end_all(table);
    flow_expiry_set_clock(table, time);
}

void flow_table_clock(struct flow_table *table, int64_t time)
{
    if (time > table->clock)
        table->clock = time;
    else
        flow_table_look_back(table, time);
}

/* A SYN on a connection that is closing opens another one. */
static bool begins_anew(const struct flow *flow, const struct packet *packet)
{
    return flow->closing && !packet->malformed && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The flow that a packet belongs to, FLOW_INDEX_NONE if it is to be made. */
static uint32_t find_flow(struct flow_table *table, const struct packet *packet, uint64_t hash)
{
    uint32_t number = flow_store_find(table, &packet->key, hash);

    if (number == FLOW_INDEX_NONE)
        return number;
    if (flow_expiry_is_over(table, number)) {
        flow_table_expire(table);
        return FLOW_INDEX_NONE;
    }
    if (begins_anew(&table->flows[number], packet)) {
        flow_expiry_catch_up(table);
        flow_expiry_end(table, number, RECORD_REASON_END);
        return FLOW_INDEX_NONE;
    }
    return number;
}

bool flow_table_add(struct flow_table *table, const struct packet *packet, uint64_t hash, unsigned side)
{
    uint32_t number = find_flow(table, packet, hash);
    bool is_new = number == FLOW_INDEX_NONE;
    bool earlier;

    if (is_new)
        number = make_flow(table, &packet->key, hash);
    if (number == FLOW_INDEX_NONE)
        return false;
    table->current = number;
    table->current_is_out = is_new;
    earlier = flow_add(&table->flow, &table->flows[number], side, packet);
    table->current = FLOW_INDEX_NONE;
    if (earlier || table->current_is_out) {
        flow_expiry_schedule(table, number);
        if (flow_expiry_is_over(table, number)) /* a late packet: waiting would change the order of ends */
            flow_table_expire(table);
    }
    return true;
}

void flow_table_finish(struct flow_table *table)
{
    flow_table_expire(table);
    flow_expiry_end_all(table);
    flow_expiry_set_clock(table, flow_expiry_first_clock(table->flow.rules));
    flow_table_count_memory(table);
}

static int check_config(const struct tracker_config *config, struct error *err)
{
    if (config->idle_timeout <= 0 || config->idle_timeout > TIMEOUT_MAX)
        return error_set(err, -EINVAL, "idle time-out must be between 1 microsecond and one year");
    if (config->active_timeout <= 0 || config->active_timeout > TIMEOUT_MAX)
        return error_set(err, -EINVAL, "active time-out must be between 1 microsecond and one year");
    if (config->side_packets > RECORD_SIDE_PACKETS_MAX)
        return error_set(err, -EINVAL, "at most %d packets of a side can be listed", RECORD_SIDE_PACKETS_MAX);
    if (config->side_ids > RECORD_IDS_MAX)
        return error_set(err, -EINVAL, "at most %d IP identifications of a side can be listed",
                         RECORD_IDS_MAX);
    if (config->max_flows == 0 || config->max_flows >= UINT32_MAX / 4)
        return error_set(err, -EINVAL, "number of flows must be between 1 and %u", UINT32_MAX / 4 - 1);
    if (config->max_memory < FLOW_TABLE_MEMORY_MIN)
        return error_set(err, -EINVAL, "memory for flows must be at least %d octets", FLOW_TABLE_MEMORY_MIN);
    return 0;
}

static bool on_slab_full(void *context)
{
    return flow_expiry_evict(context);
}

static int make_parts(struct flow_table *table)
{
    int r = flow_store_init(table);

    if (r == 0)
        r = flow_expiry_init(table);
    if (r == 0 && getrandom(table->secret, sizeof(table->secret), 0) != sizeof(table->secret))
        r = -EIO;
    return r;
}

int flow_table_init(struct flow_table *table, const struct tracker_config *config,
                    struct tracker_stats *stats, flow_end_fn *on_end, void *context, struct error *err)
{
    int r = check_config(config, err);

    if (r < 0)
        return r;
    memset(table, 0, sizeof(*table));
    table->max_flows = config->max_flows;
    table->max_memory = config->max_memory;
    table->active_timeout = config->active_timeout;
    table->on_end = on_end;
    table->context = context;
    table->serial = config->ids_after;
    table->flow = (struct flow_context){
        .rules = config->rules,
        .slab = &table->slab,
        .idle_timeout = config->idle_timeout,
        .linger = FLOW_TABLE_LINGER,
        .side_packets = config->side_packets,
        .side_ids = config->side_ids,
        .byte_dist = config->byte_dist,
        .stats = stats,
    };
    r = make_parts(table);
    if (r < 0) {
        flow_table_deinit(table);
        return error_set(err, r, "no memory for %u flows: %s", config->max_flows, strerror(-r));
    }
    slab_on_full(&table->slab, on_slab_full, table);
    table->current = FLOW_INDEX_NONE;
    return 0;
}

void flow_table_deinit(struct flow_table *table)
{
    flow_store_deinit(table);
    flow_expiry_deinit(table);
    memset(table, 0, sizeof(*table));
}

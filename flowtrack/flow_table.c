/* flow_table.c - all open flows.
 *
 * A flow number is in exactly one state: never used (>= n_touched), free (serial 0, in the free chain), or
 * open (serial set; in the index under its key; in both wheels). Between its removal from the wheels and
 * on_end() it is in the list of due flows.
 *
 * Memory is counted as it is committed: flow numbers ever used, in steps; slab pages in use; the index. When
 * the next step would go beyond the limit, flows end early instead. Some slab pages are held back, so that
 * every block class finds one while flows are ending.
 */
#include "flowtrack/flow_table.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "flowtrack/memory.h"

enum {
    COMMIT_STEP = 1024, /* flow numbers taken into use at a time */
    FLOW_OCTETS = sizeof(struct flow) + 2 * sizeof(struct wheel_link),
    RESERVE_PAGES = 2 * SLAB_CLASSES, /* slab pages that new flows leave free */
};

#define TIMEOUT_MAX (INT64_C(86400000000) * 365)

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

static uint64_t memory(const struct flow_table *table)
{
    return fixed_memory(table) + (uint64_t)table->slab.n_used * SLAB_PAGE;
}

/* What is not committed otherwise is left to the slab. */
static void set_slab_limit(struct flow_table *table)
{
    uint64_t fixed = fixed_memory(table);

    slab_set_limit(&table->slab, fixed < table->max_memory ? table->max_memory - fixed : 0);
}

void flow_table_count_memory(struct flow_table *table)
{
    struct tracker_stats *stats = table->flow.stats;

    stats->memory = memory(table);
    if (stats->memory > stats->memory_peak)
        stats->memory_peak = stats->memory;
}

static int64_t idle_due(const void *context, uint32_t number)
{
    const struct flow_table *table = context;

    return table->flows[number].idle_due;
}

static int64_t active_due(const void *context, uint32_t number)
{
    const struct flow_table *table = context;

    return flow_active_since(&table->flows[number], table->flow.rules) + table->active_timeout;
}

static void give_number_back(struct flow_table *table, uint32_t number)
{
    table->flows[number].serial = 0;
    table->flows[number].list.block = table->free;
    table->free = number + 1;
}

/* Hand a flow out and take its number back. */
static void end_flow(struct flow_table *table, uint32_t number, enum record_reason reason)
{
    struct flow *flow = &table->flows[number];

    table->on_end(table->context, flow, reason);
    table->flow.stats->flows_active--;
    table->flow.stats->flows_finished[reason]++;
    wheel_remove(&table->idle, number);
    wheel_remove(&table->active, number);
    flow_index_remove(&table->index, flow_key_hash(&flow->key, table->secret), number);
    flow_clear(flow, &table->slab);
    give_number_back(table, number);
}

/* Why a flow that is due ends. Joy asks for the age first; else what was due first counts. */
static enum record_reason due_reason(const struct flow_table *table, uint32_t number)
{
    const struct flow *flow = &table->flows[number];
    int64_t active = active_due(table, number);

    if (table->flow.rules->expire_in_batches)
        return active < table->clock ? RECORD_REASON_ACTIVE : RECORD_REASON_IDLE;
    if (active <= flow->idle_due)
        return RECORD_REASON_ACTIVE;
    return flow->closing ? RECORD_REASON_END : RECORD_REASON_IDLE;
}

static int64_t due(const struct flow_table *table, uint32_t number)
{
    int64_t active = active_due(table, number);
    int64_t idle = table->flows[number].idle_due;

    return active < idle ? active : idle;
}

/* Order in which flows that are due together end. */
static bool ends_before(const void *context, uint32_t a, uint32_t b)
{
    const struct flow_table *table = context;

    if (!table->flow.rules->expire_in_batches) {
        int64_t due_a = due(table, a);
        int64_t due_b = due(table, b);

        if (due_a != due_b)
            return due_a < due_b;
    }
    return table->flows[a].serial < table->flows[b].serial;
}

static void count_lag(struct flow_table *table, uint32_t number)
{
    int64_t lag = table->clock - due(table, number);

    if (lag > table->flow.stats->expiry_lag_max)
        table->flow.stats->expiry_lag_max = lag;
}

/* The links of the idle wheel chain the list; a flow due by age only is taken out of that wheel for it. */
static uint32_t collect_due(struct flow_table *table)
{
    uint32_t list = wheel_collect(&table->idle, table->clock, idle_due, table, WHEEL_NONE);
    uint32_t aged;

    for (uint32_t n = list; n != WHEEL_NONE; n = wheel_next(&table->idle, n))
        wheel_remove(&table->active, n);
    aged = wheel_collect(&table->active, table->clock, active_due, table, WHEEL_NONE);
    while (aged != WHEEL_NONE) {
        uint32_t next = wheel_next(&table->active, aged);

        wheel_remove(&table->idle, aged);
        wheel_set_next(&table->idle, aged, list);
        list = aged;
        aged = next;
    }
    return list;
}

/* Whether some flow may be due. */
static bool is_time(const struct flow_table *table)
{
    return table->clock > table->idle.bound || table->clock > table->active.bound;
}

/* Fetch the memory of the flows in a list, which will all be looked at. */
static void prefetch_list(const struct flow_table *table, uint32_t list)
{
    const struct slab *slab = &table->slab;

    for (uint32_t n = list; n != WHEEL_NONE; n = wheel_next(&table->idle, n)) {
        const struct flow *flow = &table->flows[n];

        __builtin_prefetch(&flow->side[0]);
        __builtin_prefetch(&flow->side[1]);
        if (flow->list.block != 0)
            __builtin_prefetch(slab_at(slab, flow->list.block));
        (void)flow_table_hash(table, &flow->key);
    }
    for (uint32_t n = list; n != WHEEL_NONE; n = wheel_next(&table->idle, n))
        for (unsigned s = 0; s < 2; s++)
            if (table->flows[n].side[s].handshake != 0)
                __builtin_prefetch(slab_at(slab, table->flows[n].side[s].handshake));
}

void flow_table_expire(struct flow_table *table)
{
    uint32_t number;

    if (!is_time(table))
        return;
    number = collect_due(table);
    prefetch_list(table, number);
    number = wheel_sort(&table->idle, number, ends_before, table);
    while (number != WHEEL_NONE) {
        uint32_t next = wheel_next(&table->idle, number);

        count_lag(table, number);
        end_flow(table, number, due_reason(table, number));
        number = next;
    }
}

/* End what is due before something else ends a flow. Under the joy rules only batches may. */
static void end_due_now(struct flow_table *table)
{
    if (!table->flow.rules->expire_in_batches)
        flow_table_expire(table);
}

void flow_table_advance(struct flow_table *table, int64_t now)
{
    if (now <= table->clock)
        return;
    table->clock = now;
    flow_table_expire(table);
}

static bool made_before(const void *context, uint32_t a, uint32_t b)
{
    const struct flow_table *table = context;

    return table->flows[a].serial < table->flows[b].serial;
}

/* End every flow in order of creation. The table is emptied as a whole, not flow by flow. */
static void end_all(struct flow_table *table)
{
    struct tracker_stats *stats = table->flow.stats;
    uint32_t list = WHEEL_NONE;

    for (uint32_t n = table->n_touched; n-- > 0;) {
        if (table->flows[n].serial == 0)
            continue;
        wheel_set_next(&table->idle, n, list);
        list = n;
    }
    list = wheel_sort(&table->idle, list, made_before, table);
    for (uint32_t n = list; n != WHEEL_NONE; n = wheel_next(&table->idle, n)) {
        table->on_end(table->context, &table->flows[n], RECORD_REASON_FORCED);
        stats->flows_finished[RECORD_REASON_FORCED]++;
    }
    stats->flows_active = 0;
    wheel_clear(&table->idle, table->n_touched);
    wheel_clear(&table->active, table->n_touched);
    flow_index_clear(&table->index);
    slab_clear(&table->slab);
    table->n_touched = 0;
    table->free = 0;
    set_slab_limit(table);
}

/* Set the clock of an empty table. */
static void set_clock(struct flow_table *table, int64_t time)
{
    table->clock = time;
    wheel_reset(&table->idle, time);
    wheel_reset(&table->active, time);
}

static int64_t first_clock(const struct rules *rules)
{
    return rules->expire_in_batches ? 0 : -FLOW_TIME_MAX;
}

void flow_table_finish(struct flow_table *table)
{
    flow_table_expire(table);
    end_all(table);
    set_clock(table, first_clock(table->flow.rules));
    flow_table_count_memory(table);
}

/* A flow that is due, but has not been collected yet, must not take the packet. All that is due then ends, so
 * that the order of ends is that of due times, however packets are grouped. */
static bool is_over(const struct flow_table *table, uint32_t number)
{
    int64_t clock = table->clock;

    if (table->flow.rules->expire_in_batches)
        return false;
    /* The bounds save a look at the sides of most flows. */
    return (clock > table->idle.bound && table->flows[number].idle_due < clock) ||
           (clock > table->active.bound && active_due(table, number) < clock);
}

/* End the flow idle longest, but not the one whose packet is being added. */
static bool evict(struct flow_table *table)
{
    uint32_t number = wheel_first(&table->idle, idle_due, table);

    if (number != WHEEL_NONE && number == table->current) {
        wheel_remove(&table->idle, number); /* flow_table_add() puts it back */
        table->current_is_out = true;
        number = wheel_first(&table->idle, idle_due, table);
    }
    if (number == WHEEL_NONE)
        return false;
    end_flow(table, number, is_over(table, number) ? due_reason(table, number) : RECORD_REASON_RESOURCES);
    return true;
}

static bool on_slab_full(void *context)
{
    return evict(context);
}

/* Whether a new flow needs the place of another. */
static bool lacks_number(const struct flow_table *table)
{
    if (table->free != 0)
        return false;
    return table->n_touched == table->max_flows ||
           (table->n_touched % COMMIT_STEP == 0 &&
            memory(table) + (uint64_t)COMMIT_STEP * FLOW_OCTETS > table->max_memory);
}

static bool is_full(const struct flow_table *table)
{
    return slab_room(&table->slab) < RESERVE_PAGES || lacks_number(table);
}

/* A number for a new flow, FLOW_INDEX_NONE if there is no memory for one. */
static uint32_t take_number(struct flow_table *table)
{
    bool step = table->n_touched % COMMIT_STEP == 0;

    if (lacks_number(table))
        (void)evict(table);
    if (table->free != 0) {
        uint32_t number = table->free - 1;

        table->free = table->flows[number].list.block;
        if (table->free != 0)
            __builtin_prefetch(&table->flows[table->free - 1], 1); /* the next one taken */
        return number;
    }
    if (table->n_touched == table->max_flows)
        return FLOW_INDEX_NONE;
    table->n_touched++;
    if (step)
        set_slab_limit(table);
    return table->n_touched - 1;
}

static bool enter(struct flow_table *table, uint64_t hash, uint32_t number)
{
    if (flow_index_is_crowded(&table->index) &&
        memory(table) + 2 * flow_index_size(&table->index) <= table->max_memory &&
        flow_index_grow(&table->index) == 0)
        set_slab_limit(table);
    if (flow_index_insert(&table->index, hash, number) == 0)
        return true;
    return evict(table) && flow_index_insert(&table->index, hash, number) == 0;
}

static uint32_t make_flow(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    struct tracker_stats *stats = table->flow.stats;
    uint32_t number;

    if (is_full(table))
        end_due_now(table);
    /* One more than is made, so that the reserve fills up again. */
    for (int i = 0; i < 2 && slab_room(&table->slab) < RESERVE_PAGES; i++)
        (void)evict(table);
    number = take_number(table);
    if (number == FLOW_INDEX_NONE)
        return number;
    memset(&table->flows[number], 0, sizeof(table->flows[number]));
    if (!enter(table, hash, number)) {
        give_number_back(table, number);
        return FLOW_INDEX_NONE;
    }
    table->flows[number].key = *key;
    table->flows[number].serial = ++table->serial;
    stats->flows_created++;
    stats->flows_active++;
    return number;
}

static uint32_t find(const struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
    uint32_t at;
    uint32_t number = flow_index_first(&table->index, hash, &at);

    while (number != FLOW_INDEX_NONE && !flow_key_equal(&table->flows[number].key, key))
        number = flow_index_next(&table->index, hash, &at);
    return number;
}

void flow_table_clock(struct flow_table *table, int64_t time)
{
    if (time > table->clock) {
        table->clock = time;
    } else if (!table->flow.rules->expire_in_batches && table->clock - time > table->flow.idle_timeout) {
        flow_table_expire(table);
        end_all(table);
        set_clock(table, time);
    }
}

/* A SYN on a connection that is closing opens another one. */
static bool begins_anew(const struct flow *flow, const struct packet *packet)
{
    return flow->closing && !packet->malformed && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static void schedule(struct flow_table *table, uint32_t number)
{
    wheel_insert(&table->idle, number, table->flows[number].idle_due);
    wheel_insert(&table->active, number, active_due(table, number));
}

bool flow_table_add(struct flow_table *table, const struct packet *packet, uint64_t hash, unsigned side)
{
    uint32_t number;
    bool is_new;
    bool earlier;

    number = find(table, &packet->key, hash);
    if (number != FLOW_INDEX_NONE && is_over(table, number)) {
        flow_table_expire(table);
        number = FLOW_INDEX_NONE;
    } else if (number != FLOW_INDEX_NONE && begins_anew(&table->flows[number], packet)) {
        end_due_now(table);
        end_flow(table, number, RECORD_REASON_END);
        number = FLOW_INDEX_NONE;
    }
    is_new = number == FLOW_INDEX_NONE;
    if (is_new) {
        number = make_flow(table, &packet->key, hash);
        if (number == FLOW_INDEX_NONE)
            return false;
        wheel_follow(&table->idle, table->clock);
        wheel_follow(&table->active, table->clock);
    }
    table->current = number;
    table->current_is_out = is_new;
    earlier = flow_add(&table->flow, &table->flows[number], side, packet);
    table->current = FLOW_INDEX_NONE;
    if (earlier || table->current_is_out) {
        schedule(table, number);
        if (is_over(table,
                    number)) /* a late packet: waiting for the next look would change the order of ends */
            flow_table_expire(table);
    }
    return true;
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

static int reserve(struct flow_table *table, const struct tracker_config *config)
{
    int64_t horizon =
        config->active_timeout > config->idle_timeout ? config->active_timeout : config->idle_timeout;

    table->flows = memory_map((size_t)config->max_flows * sizeof(struct flow));
    if (!table->flows)
        return -ENOMEM;
    if (flow_index_init(&table->index) != 0 || slab_init(&table->slab, config->max_memory) != 0)
        return -ENOMEM;
    if (wheel_init(&table->idle, config->max_flows, horizon) != 0 ||
        wheel_init(&table->active, config->max_flows, horizon) != 0)
        return -ENOMEM;
    if (getrandom(table->secret, sizeof(table->secret), 0) != sizeof(table->secret))
        return -EIO;
    return 0;
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
    r = reserve(table, config);
    if (r < 0) {
        flow_table_deinit(table);
        return error_set(err, r, "no memory for %u flows: %s", config->max_flows, strerror(-r));
    }
    slab_on_full(&table->slab, on_slab_full, table);
    set_slab_limit(table);
    table->current = FLOW_INDEX_NONE;
    set_clock(table, first_clock(config->rules));
    return 0;
}

void flow_table_deinit(struct flow_table *table)
{
    memory_unmap(table->flows, (size_t)table->max_flows * sizeof(struct flow));
    flow_index_deinit(&table->index);
    slab_deinit(&table->slab);
    wheel_deinit(&table->idle);
    wheel_deinit(&table->active);
    memset(table, 0, sizeof(*table));
}

/* flow_expiry.c - what is due, in order.
 *
 * A flow is due when the clock is beyond the earlier of two times: its last packet plus the idle time-out (or
 * the end of its linger), and its start plus the active time-out. Both wheels are asked for what is due by
 * now, and what they give is sorted: by creation under the joy rules, else by due time. Each wheel is as fine
 * as its own time-out allows, since the idle one also says whose place is taken: which flow is idle longest
 * is told to within an eight-thousandth of the idle time-out.
 */
#include "flowtrack/flow_expiry.h"

#include "flowtrack/flow_store.h"

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

void flow_expiry_end(struct flow_table *table, uint32_t number, enum record_reason reason)
{
    table->on_end(table->context, &table->flows[number], reason);
    table->flow.stats->flows_active--;
    table->flow.stats->flows_finished[reason]++;
    wheel_remove(&table->idle, number);
    wheel_remove(&table->active, number);
    flow_store_close(table, number);
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
        flow_expiry_end(table, number, due_reason(table, number));
        number = next;
    }
}

void flow_expiry_catch_up(struct flow_table *table)
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

/* The table is emptied as a whole, not flow by flow. */
void flow_expiry_end_all(struct flow_table *table)
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
    flow_store_clear(table);
}

void flow_expiry_set_clock(struct flow_table *table, int64_t time)
{
    table->clock = time;
    wheel_reset(&table->idle, time);
    wheel_reset(&table->active, time);
}

int64_t flow_expiry_first_clock(const struct rules *rules)
{
    return rules->expire_in_batches ? 0 : -FLOW_TIME_MAX;
}

bool flow_expiry_is_over(const struct flow_table *table, uint32_t number)
{
    int64_t clock = table->clock;

    if (table->flow.rules->expire_in_batches)
        return false;
    /* The bounds save a look at the sides of most flows. */
    return (clock > table->idle.bound && table->flows[number].idle_due < clock) ||
           (clock > table->active.bound && active_due(table, number) < clock);
}

bool flow_expiry_evict(struct flow_table *table)
{
    uint32_t number = wheel_first(&table->idle, idle_due, table);

    if (number != WHEEL_NONE && number == table->current) {
        wheel_remove(&table->idle, number); /* flow_table_add() puts it back */
        table->current_is_out = true;
        number = wheel_first(&table->idle, idle_due, table);
    }
    if (number == WHEEL_NONE)
        return false;
    flow_expiry_end(table, number,
                    flow_expiry_is_over(table, number) ? due_reason(table, number) : RECORD_REASON_RESOURCES);
    return true;
}

void flow_expiry_schedule(struct flow_table *table, uint32_t number)
{
    wheel_insert(&table->idle, number, table->flows[number].idle_due);
    wheel_insert(&table->active, number, active_due(table, number));
}

int flow_expiry_init(struct flow_table *table)
{
    int r = wheel_init(&table->idle, table->max_flows, table->flow.idle_timeout);

    if (r == 0)
        r = wheel_init(&table->active, table->max_flows, table->active_timeout);
    if (r == 0)
        flow_expiry_set_clock(table, flow_expiry_first_clock(table->flow.rules));
    return r;
}

void flow_expiry_deinit(struct flow_table *table)
{
    wheel_deinit(&table->idle);
    wheel_deinit(&table->active);
}

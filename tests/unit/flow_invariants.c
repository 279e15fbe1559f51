/* flow_invariants.c - the flow table, looked at as a whole. */
#include "flow_invariants.h"

#define REQUIRE(condition, text)                                                                             \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return text;                                                                                     \
    } while (0)

static uint32_t find_indexed(const struct flow_table *table, uint32_t number)
{
    uint64_t hash = flow_key_hash(&table->flows[number].key, table->secret);
    uint32_t at;
    uint32_t found;
    uint32_t n_found = 0;

    for (found = flow_index_first(&table->index, hash, &at); found != FLOW_INDEX_NONE;
         found = flow_index_next(&table->index, hash, &at))
        n_found += found == number;
    return n_found;
}

/* Slot time of a member, found by following its list to the head. */
static const char *check_place(const struct wheel *wheel, uint32_t number, int64_t due)
{
    uint32_t node = WHEEL_SLOTS + 1 + number;
    uint32_t slot;
    int64_t ahead;

    REQUIRE(wheel_has(wheel, number), "an open flow is not in a wheel");
    REQUIRE(wheel->links[wheel->links[node].next].prev == node, "a wheel list is broken");
    REQUIRE(wheel->links[wheel->links[node].prev].next == node, "a wheel list is broken");
    while (node > WHEEL_SLOTS)
        node = wheel->links[node].next;
    slot = node - 1;
    REQUIRE(wheel->occupied[slot / 64] >> slot % 64 & 1, "a slot with flows is not marked");
    ahead = ((int64_t)slot - wheel->now) & (WHEEL_SLOTS - 1);
    REQUIRE(ahead == 0 || wheel->now + ahead <= due >> wheel->shift, "a flow stands behind its due time");
    REQUIRE(wheel->bound <= due, "the bound is later than a due time");
    return NULL;
}

static const char *check_side(const struct flow_side *side, unsigned *n_blocks)
{
    *n_blocks += (side->memory != 0) + (side->handshake != 0) + (side->octets != 0);
    REQUIRE(side->flags & SIDE_PRESENT || (side->packets == 0 && side->n_listed == 0),
            "a side that is not there has packets");
    REQUIRE(side->n_ids <= RECORD_IDS_MAX, "too many identifications");
    REQUIRE(side->n_listed <= 200, "too many packets listed");
    REQUIRE(side->n_memory == 0 || side->memory != 0, "sequence memory without a block");
    return NULL;
}

static const char *check_list(const struct flow_table *table, const struct flow *flow, unsigned *n_blocks)
{
    const struct flow_list *list = &flow->list;
    unsigned n_kept[2] = {0, 0};
    unsigned n_ids[2] = {0, 0};

    *n_blocks += list->block != 0;
    REQUIRE(list->n <= list->capacity, "a list is longer than its block");
    for (unsigned i = 0; i < list->n; i++) {
        unsigned flags = flow_entry_flags(&flow_list_entries(list, &table->slab)[i]);

        n_kept[flags & FLOW_ENTRY_SIDE] += (flags & FLOW_ENTRY_PACKET) != 0;
        n_ids[flags & FLOW_ENTRY_SIDE] += (flags & FLOW_ENTRY_ID) != 0;
    }
    for (unsigned s = 0; s < 2; s++) {
        REQUIRE(n_kept[s] <= table->flow.side_packets, "more packets kept than wanted");
        REQUIRE(n_kept[s] <= flow->side[s].n_listed, "more packets kept than listed");
        REQUIRE(n_ids[s] == flow->side[s].n_ids, "identifications are miscounted");
    }
    return NULL;
}

static const char *check_flow(const struct flow_table *table, uint32_t number, unsigned *n_blocks)
{
    const struct flow *flow = &table->flows[number];
    int64_t active = flow_active_since(flow, table->flow.rules) + table->active_timeout;
    const char *wrong;

    REQUIRE(find_indexed(table, number) == 1, "an open flow is not found by its key");
    REQUIRE(flow->side[flow->first].flags & SIDE_PRESENT, "the side seen first is not there");
    REQUIRE(flow->serial <= table->serial, "a serial from the future");
    for (unsigned s = 0; s < 2; s++)
        if ((wrong = check_side(&flow->side[s], n_blocks)) != NULL)
            return wrong;
    if ((wrong = check_list(table, flow, n_blocks)) != NULL ||
        (wrong = check_place(&table->idle, number, flow->idle_due)) != NULL)
        return wrong;
    return check_place(&table->active, number, active);
}

static unsigned slab_blocks(const struct slab *slab)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < slab->n_touched; i++)
        n += slab->pages[i].used;
    return n;
}

static const char *check_stats(const struct flow_table *table, uint32_t n_open)
{
    const struct tracker_stats *stats = table->flow.stats;
    uint64_t finished = 0;

    for (int i = 0; i < RECORD_REASONS; i++)
        finished += stats->flows_finished[i];
    REQUIRE(stats->flows_active == n_open, "open flows are miscounted");
    REQUIRE(stats->flows_created == finished + n_open, "created is not finished and active");
    return NULL;
}

const char *flow_invariants(const struct flow_table *table)
{
    uint32_t n_open = 0;
    uint32_t n_free = 0;
    unsigned n_blocks = 0;
    const char *wrong;

    for (uint32_t n = 0; n < table->n_touched; n++) {
        if (table->flows[n].serial == 0)
            continue;
        n_open++;
        if ((wrong = check_flow(table, n, &n_blocks)) != NULL)
            return wrong;
    }
    for (uint32_t at = table->free; at != 0; at = table->flows[at - 1].list.block) {
        REQUIRE(table->flows[at - 1].serial == 0, "a free number is in use");
        n_free++;
        REQUIRE(n_free <= table->n_touched, "the free chain has a loop");
    }
    REQUIRE(n_open + n_free == table->n_touched, "a number is neither open nor free");
    REQUIRE(n_open == table->index.used, "the index holds other flows");
    REQUIRE(n_open <= table->max_flows, "more flows than allowed");
    REQUIRE(slab_blocks(&table->slab) == n_blocks, "a block is lost");
    REQUIRE(table->slab.n_used <= table->slab.n_pages, "more pages than there are");
    return check_stats(table, n_open);
}

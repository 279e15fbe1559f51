/* test_flow_failures.c - every allocation of the flow table and the tracker fails once: a counted loss, never
 * more.
 *
 * The linker sends memory_map(), slab_alloc() and calloc() of our code through here.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "flow_fixture.h"
#include "flow_invariants.h"
#include "flowtrack/memory.h"
#include "unit.h"

static unsigned long fail_at = ULONG_MAX, n_made;

static bool allowed(void)
{
    return n_made++ != fail_at;
}

static void let_fail(unsigned long n)
{
    fail_at = n;
    n_made = 0;
}

void *__real_memory_map(size_t octets);
void *__real_calloc(size_t n, size_t size);
uint32_t __real_slab_alloc(struct slab *slab, unsigned class);
void *__wrap_memory_map(size_t octets);
void *__wrap_calloc(size_t n, size_t size);
uint32_t __wrap_slab_alloc(struct slab *slab, unsigned class);

void *__wrap_memory_map(size_t octets)
{
    return allowed() ? __real_memory_map(octets) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return allowed() ? __real_calloc(n, size) : NULL;
}

uint32_t __wrap_slab_alloc(struct slab *slab, unsigned class)
{
    return allowed() ? __real_slab_alloc(slab, class) : 0;
}

static struct fixture fixture;
static uint8_t payload[64];

/* Segments with holes, handshakes, long lists, octet histograms: whatever takes a block. */
static struct packet some_packet(unsigned i)
{
    uint8_t from = (uint8_t)(i % 5);
    uint8_t flags = i % 7 == 0 ? TCP_SYN : TCP_ACK;
    struct packet packet = make_tcp(at_ms(i), from, (uint8_t)(from ^ 1), flags, 100 * i, i % 3 ? 40 : 0);

    if (i % 4 == 0)
        packet = make_udp(at_ms(i), from, 9, 20);
    packet.payload = payload;
    packet.payload_captured = packet.payload_length > 0 ? (uint32_t)packet.payload_length : 0;
    return packet;
}

/* Return: false if the table could not be made. */
static bool run(const struct rules *rules)
{
    struct tracker_config config = fixture_config(rules);

    config.byte_dist = true;
    if (fixture_init(&fixture, &config) < 0)
        return false;
    for (unsigned i = 0; i < 400; i++) {
        if (!fixture_add(&fixture, some_packet(i)))
            fixture.stats.dropped.flow_memory++;
        ck_assert_ptr_null(flow_invariants(&fixture.table));
    }
    return true;
}

static uint64_t packets_of_records(void)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < fixture.n; i++)
        n += fixture.records[i].out.packets + fixture.records[i].in.packets + fixture.records[i].tcp_retrans;
    return n;
}

static void fail_each(const struct rules *rules)
{
    unsigned long n_all;
    unsigned n_refused = 0;

    let_fail(ULONG_MAX);
    ck_assert(run(rules));
    flow_table_finish(&fixture.table);
    fixture_deinit(&fixture);
    n_all = n_made;
    ck_assert_uint_gt(n_all, 30);
    for (unsigned long n = 0; n < n_all; n++) {
        let_fail(n);
        if (!run(rules)) {
            n_refused++;
            continue;
        }
        flow_table_finish(&fixture.table);
        ck_assert_uint_ge(fixture.stats.trimmed.list_memory, 1);
        ck_assert_uint_eq(packets_of_records(), 400);
        fixture_deinit(&fixture);
    }
    ck_assert_uint_eq(n_refused, 6); /* flows, index, slab pages and region, two wheels */
    let_fail(ULONG_MAX);
}

START_TEST(blocks_that_fail_are_counted_and_nothing_else_is_lost)
{
    fail_each(&rules_joy);
    fail_each(&rules_flowclassd);
}
END_TEST

/* Whatever the index lacks when it cannot grow, flows are found, and some make room for others. */
START_TEST(an_index_that_cannot_grow)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);

    config.max_flows = 100000;
    let_fail(ULONG_MAX);
    ck_assert_int_eq(fixture_init(&fixture, &config), 0);
    for (unsigned i = 0; i < 10000; i++) {
        struct packet packet = make_udp(at_ms(0) + i, 1, 2, 10);

        packet.key.source[1] = (uint8_t)(i >> 8);
        packet.key.source[2] = (uint8_t)i;
        let_fail(0); /* the index asks first, if it asks */
        ck_assert(fixture_add(&fixture, packet));
    }
    let_fail(ULONG_MAX);
    ck_assert_ptr_null(flow_invariants(&fixture.table));
    ck_assert_uint_eq(fixture.stats.flows_created, 10000);
    ck_assert_uint_gt(fixture.stats.flows_finished[RECORD_REASON_RESOURCES], 0);
    ck_assert_uint_gt(fixture.stats.flows_active, 3000);
    fixture_deinit(&fixture);
}
END_TEST

static void ignore_record(void *context, const struct record *record)
{
    (void)context;
    (void)record;
}

START_TEST(a_tracker_that_cannot_be_made)
{
    struct tracker_config config = fixture_config(&rules_flowclassd);
    unsigned long n = 0;
    int r = -1;

    config.on_record = ignore_record;
    for (; r != 0; n++) {
        struct tracker *tracker = NULL;
        struct error err = {0};

        let_fail(n);
        r = tracker_new(&tracker, &config, &err);
        if (r != 0) {
            ck_assert_int_eq(r, -ENOMEM);
            ck_assert_str_ne(err.text, "");
            ck_assert_ptr_null(tracker);
        }
        tracker_free(tracker);
    }
    ck_assert_uint_ge(n, 8);
    let_fail(ULONG_MAX);
}
END_TEST

int main(void)
{
    return UNIT_RUN("flow_failures", blocks_that_fail_are_counted_and_nothing_else_is_lost,
                    an_index_that_cannot_grow, a_tracker_that_cannot_be_made);
}

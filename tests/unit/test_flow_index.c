/* test_flow_index.c - entries are found after growth and removal. */
#include "flowtrack/flow_index.h"

#include "unit.h"

enum { MANY = 20000 };

/* Few different low bits, so that entries crowd and gaps have to be closed around the end of the table. */
static uint64_t hash_of(uint32_t flow)
{
    return (UINT64_C(0xfffffff0) + flow % 64) ^ ((uint64_t)(flow / 64) << 13);
}

static int has(const struct flow_index *index, uint32_t flow)
{
    uint32_t at;
    uint32_t n;

    for (n = flow_index_first(index, hash_of(flow), &at); n != FLOW_INDEX_NONE;
         n = flow_index_next(index, hash_of(flow), &at))
        if (n == flow)
            return 1;
    return 0;
}

static void insert(struct flow_index *index, uint32_t flow)
{
    if (flow_index_is_crowded(index))
        ck_assert_int_eq(flow_index_grow(index), 0);
    ck_assert_int_eq(flow_index_insert(index, hash_of(flow), flow), 0);
}

START_TEST(entries_come_and_go)
{
    struct flow_index index;

    ck_assert_int_eq(flow_index_init(&index), 0);
    for (uint32_t i = 0; i < MANY; i++)
        insert(&index, i);
    for (uint32_t i = 0; i < MANY; i += 2)
        flow_index_remove(&index, hash_of(i), i);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_int_eq(has(&index, i), i % 2);
    for (uint32_t i = 0; i < MANY; i += 2)
        insert(&index, i);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert(has(&index, i));
    ck_assert_uint_eq(index.used, MANY);
    flow_index_clear(&index);
    ck_assert(!has(&index, 1));
    flow_index_deinit(&index);
}
END_TEST

START_TEST(a_table_that_cannot_grow_refuses_before_it_is_full)
{
    struct flow_index index;
    uint32_t n = 0;

    ck_assert_int_eq(flow_index_init(&index), 0);
    while (flow_index_insert(&index, hash_of(n), n) == 0)
        n++;
    ck_assert_uint_eq(n, (index.mask + 1) / 8 * 7);
    ck_assert(has(&index, n - 1));
    ck_assert(!has(&index, n));
    flow_index_deinit(&index);
}
END_TEST

int main(void)
{
    return UNIT_RUN("flow_index", entries_come_and_go, a_table_that_cannot_grow_refuses_before_it_is_full);
}

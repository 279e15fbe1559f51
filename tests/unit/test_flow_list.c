/* test_flow_list.c - entries survive growth; the list ends where a flow can have no more. */
#include "flowtrack/flow_list.h"

#include "unit.h"

enum { MOST = 200 }; /* 50 packets and 50 identifications of each side */

START_TEST(entries_survive_growth)
{
    struct flow_list list = {0};
    struct slab slab;

    ck_assert_int_eq(slab_init(&slab, 16 * SLAB_PAGE), 0);
    for (unsigned i = 0; i < MOST; i++) {
        int64_t time = i % 2 ? FLOW_TIME_MAX - i : -FLOW_TIME_MAX + i;

        ck_assert(
            flow_list_append(&list, &slab, time, i % FLOW_ENTRY_FLAGS, (uint16_t)(65535 - i), (uint16_t)i));
    }
    ck_assert_uint_eq(list.n, MOST);
    for (unsigned i = 0; i < MOST; i++) {
        const struct flow_entry *entry = &flow_list_entries(&list, &slab)[i];

        ck_assert_int_eq(flow_entry_time(entry), i % 2 ? FLOW_TIME_MAX - i : -FLOW_TIME_MAX + i);
        ck_assert_uint_eq(flow_entry_flags(entry), i % FLOW_ENTRY_FLAGS);
        ck_assert_uint_eq(entry->length, 65535 - i);
        ck_assert_uint_eq(entry->id, i);
    }
    flow_list_clear(&list, &slab);
    ck_assert_uint_eq(slab.n_used, 0);
    ck_assert_uint_eq(list.n, 0);
    slab_deinit(&slab);
}
END_TEST

START_TEST(a_full_list_refuses)
{
    struct flow_list list = {0};
    struct slab slab;
    unsigned n = 0;

    ck_assert_int_eq(slab_init(&slab, 16 * SLAB_PAGE), 0);
    while (flow_list_append(&list, &slab, 0, 0, 0, 0))
        n++;
    ck_assert_uint_ge(n, MOST);
    ck_assert_uint_eq(list.n, n);
    flow_list_clear(&list, &slab);
    slab_deinit(&slab);
}
END_TEST

START_TEST(without_memory_the_list_is_as_before)
{
    struct flow_list list = {0};
    struct slab slab;

    ck_assert_int_eq(slab_init(&slab, SLAB_PAGE), 0);
    for (unsigned i = 0; i < 5; i++) /* fills its first block; the page has no block of another size */
        ck_assert(flow_list_append(&list, &slab, i, 0, 0, 0));
    ck_assert(!flow_list_append(&list, &slab, 5, 0, 0, 0));
    ck_assert_uint_eq(list.n, 5);
    ck_assert_int_eq(flow_entry_time(&flow_list_entries(&list, &slab)[4]), 4);
    slab_deinit(&slab);
}
END_TEST

int main(void)
{
    return UNIT_RUN("flow_list", entries_survive_growth, a_full_list_refuses,
                    without_memory_the_list_is_as_before);
}

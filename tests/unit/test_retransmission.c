/* test_retransmission.c - sequence space with holes, against a map of every octet; Joy's ring. */
#include "flowtrack/retransmission.h"

#include <string.h>

#include "unit.h"

static struct slab slab;
static struct flow_side side;

static void begin(void)
{
    ck_assert_int_eq(slab_init(&slab, 4 * SLAB_PAGE), 0);
    memset(&side, 0, sizeof(side));
}

static uint32_t add(uint32_t sequence, uint32_t length)
{
    uint32_t n;

    ck_assert(retransmission_space_add(&side, &slab, sequence, false, length, &n));
    return n;
}

START_TEST(segments_out_of_order_are_new)
{
    begin();
    ck_assert_uint_eq(add(100, 10), 10);
    ck_assert_uint_eq(add(130, 10), 10);
    ck_assert_uint_eq(add(110, 10), 10);
    ck_assert_uint_eq(add(110, 10), 0);
    ck_assert_uint_eq(add(105, 30), 10); /* 120..129 were missing */
    ck_assert_uint_eq(add(100, 40), 0);
    ck_assert_uint_eq(add(100, 41), 1);
    slab_deinit(&slab);
}
END_TEST

START_TEST(a_hole_is_split)
{
    begin();
    ck_assert_uint_eq(add(0, 10), 10);
    ck_assert_uint_eq(add(50, 10), 10);
    ck_assert_uint_eq(add(20, 10), 10);
    ck_assert_uint_eq(add(10, 10), 10);
    ck_assert_uint_eq(add(25, 30), 20);
    ck_assert_uint_eq(add(0, 60), 0);
    slab_deinit(&slab);
}
END_TEST

START_TEST(the_oldest_hole_is_forgotten)
{
    begin();
    for (uint32_t i = 0; i <= RETRANSMISSION_HOLES + 1; i++)
        ck_assert_uint_eq(add(i * 20, 10), 10);
    ck_assert_uint_eq(add(10, 10), 0);
    ck_assert_uint_eq(add(30, 10), 10);
    slab_deinit(&slab);
}
END_TEST

START_TEST(what_came_before_the_first_segment_counts_as_seen)
{
    begin();
    ck_assert_uint_eq(add(1000, 10), 10);
    ck_assert_uint_eq(add(900, 10), 0);
    ck_assert_uint_eq(add(995, 20), 5);
    slab_deinit(&slab);
}
END_TEST

START_TEST(a_syn_takes_a_number)
{
    uint32_t n;

    begin();
    ck_assert(retransmission_space_add(&side, &slab, UINT32_MAX, true, 0, &n));
    ck_assert_uint_eq(add(0, 5), 5);
    ck_assert(retransmission_space_add(&side, &slab, UINT32_MAX, true, 0, &n));
    ck_assert_uint_eq(add(0, 5), 0);
    ck_assert(retransmission_space_add(&side, &slab, 0x80000000, true, 3, &n)); /* another connection */
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(add(0x80000004, 5), 5);
    slab_deinit(&slab);
}
END_TEST

/* Random segments among the next eight places, so that there are never more holes than are kept. */
START_TEST(random_segments_agree_with_a_map_of_octets)
{
    enum { PLACES = 8, OCTETS = 7, N = 20000 };
    const uint32_t origin = UINT32_MAX - 3000; /* wraps on the way */
    static uint8_t seen[(N + PLACES) * OCTETS];
    uint64_t random = 42;
    uint32_t low = 0; /* first place not wholly seen */

    begin();
    seen[0] = 1;
    ck_assert_uint_eq(add(origin, 1), 1);
    for (int i = 0; i < N; i++) {
        uint32_t at = 0, length = 0, expected = 0;

        random = random * 6364136223846793005u + 1442695040888963407u;
        at = (low + (uint32_t)(random >> 33) % PLACES) * OCTETS;
        length = (uint32_t)(random >> 50) % 2 ? OCTETS : 2 * OCTETS;
        for (uint32_t j = at; j < at + length; j++) {
            expected += !seen[j];
            seen[j] = 1;
        }
        ck_assert_uint_eq(add(origin + at, length), expected);
        while (seen[low * OCTETS] && seen[low * OCTETS + OCTETS - 1])
            low++;
    }
    ck_assert_uint_gt(low, N / 8);
    slab_deinit(&slab);
}
END_TEST

START_TEST(the_ring_remembers_ten)
{
    begin();
    ck_assert(retransmission_ring_has(&side, &slab, 0));
    for (uint32_t i = 1; i <= RETRANSMISSION_RING; i++) {
        ck_assert(!retransmission_ring_has(&side, &slab, i));
        ck_assert(retransmission_ring_put(&side, &slab, i));
        for (uint32_t j = 1; j <= i; j++)
            ck_assert(retransmission_ring_has(&side, &slab, j));
    }
    ck_assert(!retransmission_ring_has(&side, &slab, 0));
    ck_assert(retransmission_ring_put(&side, &slab, 11));
    ck_assert(!retransmission_ring_has(&side, &slab, 1));
    ck_assert(retransmission_ring_has(&side, &slab, 2));
    slab_deinit(&slab);
}
END_TEST

int main(void)
{
    return UNIT_RUN("retransmission", segments_out_of_order_are_new, a_hole_is_split,
                    the_oldest_hole_is_forgotten, what_came_before_the_first_segment_counts_as_seen,
                    a_syn_takes_a_number, random_segments_agree_with_a_map_of_octets, the_ring_remembers_ten);
}

#include "daemon/episode.h"

#include "tests/unit/unit.h"

START_TEST(begins_once_and_ends_once)
{
    struct episode episode = {0};

    ck_assert(!episode_over(&episode, 1000, 10));
    ck_assert(episode_bad(&episode, 1000, 3));
    ck_assert(!episode_bad(&episode, 1005, 4));
    ck_assert(!episode_over(&episode, 1014, 10)); /* quiet for 9 */
    ck_assert(!episode_bad(&episode, 1014, 1));
    ck_assert(!episode_over(&episode, 1023, 10));
    ck_assert(episode_over(&episode, 1024, 10));
    ck_assert_uint_eq(episode.count, 8);
    ck_assert(!episode_over(&episode, 5000, 10));
}
END_TEST

START_TEST(the_next_one_counts_anew)
{
    struct episode episode = {0};

    ck_assert(episode_bad(&episode, 1, 3));
    ck_assert(episode_over(&episode, 100, 10));
    ck_assert(episode_bad(&episode, 101, 5));
    ck_assert_uint_eq(episode.count, 5);
}
END_TEST

int main(void)
{
    return UNIT_RUN("episode", begins_once_and_ends_once, the_next_one_counts_anew);
}

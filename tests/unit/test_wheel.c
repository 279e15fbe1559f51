/* test_wheel.c - the wheel hands out exactly what is due, whatever time does. */
#include "flowtrack/wheel.h"

#include <string.h>

#include "unit.h"

enum { MEMBERS = 300, SECOND = 1000000 };

static int64_t dues[MEMBERS];
static bool in[MEMBERS];

static int64_t due_of(const void *context, uint32_t member)
{
    (void)context;
    return dues[member];
}

static bool due_before(const void *context, uint32_t a, uint32_t b)
{
    (void)context;
    return dues[a] < dues[b];
}

static unsigned next_random(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20);
}

/* Every member due before `now` is in the list once, and nothing else is. */
static void collect_and_check(struct wheel *wheel, int64_t now)
{
    uint32_t list = wheel_collect(wheel, now, due_of, NULL, WHEEL_NONE);

    for (uint32_t i = list; i != WHEEL_NONE; i = wheel_next(wheel, i)) {
        ck_assert(in[i]);
        ck_assert_int_lt(dues[i], now);
        in[i] = false;
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        if (in[i]) {
            ck_assert_int_ge(dues[i], now);
            ck_assert_int_le(wheel->bound, dues[i]);
            ck_assert(wheel_has(wheel, i));
        }
}

static void put(struct wheel *wheel, uint32_t i, int64_t due)
{
    dues[i] = due;
    in[i] = true;
    wheel_insert(wheel, i, due);
}

START_TEST(random_operations_agree_with_looking_at_all)
{
    struct wheel wheel;
    int64_t now = -5 * SECOND;

    ck_assert_int_eq(wheel_init(&wheel, MEMBERS, 30 * SECOND), 0);
    wheel_reset(&wheel, now);
    memset(in, 0, sizeof(in));
    for (int step = 0; step < 40000; step++) {
        uint32_t i = next_random() % MEMBERS;

        switch (next_random() % 8) {
        case 0:
        case 1:
            if (!in[i])
                put(&wheel, i, now + (int64_t)(next_random() % 40000) * 1000);
            break;
        case 2: /* later: nothing to do */
            dues[i] += next_random() % (10 * SECOND);
            break;
        case 3: /* earlier: must be told */
            if (in[i])
                put(&wheel, i, dues[i] - next_random() % (3 * SECOND));
            break;
        case 4:
            wheel_remove(&wheel, i);
            in[i] = false;
            break;
        case 5:
            wheel_follow(&wheel, now);
            break;
        case 6:
            now += next_random() % 50 == 0 ? (int64_t)next_random() * 1000 : next_random() % SECOND;
            break;
        default:
            collect_and_check(&wheel, now);
        }
    }
    wheel_deinit(&wheel);
}
END_TEST

START_TEST(the_first_is_found_though_others_moved_on)
{
    struct wheel wheel;

    ck_assert_int_eq(wheel_init(&wheel, MEMBERS, 30 * SECOND), 0);
    ck_assert_uint_eq(wheel_first(&wheel, due_of, NULL), WHEEL_NONE);
    for (uint32_t i = 0; i < 10; i++)
        put(&wheel, i, (i + 1) * SECOND);
    dues[0] += 20 * SECOND;
    dues[1] += 20 * SECOND;
    ck_assert_uint_eq(wheel_first(&wheel, due_of, NULL), 2);
    ck_assert(wheel_has(&wheel, 2));
    wheel_deinit(&wheel);
}
END_TEST

START_TEST(far_times_do_not_overflow)
{
    struct wheel wheel;
    const int64_t far = INT64_C(1) << 59;

    ck_assert_int_eq(wheel_init(&wheel, MEMBERS, 30 * SECOND), 0);
    memset(in, 0, sizeof(in));
    wheel_reset(&wheel, -far);
    put(&wheel, 0, -far + SECOND);
    put(&wheel, 1, 0);
    put(&wheel, 2, far + 30 * SECOND);
    collect_and_check(&wheel, -far + 2 * SECOND);
    ck_assert(!in[0]);
    collect_and_check(&wheel, far);
    ck_assert(!in[1] && in[2]);
    wheel_deinit(&wheel);
}
END_TEST

START_TEST(lists_are_sorted)
{
    struct wheel wheel;
    uint32_t list = WHEEL_NONE;
    unsigned n = 0;

    ck_assert_int_eq(wheel_init(&wheel, MEMBERS, 30 * SECOND), 0);
    ck_assert_uint_eq(wheel_sort(&wheel, WHEEL_NONE, due_before, NULL), WHEEL_NONE);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        dues[i] = next_random() % 1000;
        wheel_set_next(&wheel, i, list);
        list = i;
    }
    list = wheel_sort(&wheel, list, due_before, NULL);
    for (uint32_t i = list; i != WHEEL_NONE; i = wheel_next(&wheel, i), n++)
        if (wheel_next(&wheel, i) != WHEEL_NONE)
            ck_assert_int_le(dues[i], dues[wheel_next(&wheel, i)]);
    ck_assert_uint_eq(n, MEMBERS);
    wheel_deinit(&wheel);
}
END_TEST

int main(void)
{
    return UNIT_RUN("wheel", random_operations_agree_with_looking_at_all,
                    the_first_is_found_though_others_moved_on, far_times_do_not_overflow, lists_are_sorted);
}

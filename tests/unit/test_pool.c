/* Threads that the system does not give: a pool goes without them, or says that it cannot. */
#include "core/cpu/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { TASKS = 64 };

static unsigned threads_left; /* that the system gives */

/* Names that the linker's --wrap gives. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left--;
    return __real_pthread_create(thread, attributes, start, argument);
}

struct tally {
    unsigned threads;
    atomic_uint done[TASKS];
};

static void count(void *context, unsigned worker, size_t index)
{
    struct tally *tally = context;

    ck_assert_uint_lt(worker, tally->threads);
    atomic_fetch_add(&tally->done[index], 1);
}

/* A job of many tasks: each is done once. */
static void check_job(struct pool *pool)
{
    struct tally tally = {.threads = pool_threads(pool)};

    pool_run(pool, TASKS, count, &tally);
    for (size_t i = 0; i < TASKS; i++)
        ck_assert_uint_eq(atomic_load(&tally.done[i]), 1);
}

static unsigned processors(void)
{
    cpu_set_t set;

    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    return (unsigned)CPU_COUNT(&set);
}

START_TEST(as_many_threads_as_processors)
{
    struct pool *pool;

    threads_left = processors() + 1;
    ck_assert_int_eq(pool_new(&pool, 0, NULL), 0);
    ck_assert_uint_eq(pool_threads(pool), processors());
    check_job(pool);
    pool_free(pool);
}
END_TEST

START_TEST(or_as_many_as_there_are)
{
    for (unsigned given = 0; given + 1 < processors(); given++) {
        struct pool *pool;

        threads_left = given;
        ck_assert_int_eq(pool_new(&pool, 0, NULL), 0);
        ck_assert_uint_eq(pool_threads(pool), given + 1);
        check_job(pool);
        pool_free(pool);
    }
}
END_TEST

START_TEST(a_number_is_kept_to)
{
    struct pool *pool;
    struct error err;

    threads_left = 4;
    ck_assert_int_eq(pool_new(&pool, 5, &err), 0);
    ck_assert_uint_eq(pool_threads(pool), 5);
    check_job(pool);
    pool_free(pool);
    threads_left = 3;
    ck_assert_int_eq(pool_new(&pool, 5, &err), -ENODEV);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot start 5 threads"));
}
END_TEST

int main(void)
{
    return UNIT_RUN("pool", as_many_threads_as_processors, or_as_many_as_there_are, a_number_is_kept_to);
}

#include "daemon/queue.h"

#include <pthread.h>
#include <stdint.h>

#include "tests/unit/unit.h"

enum { PRODUCERS = 3, CONSUMERS = 2, ITEMS = 20000 };

static int numbers[PRODUCERS * ITEMS];

START_TEST(first_in_is_first_out)
{
    struct queue *queue;
    int a, b, c;

    ck_assert_int_eq(queue_new(&queue, 2), 0);
    ck_assert(queue_try_push(queue, &a));
    ck_assert(queue_try_push(queue, &b));
    ck_assert_uint_eq(queue_length(queue), 2);
    ck_assert_ptr_eq(queue_pop(queue), &a);
    ck_assert(queue_try_push(queue, &c)); /* goes round the end of the array */
    ck_assert_ptr_eq(queue_pop(queue), &b);
    ck_assert_ptr_eq(queue_pop(queue), &c);
    queue_free(queue);
}
END_TEST

START_TEST(full_queue_refuses)
{
    struct queue *queue;
    int a, b;

    ck_assert_int_eq(queue_new(&queue, 1), 0);
    ck_assert(queue_try_push(queue, &a));
    ck_assert(!queue_try_push(queue, &b));
    ck_assert_uint_eq(queue_length(queue), 1);
    queue_free(queue);
}
END_TEST

START_TEST(closed_queue_is_emptied_and_takes_nothing)
{
    struct queue *queue;
    int a, b;

    ck_assert_int_eq(queue_new(&queue, 4), 0);
    ck_assert(queue_push(queue, &a));
    queue_close(queue);
    ck_assert(!queue_push(queue, &b));
    ck_assert(!queue_try_push(queue, &b));
    ck_assert_ptr_eq(queue_pop(queue), &a);
    ck_assert_ptr_null(queue_pop(queue));
    queue_free(queue);
}
END_TEST

START_TEST(waiting_has_an_end)
{
    struct queue *queue;
    void *item = NULL;
    int a;

    ck_assert_int_eq(queue_new(&queue, 1), 0);
    ck_assert_int_eq(queue_pop_within(queue, &item, 1000), 0);
    ck_assert_ptr_null(item);
    ck_assert(queue_push(queue, &a));
    ck_assert_int_eq(queue_pop_within(queue, &item, 1000), 1);
    ck_assert_ptr_eq(item, &a);
    queue_close(queue);
    ck_assert_int_eq(queue_pop_within(queue, &item, 1000000000), -1);
    queue_free(queue);
}
END_TEST

static void *push_after_close(void *context)
{
    static int item;

    return queue_push(context, &item) ? context : NULL;
}

START_TEST(closing_wakes_a_waiting_producer)
{
    struct queue *queue;
    pthread_t thread;
    void *pushed;
    int a;

    ck_assert_int_eq(queue_new(&queue, 1), 0);
    ck_assert(queue_push(queue, &a));
    ck_assert_int_eq(pthread_create(&thread, NULL, push_after_close, queue), 0);
    queue_close(queue);
    ck_assert_int_eq(pthread_join(thread, &pushed), 0);
    ck_assert_ptr_null(pushed);
    queue_free(queue);
}
END_TEST

struct producer {
    pthread_t thread;
    struct queue *queue;
    int first;
};

static void *produce(void *context)
{
    struct producer *producer = context;

    for (int i = 0; i < ITEMS; i++) {
        if (!queue_push(producer->queue, &numbers[producer->first + i]))
            return NULL;
    }
    return producer;
}

struct consumer {
    pthread_t thread;
    struct queue *queue;
    uint64_t n, sum;
    int last[PRODUCERS];
    bool in_order;
};

static void *consume(void *context)
{
    struct consumer *consumer = context;
    const int *number;

    while ((number = queue_pop(consumer->queue)) != NULL) {
        int producer = *number / ITEMS;

        consumer->in_order = consumer->in_order && *number > consumer->last[producer];
        consumer->last[producer] = *number;
        consumer->sum += (uint64_t)*number;
        consumer->n++;
    }
    return NULL;
}

START_TEST(many_threads_lose_nothing)
{
    struct producer producers[PRODUCERS];
    struct consumer consumers[CONSUMERS];
    uint64_t n = 0, sum = 0;
    struct queue *queue;
    void *result;

    ck_assert_int_eq(queue_new(&queue, 7), 0);
    for (int i = 0; i < PRODUCERS * ITEMS; i++)
        numbers[i] = i;
    for (int i = 0; i < CONSUMERS; i++) {
        consumers[i] = (struct consumer){.queue = queue, .last = {-1, -1, -1}, .in_order = true};
        ck_assert_int_eq(pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.queue = queue, .first = i * ITEMS};
        ck_assert_int_eq(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        ck_assert_int_eq(pthread_join(producers[i].thread, &result), 0);
        ck_assert_ptr_nonnull(result);
    }
    queue_close(queue);
    for (int i = 0; i < CONSUMERS; i++) {
        ck_assert_int_eq(pthread_join(consumers[i].thread, NULL), 0);
        ck_assert(consumers[i].in_order);
        n += consumers[i].n;
        sum += consumers[i].sum;
    }
    ck_assert_uint_eq(n, PRODUCERS * ITEMS);
    ck_assert_uint_eq(sum, (uint64_t)(PRODUCERS * ITEMS) * (PRODUCERS * ITEMS - 1) / 2);
    queue_free(queue);
}
END_TEST

int main(void)
{
    return UNIT_RUN("queue", first_in_is_first_out, full_queue_refuses,
                    closed_queue_is_emptied_and_takes_nothing, waiting_has_an_end,
                    closing_wakes_a_waiting_producer, many_threads_lose_nothing);
}

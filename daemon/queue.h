/* queue.h - a bounded first-in first-out queue of pointers between threads.
 *
 * Stages hand over whole batches, so one lock for each hand-over costs nothing. Any number of threads may
 * push and pop. A producer chooses at each push what a full queue means: wait (queue_push), or keep the item
 * and count the loss (queue_try_push).
 */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* Make a queue.
 *
 * capacity: items, at least 1.
 *
 * Return: 0, -ENOMEM.
 */
int queue_new(struct queue **queuep, size_t capacity);

/* Free a queue that no thread uses any more; items left in it are not touched. NULL is fine. */
void queue_free(struct queue *queue);

/* Append an item, waiting while the queue is full.
 *
 * item: not NULL; belongs to the queue on true, stays the caller's on false.
 *
 * Return: true; false: the queue is closed.
 */
bool queue_push(struct queue *queue, void *item);

/* Append an item if there is room.
 *
 * Return: true; false: full or closed, the item stays the caller's.
 */
bool queue_try_push(struct queue *queue, void *item);

/* Take the oldest item, waiting for one.
 *
 * Return: the item; NULL: the queue is closed and empty.
 */
void *queue_pop(struct queue *queue);

/* The same, waiting for so long at most.
 *
 * microseconds: to wait.
 *
 * Return: 1 and *itemp; 0: nothing came in time; -1: the queue is closed and empty.
 */
int queue_pop_within(struct queue *queue, void **itemp, int64_t microseconds);

/* Let nothing more in. What is in it can still be taken; everyone who waits wakes up. */
void queue_close(struct queue *queue);

/* Items in it now. */
size_t queue_length(struct queue *queue);

#endif

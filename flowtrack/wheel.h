/* wheel.h - a timing wheel: which flows may be due by now, without looking at the others.
 *
 * Members are small numbers (flow ids) with a due time that only the owner knows. A member stands in the slot
 * of the time it was inserted for. When its due time moves later nothing is done: it is asked again when its
 * slot comes up and then stands where it belongs (lazy correction). When its due time moves earlier the owner
 * must insert it anew. So a packet costs nothing here, and a member is looked at about once in a time-out.
 *
 * The wheel has WHEEL_SLOTS slots of equal width, wide enough together for the longest time-out; what lies
 * further ahead waits in the last slot and is asked again there. Time may jump: one collection looks at each
 * slot at most once.
 */
#ifndef FLOWTRACK_WHEEL_H
#define FLOWTRACK_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 8192 };

#define WHEEL_NONE UINT32_MAX /* no member */

/* Nodes 1..WHEEL_SLOTS are the heads of the slots, member i is node WHEEL_SLOTS + 1 + i. Lists are circular,
 * oldest insertion first. A member outside the wheel has {0, 0}. */
struct wheel_link {
    uint32_t next;
    uint32_t prev;
};

struct wheel {
    struct wheel_link *links;            /* (WHEEL_SLOTS + 1 + n_members) */
    uint64_t occupied[WHEEL_SLOTS / 64]; /* slots that may hold members */
    uint32_t n_members;
    unsigned shift; /* slot width is 2^shift microseconds */
    int64_t now;    /* slot number that the wheel has come to; earlier times go there too */
    int64_t bound;  /* no member is due before this time; INT64_MAX when empty */
};

/* Time at which a member is due (microseconds): it leaves once the clock is beyond it. */
typedef int64_t wheel_due_fn(const void *context, uint32_t member);

/* Make an empty wheel that stands at time 0.
 *
 * n_members: members are 0..n_members-1.
 * horizon: the longest time-out, microseconds.
 *
 * Return: 0, -ENOMEM.
 */
int wheel_init(struct wheel *wheel, uint32_t n_members, int64_t horizon);
void wheel_deinit(struct wheel *wheel);

/* Set an empty wheel to another time, also backwards. */
void wheel_reset(struct wheel *wheel, int64_t time);

/* Take out all members, and drop lists of them. n_members: those that may be in. */
void wheel_clear(struct wheel *wheel, uint32_t n_members);

/* Let the wheel stand at a time if no member is due before, so that insertions see all of its slots. */
static inline void wheel_follow(struct wheel *wheel, int64_t time)
{
    if (time <= wheel->bound && time >> wheel->shift > wheel->now)
        wheel->now = time >> wheel->shift;
}

/* Put a member in, or move it, to where its due time belongs. */
void wheel_insert(struct wheel *wheel, uint32_t member, int64_t due);

/* Take a member out. One that is not in is fine. */
void wheel_remove(struct wheel *wheel, uint32_t member);

/* Advance to a time and take out every member that is due, that is due < time.
 *
 * list: member at the head of a list chained by wheel_next(), to which the due ones are added in front;
 * WHEEL_NONE for an empty one.
 *
 * Return: the new head.
 */
uint32_t wheel_collect(struct wheel *wheel, int64_t time, wheel_due_fn *due, const void *context,
                       uint32_t list);

/* The member due first, to within the width of a slot; WHEEL_NONE if there is none. It stays in. */
uint32_t wheel_first(struct wheel *wheel, wheel_due_fn *due, const void *context);

/* Lists of members outside the wheel use the links of their members. */
static inline uint32_t wheel_next(const struct wheel *wheel, uint32_t member)
{
    return wheel->links[WHEEL_SLOTS + 1 + member].prev - 1;
}

static inline void wheel_set_next(struct wheel *wheel, uint32_t member, uint32_t next)
{
    wheel->links[WHEEL_SLOTS + 1 + member] = (struct wheel_link){0, next + 1};
}

/* Which of two members comes first in a list. */
typedef bool wheel_before_fn(const void *context, uint32_t a, uint32_t b);

/* Sort a list (natural merge sort: a list in order takes one pass). Return: its head. */
uint32_t wheel_sort(struct wheel *wheel, uint32_t list, wheel_before_fn *before, const void *context);

static inline bool wheel_has(const struct wheel *wheel, uint32_t member)
{
    return wheel->links[WHEEL_SLOTS + 1 + member].next != 0;
}

#endif

/* wheel.c - timing wheel with lazily corrected due times.
 *
 * Invariants: a member stands in the slot of a time not later than its due time (or in the slot of `now`);
 * every slot with members has its bit set in `occupied` (an empty one may still have it); `bound` is not
 * later than the time at which any member has to be looked at.
 */
#include "flowtrack/wheel.h"

#include <errno.h>
#include <string.h>

#include "flowtrack/memory.h"

enum { SLOT_MASK = WHEEL_SLOTS - 1, FIRST_MEMBER = WHEEL_SLOTS + 1 };

static size_t links_size(uint32_t n_members)
{
    return ((size_t)FIRST_MEMBER + n_members) * sizeof(struct wheel_link);
}

int wheel_init(struct wheel *wheel, uint32_t n_members, int64_t horizon)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->links = memory_map(links_size(n_members));
    if (!wheel->links)
        return -ENOMEM;
    wheel->n_members = n_members;
    while ((int64_t)(WHEEL_SLOTS - 2) << wheel->shift < horizon)
        wheel->shift++;
    wheel_clear(wheel, 0);
    wheel_reset(wheel, 0);
    return 0;
}

void wheel_clear(struct wheel *wheel, uint32_t n_members)
{
    for (uint32_t i = 1; i <= WHEEL_SLOTS; i++)
        wheel->links[i] = (struct wheel_link){i, i};
    memset(&wheel->links[FIRST_MEMBER], 0, n_members * sizeof(struct wheel_link));
    memset(wheel->occupied, 0, sizeof(wheel->occupied));
    wheel->bound = INT64_MAX;
}

void wheel_deinit(struct wheel *wheel)
{
    memory_unmap(wheel->links, links_size(wheel->n_members));
    memset(wheel, 0, sizeof(*wheel));
}

void wheel_reset(struct wheel *wheel, int64_t time)
{
    wheel->now = time >> wheel->shift;
    wheel->bound = INT64_MAX;
}

static int64_t slot_start(const struct wheel *wheel, int64_t number)
{
    return number * (INT64_C(1) << wheel->shift);
}

static uint32_t slot_of(int64_t number)
{
    return (uint32_t)(number & SLOT_MASK);
}

static void unlink_node(struct wheel *wheel, uint32_t node)
{
    struct wheel_link *link = &wheel->links[node];

    wheel->links[link->prev].next = link->next;
    wheel->links[link->next].prev = link->prev;
    *link = (struct wheel_link){0, 0};
}

static void append_node(struct wheel *wheel, uint32_t slot, uint32_t node)
{
    struct wheel_link *head = &wheel->links[slot + 1];
    uint32_t tail = head->prev;

    wheel->links[node] = (struct wheel_link){.next = slot + 1, .prev = tail};
    wheel->links[tail].next = node;
    head->prev = node;
    wheel->occupied[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* Slot number where a due time belongs: ahead of the wheel, and within one turn. */
static int64_t number_for(const struct wheel *wheel, int64_t due)
{
    int64_t number = due >> wheel->shift;

    if (number < wheel->now)
        return wheel->now;
    if (number - wheel->now >= WHEEL_SLOTS)
        return wheel->now + WHEEL_SLOTS - 1;
    return number;
}

void wheel_insert(struct wheel *wheel, uint32_t member, int64_t due)
{
    uint32_t node = FIRST_MEMBER + member;
    int64_t number = number_for(wheel, due);
    int64_t look = due >> wheel->shift > number ? slot_start(wheel, number) : due;

    if (wheel->links[node].next != 0)
        unlink_node(wheel, node);
    append_node(wheel, slot_of(number), node);
    if (look < wheel->bound)
        wheel->bound = look;
}

void wheel_remove(struct wheel *wheel, uint32_t member)
{
    if (wheel->links[FIRST_MEMBER + member].next != 0)
        unlink_node(wheel, FIRST_MEMBER + member);
}

/* Number of the first slot from `number` to `end` (exclusive, at most one turn) that holds members; `end` if
 * none does. Clears the bits of empty slots on the way. */
static int64_t next_occupied(struct wheel *wheel, int64_t number, int64_t end)
{
    while (number < end) {
        uint32_t slot = slot_of(number);
        uint64_t bits = wheel->occupied[slot / 64] >> slot % 64;

        if (bits == 0) {
            number += 64 - slot % 64;
            continue;
        }
        number += __builtin_ctzll(bits);
        slot = slot_of(number);
        if (number >= end)
            break;
        if (wheel->links[slot + 1].next != slot + 1)
            return number;
        wheel->occupied[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    }
    return end;
}

/* Empty one slot: due members go to the list, the others to where they belong now. */
static uint32_t collect_slot(struct wheel *wheel, uint32_t slot, int64_t time, wheel_due_fn *due,
                             const void *context, uint32_t list)
{
    uint32_t node = wheel->links[slot + 1].next;

    wheel->links[slot + 1] = (struct wheel_link){slot + 1, slot + 1};
    while (node != slot + 1) {
        uint32_t next = wheel->links[node].next;
        uint32_t member = node - FIRST_MEMBER;
        int64_t when = due(context, member);

        wheel->links[node] = (struct wheel_link){0, 0};
        if (when < time) {
            wheel_set_next(wheel, member, list);
            list = member;
        } else {
            wheel_insert(wheel, member, when);
        }
        node = next;
    }
    return list;
}

uint32_t wheel_collect(struct wheel *wheel, int64_t time, wheel_due_fn *due, const void *context,
                       uint32_t list)
{
    int64_t number = wheel->now;
    int64_t target = time >> wheel->shift;
    int64_t end;

    if (time <= wheel->bound)
        return list;
    if (target < number)
        target = number;
    end = target - number >= WHEEL_SLOTS ? number + WHEEL_SLOTS : target + 1;
    wheel->now = target;
    wheel->bound = INT64_MAX;
    while ((number = next_occupied(wheel, number, end)) < end)
        list = collect_slot(wheel, slot_of(number++), time, due, context, list);
    number = next_occupied(wheel, target + 1, target + WHEEL_SLOTS);
    if (number < target + WHEEL_SLOTS && slot_start(wheel, number) < wheel->bound)
        wheel->bound = slot_start(wheel, number);
    return list;
}

uint32_t wheel_first(struct wheel *wheel, wheel_due_fn *due, const void *context)
{
    int64_t end = wheel->now + WHEEL_SLOTS;
    int64_t number = wheel->now;

    while ((number = next_occupied(wheel, number, end)) < end) {
        uint32_t slot = slot_of(number);
        uint32_t member = wheel->links[slot + 1].next - FIRST_MEMBER;
        int64_t when = due(context, member);

        if (number_for(wheel, when) <= number)
            return member;
        wheel_insert(wheel, member, when);
    }
    return WHEEL_NONE;
}

static uint32_t merge(struct wheel *wheel, uint32_t a, uint32_t b, wheel_before_fn *before,
                      const void *context)
{
    uint32_t list = WHEEL_NONE;
    uint32_t tail = WHEEL_NONE;

    while (a != WHEEL_NONE && b != WHEEL_NONE) {
        uint32_t *from = before(context, b, a) ? &b : &a;
        uint32_t member = *from;

        *from = wheel_next(wheel, member);
        if (tail == WHEEL_NONE)
            list = member;
        else
            wheel_set_next(wheel, tail, member);
        tail = member;
    }
    if (tail == WHEEL_NONE)
        return a != WHEEL_NONE ? a : b;
    wheel_set_next(wheel, tail, a != WHEEL_NONE ? a : b);
    return list;
}

/* Cut the longest sorted run off the front of a list. Return: the rest. */
static uint32_t cut_run(struct wheel *wheel, uint32_t list, wheel_before_fn *before, const void *context)
{
    uint32_t next = wheel_next(wheel, list);

    while (next != WHEEL_NONE && !before(context, next, list)) {
        list = next;
        next = wheel_next(wheel, list);
    }
    wheel_set_next(wheel, list, WHEEL_NONE);
    return next;
}

uint32_t wheel_sort(struct wheel *wheel, uint32_t list, wheel_before_fn *before, const void *context)
{
    uint32_t bins[32]; /* bin k < n_bins holds a list merged of 2^k runs, or none */
    unsigned n_bins = 0;
    uint32_t sorted = WHEEL_NONE;

    while (list != WHEEL_NONE) {
        uint32_t run = list;
        unsigned k = 0;

        list = cut_run(wheel, run, before, context);
        for (; k < n_bins && bins[k] != WHEEL_NONE; k++) {
            run = merge(wheel, bins[k], run, before, context);
            bins[k] = WHEEL_NONE;
        }
        bins[k] = run;
        n_bins += k == n_bins;
    }
    for (unsigned k = 0; k < n_bins; k++)
        sorted = merge(wheel, bins[k], sorted, before, context);
    return sorted;
}

/* capture_loop.h - what reads a capture into an intake, as part of a loop or in a thread of its own.
 *
 * It wakes when the kernel has packets; a wake-up reads a bounded number of them, so that timers and
 * everything else in the loop get their turn under any load. A timer lets flows end though no packet comes.
 *
 * Captures belong to the owner of the loop (live.c), who gives them and takes them back from its own thread.
 * The loop looks at each tick, a hundred times a second, what it has been told; so nothing has to wake it,
 * and each base is used by one thread alone.
 */
#ifndef DAEMON_CAPTURE_LOOP_H
#define DAEMON_CAPTURE_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/intake.h"
#include "flowtrack/capture.h"
#include "flowtrack/error.h"

struct capture_loop_config {
    struct event_base
        *base;             /* the caller's, who runs it; NULL: a thread of its own. Borrowed, like all here */
    struct intake *intake; /* used by the loop alone until capture_loop_free() */
    const char *interface; /* for messages, and with the number for the name of the thread: eth0/1 */
    size_t number;
    struct capture *capture; /* that it begins with */
};

struct capture_loop;

/* Begin to read.
 *
 * Return: 0; -EPROTONOSUPPORT: packets of this link type are not decoded; -ENOMEM, -EAGAIN. err says why.
 */
int capture_loop_start(struct capture_loop **loopp, const struct capture_loop_config *config,
                       struct error *err);

/* Tell it to read another capture; NULL: none, flows go on ending. Only what it has let go is replaced: give
 * NULL before. */
void capture_loop_give(struct capture_loop *loop, struct capture *capture);

/* Whether it may still be using a capture. */
bool capture_loop_holds(struct capture_loop *loop);

/* Whether it cannot read the capture it was given.
 *
 * why: filled on true.
 */
bool capture_loop_failed(struct capture_loop *loop, struct error *why);

/* How often its timer has had its turn: what a watchdog looks at. */
uint64_t capture_loop_ticks(struct capture_loop *loop);

/* Tell it to end: what the kernel still holds is read first. */
void capture_loop_end(struct capture_loop *loop);

/* Wait for the end and free. The capture may be closed afterwards. NULL is fine. */
void capture_loop_free(struct capture_loop *loop);

#endif

/* live.h - an interface that feeds an intake, in an event loop.
 *
 * The loop wakes when the kernel has packets; a wake-up reads a bounded number of them, so that timers and
 * everything else in the loop get their turn under any load. A timer lets flows end though no packet comes.
 * An interface that goes down is waited for, one that disappears is opened again when it is back; both are
 * said.
 */
#ifndef DAEMON_LIVE_H
#define DAEMON_LIVE_H

#include <event2/event.h>
#include <stdint.h>

#include "daemon/intake.h"
#include "flowtrack/capture.h"
#include "flowtrack/error.h"

struct live_config {
    struct event_base *base;             /* borrowed, as all here */
    struct intake *intake;               /* used on the loop's thread only */
    struct capture_live_options capture; /* its strings must outlive the interface */
};

struct live;

/* Open the interface and feed the intake whenever the loop runs.
 *
 * Return: 0; what capture_open_live() returns; -ENOMEM.
 */
int live_open(struct live **livep, const struct live_config *config, struct error *err);

/* Stop feeding. What the kernel still holds is read first. NULL is fine. */
void live_close(struct live *live);

#endif

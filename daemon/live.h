/* live.h - an interface, and the loops that read it.
 *
 * One worker reads in the loop of the caller; several have a thread each and share the packets out, all of a
 * flow to the same (capture_open_shared()). The interface is watched from the caller's loop: one that goes
 * down is waited for, one that disappears is opened again for all workers when it is back, and both are said
 * once.
 */
#ifndef DAEMON_LIVE_H
#define DAEMON_LIVE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/intake.h"
#include "flowtrack/capture.h"
#include "flowtrack/error.h"

enum { LIVE_WORKERS_MAX = 64 };

struct live_config {
    struct event_base *base;                  /* borrowed, as all here */
    size_t n_workers;                         /* at most LIVE_WORKERS_MAX */
    struct intake *intakes[LIVE_WORKERS_MAX]; /* (n_workers) one each, which nobody else uses until the end */
    struct capture_live_options capture;      /* its strings must outlive the interface */
};

struct live;

/* Open the interface and feed the intakes: with one worker whenever the loop runs, with several from now on.
 *
 * Return: 0; what capture_open_shared() and capture_loop_start() return.
 */
int live_open(struct live **livep, const struct live_config *config, struct error *err);

/* Whether every worker has had its turn since this was asked last. */
bool live_progressed(struct live *live);

/* Stop feeding. What the kernel still holds is read first. NULL is fine. */
void live_close(struct live *live);

#endif

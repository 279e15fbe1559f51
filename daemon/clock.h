/* clock.h - the two clocks in use, in microseconds. */
#ifndef DAEMON_CLOCK_H
#define DAEMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* For deadlines and rates: never jumps. */
static inline int64_t clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Since 1970 UTC: the clock of live packets and of logs. */
static inline int64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

#endif

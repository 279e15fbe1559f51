/* progress.h - one line on a terminal that says how far long work is: count, rate, time left. Into a pipe or
 * a file it says nothing.
 */
#ifndef DAEMON_PROGRESS_H
#define DAEMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;      /* standard error is a terminal */
    int64_t started; /* CLOCK_MONOTONIC, microseconds */
    int64_t drawn;   /* when it was drawn last */
};

void progress_init(struct progress *progress);

/* Say how far it is; draws at most ten times a second.
 *
 * what: "packets".
 * n: of them.
 * done, total: of the work, in any unit; total 0: not known.
 * detail: put behind it; NULL: nothing.
 */
void progress_update(struct progress *progress, const char *what, uint64_t n, uint64_t done, uint64_t total,
                     const char *detail);

/* Take the line away. */
void progress_end(struct progress *progress);

/* Seconds since progress_init(), above 0. */
double progress_seconds(const struct progress *progress);

#endif

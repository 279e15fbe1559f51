/* conditions.h - counters that should stand still: packets dropped, flows without a verdict, a flow table
 * that is full, lines that nobody had time to write.
 *
 * One that grows is told once, and once more with the number when it has stood still for a minute.
 */
#ifndef DAEMON_CONDITIONS_H
#define DAEMON_CONDITIONS_H

#include <stdint.h>

#include "daemon/episode.h"
#include "daemon/stats.h"

enum { CONDITIONS_N = 4 };

/* Begin with zeros. */
struct conditions {
    struct condition {
        struct episode episode;
        uint64_t seen; /* the counter at the last look */
    } rows[CONDITIONS_N];
};

/* Look at the counters; about once a second.
 *
 * interface: where packets come from, for the events.
 * now: CLOCK_MONOTONIC, microseconds.
 */
void conditions_look(struct conditions *conditions, const struct stats_snapshot *counts,
                     const char *interface, int64_t now);

#endif

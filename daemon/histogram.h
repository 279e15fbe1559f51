/* histogram.h - how long things take: counts by duration, in buckets that OpenMetrics can carry. */
#ifndef DAEMON_HISTOGRAM_H
#define DAEMON_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 20 };

/* Upper bounds of the buckets, microseconds, included; behind the last one there is no bound. */
extern const int64_t histogram_bounds[HISTOGRAM_BUCKETS - 1];

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t n;
    int64_t sum; /* microseconds */
    int64_t max;
};

/* Count n things that took so long. */
void histogram_add(struct histogram *histogram, int64_t microseconds, uint64_t n);

/* The bound under which a share of all things stayed, microseconds; for the last bucket the largest duration;
 * 0 when nothing was counted. */
int64_t histogram_quantile(const struct histogram *histogram, double share);

#endif

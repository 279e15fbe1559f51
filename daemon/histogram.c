#include "daemon/histogram.h"

const int64_t histogram_bounds[HISTOGRAM_BUCKETS - 1] = {
    500,   1000,  2000,  5000,   10000,  20000,  30000,   40000,   50000,   60000,
    70000, 80000, 90000, 100000, 200000, 500000, 1000000, 2000000, 5000000,
};

void histogram_add(struct histogram *histogram, int64_t microseconds, uint64_t n)
{
    size_t i = 0;

    while (i < HISTOGRAM_BUCKETS - 1 && microseconds > histogram_bounds[i])
        i++;
    histogram->counts[i] += n;
    histogram->n += n;
    histogram->sum += microseconds * (int64_t)n;
    if (microseconds > histogram->max)
        histogram->max = microseconds;
}

int64_t histogram_quantile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->n;
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return histogram_bounds[i];
    }
    return histogram->max;
}

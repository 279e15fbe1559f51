/* Packets go through VECTOR_LANES at a time; sums and extremes are kept by lane and brought together at the
 * end. Lanes beyond the last packet count for nothing: `live` is 0 there. Deviations take a second walk
 * around the mean, which float needs to keep its digits.
 */
#include "core/tree/packet_statistics.h"

#include <math.h>

#include "core/tree/packet_lanes.h"

enum {
    LANES_MAX = (RECORD_PACKETS_MAX + VECTOR_LANES - 1) / VECTOR_LANES,
    LARGE_MIN = 1200, /* octets */
    SMALL_END = 100,
    BEYOND = 65536, /* above any payload */
};

static const float IPT_MAX = 1e6F; /* milliseconds */

/* A list taken apart. */
struct lists {
    size_t n; /* vectors */
    vector_float bytes[LANES_MAX];
    vector_float out[LANES_MAX + 1];
    vector_float in[LANES_MAX];
    vector_float logs[LANES_MAX];
    vector_float live[LANES_MAX + 1]; /* 1 where there is a packet */
    vector_float zeros;               /* packets that follow at once */
};

/* What is summed up of one direction. */
struct sums {
    vector_float count, octets, max, room, large, small;
};

/* Take n of VECTOR_LANES packets apart. */
VECTOR_INLINE void lists_add(struct lists *lists, const struct record_packet *packets, size_t n)
{
    const vector_float numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vector_int live = numbers < (float)n;
    struct packet_lanes lanes;
    size_t i = lists->n++;

    packet_lanes_load(&lanes, packets);
    lists->bytes[i] = lanes.bytes;
    lists->live[i] = (vector_float)(live & VECTOR_ONE_BITS);
    lists->out[i] = lanes.out;
    lists->in[i] = lists->live[i] - lanes.out;
    lists->logs[i] = VECTOR_CHOOSE(lanes.ipt < IPT_MAX, lanes.ipt, (vector_float){0} + IPT_MAX);
    lists->zeros += (vector_float)((lanes.ipt == 0) & live & VECTOR_ONE_BITS);
}

VECTOR_INLINE void lists_fill(struct lists *lists, const struct record *record)
{
    vector_unsigned rest[2]; /* the last packets, with zeros behind them */
    size_t n = record->n_packets, whole = n / VECTOR_LANES * VECTOR_LANES;

    lists->n = 0;
    lists->zeros = (vector_float){0};
    for (size_t i = 0; i < whole; i += VECTOR_LANES)
        lists_add(lists, record->packets + i, VECTOR_LANES);
    if (whole < n) {
        rest[0] = rest[1] = (vector_unsigned){0};
        memcpy(rest, record->packets + whole, (n - whole) * sizeof *record->packets);
        lists_add(lists, (const struct record_packet *)rest, n - whole);
    }
    lists->out[lists->n] = lists->live[lists->n] = (vector_float){0};
    vector_log1p((const float *)lists->logs, (float *)lists->logs, lists->n * VECTOR_LANES);
}

VECTOR_INLINE void sums_add(struct sums *sums, const vector_float *lanes, const vector_float *of)
{
    vector_float bytes = *lanes, mine = *of, octets = bytes * mine, room = (BEYOND - bytes) * mine;

    sums->count += mine;
    sums->octets += octets;
    sums->max = VECTOR_CHOOSE(octets > sums->max, octets, sums->max);
    sums->room = VECTOR_CHOOSE(room > sums->room, room, sums->room);
    sums->large += (vector_float)((vector_int)mine & (bytes >= LARGE_MIN));
    sums->small += (vector_float)((vector_int)mine & (bytes < SMALL_END));
}

/* Statistics of the packets whose `mine` is 1. */
VECTOR_INLINE void sizes_of(struct packet_sizes *sizes, const struct lists *lists, const vector_float *mine)
{
    struct sums sums = {0};
    vector_float squares = {0};
    float count, mean;

    for (size_t i = 0; i < lists->n; i++)
        sums_add(&sums, &lists->bytes[i], &mine[i]);
    count = vector_sum(&sums.count);
    if (count == 0) {
        *sizes = (struct packet_sizes){0};
        return;
    }
    mean = vector_sum(&sums.octets) / count;
    for (size_t i = 0; i < lists->n; i++)
        squares += (lists->bytes[i] - mean) * (lists->bytes[i] - mean) * mine[i];
    sizes->count = count;
    sizes->mean = mean;
    sizes->deviation = sqrtf(vector_sum(&squares) / count);
    sizes->max = vector_max(&sums.max);
    sizes->min = BEYOND - vector_max(&sums.room);
    sizes->large = vector_sum(&sums.large) / count;
    sizes->small = vector_sum(&sums.small) / count;
}

/* logs are 0 where there is no packet. */
VECTOR_INLINE void times_of(struct packet_statistics *statistics, const struct lists *lists, float count)
{
    vector_float sum = {0}, max = {0}, squares = {0};
    float mean;

    for (size_t i = 0; i < lists->n; i++) {
        sum += lists->logs[i];
        max = VECTOR_CHOOSE(lists->logs[i] > max, lists->logs[i], max);
    }
    mean = vector_sum(&sum) / count;
    for (size_t i = 0; i < lists->n; i++)
        squares += (lists->logs[i] - mean) * (lists->logs[i] - mean) * lists->live[i];
    statistics->log_mean = mean;
    statistics->log_deviation = sqrtf(vector_sum(&squares) / count);
    statistics->log_max = vector_max(&max);
    statistics->zeros = vector_sum(&lists->zeros) / count;
}

/* Changes of direction from each packet to the next. */
VECTOR_INLINE float turns_of(const struct lists *lists, size_t n)
{
    const float *out = (const float *)lists->out, *live = (const float *)lists->live;
    vector_float turns = {0};

    for (size_t i = 0; i < lists->n; i++) {
        vector_float next, next_live;

        memcpy(&next, out + i * VECTOR_LANES + 1, sizeof next);
        memcpy(&next_live, live + i * VECTOR_LANES + 1, sizeof next_live);
        turns += (vector_float)((vector_int)(lists->out[i] != next) & (vector_int)next_live);
    }
    return vector_sum(&turns) / (float)(n - 1);
}

VECTOR_CLONES
void packet_statistics(struct packet_statistics *statistics, const struct record *record)
{
    struct lists lists;

    *statistics = (struct packet_statistics){0};
    if (record->n_packets == 0)
        return;
    lists_fill(&lists, record);
    sizes_of(&statistics->out, &lists, lists.out);
    sizes_of(&statistics->in, &lists, lists.in);
    times_of(statistics, &lists, record->n_packets);
    if (record->n_packets > 1)
        statistics->turns = turns_of(&lists, record->n_packets);
}

/* Sums run in VECTOR_LANES partial sums over arrays that are filled up with zeros, and are added up at the
 * end; deviations take a second walk around the mean, which float needs to keep its digits. */
#include "core/tree/packet_statistics.h"

#include <math.h>

#include "core/vector.h"

enum {
    LIST_MAX = (RECORD_PACKETS_MAX + VECTOR_LANES - 1) / VECTOR_LANES * VECTOR_LANES,
    LARGE_MIN = 1200, /* octets */
    SMALL_END = 100,
};

static const float TIME_MAX = 1e6F; /* milliseconds */

/* The packets of one record as arrays; zeros after the last one. */
struct packet_arrays {
    _Alignas(64) float bytes[LIST_MAX];
    _Alignas(64) float out[LIST_MAX]; /* 1 where it goes out */
    _Alignas(64) float in[LIST_MAX];  /* 1 where it comes in */
};

static inline size_t whole_vectors(size_t n)
{
    return (n + VECTOR_LANES - 1) / VECTOR_LANES * VECTOR_LANES;
}

static inline __attribute__((always_inline)) float lanes_sum(const vector_float *v)
{
    const float *x = (const float *)v;
    float sums[4];

    for (size_t i = 0; i < 4; i++)
        sums[i] = (x[i] + x[i + 4]) + (x[i + 8] + x[i + 12]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static inline __attribute__((always_inline)) float lanes_max(const vector_float *v)
{
    const float *x = (const float *)v;
    float max = x[0];

    for (size_t i = 1; i < VECTOR_LANES; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

static void arrays_fill(struct packet_arrays *arrays, const struct record *record)
{
    size_t n = record->n_packets;

    for (size_t i = 0; i < n; i++) {
        arrays->bytes[i] = record->packets[i].bytes;
        arrays->out[i] = record->packets[i].out != 0 ? 1.0F : 0.0F;
        arrays->in[i] = record->packets[i].out != 0 ? 0.0F : 1.0F;
    }
    for (size_t i = n; i < whole_vectors(n); i++)
        arrays->bytes[i] = arrays->out[i] = arrays->in[i] = 0;
}

/* Statistics of the packets whose `in_direction` is 1. */
static inline __attribute__((always_inline)) void sizes_of(struct packet_sizes *sizes, const float *bytes,
                                                           const float *in_direction, size_t n)
{
    const float beyond = 65536; /* above any payload */
    vector_float count = {0}, sum = {0}, max = {0}, below = {0}, large = {0}, small = {0}, square = {0};
    float mean;

    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector_float b = *(const vector_float *)(bytes + i);
        vector_float d = *(const vector_float *)(in_direction + i);
        vector_float mine = b * d, room = (beyond - b) * d;
        vector_int keep = mine > max;

        count += d;
        sum += mine;
        max = (vector_float)(((vector_int)mine & keep) | ((vector_int)max & ~keep));
        keep = room > below;
        below = (vector_float)(((vector_int)room & keep) | ((vector_int)below & ~keep));
        large += (vector_float)((vector_int)d & (b >= LARGE_MIN));
        small += (vector_float)((vector_int)d & (b < SMALL_END));
    }
    sizes->count = lanes_sum(&count);
    if (sizes->count == 0) {
        *sizes = (struct packet_sizes){0};
        return;
    }
    mean = lanes_sum(&sum) / sizes->count;
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector_float b = *(const vector_float *)(bytes + i) - mean;

        square += b * b * *(const vector_float *)(in_direction + i);
    }
    sizes->mean = mean;
    sizes->deviation = sqrtf(lanes_sum(&square) / sizes->count);
    sizes->max = lanes_max(&max);
    sizes->min = beyond - lanes_max(&below);
    sizes->large = lanes_sum(&large) / sizes->count;
    sizes->small = lanes_sum(&small) / sizes->count;
}

VECTOR_CLONES
void packet_statistics_sizes(const struct record *record, struct packet_sizes sizes[2])
{
    struct packet_arrays arrays;
    size_t n = whole_vectors(record->n_packets);

    arrays_fill(&arrays, record);
    sizes_of(&sizes[0], arrays.bytes, arrays.out, n);
    sizes_of(&sizes[1], arrays.bytes, arrays.in, n);
}

VECTOR_CLONES
void packet_statistics_times(const struct record *record, struct packet_times *times)
{
    _Alignas(64) float logs[LIST_MAX];
    size_t n = record->n_packets;
    vector_float sum = {0}, max = {0}, square = {0};
    float mean, zeros = 0;

    if (n == 0) {
        *times = (struct packet_times){0};
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float ipt = (float)record->packets[i].ipt_ms;

        logs[i] = ipt < TIME_MAX ? ipt : TIME_MAX;
        zeros += ipt == 0 ? 1.0F : 0.0F;
    }
    for (size_t i = n; i < whole_vectors(n); i++)
        logs[i] = 0;
    vector_log1p(logs, logs, n);
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector_float x = *(const vector_float *)(logs + i);
        vector_int keep = x > max;

        sum += x;
        max = (vector_float)(((vector_int)x & keep) | ((vector_int)max & ~keep));
    }
    mean = lanes_sum(&sum) / (float)n;
    for (size_t i = n; i < whole_vectors(n); i++)
        logs[i] = mean;
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector_float x = *(const vector_float *)(logs + i) - mean;

        square += x * x;
    }
    times->log_mean = mean;
    times->log_deviation = sqrtf(lanes_sum(&square) / (float)n);
    times->log_max = lanes_max(&max);
    times->zeros = zeros / (float)n;
}

float packet_statistics_turns(const struct record *record)
{
    unsigned turns = 0;

    if (record->n_packets < 2)
        return 0;
    for (size_t i = 1; i < record->n_packets; i++)
        turns += (record->packets[i].out != 0) != (record->packets[i - 1].out != 0);
    return (float)turns / (float)(record->n_packets - 1);
}

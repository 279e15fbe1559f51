/* Statistics of packet and id lists against the plain way to work them out, for lists of every length. */
#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "core/tree/id_statistics.h"
#include "core/tree/packet_statistics.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 20 };

static void check_near(double value, double wanted)
{
    ck_assert_double_eq_tol(value, wanted, 1e-6 * fabs(wanted) + 1e-5);
}

static int compare(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void check_ids(const uint16_t *ids, size_t n)
{
    uint16_t steps[RECORD_IDS_MAX] = {0};
    size_t n_steps = n > 1 ? n - 1 : 1, ones = 0, zeros = n == 0;
    struct id_statistics statistics;

    for (size_t i = 0; i < n; i++)
        zeros += ids[i] == 0;
    for (size_t i = 0; i + 1 < n; i++) {
        steps[i] = (uint16_t)(ids[i + 1] - ids[i]);
        ones += steps[i] == 1;
    }
    qsort(steps, n_steps, sizeof *steps, compare);
    id_statistics(&statistics, ids, n);
    check_near((double)statistics.zeros, (double)zeros / (double)(n > 0 ? n : 1));
    check_near((double)statistics.ones, (double)ones / (double)n_steps);
    check_near((double)statistics.step, (steps[(n_steps - 1) / 2] + steps[n_steps / 2]) / 2.0);
    ck_assert_float_eq(statistics.few, n < 2 ? 1 : 0);
}

START_TEST(test_ids)
{
    struct random random = {.state = 6};
    uint16_t ids[RECORD_IDS_MAX];

    for (size_t n = 0; n <= RECORD_IDS_MAX; n++)
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t range = round % 4 == 0 ? 3 : round % 4 == 1 ? 1 : 65536;

            for (size_t i = 0; i < n; i++)
                ids[i] = round % 4 == 3 && i > 0 ? (uint16_t)(ids[i - 1] + random_below(&random, 3) - 1)
                                                 : (uint16_t)random_below(&random, range);
            check_ids(ids, n);
        }
}
END_TEST

static void check_sizes(const struct packet_sizes *sizes, const struct record *record, bool out)
{
    double n = 0, sum = 0, squares = 0, max = 0, min = 65536, large = 0, small = 0;

    for (size_t i = 0; i < record->n_packets; i++) {
        double bytes = record->packets[i].bytes;

        if ((record->packets[i].out != 0) != out)
            continue;
        n++;
        sum += bytes;
        max = fmax(max, bytes);
        min = fmin(min, bytes);
        large += bytes >= 1200;
        small += bytes < 100;
    }
    for (size_t i = 0; i < record->n_packets; i++)
        if ((record->packets[i].out != 0) == out)
            squares += pow(record->packets[i].bytes - sum / n, 2);
    ck_assert_float_eq(sizes->count, (float)n);
    check_near((double)sizes->mean, n > 0 ? sum / n : 0);
    check_near((double)sizes->deviation, n > 0 ? sqrt(squares / n) : 0);
    check_near((double)sizes->max, max);
    check_near((double)sizes->min, n > 0 ? min : 0);
    check_near((double)sizes->large, n > 0 ? large / n : 0);
    check_near((double)sizes->small, n > 0 ? small / n : 0);
}

static void check_times(const struct packet_statistics *statistics, const struct record *record)
{
    double n = record->n_packets, sum = 0, squares = 0, max = 0, zeros = 0, turns = 0;

    for (size_t i = 0; i < record->n_packets; i++) {
        double x = log1p(fmin(record->packets[i].ipt_ms, 1e6));

        sum += x;
        max = fmax(max, x);
        zeros += record->packets[i].ipt_ms == 0;
        turns += i > 0 && (record->packets[i].out != 0) != (record->packets[i - 1].out != 0);
    }
    for (size_t i = 0; i < record->n_packets; i++)
        squares += pow(log1p(fmin(record->packets[i].ipt_ms, 1e6)) - sum / n, 2);
    check_near((double)statistics->log_mean, n > 0 ? sum / n : 0);
    check_near((double)statistics->log_deviation, n > 0 ? sqrt(squares / n) : 0);
    check_near((double)statistics->log_max, max);
    check_near((double)statistics->zeros, n > 0 ? zeros / n : 0);
    check_near((double)statistics->turns, n > 1 ? turns / (n - 1) : 0);
}

START_TEST(test_packets)
{
    static const uint64_t times[] = {1, 3, 2000, UINT64_C(1) << 32};
    static const uint64_t sizes[] = {1, 100, 1500, 65536};
    struct random random = {.state = 7};
    struct packet_statistics statistics;
    static struct record record;

    for (unsigned n = 0; n <= RECORD_PACKETS_MAX; n++)
        for (int round = 0; round < ROUNDS; round++) {
            record.n_packets = (uint8_t)n;
            for (size_t i = 0; i < n; i++)
                record.packets[i] = (struct record_packet){
                    .ipt_ms = (uint32_t)random_below(&random, times[round % 4]),
                    .bytes = (uint16_t)random_below(&random, sizes[round / 4 % 4]),
                    .out = (uint8_t)(round % 5 == 0 ? round % 2 : (int)random_below(&random, 2)),
                };
            packet_statistics(&statistics, &record);
            check_sizes(&statistics.out, &record, true);
            check_sizes(&statistics.in, &record, false);
            check_times(&statistics, &record);
        }
}
END_TEST

int main(void)
{
    return UNIT_RUN("statistics", test_ids, test_packets);
}

/* bench_fill - how large a flow is when it goes over to a GPU, and how fast flows are made ready for that.
 *
 *     bench_fill TREES_FOLDER
 *
 * Encoded batches are written down for the device (fused_fill.h) as the CUDA engine does, without one: what
 * bounds large batches there are the octets that a link carries, and the processors that put them together.
 * Each figure is the median of ROUNDS runs over the whole batch, after one that does not count.
 */
#include "core/cuda/fused_fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/bench_flows.h"

enum { ROUNDS = 21, FLOWS = 65536, PORTION = 16384 };

static const double LINK = 54e9; /* octets a second: PCIe 5, 16 lanes, what large copies reach */

static const struct bench_work works[] = {
    {"notebook 100/50/50", "notebook", NULL, 100, 50, false},
    {"notebook mixed flows", "notebook", &bench_mixed, 0, 0, false},
    {"flowtree 32 packets", "flowtree", NULL, 32, 16, false},
    {"flowtree mixed flows", "flowtree", &bench_mixed, 0, 0, false},
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Memory for the largest portion. */
static void fill_init(struct fused_fill *fill, const struct batch *batch, unsigned threads)
{
    size_t largest = 0;

    *fill = (struct fused_fill){.batch = batch, .n = PORTION};
    for (; fill->first < FLOWS; fill->first += PORTION)
        if (largest < fused_fill_octets(fill))
            largest = fused_fill_octets(fill);
    fill->host = aligned_alloc(4096, (largest + 4095) / 4096 * 4096);
    fill->device = fill->host;
    fill->counts = calloc(fused_fill_counts(batch), sizeof *fill->counts);
    fill->columns = calloc(fused_fill_columns(batch->tree), sizeof *fill->columns);
    if (fill->host == NULL || fill->counts == NULL || fill->columns == NULL)
        bench_fail("out of memory");
    if (pool_new(&fill->pool, threads, NULL) < 0)
        bench_fail("no threads");
}

static void fill_deinit(struct fused_fill *fill)
{
    pool_free(fill->pool);
    free(fill->columns);
    free(fill->counts);
    free(fill->host);
}

/* Write all portions of a batch down. Return: octets. */
static size_t write_batch(struct fused_fill *fill)
{
    size_t octets = 0;

    for (fill->first = 0; fill->first < FLOWS; fill->first += PORTION) {
        fill->taken = 0;
        fused_fill_elements(fill);
        octets += fill->taken;
    }
    return octets;
}

/* Seconds for a batch. octets: receives its size. threads: 0: all. */
static double measure(const struct batch *batch, unsigned threads, size_t *octets)
{
    struct fused_fill fill;
    double times[ROUNDS];

    fill_init(&fill, batch, threads);
    (void)write_batch(&fill);
    for (size_t i = 0; i < ROUNDS; i++) {
        double begin = now();

        *octets = write_batch(&fill);
        times[i] = now() - begin;
    }
    fill_deinit(&fill);
    return bench_median(times, ROUNDS);
}

static void print_row(const struct bench_work *work, const char *folder)
{
    struct bench_setup setup;
    double one, all;
    size_t octets;

    bench_setup_init(&setup, work, FLOWS, folder, &engine_cpu, &(struct engine_options){.threads = 1});
    if (encode_records(setup.batch, setup.model, setup.pointers, FLOWS, ENCODE_SERVING) < 0)
        bench_fail("encode failed");
    one = measure(setup.batch, 1, &octets);
    all = measure(setup.batch, 0, &octets);
    printf("%-22s %7.1f octets a flow  link %6.1f M/s  one thread %6.2f M/s  all %6.2f M/s\n", work->name,
           (double)octets / FLOWS, 1e-6 * LINK * FLOWS / (double)octets, 1e-6 * FLOWS / one,
           1e-6 * FLOWS / all);
    fflush(stdout);
    bench_setup_deinit(&setup);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_fail("usage: bench_fill TREES_FOLDER");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        print_row(&works[i], argv[1]);
    return 0;
}

#include "tests/bench/bench_flows.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/random.h"
#include "core/tree/tree_json.h"

const struct bench_lengths bench_mixed = {
    {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9, 15},
    {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 5, 7, 11},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 5, 9},
};

const struct bench_lengths bench_labelled = {
    {0, 2, 2, 3, 4, 5, 6, 8, 9, 11, 13, 16, 19, 25, 32, 46, 54, 77, 100, 100},
    {0, 0, 0, 2, 3, 4, 4, 5, 6, 7, 8, 9, 11, 13, 17, 25, 42, 50, 50, 50},
    {0, 0, 0, 2, 3, 3, 4, 5, 7, 8, 10, 12, 15, 21, 29, 42, 50, 50, 50, 50},
};

void bench_fail(const char *what)
{
    fprintf(stderr, "benchmark: %s\n", what);
    exit(EXIT_FAILURE);
}

static void *need(size_t n, size_t size)
{
    void *at = calloc(n, size);

    if (at == NULL)
        bench_fail("out of memory");
    return at;
}

/* Ids as hosts number them: one after the other, all zero, or at random; in the shares of real traffic. */
static void fill_ids(struct random *random, uint16_t *ids, struct record_side *side, uint8_t n)
{
    uint64_t kind = random_below(random, 10);

    side->present = side->has_ip = true;
    side->ttl = (uint8_t)random_below(random, 256);
    side->n_ids = n;
    side->packets = n;
    side->bytes = random_below(random, 1 << 20);
    for (uint8_t i = 0; i < n; i++)
        ids[i] = kind < 4   ? (uint16_t)(side->bytes + i)
                 : kind < 5 ? 0
                            : (uint16_t)random_below(random, 65536);
}

static struct record *make_records(const struct bench_work *work, size_t n_flows)
{
    struct record *records = need(n_flows, sizeof *records);
    struct random random = {1};

    for (size_t i = 0; i < n_flows; i++) {
        struct record *r = &records[i];
        size_t step = (size_t)random_below(&random, 20);

        r->n_packets = work->lengths == NULL ? work->packets : work->lengths->packets[step];
        fill_ids(&random, r->ids_out, &r->out,
                 work->lengths == NULL ? work->ids : work->lengths->ids_out[step]);
        fill_ids(&random, r->ids_in, &r->in, work->lengths == NULL ? work->ids : work->lengths->ids_in[step]);
        r->protocol = 6;
        r->time_end = (int64_t)random_below(&random, 30000000);
        for (uint8_t p = 0; p < r->n_packets; p++)
            r->packets[p] = (struct record_packet){
                .ipt_ms = (uint32_t)random_below(&random, 200),
                .bytes = (uint16_t)random_below(&random, 1461),
                .out = (uint8_t)random_below(&random, 2),
            };
    }
    return records;
}

void bench_setup_init(struct bench_setup *s, const struct bench_work *work, size_t n_flows,
                      const char *folder, const struct engine_ops *ops, const struct engine_options *options)
{
    struct error err = {0};
    struct tree *tree;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s.json", folder, work->tree);
    if (tree_load(&tree, path, NULL, 0, &err) < 0)
        bench_fail(err.text);
    if (model_new(&s->model, tree, 1) < 0 || batch_new(&s->batch, tree) < 0)
        bench_fail("out of memory");
    if (engine_open(&s->engine, ops, options, &err) < 0 ||
        s->engine->ops->load(s->engine, s->model, &err) < 0)
        bench_fail(err.text);
    s->n_flows = n_flows;
    s->records = make_records(work, n_flows);
    s->pointers = need(n_flows, sizeof *s->pointers);
    s->labels = need(n_flows, sizeof *s->labels);
    s->logits = need(n_flows * tree->n_labels, sizeof *s->logits);
    for (size_t i = 0; i < n_flows; i++) {
        s->pointers[i] = &s->records[i];
        s->labels[i] = (uint32_t)(i % tree->n_labels);
    }
}

void bench_setup_deinit(struct bench_setup *s)
{
    engine_close(s->engine);
    batch_free(s->batch);
    model_free(s->model);
    free(s->records);
    free(s->pointers);
    free(s->labels);
    free(s->logits);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *times, size_t n)
{
    qsort(times, n, sizeof *times, compare);
    return times[n / 2];
}

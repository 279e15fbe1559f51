/* bench_engine - how many flows a second one thread of the CPU engine names, and how long a training step
 * takes.
 *
 *     bench_engine TREES_FOLDER [TORCH_SCRIPT]
 *
 * Records lie in memory; encoding them is part of the work. Times are processor time of the one thread, so
 * that other load on the machine hardly counts; each figure is the median of ROUNDS runs. TORCH_SCRIPT
 * (torch_notebook.py) times the same tree in PyTorch beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/batch.h"
#include "core/cpu/kernels.h"
#include "core/encode.h"
#include "core/engine.h"
#include "core/random.h"
#include "core/tree/tree_json.h"

enum { FLOWS = 4096, TRAINING_BATCH = 128, ROUNDS = 9 };

/* Packets, ids out and ids in that a flow lists: every twentieth of the sorted lengths. */
struct lengths {
    uint8_t packets[20], ids_out[20], ids_in[20];
};

/* 8,513 flows of test captures of all kinds of traffic, scans and lookups included. */
static const struct lengths mixed_lengths = {
    {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9, 15},
    {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 5, 7, 11},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 5, 9},
};

/* 870 flows of news, social media and video, labelled; those too short to label left out. */
static const struct lengths labelled_lengths = {
    {0, 2, 2, 3, 4, 5, 6, 8, 9, 11, 13, 16, 19, 25, 32, 46, 54, 77, 100, 100},
    {0, 0, 0, 2, 3, 4, 4, 5, 6, 7, 8, 9, 11, 13, 17, 25, 42, 50, 50, 50},
    {0, 0, 0, 2, 3, 3, 4, 5, 7, 8, 10, 12, 15, 21, 29, 42, 50, 50, 50, 50},
};

/* What is measured. lengths: NULL: every flow has as many as said. */
struct work {
    const char *name, *tree;
    const struct lengths *lengths;
    uint8_t packets, ids;
    bool training;
};

static const struct work works[] = {
    {"notebook 100/50/50", "notebook", NULL, 100, 50, false},
    {"flowtree 32 packets", "flowtree", NULL, 32, 16, false},
    {"flowtree mixed flows", "flowtree", &mixed_lengths, 0, 0, false},
    {"flowtree labelled flows", "flowtree", &labelled_lengths, 0, 0, false},
    {"notebook step of 128", "notebook", NULL, 100, 50, true},
    {"flowtree step of 128", "flowtree", &labelled_lengths, 0, 0, true},
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_engine: %s\n", what);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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

static struct record *make_records(const struct work *work)
{
    struct record *records = calloc(FLOWS, sizeof *records);
    struct random random = {1};

    if (records == NULL)
        fail("out of memory");
    for (size_t i = 0; i < FLOWS; i++) {
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

/* Everything that a measurement needs. */
struct setup {
    struct model *model;
    struct batch *batch;
    struct engine *engine;
    struct record *records;
    const struct record *pointers[FLOWS];
    uint32_t labels[FLOWS];
    float *logits;
};

static void setup_init(struct setup *s, const struct work *work, const char *folder, const char *instruction)
{
    struct engine_options options = {.threads = 1, .instruction = instruction};
    struct error err = {0};
    struct tree *tree;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s.json", folder, work->tree);
    if (tree_load(&tree, path, NULL, 0, &err) < 0)
        fail(err.text);
    if (model_new(&s->model, tree, 1) < 0 || batch_new(&s->batch, tree) < 0)
        fail("out of memory");
    if (engine_open(&s->engine, &engine_cpu, &options, &err) < 0 ||
        s->engine->ops->load(s->engine, s->model, &err) < 0)
        fail(err.text);
    s->records = make_records(work);
    s->logits = calloc(FLOWS * tree->n_labels, sizeof *s->logits);
    for (size_t i = 0; i < FLOWS; i++) {
        s->pointers[i] = &s->records[i];
        s->labels[i] = (uint32_t)(i % tree->n_labels);
    }
}

static void setup_deinit(struct setup *s)
{
    engine_close(s->engine);
    batch_free(s->batch);
    model_free(s->model);
    free(s->records);
    free(s->logits);
}

/* Once over all records, in portions as the daemon's scorer does. Returns the part of the time that encoding
 * took. */
static double name_all(struct setup *s)
{
    double encoding = 0;

    for (size_t i = 0, n; i < FLOWS; i += n) {
        double begin = now();

        n = FLOWS - i < s->engine->portion ? FLOWS - i : s->engine->portion;
        if (encode_records(s->batch, s->model, s->pointers + i, n, ENCODE_SERVING) < 0)
            fail("encode failed");
        encoding += now() - begin;
        if (s->engine->ops->forward(s->engine, s->batch, s->logits + i * s->model->tree->n_labels, NULL) < 0)
            fail("forward failed");
    }
    return encoding;
}

/* One training step, encoding included. */
static double train_once(struct setup *s)
{
    static const struct optimizer adam = {OPTIMIZER_ADAM, 1e-3, 0.9, 0.999, 1e-7, 0, 0};
    struct engine_targets targets = {.labels = s->labels, .dropout_seed = 1};
    double begin = now(), encoding, loss;

    if (encode_records(s->batch, s->model, s->pointers, TRAINING_BATCH, ENCODE_TRAINING) < 0)
        fail("encode failed");
    encoding = now() - begin;
    if (s->engine->ops->backward(s->engine, s->batch, &targets, &loss, NULL, NULL) < 0 ||
        s->engine->ops->step(s->engine, &adam, NULL) < 0)
        fail("training step failed");
    return encoding;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median time of one run; *encodingp: that of encoding in it. */
static double measure(struct setup *s, double (*run)(struct setup *), double *encodingp)
{
    double times[ROUNDS], encoding[ROUNDS];

    run(s);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now();

        encoding[i] = run(s);
        times[i] = now() - begin;
    }
    qsort(times, ROUNDS, sizeof times[0], compare);
    qsort(encoding, ROUNDS, sizeof encoding[0], compare);
    *encodingp = encoding[ROUNDS / 2];
    return times[ROUNDS / 2];
}

/* What the PyTorch script prints: flows a second, seconds a step; 0: not measured. */
struct torch {
    double flows, step;
};

static struct torch run_torch(const char *script)
{
    struct torch torch = {0};
    char command[4096], line[256];
    FILE *f;

    (void)snprintf(command, sizeof command, "/usr/bin/python3 '%s'", script);
    f = popen(command, "r");
    if (f == NULL)
        return torch;
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "forward %lf step %lf", &torch.flows, &torch.step) != 2)
            fputs(line, stdout);
    pclose(f);
    return torch;
}

static void print_row(const struct work *work, const struct kernels *kernels, const struct torch *torch,
                      const char *folder)
{
    bool notebook = strcmp(work->tree, "notebook") == 0;
    struct setup setup;
    double time, encoding;

    setup_init(&setup, work, folder, kernels->name);
    time = measure(&setup, work->training ? train_once : name_all, &encoding);
    if (work->training)
        printf("%-24s %-8s %9.3f ms", work->name, kernels->name, 1e3 * time);
    else
        printf("%-24s %-8s %9.0f /s", work->name, kernels->name, FLOWS / time);
    printf("  %4.1f %% encoding", 100 * encoding / time);
    if (notebook && work->training && torch->step > 0)
        printf("  %5.1f x PyTorch", torch->step / time);
    if (notebook && !work->training && torch->flows > 0)
        printf("  %5.1f x PyTorch", FLOWS / time / torch->flows);
    putchar('\n');
    fflush(stdout);
    setup_deinit(&setup);
}

int main(int argc, char **argv)
{
    struct torch torch = {0};

    if (argc < 2)
        fail("usage: bench_engine TREES_FOLDER [TORCH_SCRIPT]");
    if (argc > 2)
        torch = run_torch(argv[2]);
    if (torch.flows > 0)
        printf("%-24s %-8s %9.0f /s\n%-24s %-8s %9.3f ms\n", works[0].name, "PyTorch", torch.flows,
               works[4].name, "PyTorch", 1e3 * torch.step);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        for (const struct kernels *const *k = kernels_all; *k != NULL; k++)
            if (kernels_supported(*k))
                print_row(&works[i], *k, &torch, argv[1]);
    return 0;
}

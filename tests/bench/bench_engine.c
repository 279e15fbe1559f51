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

#include "core/cpu/kernels.h"
#include "tests/bench/bench_flows.h"

enum { FLOWS = 4096, TRAINING_BATCH = 128, ROUNDS = 9 };

static const struct bench_work works[] = {
    {"notebook 100/50/50", "notebook", NULL, 100, 50, false},
    {"flowtree 32 packets", "flowtree", NULL, 32, 16, false},
    {"flowtree mixed flows", "flowtree", &bench_mixed, 0, 0, false},
    {"flowtree labelled flows", "flowtree", &bench_labelled, 0, 0, false},
    {"notebook step of 128", "notebook", NULL, 100, 50, true},
    {"flowtree step of 128", "flowtree", &bench_labelled, 0, 0, true},
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Once over all records, in portions as the daemon's scorer does. Returns the part of the time that encoding
 * took. */
static double name_all(struct bench_setup *s)
{
    double encoding = 0;

    for (size_t i = 0, n; i < FLOWS; i += n) {
        double begin = now();

        n = FLOWS - i < s->engine->portion ? FLOWS - i : s->engine->portion;
        if (encode_records(s->batch, s->model, s->pointers + i, n, ENCODE_SERVING) < 0)
            bench_fail("encode failed");
        encoding += now() - begin;
        if (s->engine->ops->forward(s->engine, s->batch, s->logits + i * s->model->tree->n_labels, NULL) < 0)
            bench_fail("forward failed");
    }
    return encoding;
}

/* One training step, encoding included. */
static double train_once(struct bench_setup *s)
{
    static const struct optimizer adam = {OPTIMIZER_ADAM, 1e-3, 0.9, 0.999, 1e-7, 0, 0};
    struct engine_targets targets = {.labels = s->labels, .dropout_seed = 1};
    double begin = now(), encoding, loss;

    if (encode_records(s->batch, s->model, s->pointers, TRAINING_BATCH, ENCODE_TRAINING) < 0)
        bench_fail("encode failed");
    encoding = now() - begin;
    if (s->engine->ops->backward(s->engine, s->batch, &targets, &loss, NULL, NULL) < 0 ||
        s->engine->ops->step(s->engine, &adam, NULL) < 0)
        bench_fail("training step failed");
    return encoding;
}

/* Median time of one run; *encodingp: that of encoding in it. */
static double measure(struct bench_setup *s, double (*run)(struct bench_setup *), double *encodingp)
{
    double times[ROUNDS], encoding[ROUNDS];

    run(s);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now();

        encoding[i] = run(s);
        times[i] = now() - begin;
    }
    *encodingp = bench_median(encoding, ROUNDS);
    return bench_median(times, ROUNDS);
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

static void print_row(const struct bench_work *work, const struct kernels *kernels, const struct torch *torch,
                      const char *folder)
{
    bool notebook = strcmp(work->tree, "notebook") == 0;
    struct engine_options options = {.threads = 1, .instruction = kernels->name};
    struct bench_setup setup;
    double time, encoding;

    bench_setup_init(&setup, work, FLOWS, folder, &engine_cpu, &options);
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
    bench_setup_deinit(&setup);
}

int main(int argc, char **argv)
{
    struct torch torch = {0};

    if (argc < 2)
        bench_fail("usage: bench_engine TREES_FOLDER [TORCH_SCRIPT]");
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

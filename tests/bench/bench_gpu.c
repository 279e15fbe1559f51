/* bench_gpu - how many flows a second the CUDA engine names, by the size of a batch, and how long a training
 * step takes.
 *
 *     bench_gpu TREES_FOLDER [TORCH_SCRIPT]
 *
 * Each figure is the median of ROUNDS runs by the clock on the wall, after WARM that do not count. The batch
 * lies encoded in ordinary memory, as it does in the daemon; laying it out for the device, both copies and
 * all kernels are part of the work. Rows "kernels": the same batch lies on the device already, and its
 * kernels are carried out REPEATED times for each run. TORCH_SCRIPT (torch_gpu.py) times the notebook tree in
 * PyTorch with CUDA graphs beside it; its inputs are on the device already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cuda/engine_cuda.h"
#include "core/cuda/fused.h"
#include "tests/bench/bench_flows.h"

enum { WARM = 5, ROUNDS = 21, REPEATED = 20, BATCHES = 4, SKIPPED = 77 };

static const size_t batches[BATCHES] = {128, 1024, 8192, 65536};

static const struct bench_work works[] = {
    {"notebook 100/50/50", "notebook", NULL, 100, 50, false},
    {"flowtree 32 packets", "flowtree", NULL, 32, 16, false},
    {"flowtree mixed flows", "flowtree", &bench_mixed, 0, 0, false},
    {"notebook step", "notebook", NULL, 100, 50, true},
    {"flowtree step", "flowtree", &bench_labelled, 0, 0, true},
};

/* Seconds that PyTorch takes, by batch; 0: not measured. */
struct torch {
    double forward[BATCHES], step[BATCHES];
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_torch(struct torch *torch, const char *script)
{
    char command[4096], line[256], what[16];
    FILE *f;

    (void)snprintf(command, sizeof command, "/usr/bin/python3 '%s'", script);
    f = popen(command, "r");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        double seconds;
        size_t n;

        if (sscanf(line, "%15s %zu %lf", what, &n, &seconds) != 3) {
            fputs(line, stdout);
            continue;
        }
        for (size_t i = 0; i < BATCHES; i++)
            if (batches[i] == n)
                (strcmp(what, "step") == 0 ? torch->step : torch->forward)[i] = seconds;
    }
    (void)pclose(f);
}

static void run_once(struct bench_setup *s, bool training)
{
    static const struct optimizer adam = {OPTIMIZER_ADAM, 1e-3, 0.9, 0.999, 1e-7, 0, 0};
    struct engine_targets targets = {.labels = s->labels, .dropout_seed = 1};
    struct error err;
    double loss;
    int r;

    if (training)
        r = s->engine->ops->backward(s->engine, s->batch, &targets, &loss, NULL, &err);
    else
        r = s->engine->ops->forward(s->engine, s->batch, s->logits, &err);
    if (r == 0 && training)
        r = s->engine->ops->step(s->engine, &adam, &err);
    if (r < 0)
        bench_fail(err.text);
}

/* A step ends on the device: reading a weight waits for it. */
static double measure(struct bench_setup *s, bool training)
{
    float *weights = calloc(s->model->tree->n_weights, sizeof *weights);
    double times[ROUNDS];

    if (weights == NULL)
        bench_fail("out of memory");
    for (int i = -WARM; i < ROUNDS; i++) {
        double begin = now();

        run_once(s, training);
        if (training && s->engine->ops->weights(s->engine, weights, NULL) < 0)
            bench_fail("no weights");
        if (i >= 0)
            times[i] = now() - begin;
    }
    free(weights);
    return bench_median(times, ROUNDS);
}

static void print_row(const char *name, size_t batch, double time, double torch, const char *path)
{
    printf("%-38s %6zu  %9.3f ms  %8.3f M/s", name, batch, 1e3 * time, 1e-6 * (double)batch / time);
    if (torch > 0)
        printf("  %5.1f x PyTorch", torch / time);
    printf("  %s\n", path);
    fflush(stdout);
}

/* From host memory to host memory. */
static void run_engine(const struct bench_work *work, size_t batch, double torch, const char *folder)
{
    struct bench_setup setup;

    bench_setup_init(&setup, work, batch, folder, &engine_cuda, &(struct engine_options){0});
    if (encode_records(setup.batch, setup.model, setup.pointers, batch,
                       work->training ? ENCODE_TRAINING : ENCODE_SERVING) < 0)
        bench_fail("encode failed");
    print_row(work->name, batch, measure(&setup, work->training), torch, engine_cuda.path(setup.engine));
    bench_setup_deinit(&setup);
}

/* Seconds that the kernels take for one batch. */
static double measure_kernels(struct fused *fused, size_t batch)
{
    double times[ROUNDS];
    struct error err;
    uint64_t n;

    for (int i = -WARM; i < ROUNDS; i++) {
        double begin = now();

        if (fused_repeat(fused, REPEATED, &n, &err) < 0)
            bench_fail(err.text);
        if (i >= 0)
            times[i] = (now() - begin) * (double)batch / (double)n;
    }
    return bench_median(times, ROUNDS);
}

/* The kernels alone, as chosen by size and each kind by itself. */
static void run_kernels(const struct bench_work *work, size_t batch, double torch, const char *folder)
{
    static const char *const names[] = {
        [FUSED_KERNELS_BY_SIZE] = "kernels",
        [FUSED_KERNELS_LANES] = "lane kernels",
        [FUSED_KERNELS_TENSOR] = "tensor kernels",
    };
    struct bench_setup setup;
    struct device device;
    struct fused *fused;
    struct error err;
    struct pool *pool;
    char name[64];

    bench_setup_init(&setup, work, batch, folder, &engine_cpu, &(struct engine_options){0});
    if (encode_records(setup.batch, setup.model, setup.pointers, batch, ENCODE_SERVING) < 0)
        bench_fail("encode failed");
    if (pool_new(&pool, 0, &err) < 0 || device_open(&device, &err) < 0 ||
        fused_new(&fused, &device, setup.model->tree, setup.model->weights, pool, &err) < 0)
        bench_fail(err.text);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        fused_choose(fused, (enum fused_kernels)k);
        if (fused_forward(fused, setup.batch, setup.logits, &err) < 0)
            bench_fail(err.text);
        (void)snprintf(name, sizeof name, "%s, %s", work->name, names[k]);
        print_row(name, batch, measure_kernels(fused, batch), torch, device.name);
    }
    fused_free(fused);
    device_close(&device);
    pool_free(pool);
    bench_setup_deinit(&setup);
}

static int skip(const char *why)
{
    printf("skipped: %s\n", why);
    return SKIPPED;
}

int main(int argc, char **argv)
{
    struct torch torch = {{0}, {0}};
    struct engine *probe;
    struct error err;

    if (argc < 2)
        bench_fail("usage: bench_gpu TREES_FOLDER [TORCH_SCRIPT]");
    if (engine_open(&probe, &engine_cuda, &(struct engine_options){0}, &err) < 0)
        return skip(err.text);
    engine_close(probe);
    if (argc > 2)
        run_torch(&torch, argv[2]);
    for (size_t w = 0; w < sizeof works / sizeof works[0]; w++)
        for (size_t i = 0; i < BATCHES; i++) {
            bool notebook = strcmp(works[w].tree, "notebook") == 0;
            double beside = !notebook ? 0 : (works[w].training ? torch.step : torch.forward)[i];

            if (!works[w].training)
                run_kernels(&works[w], batches[i], beside, argv[1]);
            run_engine(&works[w], batches[i], beside, argv[1]);
        }
    return 0;
}

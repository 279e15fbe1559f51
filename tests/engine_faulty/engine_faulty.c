/* engine_faulty.c - an engine that fails as it is told: for tests of what the programs do then.
 *
 * It is a module as the GPU engine is one (it exports `engine_cuda`), computes with the CPU engine, and obeys
 * the file that the environment variable FLOWCLASSD_FAULT names, read again at every call:
 *
 *     FAULT [N]      from the Nth pass on (1: the first; forward passes and passes of training count alike,
 *                    from the start of the program or a change of the file on)
 *
 * A batch that it has just seen is answered, and learnt from, from memory, so that it is the faster engine on
 * any machine when batches are timed.
 *
 * When it is opened it does to the system what the NVIDIA driver's library does, from a fence's point of
 * view: it tries to make a device file and gets over it if it may not, names a thread of its own and does not
 * get over it if it may not.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"

enum { SLOW_MICROSECONDS = 500000, FAULT_NAME_MAX = 32 };

#define EXPORT __attribute__((visibility("default")))

extern EXPORT const struct engine_ops engine_cuda;

/* What was said about a batch. */
struct memory {
    uint64_t hash; /* of it */
    float *logits; /* (n); NULL: nothing */
    size_t n;
    double loss;
};

struct faulty {
    struct engine base;
    struct engine *cpu;
    bool gone;
    struct memory judged;
    struct memory learnt; /* its gradient is the one that the CPU engine has */
};

/* What the file says. */
struct fault {
    char name[FAULT_NAME_MAX];
    unsigned long from;
};

static struct fault last;    /* as it was at the call before */
static unsigned long passes; /* since it changed */

static struct faulty *faulty_from(const struct engine *engine)
{
    return (struct faulty *)engine;
}

static struct fault fault_read(void)
{
    const char *path = getenv("FLOWCLASSD_FAULT");
    struct fault fault = {.name = "none", .from = 1};
    FILE *file = path != NULL ? fopen(path, "re") : NULL;

    if (file != NULL) {
        if (fscanf(file, "%31s %lu", fault.name, &fault.from) < 1)
            strcpy(fault.name, "none");
        (void)fclose(file);
    }
    if (strcmp(fault.name, last.name) != 0 || fault.from != last.from)
        passes = 0;
    last = fault;
    return fault;
}

static bool is(const struct fault *fault, const char *name)
{
    return strcmp(fault->name, name) == 0;
}

static void *await(void *lock)
{
    (void)pthread_mutex_lock(lock);
    (void)pthread_mutex_unlock(lock);
    return NULL;
}

/* Begin as a driver. */
static int driver_begin(struct error *err)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t thread;
    int r;

    (void)mknod("/nonexistent/nvidia0", S_IFCHR | 0600, 0);
    (void)pthread_mutex_lock(&lock);
    r = pthread_create(&thread, NULL, await, &lock);
    if (r == 0) {
        r = pthread_setname_np(thread, "driver");
        (void)pthread_mutex_unlock(&lock);
        (void)pthread_join(thread, NULL);
    }
    return r == 0 ? 0 : error_set(err, -ENODEV, "faulty engine: no thread with a name: %s", strerror(r));
}

/* Faults that come with opening. */
static const struct {
    const char *name;
    const char *text;
} at_open[] = {
    {"no-device", "there is no device"},
    {"no-driver", "there is no driver"},
    {"wrong-driver", "the driver is too old for this program"},
};

static int faulty_open(struct engine **enginep, const struct engine_options *options, struct error *err)
{
    struct fault fault = fault_read();
    struct faulty *faulty;
    int r;

    for (size_t i = 0; i < sizeof at_open / sizeof at_open[0]; i++) {
        if (is(&fault, at_open[i].name))
            return error_set(err, -ENODEV, "faulty engine: %s", at_open[i].text);
    }
    if (is(&fault, "gone") && passes >= fault.from)
        return error_set(err, -ENODEV, "faulty engine: the device is still gone");
    r = driver_begin(err);
    if (r < 0)
        return r;
    faulty = calloc(1, sizeof *faulty);
    if (faulty == NULL)
        return error_set(err, -ENOMEM, "faulty engine: out of memory");
    r = engine_open(&faulty->cpu, &engine_cpu, options, err);
    if (r < 0) {
        free(faulty);
        return r;
    }
    faulty->base.ops = &engine_cuda;
    *enginep = &faulty->base;
    return 0;
}

static void forget(struct memory *memory)
{
    free(memory->logits);
    memory->logits = NULL;
}

static void forget_all(struct faulty *faulty)
{
    forget(&faulty->judged);
    forget(&faulty->learnt);
}

static bool knows(const struct memory *memory, uint64_t hash, size_t n)
{
    return memory->logits != NULL && memory->hash == hash && memory->n == n;
}

static int remember(struct memory *memory, uint64_t hash, const float *logits, size_t n, double loss,
                    struct error *err)
{
    forget(memory);
    *memory = (struct memory){.hash = hash, .logits = malloc(n * sizeof *logits), .n = n, .loss = loss};
    if (memory->logits == NULL)
        return error_set(err, -ENOMEM, "faulty engine: out of memory");
    memcpy(memory->logits, logits, n * sizeof *logits);
    return 0;
}

static int faulty_load(struct engine *engine, const struct model *model, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);
    struct fault fault = fault_read();

    forget_all(faulty);
    if (is(&fault, "no-tree"))
        return error_set(err, -ENOTSUP, "faulty engine: tree %s is not for it", model->tree->name);
    engine->tree = model->tree;
    return faulty->cpu->ops->load(faulty->cpu, model, err);
}

/* What comes before a pass. Return: 0, or its failure. */
static int pass_begin(struct faulty *faulty, struct fault *fault, struct error *err)
{
    *fault = fault_read();
    if (faulty->gone)
        return error_set(err, -ENODEV, "faulty engine: used after the device had gone");
    if (++passes < fault->from) {
        strcpy(fault->name, "none");
        return 0;
    }
    if (is(fault, "no-memory"))
        return error_set(err, -ENOMEM, "faulty engine: out of device memory");
    if (is(fault, "gone") || (is(fault, "gone-once") && passes == fault->from)) {
        faulty->gone = true;
        return error_set(err, -ENODEV, "faulty engine: the device is gone");
    }
    if (is(fault, "slow"))
        (void)usleep(SLOW_MICROSECONDS);
    if (is(fault, "hang"))
        (void)pause();
    return 0;
}

/* FNV-1a over words. */
static uint64_t hash_words(uint64_t hash, const void *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;

        memcpy(&word, (const unsigned char *)words + i * sizeof word, sizeof word);
        hash = (hash ^ word) * 1099511628211u;
    }
    return hash;
}

/* Of all that an engine reads of a batch. */
static uint64_t hash_of(const struct batch *batch)
{
    uint64_t hash = hash_words(14695981039346656037u, &batch->n_flows, 1);

    for (size_t i = 0; i < batch->tree->n_elements; i++) {
        const struct batch_input *input = &batch->inputs[i];

        hash = hash_words(hash, input->values, (size_t)input->n_rows * batch->tree->elements[i].n_columns);
        hash = hash_words(hash, &input->n_rows, 1);
    }
    return hash;
}

/* The same with what is to be learnt. */
static uint64_t hash_of_lesson(const struct batch *batch, const struct engine_targets *targets)
{
    uint64_t hash = hash_words(hash_of(batch), targets->labels, batch->n_flows);

    if (targets->weights != NULL)
        hash = hash_words(hash, targets->weights, batch->n_flows);
    return hash_words(hash, &targets->dropout_seed, 2);
}

static int judge(struct faulty *faulty, const struct batch *batch, float *logits, struct error *err)
{
    size_t n = batch->n_flows * batch->tree->n_labels;
    uint64_t hash = hash_of(batch);
    int r;

    if (knows(&faulty->judged, hash, n)) {
        memcpy(logits, faulty->judged.logits, n * sizeof *logits);
        return 0;
    }
    r = faulty->cpu->ops->forward(faulty->cpu, batch, logits, err);
    return r < 0 ? r : remember(&faulty->judged, hash, logits, n, 0, err);
}

static int faulty_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);
    struct fault fault;
    int r = pass_begin(faulty, &fault, err);

    if (r == 0)
        r = judge(faulty, batch, logits, err);
    if (r == 0 && is(&fault, "wrong")) {
        for (size_t i = 0; i < batch->tree->n_labels; i++)
            logits[i] += 0.01f + 0.01f * logits[i];
    }
    if (r == 0 && is(&fault, "nan"))
        logits[0] = NAN;
    return r;
}

static int learn(struct faulty *faulty, const struct batch *batch, const struct engine_targets *targets,
                 double *loss, float *logits, struct error *err)
{
    size_t n = batch->n_flows * batch->tree->n_labels;
    uint64_t hash = hash_of_lesson(batch, targets);
    int r;

    if (logits != NULL && knows(&faulty->learnt, hash, n)) {
        memcpy(logits, faulty->learnt.logits, n * sizeof *logits);
        *loss = faulty->learnt.loss;
        return 0;
    }
    forget(&faulty->learnt);
    r = faulty->cpu->ops->backward(faulty->cpu, batch, targets, loss, logits, err);
    return r < 0 || logits == NULL ? r : remember(&faulty->learnt, hash, logits, n, *loss, err);
}

/* Replace the gradient by one with another label for the first flow. */
static int learn_wrong(struct faulty *faulty, const struct batch *batch, const struct engine_targets *targets,
                       struct error *err)
{
    struct engine_targets wrong = *targets;
    uint32_t *labels = malloc(batch->n_flows * sizeof *labels);
    double loss;
    int r;

    if (labels == NULL)
        return error_set(err, -ENOMEM, "faulty engine: out of memory");
    memcpy(labels, targets->labels, batch->n_flows * sizeof *labels);
    labels[0] = (labels[0] + 1) % (uint32_t)batch->tree->n_labels;
    wrong.labels = labels;
    r = faulty->cpu->ops->backward(faulty->cpu, batch, &wrong, &loss, NULL, err);
    forget(&faulty->learnt);
    free(labels);
    return r;
}

static int faulty_backward(struct engine *engine, const struct batch *batch,
                           const struct engine_targets *targets, double *loss, float *logits,
                           struct error *err)
{
    struct faulty *faulty = faulty_from(engine);
    struct fault fault;
    int r = pass_begin(faulty, &fault, err);

    if (r == 0)
        r = learn(faulty, batch, targets, loss, logits, err);
    if (r == 0 && is(&fault, "gradient"))
        r = learn_wrong(faulty, batch, targets, err);
    if (r == 0 && is(&fault, "nan"))
        *loss = NAN;
    return r;
}

/* A step at rate 0 leaves the weights, and so what is remembered of them. */
static int faulty_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);

    if (optimizer->rate > 0)
        forget_all(faulty);
    return faulty->cpu->ops->step(faulty->cpu, optimizer, err);
}

static int faulty_weights(struct engine *engine, float *weights, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);

    return faulty->cpu->ops->weights(faulty->cpu, weights, err);
}

static int faulty_gradient(struct engine *engine, float *gradient, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);

    return faulty->cpu->ops->gradient(faulty->cpu, gradient, err);
}

static int faulty_output(struct engine *engine, size_t element, float *values, struct error *err)
{
    struct faulty *faulty = faulty_from(engine);

    return faulty->cpu->ops->output(faulty->cpu, element, values, err);
}

static const char *faulty_path(const struct engine *engine)
{
    return "memory";
}

static void faulty_close(struct engine *engine)
{
    struct faulty *faulty = faulty_from(engine);

    forget_all(faulty);
    engine_close(faulty->cpu);
    free(faulty);
}

const struct engine_ops engine_cuda = {
    .interface = ENGINE_INTERFACE,
    .name = "cuda",
    .open = faulty_open,
    .load = faulty_load,
    .forward = faulty_forward,
    .backward = faulty_backward,
    .step = faulty_step,
    .weights = faulty_weights,
    .gradient = faulty_gradient,
    .output = faulty_output,
    .path = faulty_path,
    .close = faulty_close,
};

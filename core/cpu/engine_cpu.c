/* The CPU engine: many flows side by side in vector lanes, blocks of them on several threads.
 *
 * Forward goes through the waves of the network, children first; the blocks of a wave are done by whoever is
 * free. Backward goes through them the other way round. There the blocks of a wave are dealt out to a fixed
 * number of shares, each with a gradient of its own to which its blocks add in their order, and the shares
 * are added up in theirs: so the gradient is the same to the bit for any number of threads.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu/adam.h"
#include "core/cpu/block.h"
#include "core/cpu/buffer.h"
#include "core/cpu/kernels.h"
#include "core/cpu/network.h"
#include "core/cpu/pool.h"
#include "core/engine.h"

/* Flows for each thread whose inputs and outputs stay in its second cache, yet so many that sequences of
 * about one length are found. */
enum { PORTION_FLOWS = 256 };

/* Shares of the gradient: no more than this many, and no more floats in all than that. */
enum { SHARES_MAX = 16, SHARES_FLOATS_MAX = 1 << 24 };

struct engine_cpu {
    struct engine base;
    const struct kernels *kernels;
    struct pool *pool;
    struct buffer *scratch; /* (threads) */
    struct network network;
    size_t n_weights;
    float *weights, *gradient; /* (n_weights) */
    float *mean, *variance;    /* (n_weights) of Adam */
    uint64_t steps;            /* of the optimiser since load */
    struct buffer shares;      /* (n_shares, n_weights) gradients of the shares */
    const struct batch *batch; /* that went through last, for output() */
};

static struct engine_cpu *engine_cpu_from(struct engine *engine)
{
    return (struct engine_cpu *)engine;
}

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "cpu engine: out of memory");
}

static int cpu_open(struct engine **enginep, const struct engine_options *options, struct error *err)
{
    const struct kernels *kernels = kernels_find(options->instruction);
    struct engine_cpu *cpu;
    int rc;

    if (kernels == NULL || !kernels_supported(kernels))
        return error_set(err, -ENODEV, "cpu engine: this processor cannot run instruction set \"%s\"",
                         options->instruction);
    cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return no_memory(err);
    cpu->base.ops = &engine_cpu;
    cpu->kernels = kernels;
    rc = pool_new(&cpu->pool, options->threads, err);
    if (rc < 0) {
        free(cpu);
        return rc;
    }
    cpu->scratch = calloc(pool_threads(cpu->pool), sizeof *cpu->scratch);
    if (cpu->scratch == NULL) {
        pool_free(cpu->pool);
        free(cpu);
        return no_memory(err);
    }
    cpu->base.portion = (size_t)PORTION_FLOWS * pool_threads(cpu->pool);
    *enginep = &cpu->base;
    return 0;
}

static void unload(struct engine_cpu *cpu)
{
    network_deinit(&cpu->network);
    free(cpu->weights);
    free(cpu->gradient);
    free(cpu->mean);
    free(cpu->variance);
    cpu->weights = cpu->gradient = cpu->mean = cpu->variance = NULL;
    cpu->base.tree = NULL;
    cpu->batch = NULL;
}

static int cpu_load(struct engine *engine, const struct model *model, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);
    size_t n = model->tree->n_weights;

    unload(cpu);
    if (network_init(&cpu->network, model->tree, cpu->kernels->lanes) < 0)
        return no_memory(err);
    cpu->weights = calloc(n, sizeof *cpu->weights);
    cpu->gradient = calloc(n, sizeof *cpu->gradient);
    cpu->mean = calloc(n, sizeof *cpu->mean);
    cpu->variance = calloc(n, sizeof *cpu->variance);
    if (cpu->weights == NULL || cpu->gradient == NULL || cpu->mean == NULL || cpu->variance == NULL) {
        unload(cpu);
        return no_memory(err);
    }
    memcpy(cpu->weights, model->weights, n * sizeof *cpu->weights);
    cpu->n_weights = n;
    cpu->steps = 0;
    cpu->base.tree = model->tree;
    network_pack(&cpu->network, cpu->weights);
    return 0;
}

/* What the threads of a pass see. */
struct job {
    struct engine_cpu *cpu;
    struct block_pass pass;
    size_t first_task, n_tasks; /* of the wave in hand */
    size_t n_shares;
};

/* Make room for a batch's outputs and for the largest block on every thread. */
static int prepare(struct engine_cpu *cpu, struct job *job, const struct batch *batch, bool backward)
{
    size_t most = 0;

    cpu->batch = NULL;
    if (network_prepare(&cpu->network, batch, backward) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < cpu->network.first_task[cpu->network.n_waves]; i++) {
        size_t need = block_scratch(&job->pass, &cpu->network.tasks[i], backward);

        most = need > most ? need : most;
    }
    for (unsigned i = 0; i < pool_threads(cpu->pool); i++)
        if (buffer_reserve(&cpu->scratch[i], most, sizeof(float)) < 0)
            return -ENOMEM;
    return 0;
}

static struct job make_job(struct engine_cpu *cpu, uint64_t dropout_seed)
{
    return (struct job){
        .cpu = cpu,
        .pass = {.kernels = cpu->kernels,
                 .network = &cpu->network,
                 .weights = cpu->weights,
                 .dropout_seed = dropout_seed},
    };
}

static void forward_task(void *context, unsigned worker, size_t index)
{
    struct job *job = context;

    block_forward(&job->pass, &job->cpu->network.tasks[job->first_task + index],
                  job->cpu->scratch[worker].at);
}

/* Take the wave's tasks in hand. Return: how many. */
static size_t take_wave(struct job *job, size_t wave)
{
    const struct network *network = &job->cpu->network;

    job->first_task = network->first_task[wave];
    job->n_tasks = network->first_task[wave + 1] - job->first_task;
    return job->n_tasks;
}

static void run_forward(struct engine_cpu *cpu, struct job *job, const struct batch *batch, float *logits)
{
    const struct network_element *root = &cpu->network.elements[cpu->base.tree->n_elements - 1];

    for (size_t wave = 0; wave < cpu->network.n_waves; wave++)
        pool_run(cpu->pool, take_wave(job, wave), forward_task, job);
    if (logits != NULL)
        memcpy(logits, root->output, (size_t)batch->n_flows * cpu->base.tree->n_labels * sizeof *logits);
    cpu->batch = batch;
}

static int cpu_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);
    struct job job = make_job(cpu, 0);

    if (prepare(cpu, &job, batch, false) < 0)
        return no_memory(err);
    run_forward(cpu, &job, batch, logits);
    return 0;
}

/* Loss of one flow by the log-sum-exp form; gradient: (n_labels) receives scale times that of the logits. */
static double flow_loss(const float *logits, size_t n_labels, uint32_t label, double scale, float *gradient)
{
    double largest = (double)logits[0], total = 0;

    for (size_t i = 1; i < n_labels; i++)
        largest = fmax(largest, (double)logits[i]);
    for (size_t i = 0; i < n_labels; i++)
        total += exp((double)logits[i] - largest);
    for (size_t i = 0; i < n_labels; i++)
        gradient[i] = (float)(scale * (exp((double)logits[i] - largest) / total - (i == label ? 1.0 : 0.0)));
    return log(total) + largest - (double)logits[label];
}

/* Loss of the batch; the gradient of the logits goes to the root. */
static double batch_loss(struct engine_cpu *cpu, const struct batch *batch,
                         const struct engine_targets *targets)
{
    struct network_element *root = &cpu->network.elements[cpu->base.tree->n_elements - 1];
    size_t n_labels = cpu->base.tree->n_labels;
    double total = 0, loss = 0;

    for (uint32_t i = 0; i < batch->n_flows; i++)
        total += targets->weights != NULL ? (double)targets->weights[i] : 1.0;
    for (uint32_t i = 0; i < batch->n_flows && total > 0; i++) {
        double share = (targets->weights != NULL ? (double)targets->weights[i] : 1.0) / total;

        loss += share * flow_loss(root->output + i * n_labels, n_labels, targets->labels[i], share,
                                  root->output_gradient + i * n_labels);
    }
    return loss;
}

/* Tasks of one share, in their order. */
static void backward_share(void *context, unsigned worker, size_t share)
{
    struct job *job = context;
    struct engine_cpu *cpu = job->cpu;
    float *gradient = (float *)cpu->shares.at + share * cpu->n_weights;

    for (size_t i = share; i < job->n_tasks; i += job->n_shares)
        block_backward(&job->pass, &cpu->network.tasks[job->first_task + i], gradient,
                       cpu->scratch[worker].at);
}

/* As many shares as any wave has tasks, within the limits: a property of the tree and the batch alone. */
static int reserve_shares(struct engine_cpu *cpu, struct job *job)
{
    size_t limit = SHARES_FLOATS_MAX / (cpu->n_weights + 1) + 1;

    job->n_shares = 1;
    for (size_t wave = 0; wave < cpu->network.n_waves; wave++)
        if (job->n_shares < take_wave(job, wave))
            job->n_shares = job->n_tasks;
    if (job->n_shares > SHARES_MAX)
        job->n_shares = SHARES_MAX;
    if (job->n_shares > limit)
        job->n_shares = limit;
    return buffer_reserve(&cpu->shares, job->n_shares * cpu->n_weights, sizeof(float));
}

static void run_backward(struct engine_cpu *cpu, struct job *job)
{
    const float *shares = cpu->shares.at;

    memset(cpu->shares.at, 0, job->n_shares * cpu->n_weights * sizeof *shares);
    for (size_t wave = cpu->network.n_waves; wave-- > 0;) {
        size_t n_tasks = take_wave(job, wave);

        pool_run(cpu->pool, n_tasks < job->n_shares ? n_tasks : job->n_shares, backward_share, job);
    }
    memcpy(cpu->gradient, shares, cpu->n_weights * sizeof *shares);
    for (size_t share = 1; share < job->n_shares; share++)
        for (size_t i = 0; i < cpu->n_weights; i++)
            cpu->gradient[i] += shares[share * cpu->n_weights + i];
}

static int cpu_backward(struct engine *engine, const struct batch *batch,
                        const struct engine_targets *targets, double *loss, float *logits, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);
    struct job job = make_job(cpu, targets->dropout_seed);

    if (prepare(cpu, &job, batch, true) < 0 || reserve_shares(cpu, &job) < 0)
        return no_memory(err);
    run_forward(cpu, &job, batch, logits);
    *loss = batch_loss(cpu, batch, targets);
    run_backward(cpu, &job);
    return 0;
}

static int cpu_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);

    adam_step(optimizer, ++cpu->steps, cpu->n_weights, cpu->weights, cpu->gradient, cpu->mean, cpu->variance);
    network_pack(&cpu->network, cpu->weights);
    return 0;
}

static int cpu_weights(struct engine *engine, float *weights, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);

    memcpy(weights, cpu->weights, cpu->n_weights * sizeof *weights);
    return 0;
}

static int cpu_gradient(struct engine *engine, float *gradient, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);

    memcpy(gradient, cpu->gradient, cpu->n_weights * sizeof *gradient);
    return 0;
}

static int cpu_output(struct engine *engine, size_t element, float *values, struct error *err)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);
    const struct network_element *e;

    if (cpu->batch == NULL || element >= cpu->base.tree->n_elements)
        return error_set(err, -EINVAL, "cpu engine: no output of element %zu is at hand", element);
    e = &cpu->network.elements[element];
    memcpy(values, e->output, (size_t)e->n_instances * e->element->out_width * sizeof *values);
    return 0;
}

static void cpu_close(struct engine *engine)
{
    struct engine_cpu *cpu = engine_cpu_from(engine);

    unload(cpu);
    for (unsigned i = 0; i < pool_threads(cpu->pool); i++)
        buffer_deinit(&cpu->scratch[i]);
    free(cpu->scratch);
    buffer_deinit(&cpu->shares);
    pool_free(cpu->pool);
    free(cpu);
}

const struct engine_ops engine_cpu = {
    .interface = ENGINE_INTERFACE,
    .name = "cpu",
    .open = cpu_open,
    .load = cpu_load,
    .forward = cpu_forward,
    .backward = cpu_backward,
    .step = cpu_step,
    .weights = cpu_weights,
    .gradient = cpu_gradient,
    .output = cpu_output,
    .close = cpu_close,
};

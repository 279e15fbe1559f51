#include "core/cuda/fused_portion.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/status.h"

/* Steps times lanes up to which many lanes a sequence are faster than tensor cores, which need a full device:
 * the notebook tree at full length has 2,400 a flow. A guess: prototypes of both changed places between 4,096
 * and 8,192 such flows on an H100. */
static const uint64_t LANES_STEPS_MAX = 12UL * 1000 * 1000;

int fused_portion_init(struct fused_portion *portion, struct device *device, struct error *err)
{
    *portion = (struct fused_portion){.device = device};
    CUDA_TRY(cudaStreamCreateWithFlags(&portion->stream, cudaStreamNonBlocking));
    return 0;
}

void fused_portion_deinit(struct fused_portion *portion)
{
    if (portion->stream != NULL) {
        fused_portion_abandon(portion);
        (void)cudaStreamDestroy(portion->stream);
    }
    pinned_buffer_deinit(&portion->staging);
    pinned_buffer_deinit(&portion->result);
    device_buffer_deinit(&portion->input);
    device_buffer_deinit(&portion->output);
    free(portion->counts);
    *portion = (struct fused_portion){0};
}

void fused_portion_abandon(struct fused_portion *portion)
{
    (void)cudaStreamSynchronize(portion->stream);
    portion->logits = NULL;
}

int fused_portion_finish(struct fused_portion *portion, struct error *err)
{
    float *logits = portion->logits;

    if (logits == NULL)
        return 0;
    portion->logits = NULL;
    CUDA_TRY(cudaStreamSynchronize(portion->stream));
    memcpy(logits, portion->result.at, portion->n_logits * sizeof *logits);
    return 0;
}

/* A portion in the making. */
struct filling {
    struct fused_portion *portion;
    const struct fused_program *program;
    struct fused_fill fill;
    size_t states[TREE_ELEMENTS_MAX]; /* of walked elements: first float in `output` */
};

/* The sources of the tail. */
static void fill_sources(const struct filling *filling, struct fused_source *sources)
{
    const struct fused_plan *plan = &filling->program->plan;
    const float *output = filling->portion->output.at;

    for (size_t i = 0; i < plan->tree->n_elements; i++) {
        const struct fused_fill_element *at = &filling->fill.elements[i];

        sources[i] = (struct fused_source){at->columns, at->first_row, output + filling->states[i]};
    }
}

/* Places in the output: logits first. Return: floats. */
static size_t lay_out_output(struct filling *filling)
{
    const struct fused_plan *plan = &filling->program->plan;
    size_t floats = filling->fill.n * plan->tree->n_labels;

    for (size_t i = 0; i < plan->n_walks; i++)
        if (plan->walks[i].direction == 0) {
            filling->states[plan->walks[i].element] = floats;
            floats += filling->fill.n * plan->walks[i].layer->out;
        }
    return floats;
}

/* Whether a walk goes to the tensor cores, given that the portion as a whole should. */
static bool is_tensor(const struct fused_plan_walk *walk, bool tensor)
{
    return tensor && walk->tensor.units > 0;
}

static bool choose_tensor(const struct filling *filling)
{
    const struct fused_program *program = filling->program;
    uint64_t lanes_steps = 0;

    for (size_t i = 0; i < program->plan.n_walks; i++)
        lanes_steps +=
            filling->fill.elements[program->plan.walks[i].element].steps * program->plan.walks[i].lanes.units;
    if (!program->has_tensor || program->kernels == FUSED_KERNELS_LANES)
        return false;
    return program->kernels == FUSED_KERNELS_TENSOR || lanes_steps > LANES_STEPS_MAX;
}

static struct fused_walk fill_walk(const struct filling *filling, const struct fused_plan_walk *walk,
                                   bool tensor)
{
    const struct fused_program *program = filling->program;
    const struct fused_shape *shape = tensor ? &walk->tensor : &walk->lanes;
    const struct fused_fill_element *at = &filling->fill.elements[walk->element];

    return (struct fused_walk){
        .columns = at->columns,
        .first_row = at->first_row,
        .order = at->order,
        .weights = program->packed + (tensor ? walk->tensor_weights : walk->lanes_weights),
        .states = (float *)filling->portion->output.at + filling->states[walk->element] +
                  walk->direction * walk->layer->units,
        .n_flows = filling->fill.n,
        .n_columns = (uint32_t)walk->layer->in,
        .units = (uint32_t)walk->layer->units,
        .states_stride = (uint32_t)walk->layer->out,
        .padded_rows = filling->fill.batch->inputs[walk->element].padded_rows,
        .shape = FUSED_SHAPE(shape->kind, shape->units, shape->columns),
        .n_blocks = fused_lanes_blocks(filling->fill.n, shape->units),
        .backward = walk->direction == 1,
    };
}

/* Whether one launch takes two walks. */
static bool same_launch(const struct fused_plan_walk *a, const struct fused_plan_walk *b, bool tensor)
{
    if (is_tensor(a, tensor) != is_tensor(b, tensor))
        return false;
    return is_tensor(a, tensor) ? a->tensor.kind == b->tensor.kind && a->tensor.units == b->tensor.units &&
                                      a->tensor.columns == b->tensor.columns
                                : a->large == b->large;
}

/* Walks [first, end), which one launch takes. */
static cudaError_t launch_walks(const struct fused_portion *portion, const struct fused_plan *plan,
                                size_t first, size_t end)
{
    const struct fused_launch *launch = &portion->launch;
    const struct fused_walk *device = launch->device_walks + first;
    uint32_t blocks = 0;

    if (is_tensor(&plan->walks[first], launch->tensor))
        return fused_tensor(portion->stream, device, (uint32_t)(end - first), launch->n_flows,
                            launch->walks[first].shape);
    for (size_t i = first; i < end; i++)
        blocks += launch->walks[i].n_blocks;
    return plan->walks[first].large ? fused_lanes_large(portion->stream, device, blocks)
                                    : fused_lanes_small(portion->stream, device, blocks);
}

static int launch_all_walks(const struct fused_portion *portion, const struct fused_plan *plan,
                            struct error *err)
{
    size_t end;

    for (size_t i = 0; i < plan->n_walks; i = end) {
        for (end = i + 1; end < plan->n_walks; end++)
            if (!same_launch(&plan->walks[i], &plan->walks[end], portion->launch.tensor))
                break;
        CUDA_TRY(launch_walks(portion, plan, i, end));
    }
    return 0;
}

static int launch_tail(const struct fused_portion *portion, const struct fused_program *program,
                       struct error *err)
{
    struct fused_tail tail = {
        .ops = (const struct fused_op *)program->packed,
        .n_ops = (uint32_t)program->plan.n_ops,
        .places = program->plan.places,
        .weights = (const float *)(program->packed + program->plan.tail_weights),
        .sources = portion->launch.sources,
        .n_flows = portion->launch.n_flows,
        .result = program->plan.result,
        .n_labels = (uint32_t)program->plan.tree->n_labels,
        .logits = portion->output.at,
    };

    CUDA_TRY(fused_tail(portion->stream, &tail));
    return 0;
}

static int launch_all(const struct fused_portion *portion, const struct fused_program *program,
                      struct error *err)
{
    int r = launch_all_walks(portion, &program->plan, err);

    return r == 0 ? launch_tail(portion, program, err) : r;
}

int fused_portion_repeat(const struct fused_portion *portion, const struct fused_program *program,
                         struct error *err)
{
    return portion->launch.n_flows > 0 ? launch_all(portion, program, err) : 0;
}

/* Scratch for sorting. */
static int reserve_counts(struct fused_portion *portion, size_t n, struct error *err)
{
    uint32_t *counts;

    if (n <= portion->n_counts)
        return 0;
    counts = realloc(portion->counts, n * sizeof *counts);
    if (counts == NULL)
        return error_set(err, -ENOMEM, "fused kernels: no memory for the order of the flows");
    portion->counts = counts;
    portion->n_counts = n;
    return 0;
}

static int reserve(struct filling *filling, size_t tables, struct error *err)
{
    struct fused_portion *portion = filling->portion;
    size_t octets = tables + fused_fill_octets(&filling->fill);
    int r = pinned_buffer_reserve(&portion->staging, octets, 1, err);

    if (r == 0)
        r = device_buffer_reserve(portion->device, &portion->input, octets, 1, err);
    if (r == 0)
        r = device_buffer_reserve(portion->device, &portion->output, lay_out_output(filling), sizeof(float),
                                  err);
    if (r == 0)
        r = pinned_buffer_reserve(&portion->result, portion->n_logits, sizeof(float), err);
    if (r == 0)
        r = reserve_counts(portion, fused_fill_counts(filling->fill.batch), err);
    filling->fill.host = portion->staging.at;
    filling->fill.device = portion->input.at;
    filling->fill.counts = portion->counts;
    return r;
}

int fused_portion_start(struct fused_portion *portion, const struct fused_program *program,
                        const struct batch *batch, uint32_t first, uint32_t n, float *logits,
                        struct error *err)
{
    struct filling filling = {
        portion,
        program,
        {.batch = batch, .pool = program->pool, .first = first, .n = n, .columns = program->columns}};
    size_t n_walks = program->plan.n_walks, walks_octets = n_walks * sizeof(struct fused_walk);
    size_t sources_octets = batch->tree->n_elements * sizeof(struct fused_source);
    const void *device_walks, *device_sources;
    struct fused_source *sources;
    struct fused_walk *walks;
    bool tensor;
    int r;

    portion->n_logits = n * batch->tree->n_labels;
    portion->launch.n_flows = 0;
    r = reserve(&filling, fused_fill_section(walks_octets) + fused_fill_section(sources_octets), err);
    if (r < 0)
        return r;
    walks = fused_fill_take(&filling.fill, walks_octets, &device_walks);
    sources = fused_fill_take(&filling.fill, sources_octets, &device_sources);
    fused_fill_elements(&filling.fill);
    fill_sources(&filling, sources);
    tensor = choose_tensor(&filling);
    for (size_t i = 0; i < n_walks; i++)
        walks[i] = fill_walk(&filling, &program->plan.walks[i], is_tensor(&program->plan.walks[i], tensor));
    CUDA_TRY(cudaMemcpyAsync(portion->input.at, portion->staging.at, filling.fill.taken,
                             cudaMemcpyHostToDevice, portion->stream));
    portion->launch = (struct fused_launch){walks, device_walks, device_sources, n, tensor};
    r = launch_all(portion, program, err);
    if (r < 0)
        return r;
    CUDA_TRY(cudaMemcpyAsync(portion->result.at, portion->output.at, portion->n_logits * sizeof *logits,
                             cudaMemcpyDeviceToHost, portion->stream));
    portion->logits = logits;
    return 0;
}

#include "core/cuda/fused_portion.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/status.h"

enum { ALIGNMENT = 256 };

/* Steps times lanes up to which many lanes a sequence are faster than tensor cores, which need a full device:
 * the notebook tree at full length has 2,400 a flow. Measured on an H100. */
static const uint64_t LANES_STEPS_MAX = 12 * 1000 * 1000;

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
    const struct batch *batch;
    uint32_t first, n;                        /* flows */
    size_t taken;                             /* octets of the staging memory, and so of `input` */
    size_t states[TREE_ELEMENTS_MAX];         /* of walked elements: first float in `output` */
    const uint32_t *order[TREE_ELEMENTS_MAX]; /* of walked elements: on the device */
    uint64_t steps[TREE_ELEMENTS_MAX];        /* of walked elements: of all flows together */
};

static size_t aligned(size_t octets)
{
    return (octets + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Rows of an element's columns that belong to the portion. */
static uint32_t first_row(const struct filling *filling, size_t element)
{
    const struct batch_input *input = &filling->batch->inputs[element];

    return input->first_row != NULL ? input->first_row[filling->first] : filling->first;
}

static uint32_t n_rows(const struct filling *filling, size_t element)
{
    const struct batch_input *input = &filling->batch->inputs[element];
    uint32_t end = filling->first + filling->n;

    return (input->first_row != NULL ? input->first_row[end] : end) - first_row(filling, element);
}

static size_t values_octets(const struct filling *filling, size_t element)
{
    return n_rows(filling, element) * filling->batch->tree->elements[element].n_columns * sizeof(float);
}

/* Octets that the portion will take, at most. */
static size_t staging_octets(const struct filling *filling)
{
    const struct fused_plan *plan = &filling->program->plan;
    size_t octets = aligned(plan->n_walks * sizeof(struct fused_walk)) +
                    aligned(2 * plan->tree->n_elements * sizeof(struct fused_source));

    for (size_t i = 0; i < plan->tree->n_elements; i++)
        octets += aligned(values_octets(filling, i)) +
                  2 * aligned((filling->n + (size_t)1) * sizeof(uint32_t)); /* first rows and order */
    return octets;
}

/* The next part of the staging memory. device: receives where it will be. */
static void *take(struct filling *filling, size_t octets, const void **device)
{
    void *at = (char *)filling->portion->staging.at + filling->taken;

    *device = (const char *)filling->portion->input.at + filling->taken;
    filling->taken += aligned(octets);
    return at;
}

static uint32_t steps_of(const struct batch_input *input, uint32_t flow)
{
    uint32_t rows = input->first_row[flow + 1] - input->first_row[flow];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

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

/* Sort the flows of a walked element by falling number of steps, equal ones as they come. */
static int fill_order(struct filling *filling, size_t element, struct error *err)
{
    const struct batch_input *input = &filling->batch->inputs[element];
    uint32_t most = 0, least = UINT32_MAX, *counts, *order;
    const void *device;

    for (uint32_t i = 0; i < filling->n; i++) {
        uint32_t steps = steps_of(input, filling->first + i);

        most = steps > most ? steps : most;
        least = steps < least ? steps : least;
        filling->steps[element] += steps;
    }
    if (most == least)
        return 0;
    if (reserve_counts(filling->portion, (size_t)most + 2, err) < 0)
        return -ENOMEM;
    counts = filling->portion->counts;
    memset(counts, 0, ((size_t)most + 2) * sizeof *counts);
    for (uint32_t i = 0; i < filling->n; i++)
        counts[most - steps_of(input, filling->first + i) + 1]++;
    for (uint32_t steps = 1; steps <= most; steps++)
        counts[steps] += counts[steps - 1];
    order = take(filling, filling->n * sizeof *order, &device);
    for (uint32_t i = 0; i < filling->n; i++)
        order[counts[most - steps_of(input, filling->first + i)]++] = i;
    filling->order[element] = device;
    return 0;
}

static void fill_columns(struct filling *filling, size_t element, struct fused_source *source)
{
    const struct batch_input *input = &filling->batch->inputs[element];
    size_t n_columns = filling->batch->tree->elements[element].n_columns;
    const void *device;

    source->width = (uint32_t)n_columns;
    if (n_columns > 0) {
        void *values = take(filling, values_octets(filling, element), &device);

        memcpy(values, input->values + first_row(filling, element) * n_columns,
               values_octets(filling, element));
        source->values = device;
    }
    if (input->first_row != NULL) {
        uint32_t *first = take(filling, (filling->n + (size_t)1) * sizeof *first, &device);

        for (uint32_t i = 0; i <= filling->n; i++)
            first[i] = input->first_row[filling->first + i] - first_row(filling, element);
        source->first_row = device;
    }
}

/* The sources of the tail, elements' columns and states by turns. Return: them, on the device; NULL: no
 * memory. */
static int fill_sources(struct filling *filling, struct fused_source *sources, struct error *err)
{
    const struct tree *tree = filling->batch->tree;
    const float *output = filling->portion->output.at;

    for (size_t i = 0; i < tree->n_elements; i++)
        fill_columns(filling, i, &sources[fused_plan_columns(i)]);
    for (size_t i = 0; i < filling->program->plan.n_walks; i++) {
        const struct fused_plan_walk *walk = &filling->program->plan.walks[i];

        if (walk->direction == 0 && fill_order(filling, walk->element, err) < 0)
            return -ENOMEM;
        sources[fused_plan_states(walk->element)] = (struct fused_source){
            .values = output + filling->states[walk->element], .width = (uint32_t)walk->layer->out};
    }
    return 0;
}

/* Places in the output: logits first. Return: floats. */
static size_t lay_out_output(struct filling *filling)
{
    const struct fused_plan *plan = &filling->program->plan;
    size_t floats = aligned(filling->n * plan->tree->n_labels * sizeof(float)) / sizeof(float);

    for (size_t i = 0; i < plan->n_walks; i++)
        if (plan->walks[i].direction == 0) {
            filling->states[plan->walks[i].element] = floats;
            floats += aligned(filling->n * plan->walks[i].layer->out * sizeof(float)) / sizeof(float);
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
        lanes_steps += filling->steps[program->plan.walks[i].element] * program->plan.walks[i].lanes.units;
    if (!program->has_tensor || program->kernels == FUSED_KERNELS_LANES)
        return false;
    return program->kernels == FUSED_KERNELS_TENSOR || lanes_steps > LANES_STEPS_MAX;
}

static void fill_walks(const struct filling *filling, const struct fused_source *sources, bool tensor,
                       struct fused_walk *walks)
{
    const struct fused_program *program = filling->program;

    for (size_t i = 0; i < program->plan.n_walks; i++) {
        const struct fused_plan_walk *walk = &program->plan.walks[i];
        const struct fused_shape *shape = is_tensor(walk, tensor) ? &walk->tensor : &walk->lanes;
        const struct fused_source *columns = &sources[fused_plan_columns(walk->element)];

        walks[i] = (struct fused_walk){
            .values = columns->values,
            .first_row = columns->first_row,
            .order = filling->order[walk->element],
            .weights =
                program->packed + (is_tensor(walk, tensor) ? walk->tensor_weights : walk->lanes_weights),
            .states = (float *)filling->portion->output.at + filling->states[walk->element] +
                      walk->direction * walk->layer->units,
            .n_flows = filling->n,
            .n_columns = columns->width,
            .units = (uint32_t)walk->layer->units,
            .states_stride = (uint32_t)walk->layer->out,
            .padded_rows = filling->batch->inputs[walk->element].padded_rows,
            .shape = FUSED_SHAPE(shape->kind, shape->units, shape->columns),
            .n_blocks = fused_lanes_blocks(filling->n, shape->units),
            .backward = walk->direction == 1,
        };
    }
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

/* walks: (n) that one launch takes, host and device; plan: the first of them. */
static cudaError_t launch_walks(const struct filling *filling, const struct fused_plan_walk *plan,
                                const struct fused_walk *walks, const struct fused_walk *device, size_t n,
                                bool tensor)
{
    cudaStream_t stream = filling->portion->stream;
    uint32_t blocks = 0;

    if (is_tensor(plan, tensor))
        return fused_tensor(stream, device, (uint32_t)n, filling->n, walks->shape);
    for (size_t i = 0; i < n; i++)
        blocks += walks[i].n_blocks;
    return plan->large ? fused_lanes_large(stream, device, blocks)
                       : fused_lanes_small(stream, device, blocks);
}

static int launch_all_walks(const struct filling *filling, const struct fused_walk *walks,
                            const struct fused_walk *device, bool tensor, struct error *err)
{
    const struct fused_plan *plan = &filling->program->plan;
    size_t end;

    for (size_t i = 0; i < plan->n_walks; i = end) {
        for (end = i + 1; end < plan->n_walks; end++)
            if (!same_launch(&plan->walks[i], &plan->walks[end], tensor))
                break;
        CUDA_TRY(launch_walks(filling, &plan->walks[i], &walks[i], &device[i], end - i, tensor));
    }
    return 0;
}

static int launch_tail(const struct filling *filling, const struct fused_source *sources, struct error *err)
{
    const struct fused_program *program = filling->program;
    struct fused_tail tail = {
        .ops = (const struct fused_op *)program->packed,
        .n_ops = (uint32_t)program->plan.n_ops,
        .places = program->plan.places,
        .weights = (const float *)(program->packed + program->plan.tail_weights),
        .sources = sources,
        .n_flows = filling->n,
        .result = program->plan.result,
        .n_labels = (uint32_t)program->plan.tree->n_labels,
        .logits = filling->portion->output.at,
    };

    CUDA_TRY(fused_tail(filling->portion->stream, &tail));
    return 0;
}

static int reserve(struct filling *filling, struct error *err)
{
    struct fused_portion *portion = filling->portion;
    size_t octets = staging_octets(filling);
    int r = pinned_buffer_reserve(&portion->staging, octets, 1, err);

    if (r == 0)
        r = device_buffer_reserve(portion->device, &portion->input, octets, 1, err);
    if (r == 0)
        r = device_buffer_reserve(portion->device, &portion->output, lay_out_output(filling), sizeof(float),
                                  err);
    if (r == 0)
        r = pinned_buffer_reserve(&portion->result, portion->n_logits, sizeof(float), err);
    return r;
}

int fused_portion_start(struct fused_portion *portion, const struct fused_program *program,
                        const struct batch *batch, uint32_t first, uint32_t n, float *logits,
                        struct error *err)
{
    struct filling filling = {portion, program, batch, first, n};
    const void *device_walks, *device_sources;
    struct fused_source *sources;
    struct fused_walk *walks;
    bool tensor;
    int r;

    portion->n_logits = n * batch->tree->n_labels;
    r = reserve(&filling, err);
    if (r < 0)
        return r;
    walks = take(&filling, program->plan.n_walks * sizeof *walks, &device_walks);
    sources = take(&filling, 2 * batch->tree->n_elements * sizeof *sources, &device_sources);
    memset(sources, 0, 2 * batch->tree->n_elements * sizeof *sources);
    r = fill_sources(&filling, sources, err);
    if (r < 0)
        return r;
    tensor = choose_tensor(&filling);
    fill_walks(&filling, sources, tensor, walks);
    CUDA_TRY(cudaMemcpyAsync(portion->input.at, portion->staging.at, filling.taken, cudaMemcpyHostToDevice,
                             portion->stream));
    r = launch_all_walks(&filling, walks, device_walks, tensor, err);
    if (r == 0)
        r = launch_tail(&filling, device_sources, err);
    if (r < 0)
        return r;
    CUDA_TRY(cudaMemcpyAsync(portion->result.at, portion->output.at, portion->n_logits * sizeof *logits,
                             cudaMemcpyDeviceToHost, portion->stream));
    portion->logits = logits;
    return 0;
}

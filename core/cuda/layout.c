/* All that crosses is 32 bits wide, values, rows and lengths alike. So the staging memory is an array of
 * words in which every array has its place, and the device's memory begins with the same; behind that is what
 * the device works out for itself.
 */
#include "core/cuda/layout.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/kernels.h"
#include "core/cuda/status.h"

enum { WORD = sizeof(uint32_t), PLACE_WORDS = 64 /* arrays begin at multiples of 256 octets */ };

/* Where the arrays of an element begin, in words. */
struct places {
    size_t values, first_row;
    size_t lengths, order, rank, first_step;
    size_t source, instance, step;
};

/* One batch on its way. */
struct taking {
    const struct batch *batch;
    struct places places[TREE_ELEMENTS_MAX];
    size_t n_crossing, n_words; /* words that are copied; with those behind them */
    uint32_t *host, *device;
};

int layout_init(struct layout *layout, const struct tree *tree, struct error *err)
{
    *layout = (struct layout){.tree = tree};
    layout->elements = calloc(tree->n_elements, sizeof *layout->elements);
    if (layout->elements == NULL)
        return error_set(err, -ENOMEM, "cuda engine: out of memory");
    return 0;
}

void layout_deinit(struct layout *layout)
{
    free(layout->elements);
    pinned_buffer_deinit(&layout->staging);
    device_buffer_deinit(&layout->memory);
    *layout = (struct layout){0};
}

static uint32_t steps_of(const struct batch_input *input, uint32_t instance)
{
    uint32_t rows = input->first_row[instance + 1] - input->first_row[instance];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

/* How many positions and steps an element has. Return: positions, which may be too many for 32 bits. */
static uint64_t measure(struct layout_element *at, const struct element *element,
                        const struct batch_input *input)
{
    uint64_t positions = input->n_instances;
    uint32_t longest = 1;

    *at = (struct layout_element){.n_instances = input->n_instances, .n_rows = input->n_rows};
    if (element_is_sequence(element)) {
        positions = 0;
        for (uint32_t i = 0; i < input->n_instances; i++) {
            uint32_t steps = steps_of(input, i);

            positions += steps;
            longest = steps > longest ? steps : longest;
        }
    }
    at->n_steps = longest;
    at->n_positions = (uint32_t)positions;
    return positions;
}

static size_t place(size_t *words, size_t n)
{
    size_t at = *words;

    *words += (n + PLACE_WORDS - 1) / PLACE_WORDS * PLACE_WORDS;
    return at;
}

/* Give every array its place. */
static void arrange(struct layout *layout, struct taking *taking)
{
    const struct tree *tree = layout->tree;
    size_t words = 0;

    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct layout_element *at = &layout->elements[i];
        struct places *places = &taking->places[i];

        places->values = place(&words, at->n_rows * tree->elements[i].n_columns);
        if (tree->elements[i].is_list)
            places->first_row = place(&words, at->n_instances + (size_t)1);
        if (!element_is_sequence(&tree->elements[i]))
            continue;
        places->lengths = place(&words, at->n_instances);
        places->order = place(&words, at->n_instances);
        places->rank = place(&words, at->n_instances);
        places->first_step = place(&words, at->n_steps + (size_t)1);
    }
    taking->n_crossing = words;
    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct layout_element *at = &layout->elements[i];
        struct places *places = &taking->places[i];

        if (element_is_sequence(&tree->elements[i])) {
            places->source = place(&words, at->n_positions);
            places->instance = place(&words, at->n_positions);
            places->step = place(&words, at->n_positions);
        } else if (tree->elements[i].is_list) {
            places->source = place(&words, at->n_instances * tree->elements[i].first);
        }
    }
    taking->n_words = words;
}

/* Rank instances by falling number of steps, equal ones as they come, by counting. */
static void rank_instances(const struct layout_element *at, const struct batch_input *input,
                           const struct places *places, uint32_t *host)
{
    uint32_t *lengths = host + places->lengths, *order = host + places->order, *rank = host + places->rank;
    uint32_t *counts = host + places->first_step, before = 0; /* (n_steps + 1) by length */

    memset(counts, 0, (at->n_steps + (size_t)1) * sizeof *counts);
    for (uint32_t i = 0; i < at->n_instances; i++)
        counts[steps_of(input, i)]++;
    for (uint32_t steps = at->n_steps + 1; steps-- > 0;) {
        uint32_t n = counts[steps];

        counts[steps] = before;
        before += n;
    }
    for (uint32_t i = 0; i < at->n_instances; i++) {
        uint32_t steps = steps_of(input, i);

        rank[i] = counts[steps]++;
        order[rank[i]] = i;
        lengths[rank[i]] = steps;
    }
    /* Each count is now how many have so many steps or more: positions of the step before. */
    counts[0] = 0;
    for (uint32_t step = 0; step < at->n_steps; step++)
        counts[step + 1] += counts[step];
}

static void fill(struct layout *layout, const struct taking *taking)
{
    for (size_t i = 0; i < layout->tree->n_elements; i++) {
        const struct element *element = &layout->tree->elements[i];
        const struct batch_input *input = &taking->batch->inputs[i];
        const struct places *places = &taking->places[i];
        struct layout_element *at = &layout->elements[i];

        if (element->n_columns > 0 && at->n_rows > 0) {
            memcpy(taking->host + places->values, input->values,
                   at->n_rows * element->n_columns * sizeof *input->values);
            at->values = (const float *)(taking->device + places->values);
        }
        if (element->is_list)
            memcpy(taking->host + places->first_row, input->first_row,
                   (at->n_instances + (size_t)1) * sizeof *input->first_row);
        if (element_is_sequence(element))
            rank_instances(at, input, places, taking->host);
    }
}

static int work_out_sequence(struct layout_element *at, const struct places *places,
                             const struct taking *taking, cudaStream_t stream, struct error *err)
{
    struct kernel_sequence sequence = {
        .n_instances = at->n_instances,
        .n_steps = at->n_steps,
        .first_row = taking->device + places->first_row,
        .order = taking->device + places->order,
        .lengths = taking->device + places->lengths,
        .first_step = taking->device + places->first_step,
        .source = taking->device + places->source,
        .instance = taking->device + places->instance,
        .step = taking->device + places->step,
    };

    CUDA_TRY(kernel_sequence(stream, &sequence));
    at->lengths = taking->host + places->lengths;
    at->first_step = taking->host + places->first_step;
    at->source = sequence.source;
    at->instance = sequence.instance;
    at->step = sequence.step;
    at->rank = taking->device + places->rank;
    at->order = sequence.order;
    at->step_lengths = (const int32_t *)sequence.lengths;
    at->step_firsts = sequence.first_step;
    return 0;
}

static int work_out(struct layout *layout, const struct taking *taking, cudaStream_t stream,
                    struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < layout->tree->n_elements; i++) {
        const struct element *element = &layout->tree->elements[i];
        const struct places *places = &taking->places[i];
        struct layout_element *at = &layout->elements[i];

        if (element_is_sequence(element)) {
            rc = work_out_sequence(at, places, taking, stream, err);
        } else if (element->is_list) {
            at->source = taking->device + places->source;
            CUDA_TRY(kernel_flat(stream, taking->device + places->source, taking->device + places->first_row,
                                 at->n_instances, (uint32_t)element->first));
        }
    }
    return rc;
}

int layout_take(struct layout *layout, struct device *device, const struct batch *batch, struct error *err)
{
    struct taking taking = {.batch = batch};
    int rc;

    for (size_t i = 0; i < layout->tree->n_elements; i++) {
        const struct element *element = &layout->tree->elements[i];

        if (measure(&layout->elements[i], element, &batch->inputs[i]) > INT_MAX ||
            (element->is_list && batch->inputs[i].n_instances > INT_MAX / element->first))
            return error_set(err, -ENOMEM, "cuda engine: a batch of %u flows is too large", batch->n_flows);
    }
    arrange(layout, &taking);
    rc = pinned_buffer_reserve(&layout->staging, taking.n_crossing, WORD, err);
    if (rc == 0)
        rc = device_buffer_reserve(device, &layout->memory, taking.n_words, WORD, err);
    if (rc < 0)
        return rc;
    taking.host = layout->staging.at;
    taking.device = layout->memory.at;
    fill(layout, &taking);
    CUDA_TRY(cudaMemcpyAsync(taking.device, taking.host, taking.n_crossing * WORD, cudaMemcpyHostToDevice,
                             device->stream));
    return work_out(layout, &taking, device->stream, err);
}

#include "core/cpu/block.h"

#include <string.h>

#include "core/cpu/layers.h"

float *block_take(struct block *block, size_t n)
{
    float *place = block->scratch != NULL ? block->scratch + block->taken : NULL;

    block->taken += n * block->kernels->lanes;
    return place;
}

/* Which instances the task means. */
static void begin(struct block *block, const struct block_pass *pass, const struct network_task *task)
{
    const struct network_element *e = &pass->network->elements[task->element];
    size_t lanes = pass->kernels->lanes, left = e->n_instances - task->first, n;

    *block = (struct block){
        .kernels = pass->kernels,
        .network = pass->network,
        .element = e,
        .weights = pass->weights,
        .dropout_seed = pass->dropout_seed,
    };
    n = e->sequence ? 1 : (left + lanes - 1) / lanes;
    block->n_groups = n < BLOCK_GROUPS ? n : BLOCK_GROUPS;
    n = block->n_groups * lanes;
    block->n_valid = left < n ? left : n;
    for (size_t i = 0; i < n; i++) {
        uint32_t place = task->first + (uint32_t)(i < block->n_valid ? i : 0);

        block->instances[i] = e->order != NULL && e->sequence ? e->order[place] : place;
    }
    block->shortest = UINT32_MAX;
    for (size_t l = 0; l < lanes && e->sequence; l++) {
        uint32_t steps = network_steps(e->input, block->instances[l]);

        block->lengths[l] = steps;
        block->longest = steps > block->longest ? steps : block->longest;
        block->shortest = steps < block->shortest ? steps : block->shortest;
    }
}

/* Place all values in scratch memory; with scratch NULL only count. */
static void arrange(struct block *block, float *scratch)
{
    const struct network_element *e = block->element;
    size_t largest;

    block->scratch = scratch;
    block->taken = 0;
    block->steps[0] = e->sequence ? block->longest : block->n_groups;
    block->values[0] = block_take(block, block->steps[0] * e->element->in_width);
    largest = block->steps[0] * e->element->in_width;
    for (size_t l = 0; l < e->element->n_layers; l++) {
        const struct network_layer *layer = &e->layers[l];
        size_t steps = layer->sequence_in && !layer->sequence_out ? 1 : block->steps[l];

        layer_ops[layer->layer->kind].arrange(block, l, block->steps[l]);
        block->steps[l + 1] = steps;
        block->values[l + 1] = block_take(block, steps * layer->layer->out);
        if (largest < steps * layer->layer->out)
            largest = steps * layer->layer->out;
    }
    if (block->keeps)
        for (size_t i = 0; i < 2; i++)
            block->gradients[i] = block_take(block, largest);
}

/* Items of an instance, and the row of the first: a list has rows of its own, everything else one. */
static uint32_t first_item(const struct network_element *e, uint32_t instance)
{
    return e->element->is_list ? e->input->first_row[instance] : instance;
}

static uint32_t count_items(const struct network_element *e, uint32_t instance)
{
    return e->element->is_list ? e->input->first_row[instance + 1] - e->input->first_row[instance] : 1;
}

/* Items side by side in one step, or one after the other in a sequence: places that the input has. */
static size_t item_places(const struct block *block)
{
    const struct element *element = block->element->element;

    if (!element->is_list)
        return 1;
    return element->flatten ? element->first : block->longest;
}

/* Own columns alone: the items of an instance are one row. */
static void load_contiguous(struct block *block, size_t group, float *to)
{
    const struct network_element *e = block->element;
    size_t columns = e->element->n_columns, places = item_places(block);
    const float *rows[KERNELS_LANES_MAX];
    uint32_t lengths[KERNELS_LANES_MAX];

    for (size_t l = 0; l < block->kernels->lanes; l++) {
        uint32_t instance = block->instances[group * block->kernels->lanes + l];
        size_t items = count_items(e, instance);

        rows[l] = e->input->values + first_item(e, instance) * columns;
        lengths[l] = (uint32_t)((items < places ? items : places) * columns);
    }
    block->kernels->load(to, places * columns, rows, lengths);
}

/* One segment of an item: a child's output or the own columns, rows of `width` floats one for each item. */
static void load_segment(struct block *block, size_t group, size_t item, const float *values, size_t width,
                         float *to)
{
    const struct network_element *e = block->element;
    const float *rows[KERNELS_LANES_MAX];
    uint32_t lengths[KERNELS_LANES_MAX];

    for (size_t l = 0; l < block->kernels->lanes; l++) {
        uint32_t instance = block->instances[group * block->kernels->lanes + l];
        bool there = item < count_items(e, instance);

        rows[l] = there ? values + (first_item(e, instance) + item) * width : NULL;
        lengths[l] = there ? (uint32_t)width : 0;
    }
    block->kernels->load(to, width, rows, lengths);
}

static void load_input(struct block *block)
{
    const struct network_element *e = block->element;
    size_t lanes = block->kernels->lanes, places = item_places(block);
    float *to = block->values[0];

    for (size_t group = 0; group < block->n_groups; group++) {
        if (e->element->n_children == 0) {
            load_contiguous(block, group, to);
            to += places * e->element->n_columns * lanes;
            continue;
        }
        for (size_t item = 0; item < places; item++) {
            for (size_t c = 0; c < e->element->n_children; c++) {
                const struct network_element *child = &block->network->elements[e->element->children[c]];

                load_segment(block, group, item, child->output, child->element->out_width, to);
                to += child->element->out_width * lanes;
            }
            if (e->element->n_columns > 0)
                load_segment(block, group, item, e->input->values, e->element->n_columns, to);
            to += e->element->n_columns * lanes;
        }
    }
}

/* The gradient of the input goes to the children's outputs; what belongs to the own columns goes nowhere. */
static void store_input_gradient(struct block *block, const float *from)
{
    const struct network_element *e = block->element;
    size_t lanes = block->kernels->lanes;

    for (size_t group = 0; group < block->n_groups; group++)
        for (size_t item = 0; item < item_places(block); item++) {
            for (size_t c = 0; c < e->element->n_children; c++) {
                const struct network_element *child = &block->network->elements[e->element->children[c]];
                size_t width = child->element->out_width;
                float *rows[KERNELS_LANES_MAX];

                for (size_t l = 0; l < lanes; l++) {
                    uint32_t instance = block->instances[group * lanes + l];
                    bool there = group * lanes + l < block->n_valid && item < count_items(e, instance);

                    rows[l] =
                        there ? child->output_gradient + (first_item(e, instance) + item) * width : NULL;
                }
                block->kernels->store(rows, width, from);
                from += width * lanes;
            }
            from += e->element->n_columns * lanes;
        }
}

/* Rows of the output, or of its gradient, of the valid lanes of a group. */
static void output_rows(const struct block *block, size_t group, float *values, float **rows)
{
    size_t lanes = block->kernels->lanes;

    for (size_t l = 0; l < lanes; l++)
        rows[l] = group * lanes + l < block->n_valid
                      ? values + block->instances[group * lanes + l] * block->element->element->out_width
                      : NULL;
}

static void store_output(struct block *block)
{
    const struct element *element = block->element->element;
    const float *from = block->values[element->n_layers];
    float *rows[KERNELS_LANES_MAX];

    for (size_t group = 0; group < block->n_groups; group++) {
        output_rows(block, group, block->element->output, rows);
        block->kernels->store(rows, element->out_width,
                              from + group * element->out_width * block->kernels->lanes);
    }
}

static void load_output_gradient(struct block *block, float *to)
{
    size_t width = block->element->element->out_width;
    float *rows[KERNELS_LANES_MAX];
    uint32_t lengths[KERNELS_LANES_MAX];

    for (size_t group = 0; group < block->n_groups; group++) {
        output_rows(block, group, block->element->output_gradient, rows);
        for (size_t l = 0; l < block->kernels->lanes; l++)
            lengths[l] = rows[l] != NULL ? (uint32_t)width : 0;
        block->kernels->load(to + group * width * block->kernels->lanes, width, (const float *const *)rows,
                             lengths);
    }
}

static void run_layers(struct block *block)
{
    load_input(block);
    for (size_t l = 0; l < block->element->element->n_layers; l++)
        layer_ops[block->element->layers[l].layer->kind].forward(block, l);
}

size_t block_scratch(const struct block_pass *pass, const struct network_task *task, bool backward)
{
    struct block block;

    begin(&block, pass, task);
    block.keeps = backward;
    arrange(&block, NULL);
    return block.taken;
}

void block_forward(const struct block_pass *pass, const struct network_task *task, float *scratch)
{
    struct block block;

    begin(&block, pass, task);
    arrange(&block, scratch);
    run_layers(&block);
    store_output(&block);
}

void block_backward(const struct block_pass *pass, const struct network_task *task, float *gradient,
                    float *scratch)
{
    struct block block;
    const struct element *element;
    float *dy, *dx;

    begin(&block, pass, task);
    block.keeps = true;
    block.gradient = gradient;
    element = block.element->element;
    arrange(&block, scratch);
    run_layers(&block);
    dy = block.gradients[0];
    dx = block.gradients[1];
    load_output_gradient(&block, dy);
    for (size_t l = element->n_layers; l-- > 0;) {
        bool needed = l > 0 || element->n_children > 0;
        float *swap = dy;

        layer_ops[block.element->layers[l].layer->kind].backward(&block, l, dy, needed ? dx : NULL);
        dy = dx;
        dx = swap;
    }
    if (element->n_children > 0)
        store_input_gradient(&block, dy);
}

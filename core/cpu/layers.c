#include "core/cpu/layers.h"

#include <string.h>

#include "core/dropout.h"

/* Part of a weight or gradient block that belongs to a layer's tensor. */
static size_t offset_of(const struct tree *tree, const struct layer *layer, size_t tensor)
{
    return tree->tensors[layer->tensors[tensor]].offset;
}

static size_t lane_floats(const struct block *block, size_t vectors)
{
    return vectors * block->kernels->lanes;
}

static void arrange_nothing(struct block *block, size_t l, size_t steps)
{
}

static int pack_nothing(struct layer_pack *pack, const struct layer *layer)
{
    return 0;
}

static void fill_nothing(struct layer_pack *pack, const struct layer *layer, const struct tree *tree,
                         const float *weights)
{
}

/* Dense. */

static int dense_pack(struct layer_pack *pack, const struct layer *layer)
{
    int rc = dense_pack_init(&pack->forward, layer->in, layer->units);

    return rc < 0 ? rc : dense_pack_init(&pack->back, layer->units, layer->in);
}

static void dense_fill(struct layer_pack *pack, const struct layer *layer, const struct tree *tree,
                       const float *weights)
{
    dense_pack_fill(&pack->forward, weights + offset_of(tree, layer, 0), weights + offset_of(tree, layer, 1));
    dense_pack_fill_transposed(&pack->back, weights + offset_of(tree, layer, 0));
}

static void dense_forward(struct block *block, size_t l)
{
    const struct network_layer *layer = &block->element->layers[l];
    size_t steps = block->steps[l];

    block->kernels->dense(&layer->pack->forward, steps, block->values[l], layer->layer->in,
                          block->values[l + 1], false);
    block->kernels->activate(layer->layer->activation, steps, layer->layer->out, block->values[l + 1]);
}

static void dense_backward(struct block *block, size_t l, float *dy, float *dx)
{
    const struct network_layer *layer = &block->element->layers[l];
    const struct tree *tree = block->network->tree;
    size_t steps = block->steps[l], in = layer->layer->in, out = layer->layer->out;

    block->kernels->activate_backward(layer->layer->activation, steps, out, block->values[l + 1], dy);
    block->kernels->outer(block->gradient + offset_of(tree, layer->layer, 0), out, in, steps, dy, out,
                          block->values[l], in);
    block->kernels->sum(block->gradient + offset_of(tree, layer->layer, 1), out, steps, dy, out);
    if (dx != NULL)
        block->kernels->dense(&layer->pack->back, steps, dy, out, dx, false);
}

/* LSTM and GRU. */

static size_t n_directions(const struct layer *layer)
{
    return layer->bidirectional ? 2 : 1;
}

static int recurrent_pack(struct layer_pack *pack, const struct layer *layer)
{
    int rc = 0;

    for (size_t d = 0; rc == 0 && d < n_directions(layer); d++)
        rc = recurrent_pack_init(&pack->directions[d], layer->kind, layer->in, layer->units);
    return rc;
}

static void recurrent_fill(struct layer_pack *pack, const struct layer *layer, const struct tree *tree,
                           const float *weights)
{
    for (size_t d = 0; d < n_directions(layer); d++)
        recurrent_pack_fill(&pack->directions[d], weights + offset_of(tree, layer, 4 * d),
                            weights + offset_of(tree, layer, 4 * d + 1),
                            weights + offset_of(tree, layer, 4 * d + 2),
                            weights + offset_of(tree, layer, 4 * d + 3));
}

/* Vectors that one direction keeps, by part; the same counts place them and find them again. */
struct recurrent_parts {
    size_t states, cells, keep, keep_cells, carried;
};

static struct recurrent_parts recurrent_parts(const struct block *block, const struct network_layer *layer,
                                              size_t steps)
{
    size_t units = layer->layer->units;
    bool lstm = layer->layer->kind == LAYER_LSTM, keeps = block->keeps;

    return (struct recurrent_parts){
        .states = (keeps || layer->sequence_out ? steps + 1 : 2) * units,
        .cells = !lstm ? 0 : (keeps ? steps + 1 : 1) * units,
        .keep = keeps ? steps * 4 * units : 0,
        .keep_cells = lstm && keeps ? steps * units : 0,
        .carried = keeps ? 3 * units : 0,
    };
}

static size_t parts_size(const struct recurrent_parts *parts)
{
    return parts->states + parts->cells + parts->keep + parts->keep_cells + parts->carried;
}

static void recurrent_arrange(struct block *block, size_t l, size_t steps)
{
    const struct network_layer *layer = &block->element->layers[l];
    struct recurrent_parts parts = recurrent_parts(block, layer, steps);

    block->kept[l] = block_take(block, n_directions(layer->layer) * parts_size(&parts));
}

static struct recurrent_run recurrent_run(struct block *block, size_t l, size_t direction)
{
    const struct network_layer *layer = &block->element->layers[l];
    struct recurrent_parts parts = recurrent_parts(block, layer, block->steps[l]);
    float *place = block->kept[l] + lane_floats(block, direction * parts_size(&parts));
    struct recurrent_run run = {
        .pack = &layer->pack->directions[direction],
        .steps = block->steps[l],
        .reverse = direction == 1,
        .shortest = block->shortest,
        .x = block->values[l],
        .states = place,
        .all_states = block->keeps || layer->sequence_out,
        .each_step = layer->sequence_out,
        .dy_stride = layer->layer->out,
    };

    memcpy(run.lengths, block->lengths, sizeof run.lengths);
    run.cells = run.states + lane_floats(block, parts.states);
    if (block->keeps) {
        run.keep = run.cells + lane_floats(block, parts.cells);
        run.keep_cells = run.keep + lane_floats(block, parts.keep);
        run.carried = run.keep_cells + lane_floats(block, parts.keep_cells);
    }
    return run;
}

/* States of one direction to its columns of the output. */
static void give_states(struct block *block, size_t l, size_t direction, const struct recurrent_run *run)
{
    const struct layer *layer = block->element->layers[l].layer;
    size_t units = layer->units, row = run->reverse ? 0 : 1;
    float *to = block->values[l + 1] + lane_floats(block, direction * units);

    if (!run->each_step)
        row = recurrent_last_row(run);
    for (size_t t = 0; t < block->steps[l + 1]; t++)
        memcpy(to + lane_floats(block, t * layer->out), run->states + lane_floats(block, (row + t) * units),
               lane_floats(block, units) * sizeof *to);
}

static void recurrent_forward(struct block *block, size_t l)
{
    const struct layer *layer = block->element->layers[l].layer;

    for (size_t d = 0; d < n_directions(layer); d++) {
        struct recurrent_run run = recurrent_run(block, l, d);

        if (layer->kind == LAYER_LSTM)
            block->kernels->lstm(&run);
        else
            block->kernels->gru(&run);
        give_states(block, l, d, &run);
    }
}

/* Add to the gradients of one direction's four tensors what the kernels left in run->keep. */
static void recurrent_weights(struct block *block, const struct layer *layer, size_t direction,
                              const struct recurrent_run *run)
{
    const struct kernels *k = block->kernels;
    size_t u = layer->units, in = layer->in, row = 4 * u, steps = run->steps;
    float *g[4];
    const float *before = run->states + (run->reverse ? lane_floats(block, u) : 0);

    for (size_t i = 0; i < 4; i++)
        g[i] = block->gradient + offset_of(block->network->tree, layer, 4 * direction + i);
    if (layer->kind == LAYER_LSTM) {
        k->outer(g[0], 4 * u, in, steps, run->keep, row, run->x, in);
        k->outer(g[1], 4 * u, u, steps, run->keep, row, before, u);
        k->sum(g[2], 4 * u, steps, run->keep, row);
        k->sum(g[3], 4 * u, steps, run->keep, row);
    } else {
        const float *n = run->keep, *rz = n + lane_floats(block, u);

        k->outer(g[0], 2 * u, in, steps, rz, row, run->x, in);
        k->outer(g[0] + 2 * u * in, u, in, steps, n, row, run->x, in);
        k->outer(g[1], 3 * u, u, steps, rz, row, before, u);
        k->sum(g[2], 2 * u, steps, rz, row);
        k->sum(g[2] + 2 * u, u, steps, n, row);
        k->sum(g[3], 3 * u, steps, rz, row);
    }
}

static void recurrent_backward(struct block *block, size_t l, float *dy, float *dx)
{
    const struct layer *layer = block->element->layers[l].layer;

    for (size_t d = 0; d < n_directions(layer); d++) {
        struct recurrent_run run = recurrent_run(block, l, d);

        run.dy = dy + lane_floats(block, d * layer->units);
        if (layer->kind == LAYER_LSTM)
            block->kernels->lstm_backward(&run);
        else
            block->kernels->gru_backward(&run);
        recurrent_weights(block, layer, d, &run);
        if (dx != NULL)
            block->kernels->dense(&run.pack->back_inputs, run.steps, run.keep, 4 * layer->units, dx, d > 0);
    }
}

/* Embedding: its one column is the number of a row of the table, cut off and limited to those there are. */

static size_t embedding_row(float value, size_t rows)
{
    if (!(value >= 1.0F))
        return 0;
    return value < (float)rows ? (size_t)value : rows - 1;
}

static void embedding_forward(struct block *block, size_t l)
{
    const struct layer *layer = block->element->layers[l].layer;
    const float *table = block->weights + offset_of(block->network->tree, layer, 0);
    size_t lanes = block->kernels->lanes;
    const float *rows[KERNELS_LANES_MAX];
    uint32_t lengths[KERNELS_LANES_MAX];

    for (size_t i = 0; i < block->steps[l]; i++) {
        for (size_t lane = 0; lane < lanes; lane++) {
            rows[lane] =
                table + embedding_row(block->values[l][i * lanes + lane], layer->rows) * layer->units;
            lengths[lane] = (uint32_t)layer->units;
        }
        block->kernels->load(block->values[l + 1] + lane_floats(block, i * layer->units), layer->units, rows,
                             lengths);
    }
}

static void embedding_backward(struct block *block, size_t l, float *dy, float *dx)
{
    const struct layer *layer = block->element->layers[l].layer;
    float *table = block->gradient + offset_of(block->network->tree, layer, 0);
    size_t lanes = block->kernels->lanes;

    for (size_t i = 0; i < block->steps[l]; i++)
        for (size_t lane = 0; lane < lanes; lane++) {
            float *row =
                table + embedding_row(block->values[l][i * lanes + lane], layer->rows) * layer->units;

            for (size_t u = 0; u < layer->units; u++)
                row[u] += dy[(i * layer->units + u) * lanes + lane];
        }
    /* A row number has no gradient. */
    if (dx != NULL)
        memset(dx, 0, lane_floats(block, block->steps[l]) * sizeof *dx);
}

/* Dropout. */

static void dropout_apply(struct block *block, size_t l, float *values)
{
    const struct network_element *e = block->element;
    const struct layer *layer = e->layers[l].layer;
    uint32_t key = dropout_layer_key(block->dropout_seed, e->index, l);
    size_t lanes = block->kernels->lanes, n = layer->out;

    if (block->dropout_seed == 0)
        return;
    if (e->layers[l].sequence_in)
        n *= block->steps[l];
    for (size_t group = 0; group < block->n_groups; group++) {
        uint32_t keys[KERNELS_LANES_MAX];

        for (size_t lane = 0; lane < lanes; lane++)
            keys[lane] = dropout_instance_key(key, block->instances[group * lanes + lane]);
        block->kernels->dropout(values + lane_floats(block, group * n), n, keys, 0, layer->rate);
    }
}

static void dropout_forward(struct block *block, size_t l)
{
    size_t n = lane_floats(block, block->steps[l] * block->element->layers[l].layer->out);

    memcpy(block->values[l + 1], block->values[l], n * sizeof(float));
    dropout_apply(block, l, block->values[l + 1]);
}

static void dropout_backward(struct block *block, size_t l, float *dy, float *dx)
{
    if (dx == NULL)
        return;
    memcpy(dx, dy, lane_floats(block, block->steps[l] * block->element->layers[l].layer->out) * sizeof *dx);
    dropout_apply(block, l, dx);
}

const struct layer_ops layer_ops[LAYER_KINDS] = {
    [LAYER_DENSE] = {dense_pack, dense_fill, arrange_nothing, dense_forward, dense_backward},
    [LAYER_LSTM] = {recurrent_pack, recurrent_fill, recurrent_arrange, recurrent_forward, recurrent_backward},
    [LAYER_GRU] = {recurrent_pack, recurrent_fill, recurrent_arrange, recurrent_forward, recurrent_backward},
    [LAYER_EMBEDDING] = {pack_nothing, fill_nothing, arrange_nothing, embedding_forward, embedding_backward},
    [LAYER_DROPOUT] = {pack_nothing, fill_nothing, arrange_nothing, dropout_forward, dropout_backward},
};

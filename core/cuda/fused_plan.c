#include "core/cuda/fused_plan.h"

#include <errno.h>
#include <stdlib.h>

enum { ALIGNMENT = 256 };

#define SHAPE_ROW(kind, units, columns) {kind, units, columns},
static const struct fused_shape lanes_small[] = {FUSED_LANES_SMALL(SHAPE_ROW)};
static const struct fused_shape lanes_large[] = {FUSED_LANES_LARGE(SHAPE_ROW)};
static const struct fused_shape tensor[] = {FUSED_TENSOR(SHAPE_ROW)};
#undef SHAPE_ROW
#define N_ROWS(table) (sizeof(table) / sizeof(table)[0])

/* The first shape that has room. Return: NULL if none has. */
static const struct fused_shape *shape_find(const struct fused_shape *table, size_t n,
                                            const struct layer *layer)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].kind == layer->kind && table[i].units >= layer->units && table[i].columns >= layer->in)
            return &table[i];
    return NULL;
}

/* Places are taken from the region like a stack; an element's own are given back when it is done. */
struct placing {
    struct fused_plan *plan;
    uint32_t taken;
    struct error *err;
};

static uint32_t place_take(struct placing *placing, size_t width)
{
    uint32_t place = placing->taken;

    placing->taken += (uint32_t)width;
    if (placing->plan->places < placing->taken)
        placing->plan->places = placing->taken;
    return place;
}

static int refuse(struct placing *placing, const struct element *element, const char *reason)
{
    return error_set(placing->err, -ENOTSUP, "%s: %s, for which there is no fused kernel", element->path,
                     reason);
}

static int refuse_layer(struct placing *placing, const struct element *element, size_t layer,
                        const char *reason)
{
    return error_set(placing->err, -ENOTSUP, "%s.layers[%zu]: %s %s, for which there is no fused kernel",
                     element->path, layer, layer_kind_name(element->layers[layer].kind), reason);
}

static void op_add(struct placing *placing, const struct fused_op *op, const struct layer *layer)
{
    struct fused_plan *plan = placing->plan;

    plan->op_layers[plan->n_ops] = layer;
    plan->ops[plan->n_ops++] = *op;
}

/* One row of an element for each flow: its columns or its states. */
static void op_add_row(struct placing *placing, enum fused_op_kind kind, size_t element, size_t width,
                       uint32_t to)
{
    if (width > 0)
        op_add(placing,
               &(struct fused_op){.kind = kind, .from = (uint32_t)element, .to = to, .out = (uint32_t)width},
               NULL);
}

static int add_walks(struct placing *placing, size_t index, const struct layer *layer)
{
    struct fused_plan *plan = placing->plan;
    const struct element *element = &plan->tree->elements[index];
    const struct fused_shape *lanes = shape_find(lanes_small, N_ROWS(lanes_small), layer);
    const struct fused_shape *cores = shape_find(tensor, N_ROWS(tensor), layer);
    struct fused_plan_walk walk = {.element = index, .layer = layer, .large = lanes == NULL};

    if (lanes == NULL)
        lanes = shape_find(lanes_large, N_ROWS(lanes_large), layer);
    if (lanes == NULL)
        return refuse_layer(placing, element, (size_t)(layer - element->layers),
                            "with more units or inputs than any made");
    walk.lanes = *lanes;
    if (cores != NULL)
        walk.tensor = *cores;
    for (; walk.direction < (layer->bidirectional ? 2U : 1U); walk.direction++)
        plan->walks[plan->n_walks++] = walk;
    return 0;
}

/* The last layer that does something when there is no training. */
static size_t last_layer(const struct element *element)
{
    size_t n = element->n_layers;

    while (n > 0 && element->layers[n - 1].kind == LAYER_DROPOUT)
        n--;
    return n;
}

static int element_place(struct placing *placing, size_t index, uint32_t to);

/* What one item is: children's outputs, then own columns. */
static int input_place(struct placing *placing, size_t index, uint32_t to)
{
    const struct element *element = &placing->plan->tree->elements[index];

    if (element->is_list && element->n_children > 0)
        return refuse(placing, element, "children of a list");
    if (element->flatten) {
        op_add(placing,
               &(struct fused_op){.kind = FUSED_OP_ITEMS,
                                  .from = (uint32_t)index,
                                  .to = to,
                                  .in = (uint32_t)element->first,
                                  .out = (uint32_t)element->n_columns},
               NULL);
        return 0;
    }
    for (size_t i = 0; i < element->n_children; i++) {
        size_t child = element->children[i];
        int r = element_place(placing, child, to);

        if (r < 0)
            return r;
        to += (uint32_t)placing->plan->tree->elements[child].out_width;
    }
    op_add_row(placing, FUSED_OP_COLUMNS, index, element->n_columns, to);
    return 0;
}

/* What a layer that stands first gives: all but dense ones look at the input where it came from. */
static int first_place(struct placing *placing, size_t index, const struct layer *layer, uint32_t to)
{
    const struct element *element = &placing->plan->tree->elements[index];

    if (layer->kind == LAYER_EMBEDDING && element->is_list)
        return refuse_layer(placing, element, (size_t)(layer - element->layers), "of a list");
    if (layer->kind == LAYER_EMBEDDING) {
        op_add(placing,
               &(struct fused_op){.kind = FUSED_OP_EMBEDDING,
                                  .from = (uint32_t)index,
                                  .to = to,
                                  .out = (uint32_t)layer->out,
                                  .rows = (uint32_t)layer->rows},
               layer);
        return 0;
    }
    op_add_row(placing, FUSED_OP_STATES, index, layer->out, to);
    return add_walks(placing, index, layer);
}

static void dense_place(struct placing *placing, const struct layer *layer, uint32_t from, uint32_t to)
{
    op_add(placing,
           &(struct fused_op){.kind = FUSED_OP_DENSE,
                              .activation = layer->activation,
                              .from = from,
                              .to = to,
                              .in = (uint32_t)layer->in,
                              .out = (uint32_t)layer->out},
           layer);
}

/* A list that is walked: one recurrent layer, first of all, over its own columns alone. */
static int check_list(struct placing *placing, const struct element *element)
{
    if (element->n_children > 0)
        return refuse(placing, element, "children of a list");
    for (size_t i = 0; i < element->n_layers; i++) {
        const struct layer *layer = &element->layers[i];

        if (layer->kind == LAYER_DROPOUT)
            continue;
        if (layer->kind != LAYER_LSTM && layer->kind != LAYER_GRU)
            return refuse_layer(placing, element, i, "item by item");
        return layer->sequence_out ? refuse_layer(placing, element, i, "before another") : 0;
    }
    return 0;
}

/* What an element gives goes to its place in its parent's input. */
static int element_place(struct placing *placing, size_t index, uint32_t to)
{
    const struct element *element = &placing->plan->tree->elements[index];
    size_t n = last_layer(element);
    uint32_t before = placing->taken, from = to;
    bool is_first = true;
    int r = element_is_sequence(element) ? check_list(placing, element) : 0;

    if (r == 0 && n == 0)
        return input_place(placing, index, to);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct layer *layer = &element->layers[i];
        uint32_t given;

        if (layer->kind == LAYER_DROPOUT)
            continue;
        given = i + 1 == n ? to : place_take(placing, layer->out);
        if (layer->kind != LAYER_DENSE) {
            r = first_place(placing, index, layer, given);
        } else {
            if (is_first) {
                from = place_take(placing, element->in_width);
                r = input_place(placing, index, from);
            }
            dense_place(placing, layer, from, given);
        }
        is_first = false;
        from = given;
    }
    placing->taken = before;
    return r;
}

/* Walks that one launch may take stand side by side: small shapes, large ones, those for which there is none
 * on tensor cores; in each the longest first. */
static unsigned walk_class(const struct fused_plan_walk *walk)
{
    return (walk->large ? 1U : 0U) + (walk->tensor.units == 0 ? 1U : 0U);
}

static int compare_walks(const void *left, const void *right)
{
    const struct fused_plan_walk *a = left, *b = right;
    const size_t keys[][2] = {
        {walk_class(a), walk_class(b)}, {a->layer->kind, b->layer->kind}, {b->layer->units, a->layer->units},
        {b->layer->in, a->layer->in},   {a->element, b->element},         {a->direction, b->direction},
    };

    for (size_t i = 0; i < N_ROWS(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static size_t octets_take(struct fused_plan *plan, size_t octets)
{
    size_t at = plan->octets;

    plan->octets += (octets + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

static size_t op_weights(const struct fused_op *op)
{
    return op->kind == FUSED_OP_DENSE       ? (size_t)(op->in + 1) * op->out
           : op->kind == FUSED_OP_EMBEDDING ? (size_t)op->rows * op->out
                                            : 0;
}

/* Where everything stands in the packed block. */
static void lay_out(struct fused_plan *plan)
{
    size_t floats = 0;

    (void)octets_take(plan, plan->n_ops * sizeof *plan->ops);
    for (size_t i = 0; i < plan->n_walks; i++) {
        struct fused_plan_walk *walk = &plan->walks[i];
        size_t inputs = walk->lanes.columns + walk->lanes.units;

        walk->lanes_weights =
            octets_take(plan, (inputs + 1) * walk->lanes.units * FUSED_SUMS * sizeof(float));
        walk->tensor_weights =
            octets_take(plan, fused_tensor_registers(&walk->tensor) * 32 * sizeof(uint32_t));
    }
    for (size_t i = 0; i < plan->n_ops; i++) {
        plan->ops[i].weights = (uint32_t)floats;
        floats += op_weights(&plan->ops[i]);
    }
    plan->tail_weights = octets_take(plan, floats * sizeof(float));
}

static int plan_build(struct fused_plan *plan, struct error *err)
{
    struct placing placing = {plan, 0, err};
    const struct tree *tree = plan->tree;
    int r;

    plan->result = place_take(&placing, tree->n_labels);
    r = element_place(&placing, tree->n_elements - 1, plan->result);
    if (r == 0 && plan->places > FUSED_PLACES_MAX)
        r = refuse(&placing, tree_root(tree), "the tree's vectors together are too wide");
    if (r < 0)
        return r;
    qsort(plan->walks, plan->n_walks, sizeof *plan->walks, compare_walks);
    lay_out(plan);
    return 0;
}

int fused_plan_init(struct fused_plan *plan, const struct tree *tree, struct error *err)
{
    size_t n_ops = 0;
    int r;

    *plan = (struct fused_plan){.tree = tree};
    for (size_t i = 0; i < tree->n_elements; i++)
        n_ops += tree->elements[i].n_layers + 1;
    plan->walks = calloc(2 * tree->n_elements, sizeof *plan->walks);
    plan->ops = calloc(n_ops, sizeof *plan->ops);
    plan->op_layers = calloc(n_ops, sizeof *plan->op_layers);
    if (plan->walks == NULL || plan->ops == NULL || plan->op_layers == NULL)
        r = error_set(err, -ENOMEM, "fused kernels: no memory for the plan of the tree");
    else
        r = plan_build(plan, err);
    if (r < 0)
        fused_plan_deinit(plan);
    return r;
}

void fused_plan_deinit(struct fused_plan *plan)
{
    free(plan->walks);
    free(plan->ops);
    free(plan->op_layers);
    *plan = (struct fused_plan){0};
}

/* The order matters: sharing first (it brings layers), then widths from the leaves up, then the checks that
 * need widths, then tensors. */
#include "core/tree/tree_build.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/layer.h"

static int refuse(const struct tree_draft *draft, size_t element, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(const struct tree_draft *draft, size_t element, const char *format, ...)
{
    char reason[ERROR_TEXT_MAX / 2];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return error_set(draft->err, -EBADMSG, "%s: %s%s", draft->file, draft->elements[element].place, reason);
}

static int out_of_memory(const struct tree_draft *draft)
{
    return error_set(draft->err, -ENOMEM, "%s: out of memory", draft->file);
}

/* The element whose weights another uses in the end: sharing may go over several. */
static int share_owner(const struct tree_draft *draft, size_t element, size_t *ownerp)
{
    const struct tree *tree = draft->tree;
    size_t owner = element;

    for (size_t steps = 0; draft->elements[owner].share[0] != '\0'; steps++) {
        size_t next = tree_element(tree, draft->elements[owner].share);

        if (next == SIZE_MAX)
            return refuse(draft, owner, ".share: there is no element \"%s\"", draft->elements[owner].share);
        if (steps == tree->n_elements)
            return refuse(draft, element, ".share: goes round in a circle");
        owner = next;
    }
    if (owner != element && tree->elements[owner].n_layers == 0)
        return refuse(draft, element, ".share: \"%s\" has no layers to share", tree->elements[owner].name);
    *ownerp = owner;
    return 0;
}

/* Give an element the layers of the one it shares, or check that it repeats them. */
static int share_layers(const struct tree_draft *draft, size_t index, const struct element *owner)
{
    struct element *element = &draft->tree->elements[index];

    if (element->n_layers == 0) {
        free(element->layers); /* "layers": [] */
        element->layers = malloc(owner->n_layers * sizeof *element->layers);
        if (element->layers == NULL)
            return out_of_memory(draft);
        memcpy(element->layers, owner->layers, owner->n_layers * sizeof *element->layers);
        element->n_layers = owner->n_layers;
        return 0;
    }
    for (size_t i = 0; i < element->n_layers; i++)
        if (element->n_layers != owner->n_layers || !layer_equal(&element->layers[i], &owner->layers[i]))
            return refuse(draft, index, ".layers[%zu]: not as in \"%s\", which it shares", i, owner->name);
    return 0;
}

static int resolve_shares(const struct tree_draft *draft)
{
    struct tree *tree = draft->tree;
    int r = 0;

    for (size_t i = 0; r == 0 && i < tree->n_elements; i++)
        r = share_owner(draft, i, &tree->elements[i].share);
    for (size_t i = 0; r == 0 && i < tree->n_elements; i++)
        if (tree->elements[i].share != i)
            r = share_layers(draft, i, &tree->elements[tree->elements[i].share]);
    return r;
}

static int check_width(const struct tree_draft *draft, size_t element, const char *what, size_t width)
{
    if (width < 1 || width > TREE_WIDTH_MAX)
        return refuse(draft, element, ": %s is %zu wide, not within 1..%d", what, width, TREE_WIDTH_MAX);
    return 0;
}

static int input_widths(const struct tree_draft *draft, size_t index)
{
    struct element *element = &draft->tree->elements[index];
    int r;

    element->item_width = element->n_columns;
    for (size_t i = 0; i < element->n_children; i++)
        element->item_width += draft->tree->elements[element->children[i]].out_width;
    element->in_width = (element->flatten ? element->first : 1) * element->item_width;
    r = check_width(draft, index, "its input", element->item_width);
    return r < 0 ? r : check_width(draft, index, "its flattened input", element->in_width);
}

/* Whether a recurrent layer follows layer i. */
static bool recurrent_follows(const struct element *element, size_t i)
{
    for (i++; i < element->n_layers; i++)
        if (layer_type(element->layers[i].kind)->recurrent)
            return true;
    return false;
}

/* Whether layer i of an element can work on what it is given. */
static int check_layer(const struct tree_draft *draft, size_t index, size_t i, bool is_sequence)
{
    const struct tree *tree = draft->tree;
    const struct element *element = &tree->elements[index];
    const struct layer *layer = &element->layers[i];
    bool is_last_of_root = index + 1 == tree->n_elements && i + 1 == element->n_layers;

    if (layer_type(layer->kind)->recurrent && !is_sequence)
        return refuse(draft, index, ".layers[%zu]: %s needs a list to walk over, and here is a single vector",
                      i, layer_kind_name(layer->kind));
    if (layer->kind == LAYER_EMBEDDING &&
        (i > 0 || layer->in != 1 || element->n_columns != 1 || element->n_children > 0))
        return refuse(draft, index,
                      ".layers[%zu]: an embedding is the first layer and looks at one column alone", i);
    if (layer->kind == LAYER_DENSE && layer->activation == ACTIVATION_SOFTMAX && !is_last_of_root)
        return refuse(draft, index, ".layers[%zu]: softmax is only for the root's last layer", i);
    return 0;
}

static int layer_widths(const struct tree_draft *draft, size_t index)
{
    struct element *element = &draft->tree->elements[index];
    bool is_sequence = element_is_sequence(element);
    size_t width = element->in_width;

    for (size_t i = 0; i < element->n_layers; i++) {
        struct layer *layer = &element->layers[i];
        int r;

        layer->in = width;
        r = check_layer(draft, index, i, is_sequence);
        if (r < 0)
            return r;
        if (layer->kind == LAYER_DROPOUT)
            layer->units = width;
        layer->sequence_out = layer_type(layer->kind)->recurrent && recurrent_follows(element, i);
        layer->out = layer->bidirectional ? 2 * layer->units : layer->units;
        layer->n_tensors = layer_type(layer->kind)->n_tensors * (layer->bidirectional ? 2 : 1);
        if (layer_type(layer->kind)->recurrent && !layer->sequence_out)
            is_sequence = false;
        width = layer->out;
        r = check_width(draft, index, "a layer", width);
        if (r < 0)
            return r;
    }
    if (is_sequence)
        return refuse(draft, index,
                      ": a list comes out of its layers; it needs an lstm, a gru or \"flatten\"");
    element->out_width = width;
    return 0;
}

static int check_share_shapes(const struct tree_draft *draft)
{
    const struct tree *tree = draft->tree;

    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct element *element = &tree->elements[i];
        const struct element *owner = &tree->elements[element->share];

        if (element->in_width != owner->in_width)
            return refuse(draft, i, ".share: its input is %zu wide, that of \"%s\" %zu", element->in_width,
                          owner->name, owner->in_width);
    }
    return 0;
}

static int check_root(const struct tree_draft *draft)
{
    const struct tree *tree = draft->tree;
    const struct element *root = tree_root(tree);
    const struct layer *last = root->n_layers > 0 ? &root->layers[root->n_layers - 1] : NULL;

    if (last == NULL || last->kind != LAYER_DENSE || last->activation != ACTIVATION_SOFTMAX)
        return refuse(draft, tree->n_elements - 1,
                      ".layers: the root's last layer must be dense with softmax");
    if (last->units != tree->n_labels)
        return refuse(draft, tree->n_elements - 1, ".layers[%zu]: %zu units for %zu labels",
                      root->n_layers - 1, last->units, tree->n_labels);
    return 0;
}

/* Name of a layer inside its element: "dense0", "lstm", "gru1". */
static void layer_name(const struct element *element, size_t index, char *name, size_t size)
{
    const struct layer_type *type = layer_type(element->layers[index].kind);
    size_t before = 0, all = 0;

    for (size_t i = 0; i < element->n_layers; i++) {
        all += element->layers[i].kind == element->layers[index].kind;
        before += i < index && element->layers[i].kind == element->layers[index].kind;
    }
    if (type->numbered || all > 1)
        (void)snprintf(name, size, "%s%zu", type->name, before);
    else
        (void)snprintf(name, size, "%s", type->name);
}

/* Append the tensors of one layer. */
static int layer_tensors(const struct tree_draft *draft, size_t index, size_t layer_index)
{
    struct tree *tree = draft->tree;
    const struct element *element = &tree->elements[index];
    struct layer *layer = &element->layers[layer_index];
    const struct layer_type *type = layer_type(layer->kind);
    char name[32];

    layer_name(element, layer_index, name, sizeof name);
    for (unsigned k = 0; k < layer->n_tensors; k++) {
        struct tensor *tensor = &tree->tensors[tree->n_tensors];
        const char *direction = !layer->bidirectional ? "" : k < type->n_tensors ? "/forward" : "/backward";

        (void)snprintf(tensor->name, sizeof tensor->name, "%s/%s%s/%s", element->name, name, direction,
                       type->tensors[k % type->n_tensors].name);
        layer_tensor_shape(layer, k, tensor);
        tensor->offset = tree->n_weights;
        if (tensor->size > TREE_WEIGHTS_MAX - tree->n_weights)
            return refuse(draft, index, ".layers[%zu]: the tree has more than %d weights", layer_index,
                          TREE_WEIGHTS_MAX);
        tree->n_weights += tensor->size;
        layer->tensors[k] = tree->n_tensors++;
    }
    return 0;
}

/* Each standardised element has two. */
static size_t count_constants(const struct tree_draft *draft)
{
    size_t n = 0;

    for (size_t i = 0; i < draft->tree->n_elements; i++)
        n += draft->elements[i].standardise ? 2 : 0;
    return n;
}

static int build_tensors(const struct tree_draft *draft)
{
    struct tree *tree = draft->tree;
    bool done[TREE_ELEMENTS_MAX] = {false};
    size_t n = 0;

    for (size_t i = 0; i < tree->n_elements; i++)
        for (size_t k = 0; tree->elements[i].share == i && k < tree->elements[i].n_layers; k++)
            n += tree->elements[i].layers[k].n_tensors;
    if (n + count_constants(draft) > TREE_TENSORS_MAX)
        return refuse(draft, tree->n_elements - 1, ": the tree has more than %d tensors", TREE_TENSORS_MAX);
    tree->tensors = calloc(n, sizeof *tree->tensors);
    if (tree->tensors == NULL)
        return out_of_memory(draft);
    for (size_t i = 0; i < tree->n_elements; i++) {
        size_t owner = tree->elements[i].share;

        for (size_t k = 0; !done[owner] && k < tree->elements[owner].n_layers; k++) {
            int r = layer_tensors(draft, owner, k);

            if (r < 0)
                return r;
        }
        done[owner] = true;
    }
    for (size_t i = 0; i < tree->n_elements; i++)
        for (size_t k = 0; k < tree->elements[i].n_layers; k++)
            memcpy(tree->elements[i].layers[k].tensors,
                   tree->elements[tree->elements[i].share].layers[k].tensors,
                   sizeof tree->elements[i].layers[k].tensors);
    return 0;
}

static void constant_add(struct tree *tree, const struct element *element, const char *what)
{
    struct tensor *tensor = &tree->constants[tree->n_constants++];

    (void)snprintf(tensor->name, sizeof tensor->name, "%s/normalise/%s", element->name, what);
    tensor->rank = 1;
    tensor->shape[0] = tensor->size = element->n_columns;
    tensor->shape[1] = 1;
    tensor->offset = tree->n_constant_values;
    tree->n_constant_values += tensor->size;
}

static int build_constants(const struct tree_draft *draft)
{
    struct tree *tree = draft->tree;

    tree->constants = calloc(2 * tree->n_elements, sizeof *tree->constants);
    if (tree->constants == NULL)
        return out_of_memory(draft);
    for (size_t i = 0; i < tree->n_elements; i++) {
        struct element *element = &tree->elements[i];

        element->normalise = SIZE_MAX;
        if (!draft->elements[i].standardise)
            continue;
        element->normalise = tree->n_constants;
        constant_add(tree, element, "mean");
        constant_add(tree, element, "scale");
    }
    return 0;
}

/* What a flow can need of the encoder: the values of all rows of all elements, lists as long as they get. */
static int check_flow_size(const struct tree_draft *draft)
{
    const struct tree *tree = draft->tree;
    size_t rows[TREE_ELEMENTS_MAX], values = 0;

    for (size_t i = tree->n_elements; i-- > 0;) { /* parents first */
        const struct element *element = &tree->elements[i];

        rows[i] =
            (element->parent == i ? 1 : rows[element->parent]) * (element->is_list ? element->first : 1);
        values += rows[i] * element->item_width;
        if (values > TREE_FLOW_VALUES_MAX)
            return refuse(draft, i, ": with it, a flow may have more than %d values", TREE_FLOW_VALUES_MAX);
    }
    return 0;
}

static int build_paths(const struct tree_draft *draft)
{
    struct tree *tree = draft->tree;

    for (size_t i = tree->n_elements; i-- > 0;) {
        struct element *element = &tree->elements[i];
        int r = element->parent == i
                    ? asprintf(&element->path, "%s", element->name)
                    : asprintf(&element->path, "%s/%s", tree->elements[element->parent].path, element->name);

        if (r < 0) {
            element->path = NULL;
            return out_of_memory(draft);
        }
    }
    return 0;
}

static int check_names(const struct tree_draft *draft)
{
    for (size_t i = 0; i < draft->tree->n_elements; i++)
        if (tree_element(draft->tree, draft->tree->elements[i].name) != i)
            return refuse(draft, i, ".name: another element is called \"%s\"", draft->tree->elements[i].name);
    return 0;
}

int tree_build(struct tree_draft *draft)
{
    struct tree *tree = draft->tree;
    int r = check_names(draft);

    if (r == 0)
        r = resolve_shares(draft);
    for (size_t i = 0; r == 0 && i < tree->n_elements; i++) {
        r = input_widths(draft, i);
        if (r == 0)
            r = layer_widths(draft, i);
    }
    if (r == 0)
        r = check_flow_size(draft);
    if (r == 0)
        r = check_share_shapes(draft);
    if (r == 0)
        r = check_root(draft);
    if (r == 0)
        r = build_tensors(draft);
    if (r == 0)
        r = build_constants(draft);
    return r < 0 ? r : build_paths(draft);
}

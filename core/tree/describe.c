/* An element takes as many lines as its input or its layers need: both are columns of the table that are
 * filled from their own list of lines. */
#include "core/tree/describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/layer.h"

enum {
    NAME_WIDTH = 18,
    INPUT_WIDTH = 36,
    LAYER_WIDTH = 22,
    SHAPE_WIDTH = 14,
    PARAMETERS_WIDTH = 12,
    TABLE_WIDTH = NAME_WIDTH + INPUT_WIDTH + LAYER_WIDTH + SHAPE_WIDTH + PARAMETERS_WIDTH,
    COLUMNS_NAMED_MAX = 5, /* more own columns are counted instead */
};

/* 8979 as "8,979". */
static const char *with_commas(size_t n, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", n), to = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}

static void rule(FILE *file, char c)
{
    for (int i = 0; i < TABLE_WIDTH; i++)
        (void)fputc(c, file);
    (void)fputc('\n', file);
}

static void write_columns(FILE *file, const struct element *element)
{
    const char *before = "";

    if (element->n_columns > COLUMNS_NAMED_MAX) {
        (void)fprintf(file, "%zu columns", element->n_columns);
        return;
    }
    for (size_t i = 0; i < element->n_columns; i++) {
        (void)fprintf(file, "%s%s", before, field_name(element->columns[i].field));
        before = ", ";
    }
}

/* What an element sees, in words: "each of packets, first 32: b, ipt". */
static void write_input(FILE *file, const struct tree *tree, const struct element *element)
{
    const char *before = "";

    if (element->is_list) {
        (void)fprintf(file, "each of %s", field_list_name(element->list));
        if (element->first < field_list_max(element->list))
            (void)fprintf(file, ", first %zu", element->first);
        (void)fputs(element->flatten ? ", side by side: " : ": ", file);
    }
    for (size_t i = 0; i < element->n_children; i++) {
        (void)fprintf(file, "%s%s", before, tree->elements[element->children[i]].name);
        before = ", ";
    }
    if (element->n_columns > 0)
        (void)fputs(before, file);
    write_columns(file, element);
    if (element->normalise != SIZE_MAX)
        (void)fputs(", standardised", file);
}

/* Cut the next line of at most `width` octets off a text, at a blank if there is one. Return: its length;
 * *textp moves behind it. */
static int next_line(const char **textp, int width)
{
    const char *text = *textp;
    int length = (int)strnlen(text, (size_t)width + 1);

    if (length > width) {
        length = width;
        while (length > 0 && text[length] != ' ')
            length--;
        if (length == 0)
            length = width;
    }
    *textp = text + length;
    while (**textp == ' ')
        (*textp)++;
    return length;
}

static size_t layer_parameters(const struct tree *tree, const struct layer *layer)
{
    size_t n = 0;

    for (unsigned k = 0; k < layer->n_tensors; k++)
        n += tree->tensors[layer->tensors[k]].size;
    return n;
}

static void write_layer_name(const struct layer *layer, char *text, size_t size)
{
    const char *name = layer_kind_name(layer->kind);

    if (layer->kind == LAYER_DROPOUT)
        (void)snprintf(text, size, "%s %g", name, (double)layer->rate);
    else if (layer->kind == LAYER_EMBEDDING)
        (void)snprintf(text, size, "%s %zu x %zu", name, layer->rows, layer->units);
    else if (layer->kind == LAYER_DENSE)
        (void)snprintf(text, size, "%s %zu, %s", name, layer->units, activation_name(layer->activation));
    else
        (void)snprintf(text, size, "%s %zu%s", name, layer->units, layer->bidirectional ? ", both ways" : "");
}

/* Whether what comes out of layer i (or goes into the first: SIZE_MAX) is a list. */
static bool is_list_after(const struct element *element, size_t i)
{
    if (!element_is_sequence(element))
        return false;
    for (size_t k = 0; i != SIZE_MAX && k <= i; k++)
        if (layer_type(element->layers[k].kind)->recurrent && !element->layers[k].sequence_out)
            return false;
    return true;
}

static void write_shape(const struct element *element, size_t i, char *text, size_t size)
{
    if (is_list_after(element, i))
        (void)snprintf(text, size, "(%zu, %zu)", element->first, element->layers[i].out);
    else
        (void)snprintf(text, size, "(%zu)", element->layers[i].out);
}

/* The last three columns of line i. */
static void write_layer(FILE *file, const struct tree *tree, size_t index, size_t i)
{
    const struct element *element = &tree->elements[index];
    char name[64], shape[64], parameters[TREE_NAME_MAX + 8], number[32];

    if (i >= element->n_layers) {
        (void)fputc('\n', file);
        return;
    }
    write_layer_name(&element->layers[i], name, sizeof name);
    write_shape(element, i, shape, sizeof shape);
    if (element->share != index && element->layers[i].n_tensors > 0)
        (void)snprintf(parameters, sizeof parameters, "as %s", tree->elements[element->share].name);
    else
        (void)snprintf(parameters, sizeof parameters, "%s",
                       with_commas(layer_parameters(tree, &element->layers[i]), number));
    (void)fprintf(file, " %-*s%-*s%*s\n", LAYER_WIDTH - 1, name, SHAPE_WIDTH, shape, PARAMETERS_WIDTH,
                  parameters);
}

static void write_element(FILE *file, const struct tree *tree, size_t index, int depth, const char *input)
{
    const struct element *element = &tree->elements[index];

    for (size_t i = 0; i == 0 || i < element->n_layers || *input != '\0'; i++) {
        const char *line = input;
        int length = next_line(&input, INPUT_WIDTH - 1), indent = i == 0 ? 2 * depth : 0;
        int width = i < element->n_layers ? INPUT_WIDTH - 1 : 0; /* no blanks at the end of a line */

        (void)fprintf(file, "%*s%-*s %-*.*s", indent, "", NAME_WIDTH - 1 - indent,
                      i == 0 ? element->name : "", width, length, line);
        write_layer(file, tree, index, i);
    }
}

/* An element and those below it. */
static int walk(FILE *file, const struct tree *tree, size_t index, int depth)
{
    const struct element *element = &tree->elements[index];
    char *input = NULL;
    size_t size;
    FILE *memory = open_memstream(&input, &size);
    int r = 0;

    if (memory == NULL)
        return -ENOMEM;
    write_input(memory, tree, element);
    if (fclose(memory) != 0) {
        free(input);
        return -ENOMEM;
    }
    write_element(file, tree, index, depth, input);
    free(input);
    for (size_t i = 0; r == 0 && i < element->n_children; i++)
        r = walk(file, tree, element->children[i], depth + 1);
    return r;
}

static void write_heading(FILE *file, const struct tree *tree)
{
    (void)fprintf(file, "Tree \"%s\"; labels", tree->name);
    for (size_t i = 0; i < tree->n_labels; i++)
        (void)fprintf(file, "%s %s", i > 0 ? "," : "", tree->labels[i]);
    (void)fprintf(file, "; %s\n",
                  tree->padding == TREE_PADDING_BATCH ? "short lists are filled up with zeros"
                                                      : "lists end at their own length");
    rule(file, '-');
    (void)fprintf(file, "%-*s%-*s%-*s%-*s%*s\n", NAME_WIDTH, "Element", INPUT_WIDTH, "Input", LAYER_WIDTH,
                  "Layers", SHAPE_WIDTH, "Output", PARAMETERS_WIDTH, "Parameters");
    rule(file, '=');
}

int describe_tree(FILE *file, const struct tree *tree)
{
    char number[32];
    int r;

    write_heading(file, tree);
    r = walk(file, tree, tree->n_elements - 1, 0);
    if (r < 0)
        return r;
    rule(file, '-');
    (void)fprintf(file, "Parameters: %s\n", with_commas(tree->n_weights, number));
    if (tree->n_constant_values > 0)
        (void)fprintf(file, "Constants of the standardised columns: %s\n",
                      with_commas(tree->n_constant_values, number));
    return fflush(file) != 0 || ferror(file) != 0 ? -EIO : 0;
}

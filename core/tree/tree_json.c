/* The document, its labels and the elements; inputs and layers are read in files of their own. What it takes
 * to make a tree work out of what stands in the file is in tree_build.c. */
#include "core/tree/tree_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_check.h"
#include "core/tree/tree_build.h"
#include "core/tree/tree_json_parts.h"

enum { TREE_FORMAT = 1 };

static const char *const default_labels[] = {"news", "socialmedia", "videostreaming"};

int tree_json_out_of_memory(const struct json_at *at)
{
    return error_set(at->err, -ENOMEM, "out of memory");
}

static int parse_element(const struct json_at *at, const cJSON *value, enum field_scope scope, unsigned depth,
                         struct tree_draft *draft, size_t *index);

static int parse_children(const struct json_at *at, const cJSON *value, unsigned depth,
                          struct tree_draft *draft, struct element *element)
{
    const cJSON *item;

    if (!cJSON_IsArray(value))
        return json_refuse(at, "not an array");
    if (cJSON_GetArraySize(value) >= TREE_ELEMENTS_MAX)
        return json_refuse(at, "more than %d elements", TREE_ELEMENTS_MAX);
    element->children = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof *element->children);
    if (element->children == NULL)
        return tree_json_out_of_memory(at);
    cJSON_ArrayForEach(item, value)
    {
        struct json_at here = json_at_index(at, element->n_children);
        int r = parse_element(&here, item, element->scope, depth + 1, draft,
                              &element->children[element->n_children]);

        if (r < 0)
            return r;
        element->n_children++;
    }
    return 0;
}

/* The keys of an element, in the order that later ones need earlier ones. */
static int parse_element_keys(const struct json_at *at, const cJSON *value, unsigned depth,
                              struct tree_draft *draft, struct element *element, struct draft_element *note)
{
    static const char *const keys[] = {"name", "input", "children", "layers", "share", NULL};
    const cJSON *member;
    struct json_at here;
    int r = json_object(at, value, keys);

    if (r < 0)
        return r;
    here = json_at_key(at, "name");
    r = json_name(&here, json_member(value, "name"), element->name, sizeof element->name);
    member = json_member(value, "input");
    here = json_at_key(at, "input");
    if (r == 0 && member != NULL)
        r = tree_json_input(&here, member, element, &note->standardise);
    member = json_member(value, "children");
    here = json_at_key(at, "children");
    if (r == 0 && member != NULL)
        r = parse_children(&here, member, depth, draft, element);
    member = json_member(value, "layers");
    here = json_at_key(at, "layers");
    if (r == 0 && member != NULL)
        r = tree_json_layers(&here, member, depth == 1 ? draft->tree->n_labels : 0, element);
    member = json_member(value, "share");
    here = json_at_key(at, "share");
    if (r == 0 && member != NULL)
        r = json_name(&here, member, note->share, sizeof note->share);
    return r;
}

/* Read an element and those below it; they come before it in the tree. index: set to its own. */
static int parse_element(const struct json_at *at, const cJSON *value, enum field_scope scope, unsigned depth,
                         struct tree_draft *draft, size_t *index)
{
    struct tree *tree = draft->tree;
    struct element element = {.scope = scope};
    struct draft_element note = {0};
    int r;

    if (depth > TREE_DEPTH_MAX)
        return json_refuse(at, "deeper than %d elements", TREE_DEPTH_MAX);
    json_path(at, note.place, sizeof note.place);
    r = parse_element_keys(at, value, depth, draft, &element, &note);
    if (r == 0 && tree->n_elements == TREE_ELEMENTS_MAX)
        r = json_refuse(at, "more than %d elements", TREE_ELEMENTS_MAX);
    if (r < 0) {
        free(element.children);
        free(element.columns);
        free(element.layers);
        return r;
    }
    for (size_t i = 0; i < element.n_children; i++)
        tree->elements[element.children[i]].parent = tree->n_elements;
    element.parent = tree->n_elements;
    *index = tree->n_elements;
    draft->elements[tree->n_elements] = note;
    tree->elements[tree->n_elements++] = element;
    return 0;
}

static int refuse_unknown(const struct json_at *at)
{
    return json_refuse(at, "\"%s\" is what flows without a label are called", TREE_LABEL_UNKNOWN);
}

static int set_labels(const struct json_at *at, struct tree *tree, const char *const *labels, size_t n)
{
    if (n < TREE_LABELS_MIN || n > TREE_LABELS_MAX)
        return json_refuse(at, "%zu labels, not %d to %d", n, TREE_LABELS_MIN, TREE_LABELS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strlen(labels[i]) >= TREE_NAME_MAX)
            return json_refuse(at, "label \"%.64s\" is longer than %d octets", labels[i], TREE_NAME_MAX - 1);
        if (strcmp(labels[i], TREE_LABEL_UNKNOWN) == 0)
            return refuse_unknown(at);
        (void)snprintf(tree->labels[i], sizeof tree->labels[i], "%s", labels[i]);
    }
    tree->n_labels = n;
    return 0;
}

static int parse_own_labels(const struct json_at *at, const cJSON *value, struct tree *tree)
{
    const cJSON *item;

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) < TREE_LABELS_MIN ||
        cJSON_GetArraySize(value) > TREE_LABELS_MAX)
        return json_refuse(at, "not an array of %d to %d names", TREE_LABELS_MIN, TREE_LABELS_MAX);
    cJSON_ArrayForEach(item, value)
    {
        struct json_at here = json_at_index(at, tree->n_labels);
        int r = json_name(&here, item, tree->labels[tree->n_labels], TREE_NAME_MAX);

        if (r < 0)
            return r;
        if (strcmp(tree->labels[tree->n_labels], TREE_LABEL_UNKNOWN) == 0)
            return refuse_unknown(&here);
        for (size_t i = 0; i < tree->n_labels; i++)
            if (strcmp(tree->labels[i], tree->labels[tree->n_labels]) == 0)
                return json_refuse(&here, "label \"%s\" twice", tree->labels[i]);
        tree->n_labels++;
    }
    tree->labels_named = true;
    return 0;
}

/* The labels that the tree names must be those that were asked for. */
static int compare_labels(const struct json_at *at, const struct tree *tree, const char *const *labels,
                          size_t n_labels)
{
    bool equal = n_labels == 0 || n_labels == tree->n_labels;

    for (size_t i = 0; equal && i < n_labels; i++)
        equal = strcmp(labels[i], tree->labels[i]) == 0;
    if (equal)
        return 0;
    (void)json_refuse(at, "the tree is for %zu labels (%s, %s, ...), not for the %zu asked for (%s, ...)",
                      tree->n_labels, tree->labels[0], tree->labels[1], n_labels, labels[0]);
    if (at->err != NULL)
        at->err->code = -EINVAL;
    return -EINVAL;
}

static int parse_labels(const struct json_at *document, const cJSON *value, struct tree *tree,
                        const char *const *labels, size_t n_labels)
{
    struct json_at at = json_at_key(document, "labels");
    int r;

    if (value != NULL) {
        r = parse_own_labels(&at, value, tree);
        return r < 0 ? r : compare_labels(&at, tree, labels, n_labels);
    }
    return n_labels > 0
               ? set_labels(&at, tree, labels, n_labels)
               : set_labels(&at, tree, default_labels, sizeof default_labels / sizeof default_labels[0]);
}

static int parse_padding(const struct json_at *document, const cJSON *value, struct tree *tree)
{
    struct json_at at = json_at_key(document, "padding");

    if (value == NULL)
        return 0;
    if (cJSON_IsString(value) && strcmp(value->valuestring, "none") == 0)
        tree->padding = TREE_PADDING_NONE;
    else if (cJSON_IsString(value) && strcmp(value->valuestring, "batch") == 0)
        tree->padding = TREE_PADDING_BATCH;
    else
        return json_refuse(&at, "neither \"none\" nor \"batch\"");
    return 0;
}

static int parse_document(const struct json_at *at, const cJSON *value, const char *const *labels,
                          size_t n_labels, struct tree_draft *draft)
{
    static const char *const keys[] = {"format", "name", "labels", "padding", "root", NULL};
    struct json_at here = json_at_key(at, "format");
    size_t format, root;
    int r = json_object(at, value, keys);

    if (r == 0)
        r = json_whole(&here, json_member(value, "format"), TREE_FORMAT, TREE_FORMAT, &format);
    here = json_at_key(at, "name");
    if (r == 0)
        r = json_name(&here, json_member(value, "name"), draft->tree->name, sizeof draft->tree->name);
    if (r == 0)
        r = parse_labels(at, json_member(value, "labels"), draft->tree, labels, n_labels);
    if (r == 0)
        r = parse_padding(at, json_member(value, "padding"), draft->tree);
    here = json_at_key(at, "root");
    return r < 0 ? r : parse_element(&here, json_member(value, "root"), SCOPE_RECORD, 1, draft, &root);
}

/* The text of the tree with its labels in it. */
static int keep_text(const struct json_at *at, cJSON *value, struct tree *tree)
{
    if (!tree->labels_named) {
        cJSON *labels = cJSON_AddArrayToObject(value, "labels");

        if (labels == NULL)
            return tree_json_out_of_memory(at);
        for (size_t i = 0; i < tree->n_labels; i++)
            if (!cJSON_AddItemToArray(labels, cJSON_CreateString(tree->labels[i])))
                return tree_json_out_of_memory(at);
    }
    tree->json = cJSON_PrintUnformatted(value);
    return tree->json == NULL ? tree_json_out_of_memory(at) : 0;
}

static int parse_tree(const struct json_at *at, cJSON *value, const char *const *labels, size_t n_labels,
                      struct tree **treep)
{
    struct tree_draft *draft = calloc(1, sizeof *draft);
    struct tree *tree = calloc(1, sizeof *tree);
    int r = -ENOMEM;

    if (tree != NULL)
        tree->elements = calloc(TREE_ELEMENTS_MAX, sizeof *tree->elements);
    if (draft == NULL || tree == NULL || tree->elements == NULL) {
        r = tree_json_out_of_memory(at);
    } else {
        draft->file = at->key;
        draft->err = at->err;
        draft->tree = tree;
        r = parse_document(at, value, labels, n_labels, draft);
        if (r == 0)
            r = tree_build(draft);
        if (r == 0)
            r = keep_text(at, value, tree);
    }
    free(draft);
    if (r < 0) {
        tree_free(tree);
        return r;
    }
    *treep = tree;
    return 0;
}

int tree_parse(struct tree **treep, const char *name, const char *json, size_t length,
               const char *const *labels, size_t n_labels, struct error *err)
{
    struct json_at at = {NULL, name, 0, err};
    cJSON *value;
    int r = json_parse(&value, name, json, length, err);

    if (r < 0)
        return r;
    r = parse_tree(&at, value, labels, n_labels, treep);
    cJSON_Delete(value);
    return r;
}

int tree_load(struct tree **treep, const char *path, const char *const *labels, size_t n_labels,
              struct error *err)
{
    char *text;
    size_t length;
    int r = json_read_file(path, TREE_FILE_MAX, &text, &length, err);

    if (r < 0)
        return r;
    r = tree_parse(treep, path, text, length, labels, n_labels, err);
    free(text);
    return r;
}

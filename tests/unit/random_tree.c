#include "tests/unit/random_tree.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/tree_json.h"

enum { DEPTH_MAX = 3, EMBEDDING_ROWS = 7 };

static const char *const record_fields[] = {"bytes_in",         "duration",        "udp",
                                            "packets.out.mean", "ip.out.ttl",      "ip.in.id.step",
                                            "packets.turns",    "bytes_per_second"};
static const char *const side_fields[] = {"bytes", "num_pkts", "ip.ttl", "ip.hops", "ip.id.zeros", "out"};
static const char *const packet_fields[] = {"b", "out", "ipt", "direction"};
static const char *const id_fields[] = {"id"};

static const struct {
    const char *const *fields;
    size_t n_fields;
    const char *lists[3];
    size_t n_lists;
} scopes[FIELD_SCOPES] = {
    [SCOPE_RECORD] = {record_fields, 8, {"packets", "ip.out.id", "sides"}, 3},
    [SCOPE_SIDE] = {side_fields, 6, {"ip.id"}, 1},
    [SCOPE_PACKET] = {packet_fields, 4, {NULL}, 0},
    [SCOPE_ID] = {id_fields, 1, {NULL}, 0},
};

/* A tree in the making. */
struct growth {
    struct random *random;
    unsigned named; /* elements so far */
};

static unsigned draw(struct growth *growth, unsigned n)
{
    return (unsigned)random_below(growth->random, n);
}

static void add_number_map(cJSON *maps, const char *name, double argument)
{
    cJSON *map = cJSON_CreateObject();

    cJSON_AddNumberToObject(map, name, argument);
    cJSON_AddItemToArray(maps, map);
}

static cJSON *random_column(struct growth *growth, enum field_scope scope)
{
    const char *field = scopes[scope].fields[draw(growth, (unsigned)scopes[scope].n_fields)];
    cJSON *column, *maps;

    if (draw(growth, 2) == 0)
        return cJSON_CreateString(field);
    column = cJSON_CreateObject();
    cJSON_AddStringToObject(column, "field", field);
    maps = cJSON_AddArrayToObject(column, "map");
    if (draw(growth, 2) == 0)
        add_number_map(maps, "min", 1000);
    if (draw(growth, 2) == 0)
        cJSON_AddItemToArray(maps, cJSON_CreateString("log1p"));
    if (draw(growth, 2) == 0)
        add_number_map(maps, draw(growth, 2) == 0 ? "divide" : "scale", 0.5);
    if (scope == SCOPE_PACKET && draw(growth, 2) == 0)
        cJSON_AddItemToArray(maps, cJSON_CreateString("sign"));
    if (scope != SCOPE_RECORD && draw(growth, 3) == 0)
        cJSON_AddItemToArray(maps, cJSON_CreateString("delta"));
    return column;
}

static void add_dense(struct growth *growth, cJSON *layers)
{
    static const char *const activations[] = {"linear", "relu", "tanh", "sigmoid"};
    cJSON *layer = cJSON_CreateObject();

    cJSON_AddNumberToObject(layer, "dense", 1 + draw(growth, 5));
    cJSON_AddStringToObject(layer, "activation", activations[draw(growth, 4)]);
    cJSON_AddItemToArray(layers, layer);
}

static void add_dropout(cJSON *layers)
{
    cJSON *layer = cJSON_CreateObject();

    cJSON_AddNumberToObject(layer, "dropout", 0.25);
    cJSON_AddItemToArray(layers, layer);
}

static void add_recurrent(struct growth *growth, cJSON *layers)
{
    cJSON *layer = cJSON_CreateObject();

    cJSON_AddNumberToObject(layer, draw(growth, 2) == 0 ? "lstm" : "gru", 1 + draw(growth, 4));
    if (draw(growth, 2) == 0)
        cJSON_AddBoolToObject(layer, "bidirectional", draw(growth, 2) == 0);
    cJSON_AddItemToArray(layers, layer);
}

static void add_layers(struct growth *growth, cJSON *element, bool is_sequence)
{
    cJSON *layers = cJSON_AddArrayToObject(element, "layers");

    if (draw(growth, 3) == 0)
        add_dense(growth, layers);
    for (unsigned i = is_sequence ? 1 + draw(growth, 2) : 0; i > 0; i--) {
        add_recurrent(growth, layers);
        if (draw(growth, 4) == 0)
            add_dropout(layers);
    }
    if (draw(growth, 2) == 0)
        add_dense(growth, layers);
    if (draw(growth, 4) == 0)
        add_dropout(layers);
}

static cJSON *random_element(struct growth *growth, enum field_scope scope, int depth);

/* An element and another of the same input that shares its layers. */
static void add_children(struct growth *growth, cJSON *element, enum field_scope scope, int depth)
{
    cJSON *children = cJSON_AddArrayToObject(element, "children");

    for (unsigned i = draw(growth, depth == 0 ? 4 : 3); i > 0; i--) {
        cJSON *child = random_element(growth, scope, depth + 1);

        if (draw(growth, 3) == 0 && cJSON_GetArraySize(cJSON_GetObjectItem(child, "children")) == 0 &&
            cJSON_GetArraySize(cJSON_GetObjectItem(child, "layers")) > 0) {
            cJSON *twin = cJSON_Duplicate(child, true);
            char name[TREE_NAME_MAX];

            (void)snprintf(name, sizeof name, "e%u", growth->named++);
            cJSON_ReplaceItemInObject(twin, "name", cJSON_CreateString(name));
            if (draw(growth, 2) == 0)
                cJSON_DeleteItemFromObject(twin, "layers");
            cJSON_AddStringToObject(twin, "share", cJSON_GetObjectItem(child, "name")->valuestring);
            cJSON_AddItemToArray(children, twin);
        }
        cJSON_AddItemToArray(children, child);
    }
}

/* One column that chooses a row of a table. */
static void make_embedding(struct growth *growth, cJSON *element, cJSON *input, enum field_scope scope,
                           bool is_sequence)
{
    cJSON *select = cJSON_AddArrayToObject(input, "select"), *layers, *layer = cJSON_CreateObject();
    int size[] = {EMBEDDING_ROWS, 1 + (int)draw(growth, 4)};

    cJSON_AddItemToArray(select, random_column(growth, scope));
    layers = cJSON_AddArrayToObject(element, "layers");
    cJSON_AddItemToObject(layer, "embedding", cJSON_CreateIntArray(size, 2));
    cJSON_AddItemToArray(layers, layer);
    if (is_sequence)
        add_recurrent(growth, layers);
}

static cJSON *random_element(struct growth *growth, enum field_scope scope, int depth)
{
    cJSON *element = cJSON_CreateObject(), *input, *select;
    bool is_list = scopes[scope].n_lists > 0 && draw(growth, 2) == 0;
    bool flatten = is_list && draw(growth, 3) == 0;
    char name[TREE_NAME_MAX];

    (void)snprintf(name, sizeof name, "e%u", growth->named++);
    cJSON_AddStringToObject(element, "name", name);
    input = cJSON_AddObjectToObject(element, "input");
    if (is_list) {
        const char *list = scopes[scope].lists[draw(growth, (unsigned)scopes[scope].n_lists)];

        cJSON_AddStringToObject(input, "each", list);
        if (flatten || draw(growth, 2) == 0)
            cJSON_AddNumberToObject(input, "first", 1 + draw(growth, strcmp(list, "sides") == 0 ? 2 : 6));
        if (flatten)
            cJSON_AddTrueToObject(input, "flatten");
        scope = field_list_items((enum field_list)field_list_find(scope, list));
    }
    if (!flatten && draw(growth, 6) == 0) {
        make_embedding(growth, element, input, scope, is_list);
        return element;
    }
    select = cJSON_AddArrayToObject(input, "select");
    for (unsigned i = 1 + draw(growth, 3); i > 0; i--)
        cJSON_AddItemToArray(select, random_column(growth, scope));
    if (draw(growth, 4) == 0)
        cJSON_AddNumberToObject(cJSON_AddObjectToObject(input, "standardise"), "clip", 5);
    if (depth < DEPTH_MAX)
        add_children(growth, element, scope, depth);
    add_layers(growth, element, is_list && !flatten);
    return element;
}

char *random_tree_text(struct random *random)
{
    struct growth growth = {random, 0};
    cJSON *document = cJSON_CreateObject(), *root = random_element(&growth, SCOPE_RECORD, 0), *last;
    char *text;

    last = cJSON_CreateObject();
    cJSON_AddStringToObject(last, "dense", "labels");
    cJSON_AddStringToObject(last, "activation", "softmax");
    cJSON_AddItemToArray(cJSON_GetObjectItem(root, "layers"), last);
    cJSON_AddNumberToObject(document, "format", 1);
    cJSON_AddStringToObject(document, "name", "random");
    cJSON_AddStringToObject(document, "padding", draw(&growth, 2) == 0 ? "none" : "batch");
    cJSON_AddItemToObject(document, "root", root);
    text = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    return text;
}

struct tree *random_tree(struct random *random)
{
    char *text = random_tree_text(random);
    struct tree *tree;
    struct error err;

    if (tree_parse(&tree, "random", text, strlen(text), NULL, 0, &err) < 0) {
        fprintf(stderr, "%s\n%s\n", err.text, text);
        exit(EXIT_FAILURE);
    }
    free(text);
    return tree;
}

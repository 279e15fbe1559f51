#include "core/tree/tree_json_parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/tree/layer.h"

enum { EMBEDDING_ROWS_MAX = 65536 };

/* The value of a layer's own key ("dense": 10). labels: what "labels" stands for, 0: not allowed here. */
typedef int layer_fn(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer);

static int parse_units(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer)
{
    (void)labels;
    return json_whole(at, value, 1, TREE_WIDTH_MAX, &layer->units);
}

static int parse_dense(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer)
{
    if (!cJSON_IsString(value))
        return parse_units(at, value, labels, layer);
    if (strcmp(value->valuestring, "labels") != 0)
        return json_refuse(at, "neither a number nor \"labels\"");
    if (labels == 0)
        return json_refuse(at, "\"labels\" is only for the root's last layer");
    layer->units = labels;
    return 0;
}

static int parse_embedding(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer)
{
    struct json_at rows = json_at_index(at, 0), units = json_at_index(at, 1);
    int r;

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2)
        return json_refuse(at, "not [rows, units]");
    r = json_whole(&rows, value->child, 1, EMBEDDING_ROWS_MAX, &layer->rows);
    return r < 0 ? r : parse_units(&units, value->child->next, labels, layer);
}

static int parse_dropout(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer)
{
    int r = json_float(at, value, &layer->rate);

    (void)labels;
    return r == 0 && !(layer->rate >= 0 && layer->rate < 1) ? json_refuse(at, "not within 0 and 1") : r;
}

static const struct layer_syntax {
    const char *option; /* a further key, NULL if none */
    layer_fn *parse;
} layer_syntax[LAYER_KINDS] = {
    [LAYER_DENSE] = {"activation", parse_dense},  [LAYER_LSTM] = {"bidirectional", parse_units},
    [LAYER_GRU] = {"bidirectional", parse_units}, [LAYER_EMBEDDING] = {NULL, parse_embedding},
    [LAYER_DROPOUT] = {NULL, parse_dropout},
};

static int parse_activation(const struct json_at *at, const cJSON *value, struct layer *layer)
{
    int activation = cJSON_IsString(value) ? activation_find(value->valuestring) : -1;

    if (activation < 0)
        return json_refuse(at, "not the name of an activation");
    layer->activation = (enum activation)activation;
    return 0;
}

/* The kind of a layer: the one key that names one. */
static int find_kind(const struct json_at *at, const cJSON *value, enum layer_kind *kind)
{
    int found = -1;

    if (!cJSON_IsObject(value))
        return json_refuse(at, "not an object");
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        int here = layer_kind_find(member->string);

        if (here >= 0 && found >= 0)
            return json_refuse(at, "two kinds of layer in one");
        if (here >= 0)
            found = here;
    }
    if (found < 0)
        return json_refuse(at, "no kind of layer: dense, lstm, gru, embedding or dropout");
    *kind = (enum layer_kind)found;
    return 0;
}

static int parse_layer(const struct json_at *at, const cJSON *value, size_t labels, struct layer *layer)
{
    const struct layer_syntax *syntax;
    const char *keys[3] = {NULL};
    const cJSON *option;
    struct json_at here;
    int r;

    *layer = (struct layer){0};
    r = find_kind(at, value, &layer->kind);
    if (r < 0)
        return r;
    syntax = &layer_syntax[layer->kind];
    keys[0] = layer_kind_name(layer->kind);
    keys[1] = syntax->option;
    r = json_object(at, value, keys);
    here = json_at_key(at, keys[0]);
    if (r == 0)
        r = syntax->parse(&here, json_member(value, keys[0]), labels, layer);
    option = r == 0 && keys[1] != NULL ? json_member(value, keys[1]) : NULL;
    if (option == NULL)
        return r;
    here = json_at_key(at, keys[1]);
    return layer->kind == LAYER_DENSE ? parse_activation(&here, option, layer)
                                      : json_bool(&here, option, &layer->bidirectional);
}

int tree_json_layers(const struct json_at *at, const cJSON *value, size_t labels, struct element *element)
{
    const cJSON *item;
    size_t n;

    if (!cJSON_IsArray(value))
        return json_refuse(at, "not an array");
    n = (size_t)cJSON_GetArraySize(value);
    if (n > TREE_LAYERS_MAX)
        return json_refuse(at, "more than %d layers", TREE_LAYERS_MAX);
    element->layers = calloc(n > 0 ? n : 1, sizeof *element->layers);
    if (element->layers == NULL)
        return tree_json_out_of_memory(at);
    cJSON_ArrayForEach(item, value)
    {
        struct json_at here = json_at_index(at, element->n_layers);
        int r =
            parse_layer(&here, item, item->next == NULL ? labels : 0, &element->layers[element->n_layers]);

        if (r < 0)
            return r;
        element->n_layers++;
    }
    return 0;
}

#include "core/tree/layer.h"

#include <string.h>

static const struct layer_type types[LAYER_KINDS] = {
    [LAYER_DENSE] = {"dense", .numbered = true, .gates = 1, .n_tensors = 2,
                     .tensors = {{"W", COLUMNS_IN, START_GLOROT}, {"b", COLUMNS_NONE, START_ZERO}}},
    [LAYER_LSTM] = {"lstm", .recurrent = true, .gates = 4, .n_tensors = 4,
                    .tensors = {{"Wx", COLUMNS_IN, START_GLOROT},
                                {"Wh", COLUMNS_UNITS, START_ORTHOGONAL},
                                {"bx", COLUMNS_NONE, START_ZERO},
                                {"bh", COLUMNS_NONE, START_FORGET}}},
    [LAYER_GRU] = {"gru", .recurrent = true, .gates = 3, .n_tensors = 4,
                   .tensors = {{"Wx", COLUMNS_IN, START_GLOROT},
                               {"Wh", COLUMNS_UNITS, START_ORTHOGONAL},
                               {"bx", COLUMNS_NONE, START_ZERO},
                               {"bh", COLUMNS_NONE, START_ZERO}}},
    [LAYER_EMBEDDING] = {"embedding", .n_tensors = 1, .tensors = {{"W", COLUMNS_UNITS, START_SMALL}}},
    [LAYER_DROPOUT] = {"dropout"},
};

static const char *const activations[ACTIVATIONS] = {
    [ACTIVATION_LINEAR] = "linear",   [ACTIVATION_RELU] = "relu",       [ACTIVATION_TANH] = "tanh",
    [ACTIVATION_SIGMOID] = "sigmoid", [ACTIVATION_SOFTMAX] = "softmax",
};

const struct layer_type *layer_type(enum layer_kind kind)
{
    return &types[kind];
}

const char *layer_kind_name(enum layer_kind kind)
{
    return types[kind].name;
}

const char *activation_name(enum activation activation)
{
    return activations[activation];
}

int layer_kind_find(const char *name)
{
    for (int i = 0; i < LAYER_KINDS; i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    return -1;
}

int activation_find(const char *name)
{
    for (int i = 0; i < ACTIVATIONS; i++)
        if (strcmp(activations[i], name) == 0)
            return i;
    return -1;
}

void layer_tensor_shape(const struct layer *layer, unsigned k, struct tensor *tensor)
{
    const struct layer_type *type = &types[layer->kind];
    const struct layer_tensor *of = &type->tensors[k % type->n_tensors];

    tensor->rank = of->columns == COLUMNS_NONE ? 1 : 2;
    tensor->shape[0] = type->gates > 0 ? type->gates * layer->units : layer->rows;
    tensor->shape[1] = of->columns == COLUMNS_NONE ? 1 : of->columns == COLUMNS_IN ? layer->in : layer->units;
    tensor->size = tensor->shape[0] * tensor->shape[1];
}

bool layer_equal(const struct layer *a, const struct layer *b)
{
    return a->kind == b->kind && a->activation == b->activation && a->bidirectional == b->bidirectional &&
           a->units == b->units && a->rows == b->rows && a->rate == b->rate;
}

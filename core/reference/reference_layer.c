#include "core/reference/reference_layer.h"

#include <math.h>

#include "core/dropout.h"

void reference_multiply(const double *W, const double *x, double *y, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            y[i] += W[i * columns + k] * x[k];
}

void reference_multiply_backward(const double *W, const double *x, const double *dy, double *dx, double *dW,
                                 size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++) {
            dx[k] += W[i * columns + k] * dy[i];
            dW[i * columns + k] += dy[i] * x[k];
        }
}

/* Softmax is left to the loss: here it passes the logits on. */
static double activate(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

/* Derivative of the activation where its result is y. */
static double slope(enum activation activation, double y)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return y > 0 ? 1 : 0;
    case ACTIVATION_TANH:
        return 1 - y * y;
    case ACTIVATION_SIGMOID:
        return y * (1 - y);
    default:
        return 1;
    }
}

static void dense_forward(const struct reference_layer *at)
{
    const struct layer *layer = at->layer;

    for (size_t s = 0; s < at->in->first[at->in->n]; s++) {
        double *y = at->out->values + s * layer->out;

        for (size_t i = 0; i < layer->out; i++)
            y[i] = at->weights[1][i];
        reference_multiply(at->weights[0], at->in->values + s * layer->in, y, layer->out, layer->in);
        for (size_t i = 0; i < layer->out; i++)
            y[i] = activate(layer->activation, y[i]);
    }
}

static void dense_backward(const struct reference_layer *at)
{
    const struct layer *layer = at->layer;

    for (size_t s = 0; s < at->in->first[at->in->n]; s++) {
        double *dy = at->out->gradient + s * layer->out;

        for (size_t i = 0; i < layer->out; i++) {
            dy[i] *= slope(layer->activation, at->out->values[s * layer->out + i]);
            at->gradients[1][i] += dy[i];
        }
        reference_multiply_backward(at->weights[0], at->in->values + s * layer->in, dy,
                                    at->in->gradient + s * layer->in, at->gradients[0], layer->out,
                                    layer->in);
    }
}

/* Row of the table for a value: cut to a whole number, limited to the table. */
static size_t embedding_row(const struct layer *layer, double x)
{
    if (!(x > 0))
        return 0;
    return x < (double)layer->rows ? (size_t)x : layer->rows - 1;
}

static void embedding_forward(const struct reference_layer *at)
{
    const struct layer *layer = at->layer;

    for (size_t s = 0; s < at->in->first[at->in->n]; s++) {
        size_t row = embedding_row(layer, at->in->values[s]);

        for (size_t i = 0; i < layer->out; i++)
            at->out->values[s * layer->out + i] = at->weights[0][row * layer->out + i];
    }
}

static void embedding_backward(const struct reference_layer *at)
{
    const struct layer *layer = at->layer;

    for (size_t s = 0; s < at->in->first[at->in->n]; s++) {
        size_t row = embedding_row(layer, at->in->values[s]);

        for (size_t i = 0; i < layer->out; i++)
            at->gradients[0][row * layer->out + i] += at->out->gradient[s * layer->out + i];
    }
}

/* What value i of a step is multiplied with. */
static double dropout_at(const struct reference_layer *at, uint32_t instance_key, size_t step, size_t i)
{
    return at->dropping ? dropout_factor(instance_key, (uint32_t)(step * at->layer->out + i), at->layer->rate)
                        : 1;
}

static void dropout_forward(const struct reference_layer *at)
{
    size_t width = at->layer->out;

    for (size_t n = 0; n < at->in->n; n++) {
        uint32_t key = dropout_instance_key(at->dropout_key, (uint32_t)n);

        for (size_t s = at->in->first[n]; s < at->in->first[n + 1]; s++)
            for (size_t i = 0; i < width; i++)
                at->out->values[s * width + i] =
                    at->in->values[s * width + i] * dropout_at(at, key, s - at->in->first[n], i);
    }
}

static void dropout_backward(const struct reference_layer *at)
{
    size_t width = at->layer->out;

    for (size_t n = 0; n < at->in->n; n++) {
        uint32_t key = dropout_instance_key(at->dropout_key, (uint32_t)n);

        for (size_t s = at->in->first[n]; s < at->in->first[n + 1]; s++)
            for (size_t i = 0; i < width; i++)
                at->in->gradient[s * width + i] +=
                    at->out->gradient[s * width + i] * dropout_at(at, key, s - at->in->first[n], i);
    }
}

static const struct {
    void (*forward)(const struct reference_layer *at);
    void (*backward)(const struct reference_layer *at);
} table[LAYER_KINDS] = {
    [LAYER_DENSE] = {dense_forward, dense_backward},
    [LAYER_LSTM] = {reference_recurrent_forward, reference_recurrent_backward},
    [LAYER_GRU] = {reference_recurrent_forward, reference_recurrent_backward},
    [LAYER_EMBEDDING] = {embedding_forward, embedding_backward},
    [LAYER_DROPOUT] = {dropout_forward, dropout_backward},
};

void reference_layer_forward(const struct reference_layer *layer)
{
    table[layer->layer->kind].forward(layer);
}

void reference_layer_backward(const struct reference_layer *layer)
{
    table[layer->layer->kind].backward(layer);
}

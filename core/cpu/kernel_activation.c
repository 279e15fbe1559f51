/* Activations, their gradients, and dropout: a table each, by enum activation. */
#include "core/cpu/lanes.h"

#include "core/dropout.h"

static const float LOG2_E = 1.44269504F;

static void linear(size_t steps, size_t width, vfloat *y)
{
}

static void relu(size_t steps, size_t width, vfloat *y)
{
    for (size_t i = 0; i < steps * width; i++)
        y[i] = v_max(y[i], (vfloat){0});
}

static void hyperbolic(size_t steps, size_t width, vfloat *y)
{
    for (size_t i = 0; i < steps * width; i++)
        y[i] = v_tanh(v_gate(v_exp2(y[i] * (-2 * LOG2_E), ALONE)));
}

static void sigmoid(size_t steps, size_t width, vfloat *y)
{
    for (size_t i = 0; i < steps * width; i++)
        y[i] = v_sigmoid(v_gate(v_exp2(y[i] * -LOG2_E, ALONE)));
}

static void linear_backward(size_t steps, size_t width, const vfloat *y, vfloat *dy)
{
}

static void relu_backward(size_t steps, size_t width, const vfloat *y, vfloat *dy)
{
    for (size_t i = 0; i < steps * width; i++)
        dy[i] = v_select(y[i] > 0, dy[i], (vfloat){0});
}

static void hyperbolic_backward(size_t steps, size_t width, const vfloat *y, vfloat *dy)
{
    for (size_t i = 0; i < steps * width; i++)
        dy[i] *= 1.0F - y[i] * y[i];
}

static void sigmoid_backward(size_t steps, size_t width, const vfloat *y, vfloat *dy)
{
    for (size_t i = 0; i < steps * width; i++)
        dy[i] *= y[i] * (1.0F - y[i]);
}

static const struct {
    void (*forward)(size_t steps, size_t width, vfloat *y);
    void (*backward)(size_t steps, size_t width, const vfloat *y, vfloat *dy);
} activations[ACTIVATIONS] = {
    [ACTIVATION_LINEAR] = {linear, linear_backward},       [ACTIVATION_RELU] = {relu, relu_backward},
    [ACTIVATION_TANH] = {hyperbolic, hyperbolic_backward}, [ACTIVATION_SIGMOID] = {sigmoid, sigmoid_backward},
    [ACTIVATION_SOFTMAX] = {linear, linear_backward}, /* only on the root, whose logits are wanted */
};

void KERNEL(activate)(enum activation activation, size_t steps, size_t width, float *y)
{
    activations[activation].forward(steps, width, (vfloat *)y);
}

void KERNEL(activate_backward)(enum activation activation, size_t steps, size_t width, const float *y,
                               float *dy)
{
    activations[activation].backward(steps, width, (const vfloat *)y, (vfloat *)dy);
}

/* dropout_mix() in lanes. */
INLINE vuint mix(vuint x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

void KERNEL(dropout)(float *values, size_t n, const uint32_t *keys, uint32_t first_value, float rate)
{
    vfloat *v = (vfloat *)values;
    uint32_t threshold = dropout_threshold(rate);
    float kept = 1.0F / (1.0F - rate);
    vuint key;

    memcpy(&key, keys, sizeof key);
    for (size_t i = 0; i < n; i++) {
        vint stays = mix(key ^ (first_value + (uint32_t)i)) >= threshold;

        v[i] = v_select(stays, v[i] * kept, (vfloat){0});
    }
}

#include "core/cpu/adam.h"

#include <math.h>

/* What the gradient is multiplied with so that its norm stays under the limit. */
static double clip_scale(double clip, size_t n, const float *gradient)
{
    double square = 0, scale;

    if (clip <= 0)
        return 1;
    for (size_t i = 0; i < n; i++)
        square += (double)gradient[i] * (double)gradient[i];
    scale = clip / (sqrt(square) + 1e-6);
    return scale < 1 ? scale : 1;
}

/* Both forms are p = p * decay - rate * m / (sqrt(v) * root + epsilon). */
void adam_step(const struct optimizer *optimizer, uint64_t step, size_t n, float *weights,
               const float *gradient, float *mean, float *variance)
{
    double bias1 = 1 - pow(optimizer->beta1, (double)step);
    double bias2 = sqrt(1 - pow(optimizer->beta2, (double)step));
    bool decoupled = optimizer->kind == OPTIMIZER_ADAMW;
    float rate = (float)(decoupled ? optimizer->rate / bias1 : optimizer->rate * bias2 / bias1);
    float root = (float)(decoupled ? 1 / bias2 : 1);
    float decay = (float)(decoupled ? 1 - optimizer->rate * optimizer->weight_decay : 1);
    float scale = (float)clip_scale(optimizer->clip, n, gradient), epsilon = (float)optimizer->epsilon;
    float beta1 = (float)optimizer->beta1, beta2 = (float)optimizer->beta2;
    float rest1 = (float)(1 - optimizer->beta1), rest2 = (float)(1 - optimizer->beta2);

    for (size_t i = 0; i < n; i++) {
        float g = gradient[i] * scale;

        mean[i] = beta1 * mean[i] + rest1 * g;
        variance[i] = beta2 * variance[i] + rest2 * g * g;
        weights[i] = weights[i] * decay - rate * mean[i] / (sqrtf(variance[i]) * root + epsilon);
    }
}

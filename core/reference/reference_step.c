#include "core/reference/reference_step.h"

#include <math.h>

static void clip(double *gradient, size_t n, double limit)
{
    double squares = 0, scale;

    for (size_t i = 0; i < n; i++)
        squares += gradient[i] * gradient[i];
    scale = limit / (sqrt(squares) + 1e-6);
    for (size_t i = 0; scale < 1 && i < n; i++)
        gradient[i] *= scale;
}

/* Source: Kingma and Ba, 2015, as Keras 2.2 writes it: epsilon stands outside the bias correction. */
static double adam(const struct optimizer *optimizer, double mean, double variance, double mean_bias,
                   double variance_bias)
{
    return optimizer->rate * sqrt(variance_bias) / mean_bias * mean / (sqrt(variance) + optimizer->epsilon);
}

/* Source: Loshchilov and Hutter, 2019, as PyTorch writes it. */
static double adamw(const struct optimizer *optimizer, double mean, double variance, double mean_bias,
                    double variance_bias)
{
    return optimizer->rate / mean_bias * mean / (sqrt(variance / variance_bias) + optimizer->epsilon);
}

void reference_step(const struct optimizer *optimizer, struct reference_moments *moments, double *weights,
                    double *gradient, size_t n)
{
    double mean_bias, variance_bias;

    if (optimizer->clip > 0)
        clip(gradient, n, optimizer->clip);
    moments->steps++;
    mean_bias = 1 - pow(optimizer->beta1, moments->steps);
    variance_bias = 1 - pow(optimizer->beta2, moments->steps);
    for (size_t i = 0; i < n; i++) {
        double *mean = &moments->mean[i], *variance = &moments->variance[i];

        *mean = optimizer->beta1 * *mean + (1 - optimizer->beta1) * gradient[i];
        *variance = optimizer->beta2 * *variance + (1 - optimizer->beta2) * gradient[i] * gradient[i];
        if (optimizer->kind == OPTIMIZER_ADAMW) {
            weights[i] *= 1 - optimizer->rate * optimizer->weight_decay;
            weights[i] -= adamw(optimizer, *mean, *variance, mean_bias, variance_bias);
        } else {
            weights[i] -= adam(optimizer, *mean, *variance, mean_bias, variance_bias);
        }
    }
}

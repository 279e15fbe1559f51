#include "core/tree/initialise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "core/tree/layer.h"

static const double SMALL = 0.05;

/* Normal with mean 0 and deviation 1. Source: Box and Muller (1958). */
static double normal(struct random *random)
{
    double radius = sqrt(-2 * log(1 - random_unit(random)));

    return radius * cos(2 * M_PI * random_unit(random));
}

static void fill_uniform(struct random *random, const struct tensor *tensor, double limit, float *weights)
{
    for (size_t i = 0; i < tensor->size; i++)
        weights[i] = (float)(limit * (2 * random_unit(random) - 1));
}

/* Take from v what it has of the first n unit vectors, and make it one. vectors: (n, size), v: (size). */
static double orthonormalise(const double *vectors, size_t n, double *v, size_t size)
{
    double norm = 0;

    for (size_t k = 0; k < n; k++) {
        double product = 0;

        for (size_t i = 0; i < size; i++)
            product += vectors[k * size + i] * v[i];
        for (size_t i = 0; i < size; i++)
            v[i] -= product * vectors[k * size + i];
    }
    for (size_t i = 0; i < size; i++)
        norm += v[i] * v[i];
    norm = sqrt(norm);
    for (size_t i = 0; norm > 0 && i < size; i++)
        v[i] /= norm;
    return norm;
}

/* Columns are random directions, each at right angles to those before: Gram and Schmidt's method, twice over
 * for the digits. The tensor has at least as many rows as columns. */
static int fill_orthogonal(struct random *random, const struct tensor *tensor, float *weights)
{
    size_t rows = tensor->shape[0], columns = tensor->shape[1];
    double *vectors = malloc(tensor->size * sizeof *vectors);

    if (vectors == NULL)
        return -ENOMEM;
    for (size_t c = 0; c < columns; c++) {
        double *v = vectors + c * rows;

        do
            for (size_t i = 0; i < rows; i++)
                v[i] = normal(random);
        while (orthonormalise(vectors, c, v, rows) < 1e-6);
        (void)orthonormalise(vectors, c, v, rows);
        for (size_t i = 0; i < rows; i++)
            weights[i * columns + c] = (float)v[i];
    }
    free(vectors);
    return 0;
}

static int fill(struct random *random, const struct layer *layer, unsigned k, const struct tensor *tensor,
                float *weights)
{
    const struct layer_type *type = layer_type(layer->kind);

    for (size_t i = 0; i < tensor->size; i++)
        weights[i] = 0;
    switch (type->tensors[k % type->n_tensors].start) {
    case START_ZERO:
        return 0;
    case START_GLOROT:
        fill_uniform(random, tensor, sqrt(6 / (double)(tensor->shape[0] + tensor->shape[1])), weights);
        return 0;
    case START_ORTHOGONAL:
        return fill_orthogonal(random, tensor, weights);
    case START_SMALL:
        fill_uniform(random, tensor, SMALL, weights);
        return 0;
    case START_FORGET:
        for (size_t i = layer->units; i < 2 * layer->units; i++)
            weights[i] = 1;
        return 0;
    }
    return 0;
}

int initialise_weights(const struct tree *tree, float *weights, uint64_t seed)
{
    struct random random = {.state = seed};
    int r = 0;

    for (size_t i = 0; i < tree->n_elements; i++)
        for (size_t j = 0; tree->elements[i].share == i && j < tree->elements[i].n_layers; j++) {
            const struct layer *layer = &tree->elements[i].layers[j];

            for (unsigned k = 0; r == 0 && k < layer->n_tensors; k++) {
                const struct tensor *tensor = &tree->tensors[layer->tensors[k]];

                r = fill(&random, layer, k, tensor, weights + tensor->offset);
            }
        }
    return r;
}

#include "tests/golden/golden_limits.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct optimizer golden_adam = {
    .kind = OPTIMIZER_ADAM,
    .rate = 1e-3,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .epsilon = 1e-7,
};

struct optimizer golden_adamw(const struct golden *golden)
{
    struct optimizer optimizer = golden_adam;

    optimizer.kind = OPTIMIZER_ADAMW;
    optimizer.rate = golden_number(golden, "adamw", "lr");
    optimizer.epsilon = golden_number(golden, "adamw", "eps");
    optimizer.weight_decay = golden_number(golden, "adamw", "weight_decay");
    optimizer.clip = golden_number(golden, "adamw", "clip_global_norm");
    return optimizer;
}

/* value against reference; NaN is never near. */
static void check_near(const struct golden *golden, const char *what, size_t index, double value,
                       double reference, double limit)
{
    ck_assert_msg(fabs(value - reference) <= limit, "%s: %s[%zu] is %.17g, not %.17g: off by %g, limit %g",
                  golden->set->name, what, index, value, reference, fabs(value - reference), limit);
}

/* Largest of n values `stride` apart. */
static double largest(const double *values, size_t n, size_t stride)
{
    double max = 0;

    for (size_t i = 0; i < n; i++)
        max = fmax(max, fabs(values[i * stride]));
    return max;
}

void golden_check_rows(const struct golden *golden, const char *part, const char *key, const double *values,
                       size_t width, struct golden_limit limit)
{
    double *reference = golden_tensor(golden, part, key, GOLDEN_FLOWS * width);

    ck_assert_msg(reference != NULL, "%s: no %s", part, key);
    for (size_t i = 0; i < GOLDEN_FLOWS * width; i++) {
        double s = largest(reference + i / width * width, width, 1);

        check_near(golden, key, i, values[i], reference[i], limit.relative * s + limit.absolute);
    }
    free(reference);
}

void golden_check_probabilities(const struct golden *golden, const double *logits, double limit)
{
    size_t n = golden->model->tree->n_labels;
    double *reference = golden_tensor(golden, "probabilities", NULL, GOLDEN_FLOWS * n);

    ck_assert_ptr_nonnull(reference);
    for (size_t i = 0; i < GOLDEN_FLOWS * n; i++) {
        const double *row = logits + i / n * n;
        double sum = 0;

        for (size_t k = 0; k < n; k++)
            sum += exp(row[k] - logits[i]);
        check_near(golden, "probabilities", i, 1 / sum, reference[i], limit);
    }
    free(reference);
}

void golden_check_loss(const struct golden *golden, const char *part, const char *key, double loss,
                       double limit)
{
    double reference = golden_number(golden, part, key);

    check_near(golden, part, 0, loss, reference, limit * reference);
}

/* s of a weight: the largest reference value of its column. */
static double column_largest(const struct tensor *tensor, const double *reference, size_t index)
{
    const double *values = reference + tensor->offset;

    if (tensor->rank < 2)
        return largest(values, tensor->size, 1);
    return largest(values + index % tensor->shape[1], tensor->shape[0], tensor->shape[1]);
}

void golden_check_gradient(const struct golden *golden, const double *gradient, struct golden_limit limit)
{
    const struct tree *tree = golden->model->tree;
    double *reference = golden_by_weight(golden, "gradients", NULL);

    ck_assert_ptr_nonnull(reference);
    for (size_t t = 0; t < tree->n_tensors; t++) {
        const struct tensor *tensor = &tree->tensors[t];

        for (size_t i = 0; i < tensor->size; i++)
            check_near(golden, tensor->name, i, gradient[tensor->offset + i], reference[tensor->offset + i],
                       limit.relative * column_largest(tensor, reference, i) + limit.absolute);
    }
    free(reference);
}

void golden_check_weights(const struct golden *golden, const char *part, const char *key,
                          const double *weights, double limit, double least)
{
    const struct tree *tree = golden->model->tree;
    double *reference = golden_by_weight(golden, part, key);
    double *first = golden_by_weight(golden, "gradients", NULL);

    ck_assert_ptr_nonnull(reference);
    ck_assert_ptr_nonnull(first);
    for (size_t t = 0; t < tree->n_tensors; t++) {
        const struct tensor *tensor = &tree->tensors[t];

        for (size_t i = 0; i < tensor->size; i++)
            if (fabs(first[tensor->offset + i]) >= least * column_largest(tensor, first, i))
                check_near(golden, tensor->name, i, weights[tensor->offset + i],
                           reference[tensor->offset + i], limit);
    }
    free(first);
    free(reference);
}

#include "core/tree/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/tree/initialise.h"

/* Until they are fitted: mean 0, scale 1. */
static void constants_init(struct model *model)
{
    for (size_t i = 1; i < model->tree->n_constants; i += 2) {
        const struct tensor *scale = &model->tree->constants[i];

        for (size_t k = 0; k < scale->size; k++)
            model->constants[scale->offset + k] = 1;
    }
}

int model_new_blank(struct model **modelp, struct tree *tree)
{
    struct model *model = calloc(1, sizeof *model);

    if (model == NULL)
        return -ENOMEM;
    model->weights = calloc(tree->n_weights, sizeof *model->weights);
    model->constants = calloc(tree->n_constant_values + 1, sizeof *model->constants);
    if (model->weights == NULL || model->constants == NULL) {
        model_free(model);
        return -ENOMEM;
    }
    model->tree = tree;
    model->temperature = 1;
    constants_init(model);
    *modelp = model;
    return 0;
}

int model_new(struct model **modelp, struct tree *tree, uint64_t seed)
{
    struct model *model;
    int r = model_new_blank(&model, tree);

    if (r < 0)
        return r;
    r = initialise_weights(tree, model->weights, seed);
    if (r < 0) {
        model->tree = NULL; /* still the caller's */
        model_free(model);
        return r;
    }
    *modelp = model;
    return 0;
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    tree_free(model->tree);
    free(model->weights);
    free(model->constants);
    free(model->training);
    free(model);
}

int model_other(const struct model *model)
{
    for (size_t i = 0; i < model->tree->n_labels; i++)
        if (strcmp(model->tree->labels[i], "other") == 0)
            return (int)i;
    return -1;
}

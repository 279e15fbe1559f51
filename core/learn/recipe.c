/* recipe.c - the table of recipes.
 *
 * flowtree: AdamW with a short warm-up and a cosine to zero (Loshchilov and Hutter, 2017 and 2019). notebook:
 * the reference notebook's call of Keras 2.2 to the letter, Adam(lr=1e-3) with ReduceLROnPlateau.
 */
#include "core/learn/recipe.h"

#include <math.h>
#include <string.h>

static const struct train_recipe recipes[] = {
    {
        .name = "flowtree",
        .optimizer = {.kind = OPTIMIZER_ADAMW,
                      .rate = 5e-3,
                      .beta1 = 0.9,
                      .beta2 = 0.999,
                      .epsilon = 1e-7,
                      .weight_decay = 1e-2,
                      .clip = 1},
        .epochs = 60,
        .batch = 32,
        .large_batch = 128,
        .large_from = 20000,
        .by_length = true,
        .class_weights = true,
        .warmup = 0.05,
        .cosine = true,
        .patience = 20,
    },
    {
        .name = "notebook",
        .optimizer = {.kind = OPTIMIZER_ADAM, .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7},
        .epochs = 10,
        .batch = 128,
        .large_batch = 128,
        .drop_partial = true,
        .plateau_factor = 0.2,
        .plateau_patience = 5,
        .plateau_minimum = 1e-5,
    },
};

const struct train_recipe *train_recipe_find(const char *tree_name)
{
    for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++) {
        if (strcmp(recipes[i].name, tree_name) == 0)
            return &recipes[i];
    }
    return &recipes[0];
}

size_t train_recipe_batch(const struct train_recipe *recipe, size_t n)
{
    return n >= recipe->large_from ? recipe->large_batch : recipe->batch;
}

double train_recipe_rate(const struct train_recipe *recipe, double rate, uint64_t step, uint64_t n_steps)
{
    double warm = floor(recipe->warmup * (double)n_steps);

    if ((double)step < warm)
        return rate * (double)(step + 1) / warm;
    if (!recipe->cosine || (double)n_steps <= warm)
        return rate;
    return rate * 0.5 * (1 + cos(M_PI * ((double)step - warm) / ((double)n_steps - warm)));
}

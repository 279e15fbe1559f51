/* Training: that it learns, that the seed decides, what is kept, what a stop leaves. Never how well it does
 * on traffic. */
#include "core/learn/train.h"

#include <errno.h>
#include <limits.h>
#include <math.h>

#include "core/learn/predict.h"
#include "core/tree/tree_json.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};

/* Small, but with all that is particular: a list with a recurrent layer, constants fitted to the data,
 * dropout. */
static const char small_tree[] =
    "{\"format\": 1, \"name\": \"small\", \"padding\": \"none\", \"root\": {\"name\": \"root\","
    "  \"input\": {\"select\": [{\"field\": \"bytes_in\", \"map\": [\"log1p\"]},"
    "                           {\"field\": \"bytes_out\", \"map\": [\"log1p\"]}], \"standardise\": "
    "{\"clip\": 5}},"
    "  \"children\": [{\"name\": \"pkt\", \"input\": {\"each\": \"packets\", \"first\": 8,"
    "                  \"select\": [{\"field\": \"b\", \"map\": [\"log1p\"]}, \"out\"]},"
    "                  \"layers\": [{\"gru\": 4}]}],"
    "  \"layers\": [{\"dense\": 16, \"activation\": \"relu\"}, {\"dropout\": 0.1},"
    "             {\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";

static struct model *model_of(const char *json, const struct dataset *dataset, size_t n_labels, uint64_t seed)
{
    const char *names[TREE_LABELS_MAX];
    struct model *model;
    struct tree *tree;
    struct error err = {0};

    for (size_t l = 0; l < n_labels; l++)
        names[l] = dataset->labels[l];
    ck_assert_msg(tree_parse(&tree, "small", json, strlen(json), names, n_labels, &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_new(&model, tree, seed), 0);
    return model;
}

static struct model *new_model(const struct dataset *dataset, size_t n_labels, uint64_t seed)
{
    return model_of(small_tree, dataset, n_labels, seed);
}

static struct train_recipe recipe_of(unsigned epochs)
{
    struct train_recipe recipe = *train_recipe_find("flowtree");

    recipe.epochs = epochs;
    recipe.batch = 16;
    return recipe;
}

static struct train_result train(struct model *model, const struct dataset *dataset,
                                 const struct train_options *options)
{
    struct train_result result = {0};
    struct error err = {0};

    ck_assert_msg(train_model(model, dataset, options, &result, &err) == 0, "%s", err.text);
    return result;
}

START_TEST(sixty_four_records_are_learnt_by_heart)
{
    static const char *const trees[] = {SOURCE_ROOT "/etc/trees/flowtree.json",
                                        SOURCE_ROOT "/etc/trees/flowtree-portable.json"};

    for (size_t t = 0; t < sizeof(trees) / sizeof(trees[0]); t++) {
        struct dataset *dataset = flows_even(labels, 2, 8, 4);
        struct train_recipe recipe = *train_recipe_find("flowtree");
        struct random random = {.state = 11};
        struct train_options options = {.recipe = &recipe, .seed = 1, .engine = &engine_cpu};
        struct train_result result;
        struct model *model;
        struct tree *tree;
        double best = 0;

        /* Labels that have nothing to do with the records: there is nothing to learn but each by itself. */
        ck_assert_uint_eq(dataset->n, 64);
        for (size_t i = 0; i < dataset->n; i++)
            dataset->label[i] = (uint32_t)random_below(&random, 2);
        recipe.epochs = 199;
        recipe.patience = 0;
        ck_assert_int_eq(split_all(dataset, &options.train), 0);
        options.held_out = options.train; /* judged on what was learnt, without dropout */
        ck_assert_int_eq(tree_load(&tree, trees[t], labels, 2, NULL), 0);
        ck_assert_int_eq(model_new(&model, tree, 1), 0);
        result = train(model, dataset, &options);
        for (size_t i = 0; i < result.n_epochs; i++)
            best = fmax(best, result.epochs[i].held_out_accuracy);
        ck_assert_double_eq(best, 1);
        train_result_deinit(&result);
        model_free(model);
        subset_free(&options.train);
        dataset_free(dataset);
    }
}
END_TEST

START_TEST(loss_falls_with_every_engine)
{
    const struct engine_ops *const engines[] = {&engine_reference, &engine_cpu};
    struct dataset *dataset = flows_even(labels, 3, 4, 8);
    struct train_recipe recipe = recipe_of(10);

    for (size_t e = 0; e < 2; e++) {
        struct train_options options = {.recipe = &recipe, .seed = 1, .engine = engines[e]};
        struct model *model = new_model(dataset, 3, 1);
        struct train_result result;

        ck_assert_int_eq(split_all(dataset, &options.train), 0);
        result = train(model, dataset, &options);
        ck_assert_uint_eq(result.n_epochs, 10);
        ck_assert_uint_eq(result.best_epoch, 10);
        ck_assert_double_lt(result.epochs[9].loss, 0.7 * result.epochs[0].loss);
        ck_assert_double_gt(result.epochs[9].accuracy, result.epochs[0].accuracy);
        ck_assert(isnan(result.epochs[9].held_out_loss));
        train_result_deinit(&result);
        model_free(model);
        subset_free(&options.train);
    }
    dataset_free(dataset);
}
END_TEST

/* Weights after a few epochs. */
static struct model *trained(const struct dataset *dataset, uint64_t seed, unsigned threads)
{
    struct train_recipe recipe = recipe_of(4);
    struct train_options options = {
        .recipe = &recipe, .seed = seed, .engine = &engine_cpu, .engine_options = {.threads = threads}};
    struct model *model = new_model(dataset, 3, seed);
    struct train_result result;

    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    result = train(model, dataset, &options);
    train_result_deinit(&result);
    subset_free(&options.train);
    return model;
}

START_TEST(the_seed_decides_every_bit)
{
    struct dataset *dataset = flows_even(labels, 3, 4, 9);

    for (unsigned threads = 1; threads <= 2; threads++) {
        struct model *a = trained(dataset, 5, threads), *b = trained(dataset, 5, threads);
        struct model *c = trained(dataset, 6, threads);
        size_t size = a->tree->n_weights * sizeof(float);

        ck_assert_mem_eq(a->weights, b->weights, size);
        ck_assert_mem_eq(a->constants, b->constants, a->tree->n_constant_values * sizeof(float));
        ck_assert_mem_ne(a->weights, c->weights, size);
        model_free(a);
        model_free(b);
        model_free(c);
    }
    dataset_free(dataset);
}
END_TEST

/* Accuracy of a model on a subset. */
static double accuracy_of(const struct model *model, const struct dataset *dataset,
                          const struct subset *subset)
{
    struct engine_options options = {0};
    struct predictions predictions;
    double right = 0;

    predictions_init(&predictions, dataset, model->tree);
    ck_assert_int_eq(predictions_append(&predictions, model, subset, 0, &engine_cpu, &options, NULL), 0);
    for (size_t i = 0; i < predictions.n; i++) {
        const float *logits = predictions.logits + i * predictions.n_labels;
        int best = 0;

        for (size_t l = 1; l < predictions.n_labels; l++)
            best = logits[l] > logits[best] ? (int)l : best;
        right += best == predictions.truth[i];
    }
    predictions_deinit(&predictions);
    return right / (double)subset->n;
}

START_TEST(the_model_is_that_of_the_epoch_it_says)
{
    struct dataset *dataset = flows_even(labels, 3, 8, 5);
    struct train_recipe recipe = recipe_of(12);
    struct train_options options = {.recipe = &recipe, .seed = 2, .engine = &engine_cpu};
    struct model *model = new_model(dataset, 3, 2);
    struct random random = {.state = 4};
    struct train_result result;
    double best = 0;

    /* Half of the labels wrong, so that the figures go up and down. */
    for (size_t i = 0; i < dataset->n; i += 2)
        dataset->label[i] = (uint32_t)random_below(&random, 3);
    ck_assert_int_eq(split_holdout(dataset, 0.3, 1, &options.train, &options.held_out, NULL), 0);
    result = train(model, dataset, &options);
    ck_assert_uint_ge(result.best_epoch, 1);
    ck_assert_double_eq_tol(accuracy_of(model, dataset, &options.held_out),
                            result.epochs[result.best_epoch - 1].held_out_accuracy, 1e-12);
    for (size_t i = 0; i < result.n_epochs; i++)
        best = fmax(best, result.epochs[i].held_out_macro_f1);
    ck_assert_double_ge(result.epochs[result.best_epoch - 1].held_out_macro_f1,
                        best - 0.5 / sqrt((double)options.held_out.n));
    train_result_deinit(&result);
    model_free(model);
    subset_free(&options.train);
    subset_free(&options.held_out);
    dataset_free(dataset);
}
END_TEST

static volatile sig_atomic_t stop;

struct stop_at {
    unsigned epoch;
    size_t done;
};

static void stop_at(void *context, unsigned epoch, size_t done, size_t of_flows)
{
    const struct stop_at *at = context;

    ck_assert_uint_le(done, of_flows);
    stop = epoch == at->epoch && done >= at->done;
}

START_TEST(a_stop_keeps_the_epochs_that_are_complete)
{
    struct dataset *dataset = flows_even(labels, 3, 4, 8);
    struct train_recipe recipe = recipe_of(10);
    struct stop_at at = {.epoch = 3, .done = 32};
    struct train_options stopping = {.recipe = &recipe,
                                     .seed = 1,
                                     .engine = &engine_cpu,
                                     .stop = &stop,
                                     .on_batch = stop_at,
                                     .context = &at};
    struct train_options ending = {.recipe = &recipe, .seed = 1, .engine = &engine_cpu, .last_epoch = 2};
    struct model *stopped = new_model(dataset, 3, 1), *ended = new_model(dataset, 3, 1);
    struct train_result result;

    stop = 0;
    ck_assert_int_eq(split_all(dataset, &stopping.train), 0);
    ending.train = stopping.train;
    result = train(stopped, dataset, &stopping);
    ck_assert(result.stopped);
    ck_assert_uint_eq(result.n_epochs, 2);
    ck_assert_uint_eq(result.best_epoch, 2);
    train_result_deinit(&result);
    result = train(ended, dataset, &ending);
    ck_assert(!result.stopped);
    train_result_deinit(&result);
    ck_assert_mem_eq(stopped->weights, ended->weights, stopped->tree->n_weights * sizeof(float));
    model_free(stopped);
    model_free(ended);
    subset_free(&stopping.train);
    dataset_free(dataset);
}
END_TEST

START_TEST(a_stop_in_the_first_epoch_leaves_what_was_learnt)
{
    struct dataset *dataset = flows_even(labels, 3, 4, 8);
    struct train_recipe recipe = recipe_of(10);
    struct stop_at at = {.epoch = 1, .done = 16};
    struct train_options options = {.recipe = &recipe,
                                    .seed = 1,
                                    .engine = &engine_cpu,
                                    .stop = &stop,
                                    .on_batch = stop_at,
                                    .context = &at};
    struct model *model = new_model(dataset, 3, 1), *fresh = new_model(dataset, 3, 1);
    struct train_result result;

    stop = 0;
    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    result = train(model, dataset, &options);
    ck_assert(result.stopped);
    ck_assert_uint_eq(result.best_epoch, 0);
    ck_assert_mem_ne(model->weights, fresh->weights, model->tree->n_weights * sizeof(float));
    for (size_t i = 0; i < model->tree->n_weights; i++)
        ck_assert(isfinite(model->weights[i]));
    train_result_deinit(&result);
    model_free(model);
    model_free(fresh);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

struct seen {
    size_t done, of_flows;
    unsigned batches;
};

static void see(void *context, unsigned epoch, size_t done, size_t of_flows)
{
    *(struct seen *)context =
        (struct seen){.done = done, .of_flows = of_flows, .batches = ((struct seen *)context)->batches + 1};
}

/* 20 flows in batches of 8; 5 in batches of 8. */
START_TEST(partial_batches_are_kept_or_dropped_by_the_recipe)
{
    const struct {
        unsigned flows;
        bool drop;
        size_t done;
        unsigned batches;
    } cases[] = {{20, false, 20, 3}, {20, true, 16, 2}, {6, true, 6, 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dataset *dataset = flows_even(labels, 2, 2, cases[i].flows / 4 + 1);
        struct train_recipe recipe = recipe_of(1);
        struct seen seen = {0};
        struct train_options options = {
            .recipe = &recipe, .engine = &engine_cpu, .on_batch = see, .context = &seen};
        struct model *model = new_model(dataset, 2, 1);
        struct train_result result;

        recipe.batch = 8;
        recipe.drop_partial = cases[i].drop;
        ck_assert_int_eq(split_all(dataset, &options.train), 0);
        options.train.n = cases[i].flows;
        result = train(model, dataset, &options);
        ck_assert_uint_eq(seen.done, cases[i].done);
        ck_assert_uint_eq(seen.batches, cases[i].batches);
        ck_assert_uint_eq(seen.of_flows, cases[i].flows);
        train_result_deinit(&result);
        model_free(model);
        subset_free(&options.train);
        dataset_free(dataset);
    }
}
END_TEST

/* With a rate of nothing the accuracy stays what it is (dropout is left out by a second tree's rate of 0). */
START_TEST(a_plateau_lowers_the_rate_down_to_its_minimum)
{
    struct dataset *dataset = flows_even(labels, 2, 2, 8);
    struct train_recipe recipe = *train_recipe_find("notebook");
    struct train_options options = {.recipe = &recipe, .engine = &engine_cpu};
    const double rates[] = {1e-20, 1e-20, 1e-20, 2e-21, 2e-21, 1e-21, 1e-21, 1e-21};
    char text[sizeof(small_tree)];
    struct train_result result;
    struct model *model;
    struct tree *tree;

    strcpy(text, small_tree);
    memcpy(strstr(text, "0.1}"), "0.0}", 4);
    ck_assert_int_eq(tree_parse(&tree, "small", text, strlen(text), labels, 2, NULL), 0);
    ck_assert_int_eq(model_new(&model, tree, 1), 0);
    recipe.epochs = 8;
    recipe.optimizer.rate = 1e-20;
    recipe.plateau_patience = 2;
    recipe.plateau_minimum = 1e-21;
    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    result = train(model, dataset, &options);
    for (size_t i = 0; i < 8; i++)
        ck_assert_msg(fabs(result.epochs[i].rate / rates[i] - 1) < 1e-9, "epoch %zu: rate %g, not %g", i + 1,
                      result.epochs[i].rate, rates[i]);
    train_result_deinit(&result);
    model_free(model);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

START_TEST(patience_ends_training_that_does_not_get_better)
{
    struct dataset *dataset = flows_even(labels, 2, 12, 8);
    struct train_recipe recipe = recipe_of(60);
    struct train_options options = {.recipe = &recipe, .seed = 1, .engine = &engine_cpu};
    struct model *model = new_model(dataset, 2, 1);
    struct train_result result;

    ck_assert_int_eq(split_holdout(dataset, 0.3, 1, &options.train, &options.held_out, NULL), 0);
    /* The training part learns the opposite of what the hold-out asks. */
    for (size_t i = 0; i < options.train.n; i++)
        dataset->label[options.train.index[i]] ^= 1;
    recipe.patience = 5;
    result = train(model, dataset, &options);
    ck_assert_uint_lt(result.n_epochs, 60);
    ck_assert_uint_eq(result.n_epochs, result.best_epoch + 5);
    train_result_deinit(&result);
    model_free(model);
    subset_free(&options.train);
    subset_free(&options.held_out);
    dataset_free(dataset);
}
END_TEST

START_TEST(flows_of_other_are_left_out_without_that_label)
{
    struct dataset *dataset = flows_even(labels, 3, 2, 5);
    struct train_recipe recipe = recipe_of(1);
    struct seen seen = {0};
    struct train_options options = {
        .recipe = &recipe, .engine = &engine_cpu, .on_batch = see, .context = &seen};
    struct model *model = new_model(dataset, 2, 1);
    struct train_result result;

    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    result = train(model, dataset, &options);
    ck_assert_uint_eq(seen.of_flows, 20);
    train_result_deinit(&result);
    model_free(model);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

START_TEST(what_cannot_be_learnt_is_refused)
{
    struct dataset *dataset = flows_even(labels, 3, 2, 5);
    struct train_recipe recipe = recipe_of(30);
    struct train_options options = {.recipe = &recipe, .seed = 1, .engine = &engine_cpu};
    struct model *model = new_model(dataset, 3, 1);
    struct train_result result;
    struct error err;

    ck_assert_int_eq(train_model(model, dataset, &options, &result, &err), -EINVAL);
    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    recipe.optimizer.rate = 1e30;
    ck_assert_int_eq(train_model(model, dataset, &options, &result, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "finite"));
    strcpy(dataset->labels[0], "music");
    ck_assert_int_eq(train_model(model, dataset, &options, &result, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "music"));
    model_free(model);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

/* A model with such constants could be saved, and no more be loaded. */
START_TEST(columns_that_are_no_numbers_are_refused)
{
    static const char far[] =
        "{\"format\": 1, \"name\": \"far\", \"root\": {\"name\": \"root\", \"input\": {\"select\": ["
        "{\"field\": \"bytes_in\", \"map\": [{\"scale\": 1e38}]}], \"standardise\": {\"clip\": 5}},"
        "\"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";
    struct dataset *dataset = flows_even(labels, 3, 2, 5);
    struct train_recipe recipe = recipe_of(2);
    struct train_options options = {.recipe = &recipe, .seed = 1, .engine = &engine_cpu};
    struct model *model = model_of(far, dataset, 3, 1);
    struct train_result result;
    struct error err;

    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    ck_assert_int_eq(train_model(model, dataset, &options, &result, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "maps"));
    ck_assert_float_eq(model->constants[0], 0);
    ck_assert_float_eq(model->constants[1], 1);
    model_free(model);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

struct stopping {
    unsigned after;
    volatile sig_atomic_t stop;
};

static void stop_after(void *context, const struct train_epoch *epoch)
{
    struct stopping *stopping = context;

    stopping->stop = epoch->epoch == stopping->after;
}

/* As many epochs, of batches as large, as can be said: memory is for what there is. */
START_TEST(epochs_and_batches_without_end_take_no_memory)
{
    struct dataset *dataset = flows_even(labels, 3, 2, 5);
    struct train_recipe recipe = recipe_of(UINT_MAX);
    struct stopping stopping = {.after = 3};
    struct train_options options = {.recipe = &recipe,
                                    .seed = 1,
                                    .engine = &engine_cpu,
                                    .stop = &stopping.stop,
                                    .on_epoch = stop_after,
                                    .context = &stopping};
    struct model *model = new_model(dataset, 3, 1);
    struct train_result result;

    recipe.batch = UINT_MAX;
    ck_assert_int_eq(split_all(dataset, &options.train), 0);
    result = train(model, dataset, &options);
    ck_assert(result.stopped);
    ck_assert_uint_eq(result.n_epochs, 3);
    ck_assert_uint_eq(result.epochs[2].epoch, 3);
    train_result_deinit(&result);
    model_free(model);
    subset_free(&options.train);
    dataset_free(dataset);
}
END_TEST

START_TEST(recipes_are_found_by_tree)
{
    const struct train_recipe *notebook = train_recipe_find("notebook"),
                              *flowtree = train_recipe_find("mine");

    ck_assert_str_eq(notebook->name, "notebook");
    ck_assert_str_eq(flowtree->name, "flowtree");
    ck_assert_uint_eq(train_recipe_batch(flowtree, 500), 32);
    ck_assert_uint_eq(train_recipe_batch(flowtree, flowtree->large_from), 128);
    ck_assert_uint_eq(train_recipe_batch(notebook, 500), 128);
}
END_TEST

START_TEST(rate_warms_up_and_falls_as_a_cosine)
{
    struct train_recipe recipe = {.warmup = 0.05, .cosine = true};

    ck_assert_double_eq_tol(train_recipe_rate(&recipe, 1, 0, 100), 0.2, 1e-12);
    ck_assert_double_eq_tol(train_recipe_rate(&recipe, 1, 4, 100), 1, 1e-12);
    ck_assert_double_eq_tol(train_recipe_rate(&recipe, 1, 5, 100), 1, 1e-12);
    ck_assert_double_eq_tol(train_recipe_rate(&recipe, 2, 5 + 95 / 2, 100),
                            2 * 0.5 * (1 + cos(M_PI * 47 / 95)), 1e-12);
    ck_assert_double_lt(train_recipe_rate(&recipe, 1, 99, 100), 0.001);
    recipe = (struct train_recipe){0};
    ck_assert_double_eq(train_recipe_rate(&recipe, 1, 99, 100), 1);
}
END_TEST

int main(void)
{
    return UNIT_RUN(
        "train", sixty_four_records_are_learnt_by_heart, loss_falls_with_every_engine,
        the_seed_decides_every_bit, the_model_is_that_of_the_epoch_it_says,
        a_stop_keeps_the_epochs_that_are_complete, a_stop_in_the_first_epoch_leaves_what_was_learnt,
        partial_batches_are_kept_or_dropped_by_the_recipe, a_plateau_lowers_the_rate_down_to_its_minimum,
        patience_ends_training_that_does_not_get_better, flows_of_other_are_left_out_without_that_label,
        what_cannot_be_learnt_is_refused, columns_that_are_no_numbers_are_refused,
        epochs_and_batches_without_end_take_no_memory, recipes_are_found_by_tree,
        rate_warms_up_and_falls_as_a_cosine);
}

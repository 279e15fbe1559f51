/* What must hold for every tree: widths fit, and the gradient is that of the loss (by finite differences, in
 * float64). */
#include "core/encode.h"
#include "core/reference/reference.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <string.h>

enum { TREES = 150, FLOWS = 5, SAMPLES = 60 };

struct trial {
    struct model *model;
    struct batch *batch;
    struct engine *engine;
    struct engine_targets targets;
    uint32_t labels[FLOWS];
    float weights[FLOWS];
};

static void trial_init(struct trial *trial, struct random *random)
{
    struct record records[FLOWS];
    const struct record *pointers[FLOWS];

    ck_assert_int_eq(model_new(&trial->model, random_tree(random), random_next(random)), 0);
    ck_assert_int_eq(batch_new(&trial->batch, trial->model->tree), 0);
    for (size_t i = 0; i < FLOWS; i++) {
        random_record(random, &records[i], 7);
        pointers[i] = &records[i];
        trial->labels[i] = (uint32_t)random_below(random, trial->model->tree->n_labels);
        trial->weights[i] = (float)(0.5 + random_unit(random));
    }
    ck_assert_int_eq(encode_records(trial->batch, trial->model, pointers, FLOWS, ENCODE_TRAINING), 0);
    random_values(random, trial->batch);
    for (size_t i = 0; i < trial->model->tree->n_weights; i++) /* biases too */
        trial->model->weights[i] += (float)(0.4 * random_unit(random) - 0.2);
    trial->targets = (struct engine_targets){trial->labels, trial->weights, random_below(random, 2)};
    ck_assert_int_eq(engine_open(&trial->engine, &engine_reference, NULL, NULL), 0);
    ck_assert_int_eq(trial->engine->ops->load(trial->engine, trial->model, NULL), 0);
}

static void trial_deinit(struct trial *trial)
{
    engine_close(trial->engine);
    batch_free(trial->batch);
    model_free(trial->model);
}

static double loss_of(struct trial *trial)
{
    double loss;

    ck_assert_int_eq(reference_run(trial->engine, trial->batch, NULL, &trial->targets, &loss, NULL), 0);
    return loss;
}

static void check_widths(const struct tree *tree)
{
    size_t n_weights = 0;

    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct element *element = &tree->elements[i];
        size_t width = element->n_columns;

        for (size_t c = 0; c < element->n_children; c++) {
            ck_assert_uint_lt(element->children[c], i);
            ck_assert_uint_eq(tree->elements[element->children[c]].parent, i);
            width += tree->elements[element->children[c]].out_width;
        }
        ck_assert_uint_eq(element->item_width, width);
        width *= element->flatten ? element->first : 1;
        for (size_t l = 0; l < element->n_layers; l++) {
            ck_assert_uint_eq(element->layers[l].in, width);
            width = element->layers[l].out;
        }
        ck_assert_uint_eq(element->out_width, width);
    }
    for (size_t i = 0; i < tree->n_tensors; i++) {
        ck_assert_uint_eq(tree->tensors[i].offset, n_weights);
        n_weights += tree->tensors[i].size;
    }
    ck_assert_uint_eq(tree->n_weights, n_weights);
    ck_assert_uint_eq(tree_root(tree)->out_width, tree->n_labels);
}

/* Central differences at some of the weights. A ReLU may bend between the two points: then they say nothing,
 * and a smaller step decides. */
static void check_gradient(struct trial *trial, struct random *random)
{
    size_t n = trial->model->tree->n_weights;
    double *weights = malloc(n * sizeof *weights), *gradient = malloc(n * sizeof *gradient);

    (void)loss_of(trial);
    memcpy(weights, reference_weights(trial->engine), n * sizeof *weights);
    memcpy(gradient, reference_gradient(trial->engine), n * sizeof *gradient);
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t at = random_below(random, n);
        double held = weights[at], error = INFINITY;

        for (double step = 1e-4; error > 1e-6 && step > 1e-8; step /= 10) {
            double above, below;

            weights[at] = held + step;
            reference_set_weights(trial->engine, weights);
            above = loss_of(trial);
            weights[at] = held - step;
            reference_set_weights(trial->engine, weights);
            below = loss_of(trial);
            error = fabs((above - below) / (2 * step) - gradient[at]);
        }
        weights[at] = held;
        ck_assert_msg(error <= 1e-6, "weight %zu: gradient %g, off by %g in %s", at, gradient[at], error,
                      trial->model->tree->json);
    }
    free(weights);
    free(gradient);
}

START_TEST(test_random_trees)
{
    struct random random = {.state = 4};

    for (int i = 0; i < TREES; i++) {
        struct trial trial;

        trial_init(&trial, &random);
        check_widths(trial.model->tree);
        check_gradient(&trial, &random);
        trial_deinit(&trial);
    }
}
END_TEST

/* A flow's logits do not depend on its neighbours when nothing is padded to the longest of them. */
START_TEST(test_flows_are_independent)
{
    struct random random = {.state = 9};

    for (int i = 0; i < TREES / 5; i++) {
        struct tree *tree = random_tree(&random);
        struct model *model;
        struct batch *batch;
        struct engine *engine;
        struct record records[FLOWS];
        const struct record *pointers[FLOWS];
        float together[FLOWS * TREE_LABELS_MAX], alone[TREE_LABELS_MAX];

        ck_assert_int_eq(model_new(&model, tree, 5), 0);
        ck_assert_int_eq(batch_new(&batch, tree), 0);
        ck_assert_int_eq(engine_open(&engine, &engine_reference, NULL, NULL), 0);
        ck_assert_int_eq(engine->ops->load(engine, model, NULL), 0);
        for (size_t k = 0; k < FLOWS; k++) {
            random_record(&random, &records[k], 20);
            pointers[k] = &records[k];
        }
        ck_assert_int_eq(encode_records(batch, model, pointers, FLOWS, ENCODE_SERVING), 0);
        ck_assert_int_eq(engine->ops->forward(engine, batch, together, NULL), 0);
        for (size_t k = 0; k < FLOWS; k++) {
            ck_assert_int_eq(encode_records(batch, model, &pointers[k], 1, ENCODE_SERVING), 0);
            ck_assert_int_eq(engine->ops->forward(engine, batch, alone, NULL), 0);
            ck_assert_mem_eq(alone, together + k * tree->n_labels, tree->n_labels * sizeof *alone);
        }
        engine_close(engine);
        batch_free(batch);
        model_free(model);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("reference", test_random_trees, test_flows_are_independent);
}

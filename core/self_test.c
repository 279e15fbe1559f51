#include "core/self_test.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/random_record.h"

enum {
    STEPS = 3,      /* of each lesson */
    DRAWS = 2,      /* of its numbers, if the engines differ with the first */
    EVEN_ITEMS = 8, /* of lists of one length */
};

/* One of the two engines, and what it says. */
struct side {
    struct engine *engine;
    double loss;
    float *logits;             /* (capacity, n_labels) */
    float *gradient, *weights; /* (n_weights) */
};

/* Flows for two engines, and what learning takes besides. */
struct trial {
    const struct model *model;
    size_t capacity;               /* flows of the largest batch */
    struct record *records;        /* (capacity) */
    const struct record **pointer; /* (capacity) to them */
    struct batch *batch;
    uint32_t *labels;    /* (capacity) */
    float *flow_weights; /* (capacity) */
    float *weights;      /* (n_weights) to begin with */
    struct side tried, trusted;
};

static void side_deinit(struct side *side)
{
    free(side->logits);
    free(side->gradient);
    free(side->weights);
}

static int side_init(struct side *side, struct engine *engine, size_t n_logits, size_t n_weights)
{
    *side = (struct side){.engine = engine,
                          .logits = calloc(n_logits, sizeof *side->logits),
                          .gradient = calloc(n_weights, sizeof *side->gradient),
                          .weights = calloc(n_weights, sizeof *side->weights)};
    return side->logits == NULL || side->gradient == NULL || side->weights == NULL ? -ENOMEM : 0;
}

static void trial_deinit(struct trial *trial)
{
    free(trial->records);
    free(trial->pointer);
    batch_free(trial->batch);
    free(trial->labels);
    free(trial->flow_weights);
    free(trial->weights);
    side_deinit(&trial->tried);
    side_deinit(&trial->trusted);
}

static int trial_init(struct trial *trial, struct engine *engine, struct engine *trusted,
                      const struct model *model, size_t capacity, struct error *err)
{
    const struct tree *tree = model->tree;

    *trial = (struct trial){.model = model,
                            .capacity = capacity,
                            .records = calloc(capacity, sizeof *trial->records),
                            .pointer = calloc(capacity, sizeof *trial->pointer),
                            .labels = calloc(capacity, sizeof *trial->labels),
                            .flow_weights = calloc(capacity, sizeof *trial->flow_weights),
                            .weights = calloc(tree->n_weights, sizeof *trial->weights)};
    if (side_init(&trial->tried, engine, capacity * tree->n_labels, tree->n_weights) < 0 ||
        side_init(&trial->trusted, trusted, capacity * tree->n_labels, tree->n_weights) < 0 ||
        trial->records == NULL || trial->pointer == NULL || trial->labels == NULL ||
        trial->flow_weights == NULL || trial->weights == NULL || batch_new(&trial->batch, tree) < 0)
        return error_set(err, -ENOMEM, "self-test: out of memory");
    for (size_t i = 0; i < capacity; i++)
        trial->pointer[i] = &trial->records[i];
    return 0;
}

static int trial_encode(struct trial *trial, size_t n_flows, enum encode_purpose purpose, struct error *err)
{
    if (encode_records(trial->batch, trial->model, trial->pointer, n_flows, purpose) < 0)
        return error_set(err, -ENOMEM, "self-test: out of memory");
    return 0;
}

/* The largest difference, in units of `scale` or of the largest value, if that is more; NAN where one is not
 * finite. */
static double largest_apart(const float *values, const float *expected, size_t n, double scale)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++) {
        double apart = fabs((double)values[i] - (double)expected[i]);

        if (!isfinite(apart))
            return NAN;
        scale = fmax(scale, fabs((double)expected[i]));
        largest = fmax(largest, apart);
    }
    return largest > 0 ? largest / scale : 0;
}

/* Judge a difference. largest: of those before, and of this one if it is accepted. */
static int accept(double *largest, double apart, double limit, const char *what, struct error *err)
{
    if (!isfinite(apart))
        return error_set(err, -EBADMSG, "self-test: %s are not finite", what);
    if (apart > limit)
        return error_set(err, -EBADMSG, "self-test: %s differ by up to %.2g from what they should be", what,
                         apart);
    *largest = fmax(*largest, apart);
    return 0;
}

static int accept_logits(const struct trial *trial, double *largest, struct error *err)
{
    size_t n_labels = trial->model->tree->n_labels;
    int r = 0;

    for (size_t i = 0; r == 0 && i < trial->batch->n_flows; i++)
        r = accept(largest,
                   largest_apart(trial->tried.logits + i * n_labels, trial->trusted.logits + i * n_labels,
                                 n_labels, 1),
                   SELF_TEST_LIMIT, "logits", err);
    return r;
}

/* Both judge the batch in hand. */
static int forward(struct trial *trial, double *largest, struct error *err)
{
    struct engine *tried = trial->tried.engine, *trusted = trial->trusted.engine;
    int r = tried->ops->forward(tried, trial->batch, trial->tried.logits, err);

    if (r == 0)
        r = trusted->ops->forward(trusted, trial->batch, trial->trusted.logits, err);
    return r < 0 ? r : accept_logits(trial, largest, err);
}

/* Each way that the engine can be told to take, then as it chooses. */
static int each_way(struct trial *trial, double *largest, struct error *err)
{
    struct engine *tried = trial->tried.engine;
    int r = 0;

    for (int way = 0; r == 0 && tried->ops->take_way != NULL && tried->ops->take_way(tried, way); way++) {
        r = forward(trial, largest, err);
        if (r < 0)
            (void)error_prefix(err, "way %d to judge: ", way + 1);
    }
    if (tried->ops->take_way != NULL)
        (void)tried->ops->take_way(tried, ENGINE_WAY_BY_SIZE);
    return r == 0 ? forward(trial, largest, err) : r;
}

int self_test(double *difference, struct engine *engine, struct engine *trusted, const struct model *model,
              struct error *err)
{
    struct trial trial;
    double largest = 0;
    int r = trial_init(&trial, engine, trusted, model, SELF_TEST_FLOWS, err);

    if (r == 0) {
        random_records_trial(trial.records, SELF_TEST_FLOWS);
        r = trial_encode(&trial, SELF_TEST_FLOWS, ENCODE_SERVING, err);
    }
    if (r == 0)
        r = each_way(&trial, &largest, err);
    if (r == 0)
        *difference = largest;
    trial_deinit(&trial);
    return r;
}

/* A few steps with one batch. */
struct lesson {
    size_t n_flows;
    bool even; /* all lists are of one length */
    enum optimizer_kind kind;
    bool clips;
};

/* Weights as they are in learning: fresh ones, and biases that are no longer zeros. */
static void draw_weights(struct trial *trial, struct random *random)
{
    const struct tree *tree = trial->model->tree;

    memcpy(trial->weights, trial->model->weights, tree->n_weights * sizeof *trial->weights);
    for (size_t t = 0; t < tree->n_tensors; t++) {
        const struct tensor *tensor = &tree->tensors[t];

        for (size_t i = 0; tensor->rank == 1 && i < tensor->size; i++)
            trial->weights[tensor->offset + i] += (float)(0.4 * random_unit(random) - 0.2);
    }
}

static int draw(struct trial *trial, const struct lesson *lesson, struct random *random, struct error *err)
{
    size_t n = lesson->n_flows;
    int r;

    random_records_trial(trial->records, n);
    for (size_t i = 0; i < n; i++) {
        if (lesson->even)
            random_record_even(random, &trial->records[i], EVEN_ITEMS, EVEN_ITEMS);
        trial->labels[i] = (uint32_t)(i % trial->model->tree->n_labels);
        trial->flow_weights[i] = (float)(0.5 + random_unit(random));
    }
    r = trial_encode(trial, n, ENCODE_TRAINING, err);
    if (r < 0)
        return r;
    random_values(random, trial->batch);
    draw_weights(trial, random);
    return 0;
}

static int load(const struct trial *trial, const struct model *model, struct error *err)
{
    struct engine *tried = trial->tried.engine, *trusted = trial->trusted.engine;
    int r = tried->ops->load(tried, model, err);

    return r < 0 ? r : trusted->ops->load(trusted, model, err);
}

static int backward(const struct trial *trial, struct side *side, uint64_t dropout_seed, struct error *err)
{
    const struct engine_targets targets = {trial->labels, trial->flow_weights, dropout_seed};
    struct engine *engine = side->engine;
    int r = engine->ops->backward(engine, trial->batch, &targets, &side->loss, side->logits, err);

    return r < 0 ? r : engine->ops->gradient(engine, side->gradient, err);
}

static int step(struct side *side, const struct optimizer *optimizer, struct error *err)
{
    struct engine *engine = side->engine;
    int r = engine->ops->step(engine, optimizer, err);

    return r < 0 ? r : engine->ops->weights(engine, side->weights, err);
}

static int accept_loss(const struct trial *trial, double *largest, struct error *err)
{
    double expected = trial->trusted.loss;

    return accept(largest, fabs(trial->tried.loss - expected) / fmax(1, fabs(expected)), SELF_TEST_LIMIT,
                  "losses", err);
}

static int accept_gradient(const struct trial *trial, double *largest, struct error *err)
{
    const struct tree *tree = trial->model->tree;
    const float *gradient = trial->tried.gradient, *expected = trial->trusted.gradient;
    double most = 0;
    int r = 0;

    for (size_t i = 0; i < tree->n_weights; i++)
        most = fmax(most, fabs((double)expected[i]));
    for (size_t t = 0; r == 0 && t < tree->n_tensors; t++) {
        size_t offset = tree->tensors[t].offset;

        r = accept(largest,
                   largest_apart(gradient + offset, expected + offset, tree->tensors[t].size, 1e-3 * most),
                   SELF_TEST_LEARNING_LIMIT, "gradients", err);
    }
    return r;
}

static int accept_weights(const struct trial *trial, double rate, double *largest, struct error *err)
{
    double most = 0;

    for (size_t i = 0; i < trial->model->tree->n_weights; i++) {
        double apart = fabs((double)trial->tried.weights[i] - (double)trial->trusted.weights[i]);

        most = isfinite(apart) ? fmax(most, apart) : INFINITY;
    }
    return accept(largest, most / rate, SELF_TEST_LEARNING_LIMIT, "weights after a step", err);
}

/* An optimiser for gradients of the size of the one in hand. */
static struct optimizer optimizer_for(const struct lesson *lesson, const float *gradient, size_t n)
{
    double squares = 0, norm;

    for (size_t i = 0; i < n; i++)
        squares += (double)gradient[i] * (double)gradient[i];
    norm = lesson->clips ? sqrt(squares) / 2 : sqrt(squares);
    return (struct optimizer){.kind = lesson->kind,
                              .rate = 1e-2,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .epsilon = fmax(0.1 * norm / sqrt((double)n), 1e-7),
                              .weight_decay = 0.1,
                              .clip = lesson->clips ? norm : 0};
}

/* Both learn from the batch in hand, for a few steps; and judge it then, with what they have learnt. */
static int learn(struct trial *trial, const struct lesson *lesson, struct self_test_learning *largest,
                 struct error *err)
{
    struct optimizer optimizer = {0};
    int r = 0;

    for (uint64_t seed = 1; r == 0 && seed <= STEPS; seed++) {
        if ((r = backward(trial, &trial->tried, seed, err)) < 0 ||
            (r = backward(trial, &trial->trusted, seed, err)) < 0 ||
            (r = accept_logits(trial, &largest->logits, err)) < 0 ||
            (r = accept_loss(trial, &largest->loss, err)) < 0 ||
            (r = accept_gradient(trial, &largest->gradient, err)) < 0)
            return r;
        if (seed == 1)
            optimizer = optimizer_for(lesson, trial->trusted.gradient, trial->model->tree->n_weights);
        if ((r = step(&trial->tried, &optimizer, err)) < 0 ||
            (r = step(&trial->trusted, &optimizer, err)) < 0)
            return r;
        r = accept_weights(trial, optimizer.rate, &largest->weights, err);
    }
    return r < 0 ? r : each_way(trial, &largest->logits, err);
}

static int teach(struct trial *trial, const struct lesson *lesson, uint64_t seed,
                 struct self_test_learning *largest, struct error *err)
{
    struct random random = {seed};
    int r = draw(trial, lesson, &random, err);

    if (r == 0) {
        struct model start = *trial->model;

        start.weights = trial->weights;
        r = load(trial, &start, err);
    }
    return r < 0 ? r : learn(trial, lesson, largest, err);
}

int self_test_learning(struct self_test_learning *difference, struct engine *engine, struct engine *trusted,
                       const struct model *model, size_t flows, struct error *err)
{
    size_t n = flows < SELF_TEST_FLOWS_MAX ? flows : SELF_TEST_FLOWS_MAX;
    const struct lesson lessons[] = {
        {SELF_TEST_FLOWS, false, OPTIMIZER_ADAMW, true},
        {n, false, OPTIMIZER_ADAM, false},
        {n, true, OPTIMIZER_ADAMW, true},
    };
    struct self_test_learning largest = {0};
    struct trial trial;
    int r = trial_init(&trial, engine, trusted, model, n > SELF_TEST_FLOWS ? n : SELF_TEST_FLOWS, err);

    for (size_t i = 0; r == 0 && i < sizeof lessons / sizeof lessons[0]; i++) {
        uint64_t seed = 1;

        do
            r = teach(&trial, &lessons[i], seed, &largest, err);
        while (r == -EBADMSG && seed++ < DRAWS);
    }
    if (r == 0)
        r = load(&trial, model, err);
    if (r == 0)
        *difference = largest;
    trial_deinit(&trial);
    return r;
}

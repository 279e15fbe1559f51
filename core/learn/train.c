/* train.c - the loop over epochs and batches.
 *
 * An epoch shuffles the flows, cuts them into batches and walks over those. With batches by length the
 * shuffled flows are first sorted within windows of a few batches, and the batches shuffled again: the flows
 * of a batch are then of like length, which saves padded steps, and still meet others every time.
 *
 * Everything random is drawn from the seed in a fixed order, so that equal seeds give equal models. The
 * engine holds the weights while it learns; the model gets those of the best epoch at the end.
 */
#include "core/learn/train.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/learn/metrics.h"
#include "core/learn/predict.h"
#include "core/random.h"

enum { WINDOW_BATCHES = 8 };

struct training {
    const struct train_options *options;
    const struct train_recipe *recipe;
    const struct dataset *dataset;
    struct model *model;
    struct engine *engine;
    struct error *err;
    int map[TREE_LABELS_MAX];      /* label of the data set to label of the tree */
    struct subset train, held_out; /* flows with a label of the tree, owned */
    float class_weights[TREE_LABELS_MAX];

    struct random random;
    uint32_t *order;   /* (train.n) positions in train.index */
    uint32_t *batches; /* (n_batches) in the order they are walked */
    size_t batch_size, n_batches;
    uint64_t step, n_steps;
    double rate; /* full rate; falls on a plateau */
    double plateau_best;
    unsigned plateau_wait;

    struct batch *batch;
    const struct record **records; /* (batch_size) */
    uint32_t *labels;              /* (batch_size) */
    float *weights;                /* (batch_size) */
    float *logits;                 /* (batch_size, n_labels) */
    float *held_out_logits;        /* (held_out.n, n_labels) */
    float *best;                   /* (n_weights) */
    double best_macro_f1;
};

static bool stopped(const struct training *training)
{
    return training->options->stop != NULL && *training->options->stop != 0;
}

static int no_memory(const struct training *training)
{
    return error_set(training->err, -ENOMEM, "no memory to train on %zu flows", training->train.n);
}

/* The flows of a subset whose label the tree has. */
static int learnable(const struct training *training, const struct subset *from, struct subset *to)
{
    if ((to->index = calloc(from->n + 1, sizeof(*to->index))) == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < from->n; i++) {
        if (training->map[training->dataset->label[from->index[i]]] >= 0)
            to->index[to->n++] = from->index[i];
    }
    return 0;
}

static int label_of(const struct training *training, uint32_t record)
{
    return training->map[training->dataset->label[record]];
}

/* 1/sqrt(n) of the label, mean 1 over the flows. */
static void weigh_classes(struct training *training)
{
    double counts[TREE_LABELS_MAX] = {0};
    double sum = 0;

    for (size_t i = 0; i < training->train.n; i++)
        counts[label_of(training, training->train.index[i])]++;
    for (size_t l = 0; l < training->model->tree->n_labels; l++)
        sum += sqrt(counts[l]);
    for (size_t l = 0; l < training->model->tree->n_labels; l++) {
        double weight = counts[l] > 0 ? (double)training->train.n / sum / sqrt(counts[l]) : 1;

        training->class_weights[l] = training->recipe->class_weights ? (float)weight : 1;
    }
}

/* A set smaller than one batch is learnt whole, even where partial batches are dropped. */
static void plan(struct training *training)
{
    size_t n = training->train.n;

    training->batch_size = train_recipe_batch(training->recipe, n);
    if (training->batch_size > n)
        training->batch_size = n;
    training->n_batches = n / training->batch_size;
    if (training->n_batches == 0 || (n % training->batch_size != 0 && !training->recipe->drop_partial))
        training->n_batches++;
    training->n_steps = (uint64_t)training->n_batches * training->recipe->epochs;
    training->rate = training->recipe->optimizer.rate;
}

static int allocate(struct training *training)
{
    size_t n = training->batch_size, n_labels = training->model->tree->n_labels;

    training->order = calloc(training->train.n, sizeof(*training->order));
    training->batches = calloc(training->n_batches, sizeof(*training->batches));
    training->records = calloc(n, sizeof(*training->records));
    training->labels = calloc(n, sizeof(*training->labels));
    training->weights = calloc(n, sizeof(*training->weights));
    training->logits = calloc(n, n_labels * sizeof(*training->logits));
    training->held_out_logits = calloc(training->held_out.n + 1, n_labels * sizeof(*training->logits));
    training->best = calloc(training->model->tree->n_weights + 1, sizeof(*training->best));
    if (training->order == NULL || training->batches == NULL || training->records == NULL ||
        training->labels == NULL || training->weights == NULL || training->logits == NULL ||
        training->held_out_logits == NULL || training->best == NULL ||
        batch_new(&training->batch, training->model->tree) < 0)
        return no_memory(training);
    return 0;
}

static int fit_constants(struct training *training)
{
    const struct record **records = calloc(training->train.n, sizeof(*records));
    int r;

    if (records == NULL)
        return no_memory(training);
    for (size_t i = 0; i < training->train.n; i++)
        records[i] = training->dataset->records[training->train.index[i]];
    r = encode_fit_constants(training->model, records, training->train.n);
    free(records);
    if (r == -ERANGE)
        return error_set(training->err, -EBADMSG,
                         "a standardised column of tree \"%s\" is no number: its maps go too far",
                         training->model->tree->name);
    return r < 0 ? no_memory(training) : 0;
}

static int prepare(struct training *training)
{
    int r = dataset_map_labels(training->dataset, training->model->tree, training->map, training->err);

    if (r < 0)
        return r;
    if (learnable(training, &training->options->train, &training->train) < 0 ||
        learnable(training, &training->options->held_out, &training->held_out) < 0)
        return no_memory(training);
    if (training->train.n == 0)
        return error_set(training->err, -EINVAL, "no flows to learn from");
    weigh_classes(training);
    plan(training);
    if ((r = allocate(training)) < 0 || (r = fit_constants(training)) < 0)
        return r;
    r = engine_open(&training->engine, training->options->engine, &training->options->engine_options,
                    training->err);
    return r < 0 ? r : training->engine->ops->load(training->engine, training->model, training->err);
}

static void release(struct training *training)
{
    engine_close(training->engine);
    batch_free(training->batch);
    subset_free(&training->train);
    subset_free(&training->held_out);
    free(training->order);
    free(training->batches);
    free(training->records);
    free(training->labels);
    free(training->weights);
    free(training->logits);
    free(training->held_out_logits);
    free(training->best);
}

static int by_length(const void *a, const void *b, void *context)
{
    const struct training *training = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    int x = training->dataset->records[training->train.index[i]]->n_packets;
    int y = training->dataset->records[training->train.index[j]]->n_packets;

    return x != y ? x - y : (i > j) - (i < j);
}

static void shuffle(struct training *training)
{
    size_t n = training->train.n, window = training->batch_size * WINDOW_BATCHES;

    for (size_t i = 0; i < n; i++)
        training->order[i] = (uint32_t)i;
    random_shuffle(&training->random, training->order, n);
    for (size_t b = 0; b < training->n_batches; b++)
        training->batches[b] = (uint32_t)b;
    if (!training->recipe->by_length)
        return;
    for (size_t at = 0; at < n; at += window)
        qsort_r(training->order + at, n - at < window ? n - at : window, sizeof(*training->order), by_length,
                training);
    random_shuffle(&training->random, training->batches, training->n_batches);
}

/* Fill the batch. Return: flows in it, or an error. */
static int gather(struct training *training, size_t batch, size_t *n)
{
    size_t begin = training->batches[batch] * training->batch_size, left = training->train.n - begin;
    int r;

    *n = left < training->batch_size ? left : training->batch_size;
    for (size_t i = 0; i < *n; i++) {
        uint32_t record = training->train.index[training->order[begin + i]];

        training->records[i] = training->dataset->records[record];
        training->labels[i] = (uint32_t)label_of(training, record);
        training->weights[i] = training->class_weights[training->labels[i]];
    }
    r = encode_records(training->batch, training->model, training->records, *n, ENCODE_TRAINING);
    return r < 0 ? no_memory(training) : 0;
}

static size_t count_right(const float *logits, size_t n_labels, const uint32_t *labels, size_t n)
{
    size_t right = 0;

    for (size_t i = 0; i < n; i++) {
        size_t best = 0;

        for (size_t l = 1; l < n_labels; l++)
            best = logits[i * n_labels + l] > logits[i * n_labels + best] ? l : best;
        right += best == labels[i];
    }
    return right;
}

static int run_batch(struct training *training, size_t batch, struct train_epoch *epoch, size_t *done)
{
    struct optimizer optimizer = training->recipe->optimizer;
    struct engine_targets targets = {.labels = training->labels, .weights = training->weights};
    struct engine *engine = training->engine;
    double loss;
    size_t n;
    int r;

    if ((r = gather(training, batch, &n)) < 0)
        return r;
    targets.dropout_seed = random_next(&training->random) | 1;
    optimizer.rate = epoch->rate =
        train_recipe_rate(training->recipe, training->rate, training->step++, training->n_steps);
    r = engine->ops->backward(engine, training->batch, &targets, &loss, training->logits, training->err);
    if (r < 0)
        return r;
    if (!isfinite(loss))
        return error_set(training->err, -EBADMSG,
                         "the loss is no longer finite in epoch %u: the rate is too high for this tree",
                         epoch->epoch);
    if ((r = engine->ops->step(engine, &optimizer, training->err)) < 0)
        return r;
    epoch->loss += loss * (double)n;
    epoch->accuracy +=
        (double)count_right(training->logits, training->model->tree->n_labels, training->labels, n);
    *done += n;
    if (training->options->on_batch != NULL)
        training->options->on_batch(training->options->context, epoch->epoch, *done, training->train.n);
    return 0;
}

/* Figures of the hold-out with the weights that the engine has now. */
static int judge(struct training *training, struct train_epoch *epoch)
{
    size_t n_labels = training->model->tree->n_labels;
    uint64_t confusion[TREE_LABELS_MAX * TREE_LABELS_MAX] = {0};
    double loss = 0;
    int r;

    epoch->held_out_loss = epoch->held_out_accuracy = epoch->held_out_macro_f1 = NAN;
    if (training->held_out.n == 0)
        return 0;
    r = predictions_logits(training->dataset, training->model, &training->held_out, training->engine,
                           training->held_out_logits, training->err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < training->held_out.n; i++) {
        const float *logits = training->held_out_logits + i * n_labels;
        uint32_t truth = (uint32_t)label_of(training, training->held_out.index[i]);
        size_t best = 0;
        double sum = 0;

        for (size_t l = 1; l < n_labels; l++)
            best = logits[l] > logits[best] ? l : best;
        for (size_t l = 0; l < n_labels; l++)
            sum += exp((double)logits[l] - (double)logits[best]);
        loss += log(sum) + (double)logits[best] - (double)logits[truth];
        confusion[truth * n_labels + best]++;
    }
    epoch->held_out_loss = loss / (double)training->held_out.n;
    epoch->held_out_accuracy = metrics_accuracy(confusion, n_labels);
    epoch->held_out_macro_f1 = metrics_macro_f1(confusion, n_labels);
    return 0;
}

/* Keras' ReduceLROnPlateau on the training accuracy: a rise counts from 1e-4 on. */
static void watch_plateau(struct training *training, double accuracy)
{
    const struct train_recipe *recipe = training->recipe;

    if (recipe->plateau_factor == 0)
        return;
    if (accuracy > training->plateau_best + 1e-4) {
        training->plateau_best = accuracy;
        training->plateau_wait = 0;
    } else if (++training->plateau_wait >= recipe->plateau_patience) {
        training->rate = fmax(training->rate * recipe->plateau_factor, recipe->plateau_minimum);
        training->plateau_wait = 0;
    }
}

/* One epoch. Return: 1 complete, 0 stopped within, or an error. */
static int run_epoch(struct training *training, struct train_epoch *epoch)
{
    size_t done = 0;
    int r;

    shuffle(training);
    for (size_t batch = 0; batch < training->n_batches; batch++) {
        if ((r = run_batch(training, batch, epoch, &done)) < 0)
            return r;
        if (stopped(training))
            return 0;
    }
    epoch->loss /= (double)done;
    epoch->accuracy /= (double)done;
    watch_plateau(training, epoch->accuracy);
    return (r = judge(training, epoch)) < 0 ? r : 1;
}

/* Keep the weights of the engine if the epoch is within one standard error of the best: since the latest such
 * epoch stays, the choice can be made epoch by epoch. Without a hold-out the latest of all stays. */
static int keep_best(struct training *training, const struct train_epoch *epoch, struct train_result *result)
{
    double accuracy = epoch->held_out_accuracy;
    int r;

    if (training->held_out.n > 0) {
        double error = sqrt(accuracy * (1 - accuracy) / (double)training->held_out.n);

        training->best_macro_f1 = fmax(training->best_macro_f1, epoch->held_out_macro_f1);
        if (epoch->held_out_macro_f1 < training->best_macro_f1 - error)
            return 0;
    }
    if ((r = training->engine->ops->weights(training->engine, training->best, training->err)) < 0)
        return r;
    result->best_epoch = epoch->epoch;
    return 0;
}

/* Append to the history, whose room doubles: more epochs may be asked for than will ever be run. */
static int add_epoch(const struct training *training, const struct train_epoch *epoch,
                     struct train_result *result)
{
    size_t n = result->n_epochs;

    if ((n & (n - 1)) == 0) {
        struct train_epoch *epochs = reallocarray(result->epochs, n == 0 ? 1 : 2 * n, sizeof(*epochs));

        if (epochs == NULL)
            return no_memory(training);
        result->epochs = epochs;
    }
    result->epochs[result->n_epochs++] = *epoch;
    return 0;
}

static int run_epochs(struct training *training, struct train_result *result)
{
    unsigned patience = training->held_out.n > 0 ? training->recipe->patience : 0;
    unsigned epochs =
        training->options->last_epoch > 0 ? training->options->last_epoch : training->recipe->epochs;

    while (result->n_epochs < epochs) {
        struct train_epoch epoch = {.epoch = (unsigned)result->n_epochs + 1};
        int r = run_epoch(training, &epoch);

        if (r < 0)
            return r;
        if (r == 0)
            break;
        if ((r = add_epoch(training, &epoch, result)) < 0 || (r = keep_best(training, &epoch, result)) < 0)
            return r;
        if (training->options->on_epoch != NULL)
            training->options->on_epoch(training->options->context, &epoch);
        if (stopped(training) || (patience > 0 && epoch.epoch - result->best_epoch >= patience))
            break;
    }
    result->stopped = stopped(training);
    if (result->best_epoch == 0)
        return training->engine->ops->weights(training->engine, training->best, training->err);
    return 0;
}

int train_model(struct model *model, const struct dataset *dataset, const struct train_options *options,
                struct train_result *result, struct error *err)
{
    struct train_result local = {0};
    struct training training = {.options = options,
                                .recipe = options->recipe,
                                .dataset = dataset,
                                .model = model,
                                .err = err,
                                .random = {.state = random_mix(options->seed + 1)},
                                .plateau_best = -INFINITY};
    int r = prepare(&training);

    if (r == 0)
        r = run_epochs(&training, &local);
    if (r == 0) {
        memcpy(model->weights, training.best, model->tree->n_weights * sizeof(*model->weights));
        model->temperature = 1;
        memset(model->thresholds, 0, sizeof(model->thresholds));
        *result = local;
    } else {
        train_result_deinit(&local);
    }
    release(&training);
    return r;
}

void train_result_deinit(struct train_result *result)
{
    free(result->epochs);
    *result = (struct train_result){0};
}

#include "core/break_even.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "core/encode.h"
#include "core/random_record.h"

enum {
    RECORDS = 64, /* that batches are made of, again and again */
    TURNS = 3,    /* that are timed, after one that is not */
};

struct measurement;

/* What is timed. Return: 0, or what an engine returns. */
typedef int work_fn(struct measurement *measurement, struct engine *engine, struct error *err);

struct measurement {
    const struct model *model;
    work_fn *work;
    enum encode_purpose purpose;
    int64_t end;                   /* nanoseconds, CLOCK_MONOTONIC */
    struct record *records;        /* (RECORDS) */
    const struct record **pointer; /* (capacity) into `records` */
    struct batch *batch;
    float *logits;    /* (capacity, n_labels) */
    uint32_t *labels; /* (capacity) */
    float *weights;   /* (n_weights) */
};

/* The shortest turns of both, nanoseconds. */
struct turns {
    int64_t ours, theirs;
};

static int judge(struct measurement *measurement, struct engine *engine, struct error *err)
{
    return engine->ops->forward(engine, measurement->batch, measurement->logits, err);
}

/* At rate 0, so that every turn has the same to do. A device may be at work yet when step() returns: who
 * reads the weights waits for it. */
static int learn(struct measurement *measurement, struct engine *engine, struct error *err)
{
    static const struct optimizer still = {
        .kind = OPTIMIZER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7, .clip = 1};
    const struct engine_targets targets = {.labels = measurement->labels, .dropout_seed = 1};
    double loss;
    int r = engine->ops->backward(engine, measurement->batch, &targets, &loss, measurement->logits, err);

    if (r == 0)
        r = engine->ops->step(engine, &still, err);
    return r < 0 ? r : engine->ops->weights(engine, measurement->weights, err);
}

static int64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void measurement_deinit(struct measurement *measurement)
{
    free(measurement->records);
    free(measurement->pointer);
    batch_free(measurement->batch);
    free(measurement->logits);
    free(measurement->labels);
    free(measurement->weights);
}

static int measurement_init(struct measurement *measurement, const struct model *model, work_fn *work,
                            size_t capacity, int64_t budget, struct error *err)
{
    *measurement = (struct measurement){
        .model = model,
        .work = work,
        .purpose = work == learn ? ENCODE_TRAINING : ENCODE_SERVING,
        .end = now() + budget * 1000,
        .records = calloc(RECORDS, sizeof *measurement->records),
        .pointer = calloc(capacity, sizeof *measurement->pointer),
        .logits = calloc(capacity * model->tree->n_labels, sizeof *measurement->logits),
        .labels = calloc(capacity, sizeof *measurement->labels),
        .weights = calloc(model->tree->n_weights, sizeof *measurement->weights),
    };
    if (measurement->records == NULL || measurement->pointer == NULL || measurement->logits == NULL ||
        measurement->labels == NULL || measurement->weights == NULL ||
        batch_new(&measurement->batch, model->tree) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    random_records_trial(measurement->records, RECORDS);
    for (size_t i = 0; i < capacity; i++) {
        measurement->pointer[i] = &measurement->records[i % RECORDS];
        measurement->labels[i] = (uint32_t)(i % model->tree->n_labels);
    }
    return 0;
}

/* How long n flows take an engine whose portion of them is encoded, nanoseconds; -errno: it failed. */
static int64_t time_work(struct measurement *measurement, struct engine *engine, size_t n, struct error *err)
{
    int64_t begin = now();
    int r = measurement->work(measurement, engine, err);

    return r < 0 ? r : (now() - begin) * (int64_t)n / measurement->batch->n_flows;
}

/* Encode what an engine likes to judge at once of n flows (a batch of training is one), and time it. took:
 * the shortest so far. */
static int take_turn(struct measurement *measurement, struct engine *engine, size_t n, int64_t *took,
                     struct error *err)
{
    bool portions = measurement->purpose == ENCODE_SERVING && engine->portion > 0 && engine->portion < n;
    size_t portion = portions ? engine->portion : n;
    int64_t turn;

    if (measurement->batch->n_flows != portion &&
        encode_records(measurement->batch, measurement->model, measurement->pointer, portion,
                       measurement->purpose) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    turn = time_work(measurement, engine, n, err);
    if (turn < 0)
        return (int)turn;
    if (turn < *took)
        *took = turn;
    return 0;
}

static int compare(struct measurement *measurement, struct engine *engine, struct engine *other, size_t n,
                   struct turns *shortest, struct error *err)
{
    for (int turn = 0; turn <= TURNS && (turn <= 1 || now() < measurement->end); turn++) {
        int r;

        if (turn <= 1) /* now it counts */
            *shortest = (struct turns){INT64_MAX, INT64_MAX};
        r = take_turn(measurement, engine, n, &shortest->ours, err);
        if (r == 0)
            r = take_turn(measurement, other, n, &shortest->theirs, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Go up to the capacity, or until two batches in a row are won. */
static int climb(struct measurement *measurement, size_t *flows, struct engine *engine, struct engine *other,
                 size_t capacity, struct error *err)
{
    size_t won = 0, n = 1;

    *flows = BREAK_EVEN_NEVER;
    for (;;) {
        struct turns shortest;
        int r = compare(measurement, engine, other, n, &shortest, err);
        bool faster;

        if (r < 0)
            return r;
        faster = shortest.ours < shortest.theirs;
        won = faster ? won + 1 : 0;
        if (won <= 1)
            *flows = faster ? n : BREAK_EVEN_NEVER;
        if (won == 2 || n == capacity || now() >= measurement->end)
            return 0;
        n = 2 * n < capacity ? 2 * n : capacity;
    }
}

int break_even_measure(size_t *flows, struct engine *engine, struct engine *other, const struct model *model,
                       size_t capacity, int64_t budget, struct error *err)
{
    struct measurement measurement;
    int r = measurement_init(&measurement, model, judge, capacity, budget, err);

    if (r == 0)
        r = climb(&measurement, flows, engine, other, capacity, err);
    measurement_deinit(&measurement);
    return r;
}

int break_even_learning(double *share, struct engine *engine, struct engine *other, const struct model *model,
                        size_t flows, int64_t budget, struct error *err)
{
    struct measurement measurement;
    struct turns shortest;
    int r = measurement_init(&measurement, model, learn, flows, budget, err);

    if (r == 0)
        r = compare(&measurement, engine, other, flows, &shortest, err);
    if (r == 0)
        *share = (double)shortest.ours / fmax(1, (double)shortest.theirs);
    measurement_deinit(&measurement);
    return r;
}

#include "core/break_even.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "core/encode.h"
#include "core/random_record.h"

enum {
    RECORDS = 64, /* that batches are made of, again and again */
    PASSES = 3, /* that are timed, after one that is not: an engine may get ready for a size on first sight */
};

struct measurement {
    const struct model *model;
    int64_t end;                   /* nanoseconds, CLOCK_MONOTONIC */
    struct record *records;        /* (RECORDS) */
    const struct record **pointer; /* (capacity) into `records` */
    struct batch *batch;
    float *logits; /* (capacity, n_labels) */
};

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
}

static int measurement_init(struct measurement *measurement, const struct model *model, size_t capacity,
                            int64_t budget)
{
    *measurement = (struct measurement){
        .model = model,
        .end = now() + budget * 1000,
        .records = calloc(RECORDS, sizeof *measurement->records),
        .pointer = calloc(capacity, sizeof *measurement->pointer),
        .logits = calloc(capacity * model->tree->n_labels, sizeof *measurement->logits),
    };
    if (measurement->records == NULL || measurement->pointer == NULL || measurement->logits == NULL ||
        batch_new(&measurement->batch, model->tree) < 0)
        return -ENOMEM;
    random_records_trial(measurement->records, RECORDS);
    for (size_t i = 0; i < capacity; i++)
        measurement->pointer[i] = &measurement->records[i % RECORDS];
    return 0;
}

/* How long n flows take an engine whose portion of them is encoded, nanoseconds; -errno: it failed. */
static int64_t time_pass(struct measurement *measurement, struct engine *engine, size_t n, struct error *err)
{
    int64_t begin = now();
    int r = engine->ops->forward(engine, measurement->batch, measurement->logits, err);

    return r < 0 ? r : (now() - begin) * (int64_t)n / measurement->batch->n_flows;
}

/* Encode what an engine likes to have at once of n flows, and go through it once. took: the shortest so far.
 */
static int time_flows(struct measurement *measurement, struct engine *engine, size_t n, int64_t *took,
                      struct error *err)
{
    size_t portion = engine->portion > 0 && engine->portion < n ? engine->portion : n;
    int64_t pass;

    if (measurement->batch->n_flows != portion &&
        encode_records(measurement->batch, measurement->model, measurement->pointer, portion,
                       ENCODE_SERVING) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    pass = time_pass(measurement, engine, n, err);
    if (pass < 0)
        return (int)pass;
    if (pass < *took)
        *took = pass;
    return 0;
}

/* Whether n flows are faster through one engine than through the other. They take turns, so that what else
 * the machine does meets both. */
static int compare(struct measurement *measurement, struct engine *engine, struct engine *other, size_t n,
                   bool *faster, struct error *err)
{
    int64_t ours = INT64_MAX, theirs = INT64_MAX;

    for (int pass = 0; pass <= PASSES && (pass <= 1 || now() < measurement->end); pass++) {
        int r;

        if (pass == 1)
            ours = theirs = INT64_MAX; /* now it counts */
        r = time_flows(measurement, engine, n, &ours, err);
        if (r == 0)
            r = time_flows(measurement, other, n, &theirs, err);
        if (r < 0)
            return r;
    }
    *faster = ours < theirs;
    return 0;
}

/* Go up to the capacity, or until two batches in a row are won. */
static int climb(struct measurement *measurement, size_t *flows, struct engine *engine, struct engine *other,
                 size_t capacity, struct error *err)
{
    size_t won = 0, n = 1;

    *flows = BREAK_EVEN_NEVER;
    for (;;) {
        bool faster;
        int r = compare(measurement, engine, other, n, &faster, err);

        if (r < 0)
            return r;
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
    int r = measurement_init(&measurement, model, capacity, budget);

    if (r < 0)
        (void)error_set(err, r, "out of memory");
    if (r == 0)
        r = climb(&measurement, flows, engine, other, capacity, err);
    measurement_deinit(&measurement);
    return r;
}

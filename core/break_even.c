#include "core/break_even.h"

#include <errno.h>
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

/* How long n flows take an engine, in portions of its liking.
 *
 * shortest: nanoseconds of the fastest pass; INT64_MAX: the budget has no room for all of them.
 */
static int time_flows(struct measurement *measurement, struct engine *engine, size_t n, int64_t *shortest,
                      struct error *err)
{
    size_t portion = engine->portion > 0 && engine->portion < n ? engine->portion : n;

    if (encode_records(measurement->batch, measurement->model, measurement->pointer, portion,
                       ENCODE_SERVING) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    *shortest = INT64_MAX;
    for (int pass = 0; pass <= PASSES; pass++) {
        int64_t begin = now(), took;
        int r;

        if (begin >= measurement->end) {
            *shortest = INT64_MAX;
            return 0;
        }
        r = engine->ops->forward(engine, measurement->batch, measurement->logits, err);
        if (r < 0)
            return r;
        took = (now() - begin) * (int64_t)n / (int64_t)portion;
        if (pass > 0 && took < *shortest)
            *shortest = took;
    }
    return 0;
}

/* Go up to the capacity, or until two batches in a row are won. */
static int climb(struct measurement *measurement, size_t *flows, struct engine *engine, struct engine *other,
                 size_t capacity, struct error *err)
{
    size_t won = 0, first = BREAK_EVEN_NEVER;

    for (size_t n = 1; won < 2; n = 2 * n < capacity ? 2 * n : capacity) {
        int64_t ours, theirs;
        int r = time_flows(measurement, engine, n, &ours, err);

        if (r == 0)
            r = time_flows(measurement, other, n, &theirs, err);
        if (r < 0)
            return r;
        if (ours == INT64_MAX || theirs == INT64_MAX)
            break;
        won = ours < theirs ? won + 1 : 0;
        if (won == 1)
            first = n;
        else if (won == 0)
            first = BREAK_EVEN_NEVER;
        if (n == capacity)
            break;
    }
    *flows = first;
    return 0;
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

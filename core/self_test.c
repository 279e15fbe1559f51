#include "core/self_test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/encode.h"
#include "core/random_record.h"

/* Everything that one takes. */
struct trial {
    const struct model *model;
    struct record *records; /* (SELF_TEST_FLOWS) */
    struct batch *batch;
    float *logits, *expected; /* (SELF_TEST_FLOWS, n_labels) */
};

static void trial_deinit(struct trial *trial)
{
    free(trial->records);
    batch_free(trial->batch);
    free(trial->logits);
    free(trial->expected);
}

static int trial_init(struct trial *trial, const struct model *model)
{
    const struct record *pointers[SELF_TEST_FLOWS];
    size_t n = SELF_TEST_FLOWS * model->tree->n_labels;

    *trial = (struct trial){.model = model,
                            .records = calloc(SELF_TEST_FLOWS, sizeof *trial->records),
                            .logits = calloc(n, sizeof *trial->logits),
                            .expected = calloc(n, sizeof *trial->expected)};
    if (trial->records == NULL || trial->logits == NULL || trial->expected == NULL ||
        batch_new(&trial->batch, model->tree) < 0)
        return -ENOMEM;
    random_records_trial(trial->records, SELF_TEST_FLOWS);
    for (size_t i = 0; i < SELF_TEST_FLOWS; i++)
        pointers[i] = &trial->records[i];
    return encode_records(trial->batch, model, pointers, SELF_TEST_FLOWS, ENCODE_SERVING);
}

/* The largest difference of one flow's logits; NAN where one is not finite. */
static double flow_difference(const float *logits, const float *expected, size_t n)
{
    double scale = 1, largest = 0;

    for (size_t i = 0; i < n; i++) {
        double apart = fabs((double)logits[i] - (double)expected[i]);

        if (!isfinite(apart))
            return NAN;
        scale = fmax(scale, fabs((double)expected[i]));
        largest = fmax(largest, apart);
    }
    return largest / scale;
}

static int compare(const struct trial *trial, double *difference, struct error *err)
{
    size_t n = trial->model->tree->n_labels;
    double largest = 0;

    for (size_t i = 0; i < SELF_TEST_FLOWS; i++) {
        double apart = flow_difference(trial->logits + i * n, trial->expected + i * n, n);

        if (isnan(apart))
            return error_set(err, -EBADMSG, "self-test: a logit is not finite");
        largest = fmax(largest, apart);
    }
    if (largest > SELF_TEST_LIMIT)
        return error_set(err, -EBADMSG, "self-test: logits differ by up to %.2g from what they should be",
                         largest);
    *difference = largest;
    return 0;
}

int self_test(double *difference, struct engine *engine, struct engine *trusted, const struct model *model,
              struct error *err)
{
    struct trial trial;
    int r = trial_init(&trial, model);

    if (r < 0)
        (void)error_set(err, r, "self-test: out of memory");
    if (r == 0)
        r = engine->ops->forward(engine, trial.batch, trial.logits, err);
    if (r == 0)
        r = trusted->ops->forward(trusted, trial.batch, trial.expected, err);
    if (r == 0)
        r = compare(&trial, difference, err);
    trial_deinit(&trial);
    return r;
}

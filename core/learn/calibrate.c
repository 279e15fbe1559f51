/* calibrate.c - temperature and thresholds. */
#include "core/learn/calibrate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/verdict.h"

/* -log softmax(logits / temperature)[truth], the largest taken off first. */
static double flow_loss(const float *logits, size_t n, int truth, double temperature)
{
    double highest = -INFINITY, sum = 0;

    for (size_t i = 0; i < n; i++)
        highest = fmax(highest, (double)logits[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(((double)logits[i] - highest) / temperature);
    return log(sum) - ((double)logits[truth] - highest) / temperature;
}

double calibrate_loss(const struct predictions *predictions, double temperature, uint32_t skip_fold)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < predictions->n; i++) {
        if (predictions->truth[i] < 0 || predictions->fold[i] == skip_fold)
            continue;
        sum += flow_loss(predictions->logits + i * predictions->n_labels, predictions->n_labels,
                         predictions->truth[i], temperature);
        n++;
    }
    return n == 0 ? NAN : sum / (double)n;
}

/* The loss is convex in 1/temperature, so it has one valley on any monotone scale, and golden section finds
 * it. At an end of the range lie only sets that are all right or all wrong. */
double calibrate_temperature(const struct predictions *predictions, uint32_t skip_fold)
{
    const double golden = (sqrt(5) - 1) / 2;
    double low = log(CALIBRATE_COLDEST), high = log(CALIBRATE_HOTTEST);
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double loss_a = calibrate_loss(predictions, exp(a), skip_fold);
    double loss_b = calibrate_loss(predictions, exp(b), skip_fold);

    if (isnan(loss_a) || isnan(loss_b))
        return 1;
    while (high - low > 1e-6) {
        if (loss_a < loss_b) {
            high = b;
            b = a;
            loss_b = loss_a;
            a = high - golden * (high - low);
            loss_a = calibrate_loss(predictions, exp(a), skip_fold);
        } else {
            low = a;
            a = b;
            loss_a = loss_b;
            b = low + golden * (high - low);
            loss_b = calibrate_loss(predictions, exp(b), skip_fold);
        }
    }
    return exp((low + high) / 2);
}

void calibrate_across_folds(struct predictions *predictions, uint32_t n_folds)
{
    for (uint32_t fold = 0; fold < n_folds; fold++) {
        double temperature = calibrate_temperature(predictions, fold);

        for (size_t i = 0; i < predictions->n; i++) {
            if (predictions->fold[i] == fold)
                predictions->temperature[i] = temperature;
        }
    }
}

/* A flow called by some label. */
struct call {
    double confidence;
    bool right;
};

static int by_falling_confidence(const void *a, const void *b)
{
    double x = ((const struct call *)a)->confidence, y = ((const struct call *)b)->confidence;

    return (x < y) - (x > y);
}

/* Walk from the most confident call down. Only where the confidence changes can a threshold lie. */
static struct calibration_label fit_threshold(struct call *calls, size_t n, double wanted)
{
    struct calibration_label best = {.precision = NAN, .reached = false};
    size_t right = 0, support = n < CALIBRATE_SUPPORT ? n : CALIBRATE_SUPPORT;

    qsort(calls, n, sizeof(*calls), by_falling_confidence);
    for (size_t i = 0; i < n; i++) {
        double precision;
        bool reached;

        right += calls[i].right;
        if (i + 1 < support || (i + 1 < n && calls[i + 1].confidence == calls[i].confidence))
            continue;
        precision = (double)right / (double)(i + 1);
        reached = precision >= wanted;
        if (reached || (!best.reached && !(precision < best.precision)))
            best = (struct calibration_label){
                .threshold = calls[i].confidence, .reached = reached, .precision = precision, .flows = i + 1};
    }
    if (best.reached && best.flows == n)
        best.threshold = 0;
    return best;
}

int calibrate_thresholds(struct calibration *calibration, const struct predictions *predictions,
                         double wanted)
{
    struct call *calls = calloc(predictions->n + 1, sizeof(*calls));

    if (calls == NULL)
        return -ENOMEM;
    calibration->wanted = wanted;
    for (size_t label = 0; label < predictions->n_labels; label++) {
        size_t n = 0;

        for (size_t i = 0; i < predictions->n; i++) {
            struct verdict_rule rule = {.n_labels = predictions->n_labels,
                                        .other = predictions->other,
                                        .temperature = predictions->temperature[i]};
            struct verdict verdict;

            verdict_decide(&verdict, &rule, predictions->logits + i * predictions->n_labels);
            if (verdict.state == VERDICT_CLASSIFIED && verdict.label == (int)label)
                calls[n++] = (struct call){.confidence = (double)verdict.confidence,
                                           .right = predictions->truth[i] == (int)label};
        }
        calibration->labels[label] = fit_threshold(calls, n, wanted);
    }
    free(calls);
    return 0;
}

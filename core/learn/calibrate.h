/* calibrate.h - how far the scores of a model can be trusted: one temperature, one threshold a label.
 *
 * Both are fitted to flows of captures that the model has not learnt from. The temperature makes a confidence
 * of 0.8 mean "right in 8 of 10 cases"; it changes no winner. A threshold is the lowest confidence from which
 * on the flows called by that label are right as often as wanted.
 *
 * Source: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017, section 4.2.
 */
#ifndef CORE_LEARN_CALIBRATE_H
#define CORE_LEARN_CALIBRATE_H

#include <stdbool.h>

#include "core/learn/predict.h"

enum { CALIBRATE_SUPPORT = 10 }; /* flows that a threshold must rest on */

#define CALIBRATE_COLDEST 0.05 /* range of temperatures */
#define CALIBRATE_HOTTEST 20.0

struct calibration_label {
    double threshold; /* 0: every confidence is good enough */
    bool reached;     /* the wanted precision was */
    double precision; /* at the threshold, on the flows it was fitted to; NAN without any */
    uint64_t flows;   /* at or above the threshold */
};

struct calibration {
    double temperature;
    double wanted; /* precision */
    struct calibration_label labels[TREE_LABELS_MAX];
};

/* Mean -log softmax(logits / temperature)[truth] over the flows with a truth; NAN without any.
 *
 * skip_fold: leave out the flows of this fold; UINT32_MAX: none.
 */
double calibrate_loss(const struct predictions *predictions, double temperature, uint32_t skip_fold);

/* The temperature between CALIBRATE_COLDEST and CALIBRATE_HOTTEST with the lowest loss (golden section on its
 * logarithm); 1 without flows. */
double calibrate_temperature(const struct predictions *predictions, uint32_t skip_fold);

/* Give each flow the temperature fitted to the other folds: calibrated scores that no flow had a part in. */
void calibrate_across_folds(struct predictions *predictions, uint32_t n_folds);

/* Fit the thresholds at the temperatures that the predictions carry, for a precision of `wanted` in 0..1.
 * Where no threshold with enough support reaches it, the one with the best precision is taken and `reached`
 * is false. calibration->temperature is left alone.
 *
 * Return: 0, -ENOMEM.
 */
int calibrate_thresholds(struct calibration *calibration, const struct predictions *predictions,
                         double wanted);

#endif

/* evaluate.h - how good a model is, said honestly: every accuracy beside the majority share and the baseline,
 * the confidence beside how often it is right, and what happens to traffic of no class.
 *
 * Two views of the same flows:
 *
 *     classes   flows of a class only; the winner among the classes, "other" not allowed. The figure that can
 * be compared between models with and without "other". labels    all labels the model has, "other" among
 * them; the winner among all. The same as classes for a model without "other".
 *
 * and the verdicts: what a user sees, with "unknown" where "other" wins or the winner is under its threshold.
 */
#ifndef CORE_LEARN_EVALUATE_H
#define CORE_LEARN_EVALUATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/learn/metrics.h"
#include "core/learn/predict.h"

enum {
    EVALUATION_CURVE = 51,  /* points of the curve of precision against coverage */
    EVALUATION_TARGETS = 6, /* rows of the table of it */
};

/* Figures of one view. NAN where there is nothing to tell. */
struct evaluation_view {
    uint64_t flows;
    double accuracy, macro_f1;
    double majority_accuracy, majority_macro_f1; /* of calling every flow by the most frequent label */
    double baseline_accuracy, baseline_macro_f1; /* of protocol, port and TTL */
};

struct evaluation_label {
    struct metrics_label metrics; /* view "labels" */
    double threshold;
    uint64_t named;       /* verdicts with this label */
    uint64_t named_right; /* of them, flows of it */
    uint64_t unknown;     /* flows of this label whose verdict is unknown */
};

struct evaluation_capture {
    const char *name; /* of dataset, borrowed */
    uint64_t flows;
    uint64_t right;   /* view "labels"; "other" for a model without it: not counted */
    uint64_t unknown; /* verdicts */
    char labels[128]; /* what it holds: "news 12, other 30", cut with "..." */
};

/* Name only what has at least this confidence: how much is named, and how much of that is right. */
struct evaluation_coverage {
    double threshold;
    double coverage;  /* share of the flows of a class that get a name, right or wrong */
    double precision; /* share of all named flows, "other" too, whose name is right; NAN when none is named */
};

struct evaluation {
    size_t n_labels;
    char labels[TREE_LABELS_MAX][TREE_NAME_MAX];
    int other;                       /* index, -1: the model has none */
    uint64_t flows, known, unknowns; /* all; of a class; of "other" */

    struct evaluation_view classes, all;
    struct evaluation_label label[TREE_LABELS_MAX];
    uint64_t confusion[TREE_LABELS_MAX * TREE_LABELS_MAX]; /* (n_labels, n_labels) view "labels" */
    size_t n_captures;
    struct evaluation_capture *captures; /* (n_captures) owned, by name */

    /* Confidence, view "labels". */
    double temperature;                                 /* mean over the flows */
    double calibration_error_before, calibration_error; /* at temperature 1, at the fitted one */
    struct metrics_bin reliability_before[METRICS_BINS], reliability[METRICS_BINS];

    /* Unknown traffic: flows of a class against "other" by the score that a class, any class, has. Without
     * the label: by the highest score. NAN without flows of "other". */
    double auroc;
    double let_through; /* share of "other" at or above the score that keeps 90 % of the others */

    /* Verdicts. */
    uint64_t named, named_right, named_other; /* all; with the right label; of them flows of "other" */
    struct evaluation_coverage curve[EVALUATION_CURVE]; /* by rising threshold, one for all labels */
    struct evaluation_coverage
        targets[EVALUATION_TARGETS]; /* largest coverage at precision targets, resting on CALIBRATE_SUPPORT
                                        flows; all NAN where a target is out of reach */
};

/* The precisions of the rows of targets[]. */
extern const double evaluation_targets[EVALUATION_TARGETS];

/* Judge predictions.
 *
 * predictions: of the model, with calibrated temperatures.
 * baseline: of the baseline for the same flows; NULL: none, its figures are NAN.
 * thresholds: (n_labels); NULL: none.
 *
 * Return: 0; -EINVAL (no flows), -ENOMEM.
 */
int evaluate(struct evaluation *evaluation, const struct predictions *predictions,
             const struct predictions *baseline, const double *thresholds, struct error *err);

void evaluation_deinit(struct evaluation *evaluation);

/* The captures, those with the smallest share right first.
 *
 * Return: (n_captures) pointers, freed by the caller; NULL: no memory.
 */
const struct evaluation_capture **evaluation_worst_captures(const struct evaluation *evaluation);

/* Say in words what a macro-F1 is worth beside that of the baseline.
 *
 * text: (size) filled; "" where there is no baseline.
 *
 * Return: whether the model is better by more than another choice of captures would change.
 */
bool evaluation_worth(char *text, size_t size, double macro_f1, double baseline);

/* Print it for people, 80 to 100 columns wide. Return: 0, -EIO. */
int evaluation_print(FILE *file, const struct evaluation *evaluation);

/* The same figures as a JSON object, without curves and captures. Return: it, owned by the caller; NULL: no
 * memory. */
cJSON *evaluation_json(const struct evaluation *evaluation);

#endif

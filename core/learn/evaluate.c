/* evaluate.c - from predictions to figures.
 *
 * One pass gives each flow its verdict and what the winner's score was; every figure is then a walk over
 * these.
 */
#include "core/learn/evaluate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/learn/calibrate.h"
#include "core/verdict.h"

const double evaluation_targets[EVALUATION_TARGETS] = {0.80, 0.85, 0.90, 0.95, 0.98, 0.99};

/* What was said about one flow. */
struct judged {
    int truth;         /* label; -1: "other", of which the model knows nothing */
    bool known;        /* of a class */
    int first;         /* winner among all labels */
    int class;         /* winner among the classes */
    int named;         /* by the verdict; -1: unknown */
    double before;     /* score of first at temperature 1 */
    double after;      /* and at its own */
    double confidence; /* score of class */
    double knownness;  /* grows with how much the flow looks like any class */
};

struct judging {
    const struct predictions *predictions;
    struct judged *flows; /* (n) */
    struct evaluation *evaluation;
};

static int largest(const float *values, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        best = values[i] > values[best] ? i : best;
    return (int)best;
}

/* How much a flow looks like any class: log odds of the classes against "other"; without that label the log
 * of the highest score. Logarithms, because scores near 1 are all the same number. */
static double knownness(const float *logits, size_t n, int other, double temperature)
{
    double highest = -INFINITY, sum = 0;

    for (size_t i = 0; i < n; i++) {
        if ((int)i != other)
            highest = fmax(highest, (double)logits[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if ((int)i != other)
            sum += exp(((double)logits[i] - highest) / temperature);
    }
    return other < 0 ? -log(sum) : log(sum) + (highest - (double)logits[other]) / temperature;
}

static struct judged judge_flow(const struct predictions *predictions, size_t i, const double *thresholds)
{
    size_t n = predictions->n_labels;
    const float *logits = predictions->logits + i * n;
    struct verdict_rule rule = {.n_labels = n, .other = predictions->other, .temperature = 1};
    struct verdict verdict;
    struct judged judged = {.truth = predictions->truth[i], .first = largest(logits, n)};

    judged.known = judged.truth >= 0 && judged.truth != predictions->other;
    verdict_decide(&verdict, &rule, logits);
    judged.before = (double)verdict.scores[judged.first];
    rule.temperature = predictions->temperature[i];
    rule.thresholds = thresholds;
    verdict_decide(&verdict, &rule, logits);
    judged.after = (double)verdict.scores[judged.first];
    judged.class = verdict.label;
    judged.confidence = (double)verdict.confidence;
    judged.named = verdict.state == VERDICT_CLASSIFIED ? verdict.label : -1;
    judged.knownness = knownness(logits, n, predictions->other, rule.temperature);
    return judged;
}

/* Confusion matrix of one view: all labels, or the classes alone. */
static void confusion_of(const struct judged *flows, size_t n, size_t n_labels, bool classes,
                         uint64_t *confusion)
{
    memset(confusion, 0, n_labels * n_labels * sizeof(*confusion));
    for (size_t i = 0; i < n; i++) {
        int said = classes ? flows[i].class : flows[i].first;

        if (flows[i].truth >= 0 && said >= 0 && (flows[i].known || !classes))
            confusion[(size_t)flows[i].truth * n_labels + (size_t)said]++;
    }
}

/* Figures of calling every flow by the most frequent label. */
static void judge_majority(struct evaluation_view *view, const uint64_t *confusion, size_t n_labels)
{
    struct metrics_label labels[TREE_LABELS_MAX];
    uint64_t most = 0;
    size_t occurring = 0;

    metrics_of_confusion(confusion, n_labels, labels);
    view->flows = 0;
    for (size_t l = 0; l < n_labels; l++) {
        view->flows += labels[l].flows;
        occurring += labels[l].flows > 0;
        most = labels[l].flows > most ? labels[l].flows : most;
    }
    view->majority_accuracy = view->flows > 0 ? (double)most / (double)view->flows : NAN;
    view->majority_macro_f1 =
        view->flows > 0 ? 2 * (double)most / (double)(most + view->flows) / (double)occurring : NAN;
}

static struct evaluation_view judge_view(const struct judged *flows, size_t n, size_t n_labels, bool classes)
{
    uint64_t confusion[TREE_LABELS_MAX * TREE_LABELS_MAX];
    struct evaluation_view view = {.baseline_accuracy = NAN, .baseline_macro_f1 = NAN};

    confusion_of(flows, n, n_labels, classes, confusion);
    view.accuracy = metrics_accuracy(confusion, n_labels);
    view.macro_f1 = metrics_macro_f1(confusion, n_labels);
    judge_majority(&view, confusion, n_labels);
    return view;
}

static void judge_labels(const struct judging *judging, const double *thresholds)
{
    struct evaluation *evaluation = judging->evaluation;
    struct metrics_label metrics[TREE_LABELS_MAX];

    confusion_of(judging->flows, judging->predictions->n, evaluation->n_labels, false, evaluation->confusion);
    metrics_of_confusion(evaluation->confusion, evaluation->n_labels, metrics);
    for (size_t l = 0; l < evaluation->n_labels; l++) {
        evaluation->label[l].metrics = metrics[l];
        evaluation->label[l].threshold = thresholds != NULL ? thresholds[l] : 0;
    }
    for (size_t i = 0; i < judging->predictions->n; i++) {
        const struct judged *flow = &judging->flows[i];

        evaluation->known += flow->known;
        evaluation->unknowns += !flow->known;
        if (flow->truth >= 0 && flow->named < 0)
            evaluation->label[flow->truth].unknown++;
        if (flow->named < 0)
            continue;
        evaluation->named++;
        evaluation->named_right += flow->named == flow->truth;
        evaluation->named_other += !flow->known;
        evaluation->label[flow->named].named++;
        evaluation->label[flow->named].named_right += flow->named == flow->truth;
    }
}

static int judge_confidence(const struct judging *judging)
{
    struct evaluation *evaluation = judging->evaluation;
    size_t n = 0, all = judging->predictions->n;
    double *before = calloc(all, sizeof(*before)), *after = calloc(all, sizeof(*after));
    uint8_t *right = calloc(all, sizeof(*right));
    double sum = 0;

    if (before != NULL && after != NULL && right != NULL) {
        for (size_t i = 0; i < all; i++) {
            sum += judging->predictions->temperature[i];
            if (judging->flows[i].truth < 0)
                continue;
            before[n] = judging->flows[i].before;
            after[n] = judging->flows[i].after;
            right[n++] = judging->flows[i].first == judging->flows[i].truth;
        }
        evaluation->temperature = sum / (double)all;
        evaluation->calibration_error_before =
            metrics_calibration_error(before, right, n, evaluation->reliability_before);
        evaluation->calibration_error = metrics_calibration_error(after, right, n, evaluation->reliability);
    }
    free(before);
    free(after);
    free(right);
    return before == NULL || after == NULL || right == NULL ? -ENOMEM : 0;
}

/* Where there are flows of both sides, a figure that is no number is one for which memory was short. */
static int judge_unknown(const struct judging *judging)
{
    struct evaluation *evaluation = judging->evaluation;
    bool short_of_memory = true;
    size_t n_known = 0, n_other = 0, all = judging->predictions->n;
    double *known = calloc(all, sizeof(*known)), *other = calloc(all, sizeof(*other));

    if (known != NULL && other != NULL) {
        for (size_t i = 0; i < all; i++) {
            if (judging->flows[i].known)
                known[n_known++] = judging->flows[i].knownness;
            else
                other[n_other++] = judging->flows[i].knownness;
        }
        evaluation->auroc = metrics_auroc(known, n_known, other, n_other);
        evaluation->let_through = metrics_let_through(known, n_known, other, n_other, 0.9);
        short_of_memory =
            n_known > 0 && n_other > 0 && (isnan(evaluation->auroc) || isnan(evaluation->let_through));
    }
    free(known);
    free(other);
    return short_of_memory ? -ENOMEM : 0;
}

static int by_falling_confidence(const void *a, const void *b)
{
    double x = (*(const struct judged *const *)a)->confidence;
    double y = (*(const struct judged *const *)b)->confidence;

    return (x < y) - (x > y);
}

/* Coverage and precision of naming what would be named without thresholds and has at least some confidence.
 * The candidates are walked from the most confident down, so both are known for every threshold there is. */
static int judge_coverage(const struct judging *judging)
{
    struct evaluation *evaluation = judging->evaluation;
    const struct judged **flows = calloc(judging->predictions->n, sizeof(*flows));
    size_t n = 0, named_known = 0, right = 0;
    int point = EVALUATION_CURVE - 1;

    if (flows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < judging->predictions->n; i++) {
        if (judging->flows[i].first == judging->flows[i].class)
            flows[n++] = &judging->flows[i];
    }
    qsort(flows, n, sizeof(*flows), by_falling_confidence);
    for (int t = 0; t < EVALUATION_TARGETS; t++)
        evaluation->targets[t] =
            (struct evaluation_coverage){.threshold = NAN, .coverage = NAN, .precision = NAN};
    for (size_t i = 0; i <= n; i++) {
        struct evaluation_coverage here = {
            .coverage = evaluation->known > 0 ? (double)named_known / (double)evaluation->known : NAN,
            .precision = i > 0 ? (double)right / (double)i : NAN};

        /* The points of the curve whose threshold lies above the next flow's confidence. */
        for (; point >= 0 && (i == n || flows[i]->confidence < (double)point / (EVALUATION_CURVE - 1));
             point--) {
            evaluation->curve[point] = here;
            evaluation->curve[point].threshold = (double)point / (EVALUATION_CURVE - 1);
        }
        if (i > 0 && i >= CALIBRATE_SUPPORT && (i == n || flows[i]->confidence < flows[i - 1]->confidence)) {
            here.threshold = flows[i - 1]->confidence;
            for (int t = 0; t < EVALUATION_TARGETS; t++) {
                if (here.precision >= evaluation_targets[t])
                    evaluation->targets[t] = here;
            }
        }
        if (i < n) {
            named_known += flows[i]->known;
            right += flows[i]->class == flows[i]->truth;
        }
    }
    free(flows);
    return 0;
}

/* "news 12, other 30" */
static void describe_labels(char *text, size_t size, const struct dataset *dataset, const uint64_t *counts)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t l = 0; l < dataset->n_labels; l++) {
        char entry[TREE_NAME_MAX + 32];
        int n = counts[l] == 0 ? 0
                               : snprintf(entry, sizeof(entry), "%s%s %llu", length > 0 ? ", " : "",
                                          dataset->labels[l], (unsigned long long)counts[l]);

        if (length + (size_t)n + sizeof(", ...") > size) {
            strcpy(text + length, ", ...");
            return;
        }
        memcpy(text + length, entry, (size_t)n);
        text[length += (size_t)n] = '\0';
    }
}

static int judge_captures(const struct judging *judging)
{
    const struct predictions *predictions = judging->predictions;
    const struct dataset *dataset = predictions->dataset;
    struct evaluation *evaluation = judging->evaluation;
    struct evaluation_capture *captures = calloc(dataset->n_groups, sizeof(*captures));
    uint64_t *counts = calloc((size_t)dataset->n_groups * dataset->n_labels, sizeof(*counts));

    if (captures == NULL || counts == NULL) {
        free(captures);
        free(counts);
        return -ENOMEM;
    }
    for (size_t i = 0; i < predictions->n; i++) {
        uint32_t record = predictions->record[i];
        uint32_t group = dataset->files[dataset->file[record]].group;

        captures[group].flows++;
        captures[group].right += judging->flows[i].first == judging->flows[i].truth;
        captures[group].unknown += judging->flows[i].named < 0;
        counts[group * dataset->n_labels + dataset->label[record]]++;
    }
    for (uint32_t g = 0; g < dataset->n_groups; g++) {
        if (captures[g].flows == 0)
            continue;
        captures[g].name = dataset->groups[g];
        describe_labels(captures[g].labels, sizeof(captures[g].labels), dataset,
                        counts + g * dataset->n_labels);
        captures[evaluation->n_captures++] = captures[g];
    }
    evaluation->captures = captures;
    free(counts);
    return 0;
}

static int judge_flows(struct judging *judging, const struct predictions *predictions,
                       const double *thresholds)
{
    judging->predictions = predictions;
    judging->flows = calloc(predictions->n, sizeof(*judging->flows));
    if (judging->flows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < predictions->n; i++)
        judging->flows[i] = judge_flow(predictions, i, thresholds);
    return 0;
}

/* The baseline's figures beside the model's. */
static int judge_baseline(struct evaluation *evaluation, const struct predictions *baseline)
{
    struct judging judging;
    struct evaluation_view classes, all;

    if (baseline == NULL)
        return 0;
    if (judge_flows(&judging, baseline, NULL) < 0)
        return -ENOMEM;
    classes = judge_view(judging.flows, baseline->n, baseline->n_labels, true);
    all = judge_view(judging.flows, baseline->n, baseline->n_labels, false);
    evaluation->classes.baseline_accuracy = classes.accuracy;
    evaluation->classes.baseline_macro_f1 = classes.macro_f1;
    evaluation->all.baseline_accuracy = all.accuracy;
    evaluation->all.baseline_macro_f1 = all.macro_f1;
    free(judging.flows);
    return 0;
}

int evaluate(struct evaluation *evaluation, const struct predictions *predictions,
             const struct predictions *baseline, const double *thresholds, struct error *err)
{
    struct evaluation result = {.n_labels = predictions->n_labels, .other = predictions->other};
    struct judging judging = {.evaluation = &result};

    if (predictions->n == 0)
        return error_set(err, -EINVAL, "no flows to judge by");
    if (judge_flows(&judging, predictions, thresholds) < 0)
        return error_set(err, -ENOMEM, "no memory to judge %zu flows", predictions->n);
    memcpy(result.labels, predictions->labels, sizeof(result.labels));
    result.flows = predictions->n;
    result.classes = judge_view(judging.flows, predictions->n, predictions->n_labels, true);
    result.all = judge_view(judging.flows, predictions->n, predictions->n_labels, false);
    judge_labels(&judging, thresholds);
    if (judge_confidence(&judging) < 0 || judge_unknown(&judging) < 0 || judge_coverage(&judging) < 0 ||
        judge_captures(&judging) < 0 || judge_baseline(&result, baseline) < 0) {
        free(judging.flows);
        evaluation_deinit(&result);
        return error_set(err, -ENOMEM, "no memory to judge %zu flows", predictions->n);
    }
    free(judging.flows);
    *evaluation = result;
    return 0;
}

void evaluation_deinit(struct evaluation *evaluation)
{
    free(evaluation->captures);
    *evaluation = (struct evaluation){0};
}

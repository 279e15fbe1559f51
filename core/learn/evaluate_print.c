/* evaluate_print.c - an evaluation as text for people and as JSON for the model file. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_build.h"
#include "core/learn/baseline.h"
#include "core/learn/evaluate.h"

enum { NUMBER_WIDTH = 11, CAPTURES_SHOWN = 25, LINE_WIDTH = 98 };

/* A gain below this is within what another choice of captures would change. */
#define GAIN_TO_SPEAK_OF 0.03

bool evaluation_worth(char *text, size_t size, double macro_f1, double baseline)
{
    bool better = macro_f1 - baseline >= GAIN_TO_SPEAK_OF;

    if (isnan(baseline) || isnan(macro_f1))
        snprintf(text, size, "%s", "");
    else if (better)
        snprintf(
            text, size,
            "The model is %.3f above what protocol, server port and TTL alone reach. That holds for captures "
            "like these; traffic from elsewhere has to be tried.",
            macro_f1 - baseline);
    else
        snprintf(
            text, size,
            "Protocol, server port and TTL alone reach %.3f, the model %.3f. What looks like skill may be "
            "recognising where the captures were taken: expect less on traffic from elsewhere, and more from "
            "labels of your own gateway.",
            baseline, macro_f1);
    return better;
}

/* "0.712", "-" where there is nothing to tell. */
static void print_share(FILE *file, double value, int width)
{
    if (isnan(value))
        fprintf(file, "%*s", width, "-");
    else
        fprintf(file, "%*.3f", width, value);
}

/* Width of the first column: the longest label, and what else stands in it. */
static int name_width(const struct evaluation *evaluation)
{
    size_t width = strlen("protocol, port, TTL");

    for (size_t l = 0; l < evaluation->n_labels; l++)
        width = strlen(evaluation->labels[l]) > width ? strlen(evaluation->labels[l]) : width;
    return (int)width + 2;
}

static void print_view(FILE *file, const struct evaluation_view *view, int width)
{
    const struct {
        const char *name;
        double accuracy, macro_f1;
    } rows[] = {
        {"this model", view->accuracy, view->macro_f1},
        {"protocol, port, TTL", view->baseline_accuracy, view->baseline_macro_f1},
        {"majority", view->majority_accuracy, view->majority_macro_f1},
    };

    fprintf(file, "  %-*s%*s%*s\n", width, "", NUMBER_WIDTH, "accuracy", NUMBER_WIDTH, "macro-F1");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fprintf(file, "  %-*s", width, rows[i].name);
        print_share(file, rows[i].accuracy, NUMBER_WIDTH);
        print_share(file, rows[i].macro_f1, NUMBER_WIDTH);
        fputc('\n', file);
    }
}

/* A paragraph, broken into lines. */
static void print_paragraph(FILE *file, const char *text)
{
    int column = 0;

    while (*text != '\0') {
        int length = (int)strcspn(text, " ");

        if (column > 0 && column + 1 + length > LINE_WIDTH) {
            fputc('\n', file);
            column = 0;
        }
        column += fprintf(file, "%s%.*s", column > 0 ? " " : "  ", length, text);
        text += length + (text[length] == ' ');
    }
    fputc('\n', file);
}

static void print_worth(FILE *file, double macro_f1, double baseline)
{
    char text[512];

    (void)evaluation_worth(text, sizeof(text), macro_f1, baseline);
    if (text[0] != '\0')
        print_paragraph(file, text);
}

static void print_views(FILE *file, const struct evaluation *evaluation, int width)
{
    fprintf(file, "The classes (%" PRIu64 " flows, winner among the classes)\n", evaluation->classes.flows);
    print_view(file, &evaluation->classes, width);
    if (evaluation->other >= 0 && evaluation->unknowns > 0) {
        fprintf(file, "\nAll labels (%" PRIu64 " flows, \"%s\" is one of them)\n", evaluation->all.flows,
                DATASET_OTHER);
        print_view(file, &evaluation->all, width);
    }
    fprintf(file, "  protocol, port, TTL: a %s.\n", baseline_description);
    print_worth(file, evaluation->classes.macro_f1, evaluation->classes.baseline_macro_f1);
}

static void print_labels(FILE *file, const struct evaluation *evaluation, int width)
{
    static const char *const heads[] = {"flows", "precision", "recall", "F1", "threshold", "named", "right"};

    fprintf(file, "\nEach label\n  %-*s", width, "");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        fprintf(file, "%*s", NUMBER_WIDTH, heads[i]);
    fputc('\n', file);
    for (size_t l = 0; l < evaluation->n_labels; l++) {
        const struct evaluation_label *label = &evaluation->label[l];

        fprintf(file, "  %-*s%*" PRIu64, width, evaluation->labels[l], NUMBER_WIDTH, label->metrics.flows);
        print_share(file, label->metrics.precision, NUMBER_WIDTH);
        print_share(file, label->metrics.recall, NUMBER_WIDTH);
        print_share(file, label->metrics.f1, NUMBER_WIDTH);
        if ((int)l != evaluation->other) {
            print_share(file, label->threshold, NUMBER_WIDTH);
            fprintf(file, "%*" PRIu64 "%*" PRIu64, NUMBER_WIDTH, label->named, NUMBER_WIDTH,
                    label->named_right);
        }
        fputc('\n', file);
    }
}

static void print_confusion(FILE *file, const struct evaluation *evaluation, int width)
{
    size_t n = evaluation->n_labels;

    fprintf(file, "\nConfusion (rows: what it is, columns: what it was called)\n  %-*s", width, "");
    for (size_t l = 0; l < n; l++)
        fprintf(file, "  %*s", NUMBER_WIDTH - 2, evaluation->labels[l]);
    fputc('\n', file);
    for (size_t row = 0; row < n; row++) {
        fprintf(file, "  %-*s", width, evaluation->labels[row]);
        for (size_t l = 0; l < n; l++) {
            int column = (int)strlen(evaluation->labels[l]);

            fprintf(file, "  %*" PRIu64, column > NUMBER_WIDTH - 2 ? column : NUMBER_WIDTH - 2,
                    evaluation->confusion[row * n + l]);
        }
        fputc('\n', file);
    }
}

static void print_confidence(FILE *file, const struct evaluation *evaluation)
{
    if (evaluation->all.flows == 0)
        return;
    fprintf(file, "\nConfidence\n  expected calibration error %.3f, with temperature %.2f %.3f\n",
            evaluation->calibration_error_before, evaluation->temperature, evaluation->calibration_error);
    fprintf(file, "  %-18s", "precision wanted");
    for (int t = 0; t < EVALUATION_TARGETS; t++)
        fprintf(file, "%8.2f", evaluation_targets[t]);
    fprintf(file, "\n  %-18s", "flows named");
    for (int t = 0; t < EVALUATION_TARGETS; t++)
        print_share(file, evaluation->targets[t].coverage, 8);
    fprintf(file, "\n  %-18s", "from confidence");
    for (int t = 0; t < EVALUATION_TARGETS; t++)
        print_share(file, evaluation->targets[t].threshold, 8);
    fprintf(file, "\n");
}

static void print_unknown(FILE *file, const struct evaluation *evaluation)
{
    fprintf(file, "\nUnknown traffic\n");
    if (evaluation->unknowns == 0)
        fprintf(file,
                "  There is no folder \"%s\" with traffic of no class, so nobody knows how much of it gets a "
                "name;\n"
                "  most traffic of a gateway is such traffic.\n",
                DATASET_OTHER);
    else if (evaluation->known > 0)
        fprintf(file,
                "  %" PRIu64
                " flows of \"%s\": AUROC %.3f against the classes; what keeps 90 %% of the classes lets "
                "%.0f %% of them through\n",
                evaluation->unknowns, DATASET_OTHER, evaluation->auroc, 100 * evaluation->let_through);
    if (evaluation->other < 0)
        fprintf(
            file,
            "  The model has not learnt \"%s\": it can only go by low confidence, which notices little.\n",
            DATASET_OTHER);
    fprintf(file,
            "  Verdicts: %" PRIu64 " of %" PRIu64 " flows named, %" PRIu64 " of the names right, %" PRIu64
            " flows of \"%s\" among the named\n",
            evaluation->named, evaluation->flows, evaluation->named_right, evaluation->named_other,
            DATASET_OTHER);
}

static int by_share_right(const void *a, const void *b)
{
    const struct evaluation_capture *x = *(const struct evaluation_capture *const *)a;
    const struct evaluation_capture *y = *(const struct evaluation_capture *const *)b;
    double share_x = (double)x->right / (double)x->flows, share_y = (double)y->right / (double)y->flows;

    return share_x != share_y ? (share_x > share_y) - (share_x < share_y) : strcmp(x->name, y->name);
}

const struct evaluation_capture **evaluation_worst_captures(const struct evaluation *evaluation)
{
    const struct evaluation_capture **captures = calloc(evaluation->n_captures + 1, sizeof(*captures));

    if (captures == NULL)
        return NULL;
    for (size_t i = 0; i < evaluation->n_captures; i++)
        captures[i] = &evaluation->captures[i];
    qsort(captures, evaluation->n_captures, sizeof(*captures), by_share_right);
    return captures;
}

static void print_captures(FILE *file, const struct evaluation *evaluation)
{
    size_t n = evaluation->n_captures, shown = n < CAPTURES_SHOWN ? n : CAPTURES_SHOWN;
    const struct evaluation_capture **captures = evaluation_worst_captures(evaluation);

    if (captures == NULL)
        return;
    fprintf(file, "\nEach capture, the worst first\n  %9s%9s%9s  %s\n", "flows", "right", "unknown",
            "capture");
    for (size_t i = 0; i < shown; i++)
        fprintf(file, "  %9" PRIu64 "%9" PRIu64 "%9" PRIu64 "  %s (%s)\n", captures[i]->flows,
                captures[i]->right, captures[i]->unknown, captures[i]->name, captures[i]->labels);
    if (shown < n)
        fprintf(file, "  and %zu better ones\n", n - shown);
    free(captures);
}

int evaluation_print(FILE *file, const struct evaluation *evaluation)
{
    int width = name_width(evaluation);

    fprintf(file, "%" PRIu64 " flows of %zu capture%s: %" PRIu64 " of the classes, %" PRIu64 " of \"%s\"\n\n",
            evaluation->flows, evaluation->n_captures, evaluation->n_captures == 1 ? "" : "s",
            evaluation->known, evaluation->unknowns, DATASET_OTHER);
    print_views(file, evaluation, width);
    print_labels(file, evaluation, width);
    print_confusion(file, evaluation, width);
    print_confidence(file, evaluation);
    print_unknown(file, evaluation);
    print_captures(file, evaluation);
    return ferror(file) ? -EIO : 0;
}

static void add_view(struct json_build *build, cJSON *object, const char *key,
                     const struct evaluation_view *view)
{
    cJSON *json = json_build_object(build, object, key);

    json_build_number(build, json, "flows", (double)view->flows);
    json_build_number(build, json, "accuracy", view->accuracy);
    json_build_number(build, json, "macro_f1", view->macro_f1);
    json_build_number(build, json, "majority_accuracy", view->majority_accuracy);
    json_build_number(build, json, "majority_macro_f1", view->majority_macro_f1);
    json_build_number(build, json, "baseline_accuracy", view->baseline_accuracy);
    json_build_number(build, json, "baseline_macro_f1", view->baseline_macro_f1);
}

static void add_labels(struct json_build *build, cJSON *object, const struct evaluation *evaluation)
{
    cJSON *labels = json_build_object(build, object, "by_label");
    cJSON *confusion = json_build_array(build, object, "confusion");

    for (size_t l = 0; l < evaluation->n_labels; l++) {
        const struct evaluation_label *label = &evaluation->label[l];
        cJSON *json = json_build_object(build, labels, evaluation->labels[l]);
        cJSON *row = json_build_array(build, confusion, NULL);

        json_build_number(build, json, "flows", (double)label->metrics.flows);
        json_build_number(build, json, "precision", label->metrics.precision);
        json_build_number(build, json, "recall", label->metrics.recall);
        json_build_number(build, json, "f1", label->metrics.f1);
        json_build_number(build, json, "named", (double)label->named);
        json_build_number(build, json, "named_right", (double)label->named_right);
        for (size_t i = 0; i < evaluation->n_labels; i++)
            json_build_number(build, row, NULL, (double)evaluation->confusion[l * evaluation->n_labels + i]);
    }
}

static void add_coverage(struct json_build *build, cJSON *object, const struct evaluation *evaluation)
{
    cJSON *coverage = json_build_array(build, object, "coverage");

    for (int t = 0; t < EVALUATION_TARGETS; t++) {
        cJSON *row = json_build_object(build, coverage, NULL);

        json_build_number(build, row, "precision", evaluation_targets[t]);
        json_build_number(build, row, "coverage", evaluation->targets[t].coverage);
        json_build_number(build, row, "threshold", evaluation->targets[t].threshold);
    }
}

cJSON *evaluation_json(const struct evaluation *evaluation)
{
    struct json_build build = {false};
    cJSON *object = cJSON_CreateObject();

    json_build_number(&build, object, "flows", (double)evaluation->flows);
    json_build_number(&build, object, "captures", (double)evaluation->n_captures);
    json_build_number(&build, object, "other_flows", (double)evaluation->unknowns);
    add_view(&build, object, "classes", &evaluation->classes);
    add_view(&build, object, "labels", &evaluation->all);
    json_build_text(&build, object, "baseline", baseline_description);
    add_labels(&build, object, evaluation);
    json_build_number(&build, object, "calibration_error_before", evaluation->calibration_error_before);
    json_build_number(&build, object, "calibration_error", evaluation->calibration_error);
    json_build_number(&build, object, "unknown_auroc", evaluation->auroc);
    json_build_number(&build, object, "unknown_let_through", evaluation->let_through);
    json_build_number(&build, object, "named", (double)evaluation->named);
    json_build_number(&build, object, "named_right", (double)evaluation->named_right);
    json_build_number(&build, object, "named_other", (double)evaluation->named_other);
    add_coverage(&build, object, evaluation);
    return json_build_end(&build, object);
}

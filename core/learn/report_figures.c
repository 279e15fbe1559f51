/* report_figures.c - how good the model is. */
#include <inttypes.h>
#include <math.h>

#include "core/learn/baseline.h"
#include "core/learn/chart.h"
#include "core/learn/html.h"
#include "core/learn/report_parts.h"

void report_section(FILE *file, const char *title)
{
    fputs("<section><h2>", file);
    html_text(file, title);
    fputs("</h2>\n", file);
}

void report_section_end(FILE *file)
{
    fputs("</section>\n", file);
}

/* Mean and deviation of a figure over the seeds of a cross-validation. */
static struct metrics_summary over_seeds(const struct crossval_result *crossval, size_t offset)
{
    double values[CROSSVAL_SEEDS_MAX];

    for (size_t i = 0; i < crossval->n_seeds; i++)
        values[i] = *(const double *)(const void *)((const char *)&crossval->seeds[i] + offset);
    return metrics_summary(values, crossval->n_seeds);
}

/* The figures that the page begins with: means over folds and seeds of a cross-validation, else of the
 * hold-out. */
struct headline {
    double accuracy, macro_f1, baseline, majority;
};

static struct headline headline_of(const struct report_page *page)
{
    const struct evaluation_view *view = &page->evaluation->classes;
    const struct crossval_result *crossval = page->report->crossval;

    if (crossval == NULL)
        return (struct headline){.accuracy = view->accuracy,
                                 .macro_f1 = view->macro_f1,
                                 .baseline = view->baseline_macro_f1,
                                 .majority = view->majority_macro_f1};
    return (struct headline){
        .accuracy = over_seeds(crossval, offsetof(struct crossval_seed, folds.accuracy)).mean,
        .macro_f1 = over_seeds(crossval, offsetof(struct crossval_seed, folds.macro_f1)).mean,
        .baseline = over_seeds(crossval, offsetof(struct crossval_seed, folds.baseline_macro_f1)).mean,
        .majority = over_seeds(crossval, offsetof(struct crossval_seed, folds.majority_macro_f1)).mean};
}

static void tile(FILE *file, const char *what, double value, const char *first, const char *second)
{
    fputs("<div class=\"tile\"><span class=\"what\">", file);
    html_text(file, what);
    fputs("</span><b>", file);
    html_share(file, value);
    fputs("</b><span>", file);
    html_text(file, first);
    fputs("</span><span>", file);
    html_text(file, second);
    fputs("</span></div>\n", file);
}

/* A hold-out of few captures is a lottery; what the folds of the training part said is steadier. */
static void write_folds(FILE *file, const struct report_page *page)
{
    const cJSON *folds = cJSON_GetObjectItemCaseSensitive(page->training, "cross_validation");
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(folds, "classes");
    const cJSON *macro_f1 = cJSON_GetObjectItemCaseSensitive(classes, "macro_f1");
    const cJSON *baseline = cJSON_GetObjectItemCaseSensitive(classes, "baseline_macro_f1");
    const cJSON *captures = cJSON_GetObjectItemCaseSensitive(folds, "captures");

    if (!cJSON_IsNumber(macro_f1) || !cJSON_IsNumber(baseline) || !cJSON_IsNumber(captures))
        return;
    fputs("<p class=\"note\">", file);
    html_format(file,
                "These figures rest on %zu captures, and another choice would give others. Cross-validated "
                "over the %.0f "
                "captures that it learnt from, its macro-F1 of the classes is %.3f; that of protocol, server "
                "port and TTL "
                "alone is %.3f.",
                page->evaluation->n_captures, captures->valuedouble, macro_f1->valuedouble,
                baseline->valuedouble);
    fputs("</p>\n", file);
}

static void write_worth(FILE *file, const struct headline *headline)
{
    char text[512];
    bool better = evaluation_worth(text, sizeof(text), headline->macro_f1, headline->baseline);

    if (text[0] == '\0')
        return;
    fputs(better ? "<p class=\"note good\">" : "<p class=\"note\">", file);
    html_text(file, text);
    fputs("</p>\n", file);
}

void report_tiles(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;
    struct headline headline;
    char first[96], second[96];

    if (evaluation == NULL)
        return;
    headline = headline_of(page);
    fputs("<div class=\"tiles\">\n", file);
    snprintf(first, sizeof(first), "protocol, port, TTL: %.3f", headline.baseline);
    snprintf(second, sizeof(second), "majority: %.3f", headline.majority);
    tile(file, "Macro-F1 of the classes", headline.macro_f1, isnan(headline.baseline) ? "" : first, second);
    snprintf(first, sizeof(first), "%" PRIu64 " flows of %zu captures", evaluation->classes.flows,
             evaluation->n_captures);
    snprintf(second, sizeof(second), "majority: %.3f", evaluation->classes.majority_accuracy);
    tile(file, "Accuracy of the classes", headline.accuracy, first, second);
    snprintf(first, sizeof(first), "%.3f at temperature 1", evaluation->calibration_error_before);
    snprintf(second, sizeof(second), "temperature %.2f", evaluation->temperature);
    tile(file, "Calibration error", evaluation->calibration_error, first, second);
    if (evaluation->unknowns > 0 && evaluation->known > 0) {
        snprintf(first, sizeof(first), "%.0f %% of \"other\" let through", 100 * evaluation->let_through);
        tile(file, "Unknown noticed (AUROC)", evaluation->auroc, first, "when 90 % of the classes are kept");
    }
    fputs("</div>\n", file);
    write_worth(file, &headline);
    write_folds(file, page);
}

static void view_row(FILE *file, const char *name, unsigned colour, double accuracy, double macro_f1)
{
    fputs("<tr><th>", file);
    html_text(file, name);
    fputs("</th><td>", file);
    html_share(file, accuracy);
    fputs("</td><td>", file);
    html_share(file, macro_f1);
    fprintf(file,
            "</td><td><div class=\"bar\"><i class=\"s%u\" style=\"width:%.1f%%\"></i></div></td></tr>\n",
            colour, isnan(macro_f1) ? 0 : 100 * macro_f1);
}

static void write_view(FILE *file, const struct evaluation_view *view, const char *title)
{
    fputs("<div class=\"scroll\"><table><thead><tr><th>", file);
    html_format(file, "%s, %" PRIu64 " flows", title, view->flows);
    fputs("</th><th>accuracy</th><th>macro-F1</th><th></th></tr></thead><tbody>\n", file);
    view_row(file, "this model", 0, view->accuracy, view->macro_f1);
    view_row(file, "protocol, server port, TTL", 1, view->baseline_accuracy, view->baseline_macro_f1);
    view_row(file, "majority", 2, view->majority_accuracy, view->majority_macro_f1);
    fputs("</tbody></table></div>\n", file);
}

void report_views(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;
    bool both;

    if (evaluation == NULL)
        return;
    both = evaluation->other >= 0 && evaluation->unknowns > 0;
    report_section(file, "Beside what little can do");
    fputs("<div class=\"pair\">\n", file);
    write_view(file, &evaluation->classes, "The classes");
    if (both)
        write_view(file, &evaluation->all, "All labels");
    fputs("</div>\n<p class=\"soft\">", file);
    html_format(file,
                "The classes: flows of a class, winner among the classes. The middle row is a %s, learnt "
                "from the same "
                "captures.",
                baseline_description);
    fputs("</p>\n", file);
    report_section_end(file);
}

void report_crossval(FILE *file, const struct report_page *page)
{
    const struct crossval_result *crossval = page->report->crossval;
    struct metrics_summary model, baseline;

    if (crossval == NULL)
        return;
    model = over_seeds(crossval, offsetof(struct crossval_seed, folds.macro_f1));
    baseline = over_seeds(crossval, offsetof(struct crossval_seed, folds.baseline_macro_f1));
    report_section(file, "Cross-validation");
    fputs("<p>", file);
    html_format(
        file,
        "%u folds by capture, %zu seeds%s: macro-F1 of the classes %.3f ± %.3f, of protocol, server port and "
        "TTL "
        "alone %.3f ± %.3f. All other sections show the first seed, every flow once, by a model that had not "
        "seen its capture.",
        crossval->folds, crossval->n_seeds, crossval->stopped ? " (stopped early)" : "", model.mean,
        model.deviation, baseline.mean, baseline.deviation);
    fputs(
        "</p>\n<div class=\"scroll\"><table><thead><tr><th>seed</th><th>macro-F1</th><th>accuracy</th>"
        "<th>baseline macro-F1</th><th>macro-F1, folds pooled</th><th>AUROC</th><th>&ldquo;other&rdquo; let "
        "through</th><th>calibration error</th></tr></thead><tbody>\n",
        file);
    for (size_t i = 0; i < crossval->n_seeds; i++) {
        const struct crossval_seed *seed = &crossval->seeds[i];
        const double figures[] = {seed->folds.macro_f1,   seed->folds.accuracy, seed->folds.baseline_macro_f1,
                                  seed->classes.macro_f1, seed->auroc,          seed->let_through,
                                  seed->calibration_error};

        fprintf(file, "<tr><th>%" PRIu64 "</th>", seed->seed);
        for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++) {
            fputs("<td>", file);
            html_share(file, figures[k]);
            fputs("</td>", file);
        }
        fputs("</tr>\n", file);
    }
    fputs("</tbody></table></div>\n", file);
    report_section_end(file);
}

static void write_confusion(FILE *file, const struct evaluation *evaluation)
{
    size_t n = evaluation->n_labels;

    fputs("<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th></th>", file);
    for (size_t l = 0; l < n; l++) {
        fputs("<th>", file);
        html_text(file, evaluation->labels[l]);
        fputs("</th>", file);
    }
    fputs("</tr></thead><tbody>\n", file);
    for (size_t row = 0; row < n; row++) {
        uint64_t flows = evaluation->label[row].metrics.flows;

        fputs("<tr><th>", file);
        html_text(file, evaluation->labels[row]);
        fputs("</th>", file);
        for (size_t l = 0; l < n; l++) {
            uint64_t count = evaluation->confusion[row * n + l];
            double share = flows > 0 ? (double)count / (double)flows : 0;

            fprintf(file,
                    "<td%s style=\"background:rgba(var(--accent),%.2f)\">%" PRIu64
                    "<small>%.0f&#8239;%%</small></td>",
                    share > 0.65 ? " class=\"dark\"" : "", 0.04 + 0.9 * share, count, 100 * share);
        }
        fputs("</tr>\n", file);
    }
    fputs("</tbody></table></div>\n<p class=\"soft\">Rows: what it is. Columns: what it was called.</p>\n",
          file);
}

void report_labels(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;

    if (evaluation == NULL)
        return;
    report_section(file, "Label by label");
    write_confusion(file, evaluation);
    fputs("<div "
          "class=\"scroll\"><table><thead><tr><th>label</th><th>flows</th><th>precision</th><th>recall</th>"
          "<th>F1</th><th>threshold</th><th>named</th><th>named right</th><th>left "
          "unknown</th></tr></thead><tbody>\n",
          file);
    for (size_t l = 0; l < evaluation->n_labels; l++) {
        const struct evaluation_label *label = &evaluation->label[l];
        const double shares[] = {label->metrics.precision, label->metrics.recall, label->metrics.f1};

        fputs("<tr><th>", file);
        html_text(file, evaluation->labels[l]);
        fprintf(file, "</th><td>%" PRIu64 "</td>", label->metrics.flows);
        for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++)
            fprintf(file, "<td>%.3f</td>", shares[k]);
        if ((int)l == evaluation->other)
            fputs("<td colspan=\"3\" class=\"soft\">is what unknown means</td>", file);
        else
            fprintf(file, "<td>%.3f</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td>", label->threshold,
                    label->named, label->named_right);
        fprintf(file, "<td>%" PRIu64 "</td></tr>\n", label->unknown);
    }
    fputs("</tbody></table></div>\n", file);
    report_section_end(file);
}

static void write_reliability(FILE *file, const struct evaluation *evaluation)
{
    double before[2][METRICS_BINS], after[2][METRICS_BINS];
    struct chart_series series[] = {
        {.name = "with the temperature", .n = METRICS_BINS, .x = after[0], .y = after[1], .points = true},
        {.name = "at temperature 1", .n = METRICS_BINS, .x = before[0], .y = before[1], .points = true},
    };
    struct chart chart = {.title = "Reliability",
                          .x_label = "confidence",
                          .y_label = "share right",
                          .x_max = 1,
                          .y_max = 1,
                          .diagonal = true,
                          .mark = NAN,
                          .n_series = 2,
                          .series = series};

    for (int i = 0; i < METRICS_BINS; i++) {
        before[0][i] = evaluation->reliability_before[i].confidence;
        before[1][i] = evaluation->reliability_before[i].accuracy;
        after[0][i] = evaluation->reliability[i].confidence;
        after[1][i] = evaluation->reliability[i].accuracy;
    }
    chart_write(file, &chart);
}

static void write_coverage(FILE *file, const struct evaluation *evaluation)
{
    double coverage[EVALUATION_CURVE], precision[EVALUATION_CURVE];
    struct chart_series series = {
        .name = "one threshold for all labels", .n = EVALUATION_CURVE, .x = coverage, .y = precision};
    struct chart chart = {.title = "Precision against coverage",
                          .x_label = "share of the classes' flows that get a name",
                          .y_label = "share of the names that are right",
                          .x_max = 1,
                          .y_max = 1,
                          .mark = NAN,
                          .n_series = 1,
                          .series = &series};

    for (int i = 0; i < EVALUATION_CURVE; i++) {
        coverage[i] = evaluation->curve[i].coverage;
        precision[i] = isnan(coverage[i]) ? NAN : evaluation->curve[i].precision;
    }
    chart_write(file, &chart);
}

/* Labels whose threshold could not be fitted to the wanted precision. */
static void write_out_of_reach(FILE *file, const struct report_page *page)
{
    const cJSON *calibration = cJSON_GetObjectItemCaseSensitive(page->training, "calibration");
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(calibration, "wanted_precision");
    const cJSON *label;

    cJSON_ArrayForEach(label, cJSON_GetObjectItemCaseSensitive(calibration, "labels"))
    {
        const cJSON *precision = cJSON_GetObjectItemCaseSensitive(label, "precision");
        const cJSON *flows = cJSON_GetObjectItemCaseSensitive(label, "flows");

        if (!cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(label, "reached")) ||
            !cJSON_IsNumber(precision) || !cJSON_IsNumber(flows) || !cJSON_IsNumber(wanted))
            continue;
        fputs("<p class=\"note\">", file);
        html_format(file,
                    "A precision of %.2f is out of reach for %s: its threshold gave %.3f, on %.0f flows.",
                    wanted->valuedouble, label->string, precision->valuedouble, flows->valuedouble);
        fputs("</p>\n", file);
    }
}

void report_confidence(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;

    if (evaluation == NULL || evaluation->all.flows == 0)
        return;
    report_section(file, "How far to trust a confidence");
    fputs("<div class=\"pair\">\n", file);
    write_reliability(file, evaluation);
    write_coverage(file, evaluation);
    fputs("</div>\n<div class=\"scroll\"><table><thead><tr><th>precision wanted</th>", file);
    for (int t = 0; t < EVALUATION_TARGETS; t++)
        fprintf(file, "<th>%.2f</th>", evaluation_targets[t]);
    fputs("</tr></thead><tbody>\n<tr><th>flows of the classes named</th>", file);
    for (int t = 0; t < EVALUATION_TARGETS; t++) {
        fputs("<td>", file);
        html_share(file, evaluation->targets[t].coverage);
        fputs("</td>", file);
    }
    fputs("</tr>\n<tr><th>from confidence</th>", file);
    for (int t = 0; t < EVALUATION_TARGETS; t++) {
        fputs("<td>", file);
        html_share(file, evaluation->targets[t].threshold);
        fputs("</td>", file);
    }
    fputs("</tr></tbody></table></div>\n", file);
    write_out_of_reach(file, page);
    report_section_end(file);
}

void report_unknown(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;

    if (evaluation == NULL)
        return;
    report_section(file, "Traffic of no class");
    if (evaluation->unknowns == 0) {
        fputs("<p class=\"note\">There is no folder &ldquo;other&rdquo; with traffic of no class, so nobody "
              "knows how much "
              "of it gets a name. Most traffic of a gateway is such traffic; a hundred flows of it, from the "
              "same place, "
              "make the difference.</p>\n",
              file);
    } else {
        fputs("<p>", file);
        html_format(
            file,
            "%" PRIu64
            " flows are of no class. Ranked by how much they look like any class, one of a class comes "
            "before one of none in %.1f of 100 pairs (AUROC %.3f). A limit that keeps 90 %% of the classes "
            "lets "
            "%.0f %% of the others through.",
            evaluation->unknowns, 100 * evaluation->auroc, evaluation->auroc, 100 * evaluation->let_through);
        fputs("</p>\n", file);
    }
    if (evaluation->other < 0)
        fputs("<p class=\"note\">The model has not learnt &ldquo;other&rdquo;. It can only go by low "
              "confidence, which "
              "notices little.</p>\n",
              file);
    fputs("<p>", file);
    html_format(file,
                "Verdicts: %" PRIu64 " of %" PRIu64 " flows get a name. %" PRIu64
                " of the names are right, %" PRIu64 " went to flows of no class.",
                evaluation->named, evaluation->flows, evaluation->named_right, evaluation->named_other);
    fputs("</p>\n", file);
    report_section_end(file);
}

/* report_context.c - out of what, and how, the model was made. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/learn/chart.h"
#include "core/learn/html.h"
#include "core/learn/report_parts.h"
#include "core/tree/describe.h"

enum { CAPTURES_SHOWN = 200 };

/* One figure of every epoch. */
static void series_of(const struct train_result *history, size_t offset, double *values)
{
    for (size_t i = 0; i < history->n_epochs; i++)
        memcpy(&values[i], (const char *)&history->epochs[i] + offset, sizeof(values[i]));
}

static double largest(const double *values, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = isfinite(values[i]) ? fmax(most, values[i]) : most;
    return most;
}

/* A chart of two or three figures by epoch. */
static void write_epochs(FILE *file, const struct train_result *history, const char *title, const char *label,
                         const char *const *names, const size_t *offsets, size_t n_series, double least_range)
{
    size_t n = history->n_epochs;
    double *values = calloc(n * (n_series + 1), sizeof(*values));
    struct chart_series series[3];
    struct chart chart = {.title = title,
                          .x_label = "epoch",
                          .y_label = label,
                          .x_min = 1,
                          .x_max = n > 1 ? (double)n : 2,
                          .y_max = least_range,
                          .mark = history->best_epoch > 0 ? history->best_epoch : NAN,
                          .mark_label = "kept",
                          .series = series};

    if (values == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        values[i] = (double)i + 1;
    for (size_t s = 0; s < n_series; s++) {
        double *y = values + (s + 1) * n;

        series_of(history, offsets[s], y);
        chart.y_max = fmax(chart.y_max, largest(y, n));
        if (s == 0 || largest(y, n) > 0) /* without a hold-out there is nothing to draw */
            series[chart.n_series++] = (struct chart_series){.name = names[s], .n = n, .x = values, .y = y};
    }
    chart_write(file, &chart);
    free(values);
}

void report_history(FILE *file, const struct report_page *page)
{
    static const char *const loss_names[] = {"training", "hold-out"};
    static const size_t loss_offsets[] = {offsetof(struct train_epoch, loss),
                                          offsetof(struct train_epoch, held_out_loss)};
    static const char *const share_names[] = {"training accuracy", "hold-out accuracy", "hold-out macro-F1"};
    static const size_t share_offsets[] = {offsetof(struct train_epoch, accuracy),
                                           offsetof(struct train_epoch, held_out_accuracy),
                                           offsetof(struct train_epoch, held_out_macro_f1)};
    const struct train_result *history = &page->history;

    if (history->n_epochs == 0)
        return;
    report_section(file, "How it learnt");
    fputs("<div class=\"pair\">\n", file);
    write_epochs(file, history, "Loss by epoch", "loss", loss_names, loss_offsets, 2, 0.1);
    write_epochs(file, history, "Accuracy by epoch", "share", share_names, share_offsets, 3, 1);
    fputs("</div>\n<p class=\"soft\">", file);
    html_format(
        file,
        "%zu epochs%s; epoch %u is kept: the latest within one standard error of the best macro-F1 on the "
        "hold-out. Training figures are taken while learning, with dropout and class weights.",
        history->n_epochs, history->stopped ? " (stopped)" : "", history->best_epoch);
    fputs("</p>\n", file);
    report_section_end(file);
}

static void write_capture(FILE *file, const struct evaluation_capture *capture)
{
    fputs("<tr><td class=\"wide\">", file);
    html_text(file, capture->name);
    fputs("</td><td class=\"text soft\">", file);
    html_text(file, capture->labels);
    fprintf(file,
            "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
            "</td><td><div class=\"bar\"><i style=\"width:%.1f%%\"></i></div></td></tr>\n",
            capture->flows, capture->right, capture->unknown,
            100 * (double)capture->right / (double)capture->flows);
}

void report_captures(FILE *file, const struct report_page *page)
{
    const struct evaluation *evaluation = page->evaluation;
    const struct evaluation_capture **captures;
    size_t n, shown;

    if (evaluation == NULL || (captures = evaluation_worst_captures(evaluation)) == NULL)
        return;
    n = evaluation->n_captures;
    shown = n < CAPTURES_SHOWN ? n : CAPTURES_SHOWN;
    report_section(file, "Capture by capture");
    fputs("<div class=\"scroll\"><table><thead><tr><th>capture, the worst first</th><th "
          "class=\"text\">holds</th>"
          "<th>flows</th><th>right</th><th>unknown</th><th></th></tr></thead><tbody>\n",
          file);
    for (size_t i = 0; i < shown; i++)
        write_capture(file, captures[i]);
    fputs("</tbody></table></div>\n", file);
    if (shown < n)
        fprintf(file, "<p class=\"soft\">And %zu better ones.</p>\n", n - shown);
    free(captures);
    report_section_end(file);
}

void report_dataset(FILE *file, const struct report_page *page)
{
    const struct dataset *dataset = page->report->dataset;
    uint64_t flows[TREE_LABELS_MAX] = {0}, files[TREE_LABELS_MAX] = {0}, damaged = 0;

    if (dataset == NULL)
        return;
    for (size_t i = 0; i < dataset->n; i++)
        flows[dataset->label[i]]++;
    for (size_t i = 0; i < dataset->n_files; i++) {
        damaged += dataset->files[i].damaged;
        if (dataset->files[i].records > 0)
            files[dataset->files[i].label]++;
    }
    report_section(file, "Data");
    fputs("<div "
          "class=\"scroll\"><table><thead><tr><th>label</th><th>flows</th><th>captures</th><th>share</"
          "th><th></th>"
          "</tr></thead><tbody>\n",
          file);
    for (size_t l = 0; l < dataset->n_labels; l++) {
        double share = (double)flows[l] / (double)dataset->n;

        fputs("<tr><th>", file);
        html_text(file, dataset->labels[l]);
        fprintf(file,
                "</th><td>%" PRIu64 "</td><td>%" PRIu64
                "</td><td>%.3f</td><td><div class=\"bar\"><i style=\"width:%.1f%%\">"
                "</i></div></td></tr>\n",
                flows[l], files[l], share, 100 * share);
    }
    fputs("</tbody></table></div>\n<p class=\"soft\">", file);
    html_format(file,
                "%zu flows of %u captures in %zu files; %" PRIu64
                " damaged lines skipped. SHA-256 of the files:",
                dataset->n, dataset->n_groups, dataset->n_files, damaged);
    fputs(" <code>", file);
    html_text(file, dataset->hash);
    fputs("</code></p>\n", file);
    report_section_end(file);
}

void report_elements(FILE *file, const struct report_page *page)
{
    char *text = NULL;
    size_t size;
    FILE *memory;

    if (page->report->tree == NULL || (memory = open_memstream(&text, &size)) == NULL)
        return;
    (void)describe_tree(memory, page->report->tree);
    if (fclose(memory) == 0) {
        report_section(file, "The element tree");
        fputs("<div class=\"scroll\"><pre>", file);
        html_text(file, text);
        fputs("</pre></div>\n", file);
        report_section_end(file);
    }
    free(text);
}

static void row(FILE *file, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    fputs("<tr><th>", file);
    html_text(file, name);
    fputs("</th><td class=\"text wide\"><code>", file);
    html_text(file, value);
    fputs("</code></td></tr>\n", file);
}

/* Everything in the training record that is not shown elsewhere: scalars by their key. */
static void json_rows(FILE *file, const cJSON *object, const char *prefix)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        char name[96], number[32];

        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix != '\0' ? " " : "", item->string);
        snprintf(number, sizeof(number), "%.6g", item->valuedouble);
        if (cJSON_IsString(item))
            row(file, name, item->valuestring);
        else if (cJSON_IsNumber(item))
            row(file, name, number);
        else if (cJSON_IsBool(item))
            row(file, name, cJSON_IsTrue(item) ? "yes" : "no");
    }
}

void report_provenance(FILE *file, const struct report_page *page)
{
    static const char *const parts[] = {"recipe", "split", "epochs", "calibration", "gate"};
    const struct report *report = page->report;

    report_section(file, "Where this comes from");
    fputs("<div class=\"scroll\"><table><tbody>\n", file);
    row(file, "report written", report->date);
    row(file, "by program version", report->version);
    row(file, "command", report->command);
    if (report->model != NULL) {
        row(file, "model", report->model->id);
        row(file, "replaces model", report->model->parent);
    }
    if (page->training != NULL) {
        json_rows(file, page->training, "training");
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            json_rows(file, cJSON_GetObjectItemCaseSensitive(page->training, parts[i]), parts[i]);
    }
    fputs("</tbody></table></div>\n", file);
    report_section_end(file);
}

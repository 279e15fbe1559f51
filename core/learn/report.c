/* report.c - the page from top to bottom, and the file around it. */
#include "core/learn/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/learn/html.h"
#include "core/learn/provenance.h"
#include "core/learn/report_parts.h"

enum { MODE = 0644 }; /* of the file */

static void write_head(FILE *file, const struct report_page *page)
{
    const struct report *report = page->report;

    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          file);
    html_text(file, report->title);
    fprintf(file, "</title>\n<style>\n%s</style></head>\n<body>\n<header><h1>", report_style);
    html_text(file, report->title);
    fputs("</h1><p class=\"by\">", file);
    if (report->crossval != NULL)
        html_format(file, "Cross-validated by capture");
    else if (report->model != NULL)
        html_format(file, "Model %s", report->model->id[0] != '\0' ? report->model->id : "(not saved)");
    html_format(file, " · %s · flowclassd %s", report->date != NULL ? report->date : "",
                report->version != NULL ? report->version : "");
    fputs("</p></header>\n<main>\n", file);
}

static void write_page(FILE *file, const struct report_page *page)
{
    write_head(file, page);
    report_tiles(file, page);
    report_views(file, page);
    report_crossval(file, page);
    report_labels(file, page);
    report_confidence(file, page);
    report_unknown(file, page);
    report_history(file, page);
    report_captures(file, page);
    report_dataset(file, page);
    report_elements(file, page);
    report_provenance(file, page);
    fputs("</main>\n<footer><p>Hold-out and folds go by capture. The figures say what to expect of more "
          "captures like "
          "these, not of traffic from elsewhere.</p></footer>\n</body></html>\n",
          file);
}

static int write_file(const struct report_page *page, int descriptor)
{
    FILE *file;
    int r;

    if (fchmod(descriptor, MODE) < 0 || (file = fdopen(descriptor, "w")) == NULL) {
        r = -errno;
        close(descriptor);
        return r;
    }
    write_page(file, page);
    r = fflush(file) < 0 || ferror(file) || fsync(descriptor) < 0 ? -errno : 0;
    if (fclose(file) < 0 && r == 0)
        r = -errno;
    return r;
}

static int write_and_rename(const struct report_page *page, const char *path, struct error *err)
{
    char *temporary;
    int descriptor, r;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return error_set(err, -ENOMEM, "%s: no memory", path);
    if ((descriptor = mkstemp(temporary)) < 0) {
        r = error_set(err, -errno, "%s: %s", path, strerror(errno));
        free(temporary);
        return r;
    }
    r = write_file(page, descriptor);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        error_set(err, r, "%s: %s", path, strerror(-r));
        unlink(temporary);
    }
    free(temporary);
    return r;
}

int report_write(const struct report *report, const char *path, struct error *err)
{
    struct report_page page = {.report = report, .evaluation = report->evaluation};
    struct train_result stored = {0};
    cJSON *training = NULL;
    int r;

    if (page.evaluation == NULL && report->crossval != NULL)
        page.evaluation = &report->crossval->evaluation;
    if (report->model != NULL && report->model->training != NULL)
        page.training = training = cJSON_Parse(report->model->training);
    if (report->training != NULL)
        page.history = *report->training;
    else if (provenance_history(training, &stored) == 0)
        page.history = stored;
    r = write_and_rename(&page, path, err);
    train_result_deinit(&stored);
    cJSON_Delete(training);
    return r;
}

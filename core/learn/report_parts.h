/* report_parts.h - the sections of the page, for report.c alone. Each leaves itself out where it has no
 * matter. */
#ifndef CORE_LEARN_REPORT_PARTS_H
#define CORE_LEARN_REPORT_PARTS_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "core/learn/report.h"

/* The style sheet. */
extern const char report_style[];

/* What a section writes from. */
struct report_page {
    const struct report *report;
    const struct evaluation *evaluation; /* of the report, or of its cross-validation; NULL: none */
    const cJSON *training;               /* model->training; NULL: none */
    struct train_result history;         /* epochs, of the report or from the model; n_epochs may be 0 */
};

/* <section><h2>, and its end. */
void report_section(FILE *file, const char *title);
void report_section_end(FILE *file);

/* How good: report_figures.c */
void report_tiles(FILE *file, const struct report_page *page);
void report_views(FILE *file, const struct report_page *page);
void report_crossval(FILE *file, const struct report_page *page);
void report_labels(FILE *file, const struct report_page *page);
void report_confidence(FILE *file, const struct report_page *page);
void report_unknown(FILE *file, const struct report_page *page);

/* Out of what: report_context.c */
void report_history(FILE *file, const struct report_page *page);
void report_captures(FILE *file, const struct report_page *page);
void report_dataset(FILE *file, const struct report_page *page);
void report_elements(FILE *file, const struct report_page *page);
void report_provenance(FILE *file, const struct report_page *page);

#endif

/* report.h - one self-contained HTML page about a model: no network, no scripts, light and dark, readable on
 * a telephone and on paper.
 */
#ifndef CORE_LEARN_REPORT_H
#define CORE_LEARN_REPORT_H

#include "core/learn/crossval.h"
#include "core/learn/evaluate.h"
#include "core/learn/train.h"

/* What there is to show; sections without matter are left out. All borrowed. */
struct report {
    const char *title;                   /* "flowtree on gateway-3" */
    const char *version, *date;          /* of the program; RFC 3339 */
    const char *command;                 /* how it was made, NULL: not said */
    const struct model *model;           /* NULL for a cross-validation */
    const struct tree *tree;             /* element table */
    const struct dataset *dataset;       /* what was learnt from or judged on */
    const struct train_result *training; /* NULL: not trained now */
    const struct evaluation *evaluation; /* NULL: no hold-out */
    const struct crossval_result *crossval;
};

/* Write it to a temporary file beside path, and rename.
 *
 * Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM with err filled.
 */
int report_write(const struct report *report, const char *path, struct error *err);

#endif

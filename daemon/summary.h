/* summary.h - what a run over files comes to, in a few lines for people. */
#ifndef DAEMON_SUMMARY_H
#define DAEMON_SUMMARY_H

#include <stdio.h>

#include "core/tree/model.h"
#include "daemon/stats.h"

struct summary {
    const struct stats_snapshot *counts;
    const struct model *model; /* NULL: records only */
    double seconds;            /* that the run took */
    uint64_t files;            /* that were read, at least in part */
    uint64_t refused;          /* that could not be */
    uint64_t damaged;          /* places in files that were skipped */
    bool packets;              /* captures were read, else archives */
    bool records;              /* an archive was written */
};

/* Print it. Return: 0, -EIO. */
int summary_print(FILE *to, const struct summary *summary);

#endif

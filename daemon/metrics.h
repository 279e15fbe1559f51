/* metrics.h - counters as OpenMetrics text, for Prometheus: the verb `metrics`, and a file for node_exporter.
 *
 * Source: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "core/tree/model.h"
#include "daemon/classifier.h"
#include "daemon/stats.h"
#include "flowtrack/error.h"

/* What there is to say besides the counters. */
struct metrics {
    const struct stats_snapshot *counts;
    const struct model *model;                  /* NULL: none */
    const struct classifier_status *classifier; /* NULL without a model */
    double started;                             /* seconds since 1970 UTC */
};

/* The text, ending in "# EOF". Return: from malloc(), owned by the caller; NULL: no memory. */
char *metrics_text(const struct metrics *metrics);

/* Write it to a file beside path, and rename. Return: 0; -EACCES, -ENOENT, -ENOSPC, -EIO, -ENOMEM with err.
 */
int metrics_write(const struct metrics *metrics, const char *path, struct error *err);

#endif

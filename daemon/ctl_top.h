/* ctl_top.h - a screen that refreshes: what the flows are, who serves them, what is lost, what judges. */
#ifndef DAEMON_CTL_TOP_H
#define DAEMON_CTL_TOP_H

#include <stdio.h>

#include "daemon/ctl_client.h"
#include "daemon/ctl_text.h"

enum { CTL_TOP_HOSTS = 1024, CTL_TOP_LABELS = 64 };

/* What was seen of one label or host since the last screen. */
struct ctl_top_row {
    char name[CTL_CELL_MAX];
    double flows;
    double bytes;
};

/* Sums over the verdicts of one interval. */
struct ctl_top_sums {
    size_t n_labels;
    struct ctl_top_row labels[CTL_TOP_LABELS];
    size_t n_hosts;
    struct ctl_top_row
        hosts[CTL_TOP_HOSTS]; /* serving ends; once it is full further ones count as "(others)" */
};

/* Add one verdict line. */
void ctl_top_add(struct ctl_top_sums *sums, const cJSON *line);

/* Put the rows with the most bytes first. */
void ctl_top_sort(struct ctl_top_sums *sums);

/* Print one screen.
 *
 * stats: the daemon's answer to `stats`.
 * seconds: that the sums cover.
 * hosts: rows of hosts to show.
 */
void ctl_top_print(FILE *to, const struct ctl_top_sums *sums, const cJSON *stats, double seconds,
                   unsigned hosts);

/* Show screens until the connection ends.
 *
 * client: open; everything on it from now on is for this.
 * seconds: between two screens.
 * screens: so many, 0: without end.
 *
 * Return: 0, or what ctl_client_line() returns with err filled.
 */
int ctl_top_run(struct ctl_client *client, unsigned seconds, unsigned screens, struct error *err);

#endif

/* chart.h - line charts as inline SVG. Colours come from the page's style (classes s0, s1, ...), so that a
 * chart is light or dark as the page is; sizes are relative, so that it fits a telephone.
 */
#ifndef CORE_LEARN_CHART_H
#define CORE_LEARN_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct chart_series {
    const char *name; /* in the legend */
    size_t n;
    const double *x, *y; /* (n) NAN in y breaks the line */
    bool points;         /* a dot at each value as well */
};

struct chart {
    const char *title; /* for those who cannot see it, too */
    const char *x_label, *y_label;
    double x_min, x_max, y_min, y_max;
    bool diagonal; /* x = y, dashed */
    double mark;   /* a vertical line at this x; NAN: none */
    const char *mark_label;
    size_t n_series;
    const struct chart_series *series; /* (n_series) */
};

/* Write a <figure> with the chart and its legend. */
void chart_write(FILE *file, const struct chart *chart);

#endif

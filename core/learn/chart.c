/* chart.c - axes, grid, lines.
 *
 * The drawing area lies inside a fixed view box; the browser scales it.
 */
#include "core/learn/chart.h"

#include <math.h>

#include "core/learn/html.h"

enum {
    WIDTH = 520,
    HEIGHT = 320,
    LEFT = 52,
    RIGHT = 14,
    TOP = 14,
    BOTTOM = 46,
    TICKS = 6, /* at most, about */
};

static double place_x(const struct chart *chart, double x)
{
    return LEFT + (x - chart->x_min) / (chart->x_max - chart->x_min) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct chart *chart, double y)
{
    double inside = fmin(fmax(y, chart->y_min), chart->y_max);

    return HEIGHT - BOTTOM -
           (inside - chart->y_min) / (chart->y_max - chart->y_min) * (HEIGHT - TOP - BOTTOM);
}

/* The round step (1, 2 or 5 times a power of ten) that gives at most TICKS intervals. */
static double tick_step(double range)
{
    static const double rounds[] = {1, 2, 5, 10};
    double rough = range / TICKS, power = pow(10, floor(log10(rough)));

    for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
        if (rounds[i] * power >= rough * (1 - 1e-9))
            return rounds[i] * power;
    }
    return 10 * power;
}

static void write_grid(FILE *file, const struct chart *chart)
{
    double step_x = tick_step(chart->x_max - chart->x_min), step_y = tick_step(chart->y_max - chart->y_min);

    for (double x = ceil(chart->x_min / step_x - 1e-9) * step_x; x <= chart->x_max + step_x * 1e-9;
         x += step_x)
        fprintf(file,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                place_x(chart, x), TOP, place_x(chart, x), HEIGHT - BOTTOM, place_x(chart, x),
                HEIGHT - BOTTOM + 17, fabs(x) < step_x * 1e-6 ? 0 : x);
    for (double y = ceil(chart->y_min / step_y - 1e-9) * step_y; y <= chart->y_max + step_y * 1e-9;
         y += step_y)
        fprintf(file,
                "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                LEFT, place_y(chart, y), WIDTH - RIGHT, place_y(chart, y), LEFT - 7, place_y(chart, y) + 4,
                fabs(y) < step_y * 1e-6 ? 0 : y);
}

static void write_axes(FILE *file, const struct chart *chart)
{
    fprintf(file, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    fprintf(file, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
    html_text(file, chart->x_label);
    fprintf(
        file,
        "</text>\n<text class=\"label\" transform=\"translate(13 %d) rotate(-90)\" text-anchor=\"middle\">",
        (TOP + HEIGHT - BOTTOM) / 2);
    html_text(file, chart->y_label);
    fputs("</text>\n", file);
}

static void write_mark(FILE *file, const struct chart *chart)
{
    double x = place_x(chart, chart->mark);
    bool right = x < (double)WIDTH / 2;

    fprintf(file,
            "<line class=\"mark\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">",
            x, TOP, x, HEIGHT - BOTTOM, x + (right ? 5 : -5), (TOP + HEIGHT - BOTTOM) / 2,
            right ? "start" : "end");
    html_text(file, chart->mark_label);
    fputs("</text>\n", file);
}

static void write_series(FILE *file, const struct chart *chart, size_t index)
{
    const struct chart_series *series = &chart->series[index];
    bool drawing = false;

    fprintf(file, "<path class=\"line s%zu\" d=\"", index);
    for (size_t i = 0; i < series->n; i++) {
        if (isfinite(series->y[i]))
            fprintf(file, "%c%.1f %.1f", drawing ? 'L' : 'M', place_x(chart, series->x[i]),
                    place_y(chart, series->y[i]));
        drawing = isfinite(series->y[i]);
    }
    fputs("\"/>\n", file);
    for (size_t i = 0; series->points && i < series->n; i++) {
        if (isfinite(series->y[i]))
            fprintf(file, "<circle class=\"dot s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", index,
                    place_x(chart, series->x[i]), place_y(chart, series->y[i]));
    }
}

void chart_write(FILE *file, const struct chart *chart)
{
    fputs("<figure><figcaption>", file);
    html_text(file, chart->title);
    fprintf(file, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    html_text(file, chart->title);
    fputs("\">\n", file);
    write_grid(file, chart);
    if (chart->diagonal)
        fprintf(file, "<line class=\"diagonal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                place_x(chart, chart->x_min), place_y(chart, chart->y_min), place_x(chart, chart->x_max),
                place_y(chart, chart->y_max));
    if (!isnan(chart->mark))
        write_mark(file, chart);
    for (size_t i = 0; i < chart->n_series; i++)
        write_series(file, chart, i);
    write_axes(file, chart);
    fputs("</svg>\n<p class=\"legend\">", file);
    for (size_t i = 0; i < chart->n_series; i++) {
        fprintf(file, "<span><i class=\"s%zu\"></i>", i);
        html_text(file, chart->series[i].name);
        fputs("</span> ", file);
    }
    fputs("</p></figure>\n", file);
}

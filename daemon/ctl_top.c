/* One connection: it watches, and asks for `stats` once an interval. The verdicts that come meanwhile are
 * summed here, so that the daemon keeps nothing for a screen. */
#include "daemon/ctl_top.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl_flow.h"

enum { LINES_ABOVE_HOSTS = 10, HOSTS_UNKNOWN_SCREEN = 12 };

static const char others[] = "(others)";

/* The row of a name, made if there is room; the last one is for all that found none. */
static struct ctl_top_row *row_of(struct ctl_top_row *rows, size_t *n, size_t capacity, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    if (*n == capacity)
        return &rows[capacity - 1];
    if (*n == capacity - 1)
        name = others;
    (void)snprintf(rows[*n].name, sizeof rows[*n].name, "%s", name);
    return &rows[(*n)++];
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

static void row_add(struct ctl_top_row *row, double bytes)
{
    row->flows++;
    row->bytes += bytes;
}

void ctl_top_add(struct ctl_top_sums *sums, const cJSON *line)
{
    const cJSON *flow = cJSON_GetObjectItemCaseSensitive(line, "flow");
    double bytes = number_of(flow, "bytes_toserver") + number_of(flow, "bytes_toclient");
    char name[CTL_CELL_MAX];

    ctl_text_cell(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(line, "flowclass"), "label"), name);
    row_add(row_of(sums->labels, &sums->n_labels, CTL_TOP_LABELS, name), bytes);
    ctl_text_cell(cJSON_GetObjectItemCaseSensitive(line, "dest_ip"), name);
    row_add(row_of(sums->hosts, &sums->n_hosts, CTL_TOP_HOSTS, name), bytes);
}

static int by_bytes(const void *a, const void *b)
{
    const struct ctl_top_row *left = a;
    const struct ctl_top_row *right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    return strcmp(left->name, right->name);
}

void ctl_top_sort(struct ctl_top_sums *sums)
{
    qsort(sums->labels, sums->n_labels, sizeof *sums->labels, by_bytes);
    qsort(sums->hosts, sums->n_hosts, sizeof *sums->hosts, by_bytes);
}

static void print_rows(FILE *to, const char *title, const struct ctl_top_row *rows, size_t n, double seconds)
{
    char bytes[CTL_AMOUNT_MAX], rate[CTL_AMOUNT_MAX], flows[CTL_AMOUNT_MAX];

    (void)fprintf(to, "\n%-40s %8s %9s %9s\n", title, "flows", "bytes", "bits/s");
    for (size_t i = 0; i < n; i++) {
        ctl_text_amount(rows[i].flows, flows);
        ctl_text_amount(rows[i].bytes, bytes);
        ctl_text_amount(rows[i].bytes * 8 / seconds, rate);
        (void)fprintf(to, "%-40.40s %8s %9s %9s\n", rows[i].name, flows, bytes, rate);
    }
}

static const char *text_of(const cJSON *object, const char *key, char *cell)
{
    ctl_text_cell(cJSON_GetObjectItemCaseSensitive(object, key), cell);
    return cell;
}

/* The lines on top: what the daemon says of itself. */
static void print_head(FILE *to, const cJSON *stats)
{
    const cJSON *packets = cJSON_GetObjectItemCaseSensitive(stats, "packets");
    const cJSON *flows = cJSON_GetObjectItemCaseSensitive(stats, "flows");
    const cJSON *verdicts = cJSON_GetObjectItemCaseSensitive(stats, "verdicts");
    const cJSON *classifier = cJSON_GetObjectItemCaseSensitive(stats, "classifier");
    char cells[4][CTL_CELL_MAX], seen[CTL_AMOUNT_MAX], active[CTL_AMOUNT_MAX], memory[CTL_AMOUNT_MAX];

    ctl_text_amount(number_of(packets, "seen"), seen);
    ctl_text_amount(number_of(flows, "active"), active);
    ctl_text_amount(number_of(flows, "memory"), memory);
    (void)fprintf(to, "flowclassd %s, up %.0f s   model %s   engine %s%s\n",
                  text_of(stats, "version", cells[0]), number_of(stats, "uptime_seconds"),
                  text_of(classifier, "model", cells[1]), text_of(classifier, "engine", cells[2]),
                  cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(classifier, "fallen_back")) ? " (fallen back)"
                                                                                            : "");
    (void)fprintf(
        to,
        "packets %s, dropped %.0f   flows active %s (%s)   waiting %.0f, not classified %.0f, lost %.0f\n",
        seen, number_of(packets, "dropped"), active, memory, number_of(verdicts, "waiting"),
        number_of(verdicts, "not_classified"), number_of(verdicts, "lost"));
}

void ctl_top_print(FILE *to, const struct ctl_top_sums *sums, const cJSON *stats, double seconds,
                   unsigned hosts)
{
    print_head(to, stats);
    print_rows(to, "label", sums->labels, sums->n_labels, seconds);
    print_rows(to, "served by", sums->hosts, sums->n_hosts < hosts ? sums->n_hosts : hosts, seconds);
}

/* Rows of hosts for the terminal as it is now. */
static unsigned hosts_that_fit(const struct ctl_top_sums *sums)
{
    struct winsize size;
    unsigned above = LINES_ABOVE_HOSTS + (unsigned)sums->n_labels;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
        return HOSTS_UNKNOWN_SCREEN;
    return size.ws_row > above ? size.ws_row - above : 1;
}

static double seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Take lines until the answer to `stats` has come, or, without one asked for, until the time is over.
 *
 * stats: where the answer goes; NULL: none is expected.
 */
static int gather(struct ctl_client *client, struct ctl_top_sums *sums, double until, cJSON **stats,
                  struct error *err)
{
    for (;;) {
        double left = until - seconds_now();
        struct error what;
        const char *text;
        size_t length;
        int result = ctl_client_line(client, left > 0 ? (int)(left * 1000) : 0, &text, &length, &what);

        if (result == -ETIMEDOUT && stats == NULL)
            return 0;
        if (result < 0)
            return error_set(err, result, "%s", what.text);
        cJSON *line = cJSON_ParseWithLength(text, length);
        if (ctl_flow_is(line)) {
            ctl_top_add(sums, line);
        } else if (stats != NULL) {
            *stats = cJSON_DetachItemFromObjectCaseSensitive(line, "message");
            cJSON_Delete(line);
            return 0;
        }
        cJSON_Delete(line);
    }
}

static int ask(struct ctl_client *client, struct ctl_top_sums *sums, const char *verb, cJSON **answer,
               struct error *err)
{
    enum { PATIENCE = 10 };
    int result = ctl_client_ask(client, verb, NULL, err);

    return result < 0 ? result : gather(client, sums, seconds_now() + PATIENCE, answer, err);
}

static int screen(struct ctl_client *client, struct ctl_top_sums *sums, double began, struct error *err)
{
    static const char clear[] = "\033[H\033[2J";
    cJSON *stats = NULL;
    int result = ask(client, sums, "stats", &stats, err);

    if (result < 0)
        return result;
    ctl_top_sort(sums);
    if (isatty(STDOUT_FILENO))
        (void)fputs(clear, stdout);
    ctl_top_print(stdout, sums, stats, seconds_now() - began, hosts_that_fit(sums));
    (void)fflush(stdout);
    cJSON_Delete(stats);
    return 0;
}

int ctl_top_run(struct ctl_client *client, unsigned seconds, unsigned screens, struct error *err)
{
    struct ctl_top_sums *sums = calloc(1, sizeof *sums);
    cJSON *answer = NULL;
    int result;

    if (sums == NULL)
        return error_set(err, -ENOMEM, "no memory for a screen");
    result = ask(client, sums, "watch", &answer, err);
    cJSON_Delete(answer);
    for (unsigned i = 0; result == 0 && (screens == 0 || i < screens); i++) {
        double began = seconds_now();

        memset(sums, 0, sizeof *sums);
        result = gather(client, sums, began + seconds, NULL, err);
        if (result == 0)
            result = screen(client, sums, began, err);
    }
    free(sums);
    return result;
}

#include "daemon/ctl_flow.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "daemon/ctl_text.h"

enum { TIME_BEGIN = 11, TIME_LENGTH = 12 }; /* "hh:mm:ss.mmm" of an RFC 3339 time */

bool ctl_flow_is(const cJSON *value)
{
    if (cJSON_IsArray(value))
        value = value->child;
    return cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(value, "flowclass"));
}

void ctl_flow_heading(FILE *to)
{
    (void)fprintf(to, "%-12s  %-15s %5s  %7s %7s  %-9s  %s\n", "time", "label", "score", "up", "down",
                  "ended", "flow");
}

/* A string of an object, made fit for a terminal. cell: CTL_CELL_MAX octets. */
static const char *text_of(const cJSON *object, const char *key, char *cell)
{
    ctl_text_cell(cJSON_GetObjectItemCaseSensitive(object, key), cell);
    return cell;
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

/* "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1". */
static void print_end(FILE *to, const cJSON *line, const char *address_key, const char *port_key)
{
    char address[CTL_CELL_MAX];
    bool has_port = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(line, port_key));
    const char *text = text_of(line, address_key, address);
    bool brackets = has_port && strchr(text, ':') != NULL;

    (void)fprintf(to, "%s%s%s", brackets ? "[" : "", text, brackets ? "]" : "");
    if (has_port)
        (void)fprintf(to, ":%.0f", number_of(line, port_key));
}

void ctl_flow_row(FILE *to, const cJSON *line)
{
    const cJSON *flow = cJSON_GetObjectItemCaseSensitive(line, "flow");
    const cJSON *verdict = cJSON_GetObjectItemCaseSensitive(line, "flowclass");
    const cJSON *cause = cJSON_GetObjectItemCaseSensitive(verdict, "cause");
    char time[CTL_CELL_MAX], label[CTL_CELL_MAX], up[CTL_AMOUNT_MAX], down[CTL_AMOUNT_MAX],
        cell[CTL_CELL_MAX];

    (void)text_of(line, "timestamp", time);
    (void)text_of(verdict, cause != NULL ? "cause" : "label", label);
    ctl_text_amount(number_of(flow, "bytes_toserver"), up);
    ctl_text_amount(number_of(flow, "bytes_toclient"), down);
    (void)fprintf(to, "%-12.*s  %-15.15s ", TIME_LENGTH, strlen(time) > TIME_BEGIN ? time + TIME_BEGIN : time,
                  label);
    if (cause != NULL)
        (void)fprintf(to, "%5s", "-");
    else
        (void)fprintf(to, "%5.2f", number_of(verdict, "confidence"));
    (void)fprintf(to, "  %7s %7s  %-9.9s  ", up, down, text_of(flow, "reason", cell));
    print_end(to, line, "src_ip", "src_port");
    (void)fputs(" > ", to);
    print_end(to, line, "dest_ip", "dest_port");
    (void)fprintf(to, " %s\n", text_of(line, "proto", cell));
}

/* ctl_text.h - a JSON answer as text for people: objects as indented names and values, lists of objects as
 * tables. It knows no answer in particular, so that a new figure in the daemon shows without a change here.
 */
#ifndef DAEMON_CTL_TEXT_H
#define DAEMON_CTL_TEXT_H

#include <cjson/cJSON.h>
#include <stdio.h>

enum { CTL_CELL_MAX = 128, CTL_AMOUNT_MAX = 16 };

/* A scalar as text fit for a terminal; "-" for nothing. cell: CTL_CELL_MAX octets. */
void ctl_text_cell(const cJSON *value, char *cell);

/* An amount with a decimal prefix: "999", "1.2K", "34.5M". text: CTL_AMOUNT_MAX octets. */
void ctl_text_amount(double amount, char *text);

/* Print a value. Control characters in strings come out as "?", so that nothing a flow carries reaches the
 * terminal raw. */
void ctl_text_print(FILE *to, const cJSON *value);

#endif

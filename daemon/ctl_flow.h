/* ctl_flow.h - verdict lines for people: one short row a flow, instead of the JSON of the log. */
#ifndef DAEMON_CTL_FLOW_H
#define DAEMON_CTL_FLOW_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

/* Whether a value is a verdict line, or a list that begins with one. */
bool ctl_flow_is(const cJSON *value);

/* Print the heading, and the row of one verdict line. Control characters come out as "?". */
void ctl_flow_heading(FILE *to);
void ctl_flow_row(FILE *to, const cJSON *line);

#endif

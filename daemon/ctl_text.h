/* ctl_text.h - a JSON answer as text for people: objects as indented names and values, lists of objects as
 * tables. It knows no answer in particular, so that a new figure in the daemon shows without a change here.
 */
#ifndef DAEMON_CTL_TEXT_H
#define DAEMON_CTL_TEXT_H

#include <cjson/cJSON.h>
#include <stdio.h>

/* Print a value. Control characters in strings come out as "?", so that nothing a flow carries reaches the
 * terminal raw. */
void ctl_text_print(FILE *to, const cJSON *value);

#endif

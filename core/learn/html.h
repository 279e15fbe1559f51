/* html.h - text from data into a page: whatever a label or a file is called, it stays text. */
#ifndef CORE_LEARN_HTML_H
#define CORE_LEARN_HTML_H

#include <stdio.h>

/* Write text with & < > " ' as character references; control characters and octets that are no UTF-8 become
 * U+FFFD. Fit for element content and quoted attributes. text: NULL is nothing. */
void html_text(FILE *file, const char *text);

/* The same for formatted text, cut at 1 KiB. */
void html_format(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A share with three digits after the point; an en dash for NAN. */
void html_share(FILE *file, double share);

#endif

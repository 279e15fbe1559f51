/* utf8.h - is it text? For names that come from folders and files and go into logs, pages and terminals. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Octets of the UTF-8 sequence at the start of a text that ends with NUL. Return: 1..4, 0: it is none.
 *
 * Source: RFC 3629 section 4.
 */
int utf8_length(const uint8_t *text);

/* Whether a control character (C0, DEL, C1) begins there. */
bool utf8_is_control(const uint8_t *text);

/* Whether a text is UTF-8 without control characters. */
bool utf8_is_plain(const char *text);

#endif

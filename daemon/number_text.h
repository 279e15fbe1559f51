/* number_text.h - numbers as people read them: 1,234,567. */
#ifndef DAEMON_NUMBER_TEXT_H
#define DAEMON_NUMBER_TEXT_H

#include <stdint.h>

enum { NUMBER_TEXT_MAX = 27 }; /* octets of the longest one, with its NUL */

/* Write a number with a comma after every three digits. Return: text. */
char *number_text(char text[NUMBER_TEXT_MAX], uint64_t number);

#endif

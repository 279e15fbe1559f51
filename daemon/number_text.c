#include "daemon/number_text.h"

#include <inttypes.h>
#include <stdio.h>

char *number_text(char text[NUMBER_TEXT_MAX], uint64_t number)
{
    char digits[21];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *at = text;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

#include "flowtrack/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err != NULL) {
        va_list arguments;

        err->code = code;
        va_start(arguments, format);
        (void)vsnprintf(err->text, sizeof err->text, format, arguments);
        va_end(arguments);
    }
    return code;
}

int error_prefix(struct error *err, const char *format, ...)
{
    char before[ERROR_TEXT_MAX];
    char after[ERROR_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(before, sizeof before, format, arguments);
    va_end(arguments);
    memcpy(after, err->text, sizeof after);
    (void)snprintf(err->text, sizeof err->text, "%.255s%.255s", before, after);
    return err->code;
}

/* html.c - escaping. */
#include "core/learn/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>

#include "core/utf8.h"

static const char *reference(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(FILE *file, const char *text)
{
    const uint8_t *s = (const uint8_t *)(text != NULL ? text : "");

    while (*s != '\0') {
        int length = utf8_is_control(s) && *s != '\t' && *s != '\n' ? 0 : utf8_length(s);

        if (length == 0)
            fputs("\xef\xbf\xbd", file);
        else if (reference(*s) != NULL)
            fputs(reference(*s), file);
        else
            fwrite(s, 1, (size_t)length, file);
        s += length > 0 ? length : 1;
    }
}

void html_format(FILE *file, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    html_text(file, text);
}

void html_share(FILE *file, double share)
{
    if (isnan(share))
        fputs("&ndash;", file);
    else
        fprintf(file, "%.3f", share);
}

/* html.c - escaping. */
#include "core/learn/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>

/* Octets of the UTF-8 sequence at the start of a text, 0: not one (RFC 3629 section 4). */
static int sequence_length(const uint8_t *s)
{
    static const struct {
        uint8_t first, last;               /* of the first octet */
        uint8_t second_first, second_last; /* bounds that keep out overlong forms and surrogates */
        int length;
    } forms[] = {
        {0x20, 0x7e, 0, 0, 1},       {0x09, 0x0a, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (forms[i].length > 1 && (s[1] < forms[i].second_first || s[1] > forms[i].second_last))
            return 0;
        for (int k = 2; k < forms[i].length; k++) {
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

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
        int length = sequence_length(s);

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

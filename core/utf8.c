#include "core/utf8.h"

#include <stddef.h>

int utf8_length(const uint8_t *text)
{
    static const struct {
        uint8_t first, last;               /* of the first octet */
        uint8_t second_first, second_last; /* bounds that keep out overlong forms and surrogates */
        int length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last)
            continue;
        if (forms[i].length > 1 && (text[1] < forms[i].second_first || text[1] > forms[i].second_last))
            return 0;
        for (int k = 2; k < forms[i].length; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

bool utf8_is_control(const uint8_t *text)
{
    return (text[0] >= 0x01 && text[0] < 0x20) || text[0] == 0x7f ||
           (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0);
}

bool utf8_is_plain(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    while (*at != '\0') {
        int length = utf8_length(at);

        if (length == 0 || utf8_is_control(at))
            return false;
        at += length;
    }
    return true;
}

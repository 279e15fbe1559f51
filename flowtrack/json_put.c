#include "flowtrack/json_put.h"

#include <math.h>

static const char hex_digits[] = "0123456789abcdef";

/* 00 01 02 ... 99: two digits for each division. */
#define TENS(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"
static const char pairs[] =
    TENS("0") TENS("1") TENS("2") TENS("3") TENS("4") TENS("5") TENS("6") TENS("7") TENS("8") TENS("9");

char *json_put_unsigned(char *at, uint64_t value)
{
    char digits[JSON_UNSIGNED_MAX];
    char *first = digits + sizeof digits;

    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    while (value >= 100) {
        first -= 2;
        memcpy(first, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        first -= 2;
        memcpy(first, pairs + 2 * value, 2);
    } else {
        *--first = (char)('0' + value);
    }
    return json_put_text(at, first, (size_t)(digits + sizeof digits - first));
}

char *json_put_six(char *at, uint32_t value)
{
    memcpy(at, pairs + 2 * (value / 10000), 2);
    memcpy(at + 2, pairs + 2 * (value / 100 % 100), 2);
    memcpy(at + 4, pairs + 2 * (value % 100), 2);
    return at + 6;
}

char *json_put_decimal(char *at, double value)
{
    double millionths = fabs(value) * 1e6;
    uint64_t rounded;

    if (!(millionths < 0x1p63))
        return JSON_PUT(at, "0.000000");
    rounded = (uint64_t)llrint(millionths);
    if (signbit(value) && rounded > 0)
        *at++ = '-';
    at = json_put_unsigned(at, rounded / 1000000);
    *at++ = '.';
    return json_put_six(at, (uint32_t)(rounded % 1000000));
}

char *json_put_string(char *at, const char *text, size_t length)
{
    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        uint8_t octet = (uint8_t)text[i];

        if (octet < 0x20) {
            at = JSON_PUT(at, "\\u00");
            at = json_put_hex(at, &octet, 1);
            continue;
        }
        if (octet == '"' || octet == '\\')
            *at++ = '\\';
        *at++ = text[i];
    }
    *at++ = '"';
    return at;
}

char *json_put_hex(char *at, const uint8_t *octets, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        *at++ = hex_digits[octets[i] >> 4];
        *at++ = hex_digits[octets[i] & 15];
    }
    return at;
}

int json_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool json_hex_octets(uint8_t *octets, const char *digits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = json_hex_value(digits[2 * i]), low = json_hex_value(digits[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

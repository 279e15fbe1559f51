#include "flowtrack/json_put.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tests/unit/records.h"
#include "tests/unit/unit.h"

static char line[128];

#define PUT(call)                                                                                            \
    do {                                                                                                     \
        memset(line, 'x', sizeof line);                                                                      \
        *(call) = '\0';                                                                                      \
    } while (0)

START_TEST(unsigned_numbers_are_those_of_printf)
{
    struct records_random random = {21};
    char expected[32];

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t value = i < 12000 ? i : records_number(&random, 64);

        (void)snprintf(expected, sizeof expected, "%" PRIu64, value);
        PUT(json_put_unsigned(line, value));
        ck_assert_str_eq(line, expected);
        ck_assert_uint_le(strlen(line), JSON_UNSIGNED_MAX);
    }
    PUT(json_put_six(line, 0));
    ck_assert_str_eq(line, "000000");
    PUT(json_put_six(line, 120304));
    ck_assert_str_eq(line, "120304");
    PUT(json_put_six(line, 999999));
    ck_assert_str_eq(line, "999999");
}
END_TEST

START_TEST(decimals_are_those_of_printf)
{
    static const double values[] = {0,   -0.0,  0.000001, -0.000001,         0.9999999,
                                    1.5, -7.25, 127.5,    4294967296.123456, -9007199254.740992};
    static const double others[] = {INFINITY, -INFINITY, NAN, 1e300, -1e13, 0x1p63 / 1e6};
    struct records_random random = {22};
    char expected[64];

    for (unsigned i = 0; i < 20000; i++) {
        double value = i < 10 ? values[i] : (double)records_number(&random, 50) / 1e6;

        (void)snprintf(expected, sizeof expected, "%f", value);
        PUT(json_put_decimal(line, value));
        ck_assert_str_eq(line, strcmp(expected, "-0.000000") == 0 ? "0.000000" : expected);
        ck_assert_uint_le(strlen(line), JSON_DECIMAL_MAX);
    }
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        PUT(json_put_decimal(line, others[i]));
        ck_assert_str_eq(line, "0.000000");
    }
}
END_TEST

START_TEST(strings_are_escaped)
{
    PUT(json_put_string(line, "a\"\\\n\x1f/\xc3\xa9", 8));
    ck_assert_str_eq(line, "\"a\\\"\\\\\\u000a\\u001f/\xc3\xa9\"");
    PUT(json_put_string(line, "", 0));
    ck_assert_str_eq(line, "\"\"");
}
END_TEST

START_TEST(hexadecimal_there_and_back)
{
    uint8_t octets[256], back[256];
    static char digits[513];

    for (unsigned i = 0; i < 256; i++)
        octets[i] = (uint8_t)i;
    ck_assert_ptr_eq(json_put_hex(digits, octets, 256), digits + 512);
    ck_assert(json_hex_octets(back, digits, 256));
    ck_assert_mem_eq(octets, back, 256);
    ck_assert(json_hex_octets(back, "FFfF", 2));
    ck_assert_uint_eq(back[1], 255);
    for (unsigned i = 0; i < 256; i++) {
        char digit = (char)i;

        ck_assert_int_eq(json_hex_value(digit) >= 0,
                         i != 0 && strchr("0123456789abcdefABCDEF", digit) != NULL);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("json_put", unsigned_numbers_are_those_of_printf, decimals_are_those_of_printf,
                    strings_are_escaped, hexadecimal_there_and_back);
}

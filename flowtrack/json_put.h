/* json_put.h - JSON text into a buffer, without formatted printing.
 *
 * Every function writes at `at` and returns the place behind what it wrote; the caller knows the room.
 * Numbers come out digit for digit as printf would have them.
 */
#ifndef FLOWTRACK_JSON_PUT_H
#define FLOWTRACK_JSON_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    JSON_UNSIGNED_MAX = 20, /* octets of the longest unsigned number */
    JSON_DECIMAL_MAX = 28,  /* of the longest json_put_decimal() */
};

/* A string literal, as it stands. */
#define JSON_PUT(at, literal) json_put_text((at), (literal), sizeof(literal) - 1)

static inline char *json_put_text(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

char *json_put_unsigned(char *at, uint64_t value);

/* Exactly six digits, zeros in front. value: below 1000000. */
char *json_put_six(char *at, uint32_t value);

/* As "%f" has it: six decimals. What JSON cannot say (not a number, beyond 2^63 millionths) becomes 0. */
char *json_put_decimal(char *at, double value);

/* A string in quotes, escaped where JSON wants it: at most 6 * length + 2 octets. */
char *json_put_string(char *at, const char *text, size_t length);

/* Octets as hexadecimal digits, lower case, no quotes. */
char *json_put_hex(char *at, const uint8_t *octets, size_t length);

/* What a hexadecimal digit of either case stands for, -1 for any other character. */
int json_hex_value(char digit);

/* Octets from 2 * n hexadecimal digits. Return: false if one is none. */
bool json_hex_octets(uint8_t *octets, const char *digits, size_t n);

#endif

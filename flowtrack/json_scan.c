/* json_scan.c
 *
 * Every function works from scan->at and moves it on; between two calls it stands where a token may begin,
 * white space in front of it allowed. `depth` is the number of containers that are open.
 */
#include "flowtrack/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/json_put.h"

enum {
    NUMBER_TEXT_MAX = 63, /* octets of a number with an exponent */
    MILLION = 1000000,
};

void json_scan_init(struct json_scan *scan, const char *text, size_t length)
{
    scan->at = text;
    scan->end = text + length;
    scan->begin = text;
    scan->plain_backslash = false;
    scan->user = NULL;
    scan->depth = 0;
    scan->reason = NULL;
    scan->path[0] = '\0';
}

bool json_scan_fail(struct json_scan *scan, const char *reason)
{
    if (scan->reason == NULL)
        scan->reason = reason;
    return false;
}

void json_scan_place(struct json_scan *scan, const char *name)
{
    (void)snprintf(scan->path, sizeof scan->path, "%s", name);
}

int json_scan_error(const struct json_scan *scan, struct error *err)
{
    return error_set(err, -EBADMSG, "column %zu: %s%s%s", (size_t)(scan->at - scan->begin) + 1, scan->path,
                     scan->path[0] != '\0' ? ": " : "", scan->reason);
}

/* Put the name of the surrounding member or item in front of the path of what failed. */
static bool fail_in(struct json_scan *scan, const char *name)
{
    char rest[JSON_PATH_MAX];
    bool dot = scan->path[0] != '\0' && scan->path[0] != '[';

    memcpy(rest, scan->path, sizeof rest);
    (void)snprintf(scan->path, sizeof scan->path, "%.30s%s%.32s", name, dot ? "." : "", rest);
    return false;
}

static inline void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n'))
        scan->at++;
}

char json_scan_peek(struct json_scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

/* Pass over a punctuation mark if it is next. */
static inline bool take(struct json_scan *scan, char mark)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != mark)
        return false;
    scan->at++;
    return true;
}

bool json_scan_finish(struct json_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end || json_scan_fail(scan, "text after the end of the object");
}

static bool literal(struct json_scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return json_scan_fail(scan, "no JSON value");
    scan->at += length;
    return true;
}

bool json_scan_null(struct json_scan *scan)
{
    skip_space(scan);
    return literal(scan, "null");
}

static inline bool is_digit(const struct json_scan *scan, const char *at)
{
    return at < scan->end && *at >= '0' && *at <= '9';
}

static void too_large(struct json_number *number)
{
    number->too_large = true;
    number->whole = UINT64_MAX;
}

/* A number with an exponent, `length` octets from `first` on: by way of a double. */
static void number_by_double(const char *first, size_t length, struct json_number *number)
{
    char copy[NUMBER_TEXT_MAX + 1];
    double value, whole, fraction;

    if (length > NUMBER_TEXT_MAX) {
        too_large(number);
        return;
    }
    memcpy(copy, first, length);
    copy[length] = '\0';
    value = fabs(strtod(copy, NULL));
    if (!(value < 0x1p64)) {
        too_large(number);
        return;
    }
    fraction = modf(value, &whole);
    number->whole = (uint64_t)whole;
    number->millionths = (uint32_t)(fraction * MILLION);
    number->too_large = false;
}

static bool exponent(struct json_scan *scan, const char *first, struct json_number *number)
{
    scan->at++;
    if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
        scan->at++;
    if (!is_digit(scan, scan->at))
        return json_scan_fail(scan, "no digit in the exponent");
    while (is_digit(scan, scan->at))
        scan->at++;
    number_by_double(first, (size_t)(scan->at - first), number);
    return true;
}

static bool fraction(struct json_scan *scan, struct json_number *number)
{
    uint32_t weight = MILLION / 10;

    scan->at++;
    if (!is_digit(scan, scan->at))
        return json_scan_fail(scan, "no digit after the point");
    for (; is_digit(scan, scan->at); scan->at++, weight /= 10)
        number->millionths += weight * (uint32_t)(*scan->at - '0');
    return true;
}

bool json_scan_number(struct json_scan *scan, struct json_number *number)
{
    const char *first, *digits;
    bool overflow = false;

    skip_space(scan);
    first = scan->at;
    *number = (struct json_number){.negative = first < scan->end && *first == '-'};
    scan->at += number->negative;
    digits = scan->at;
    if (!is_digit(scan, digits))
        return json_scan_fail(scan, "expected a number");
    for (; is_digit(scan, scan->at); scan->at++) {
        overflow |= __builtin_mul_overflow(number->whole, 10U, &number->whole);
        overflow |= __builtin_add_overflow(number->whole, (uint64_t)(*scan->at - '0'), &number->whole);
    }
    if (*digits == '0' && scan->at - digits > 1)
        return json_scan_fail(scan, "number begins with 0");
    if (overflow)
        too_large(number);
    if (scan->at < scan->end && *scan->at == '.' && !fraction(scan, number))
        return false;
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E'))
        return exponent(scan, first, number);
    return true;
}

bool json_scan_unsigned(struct json_scan *scan, uint64_t max, uint64_t *valuep)
{
    struct json_number number;

    if (!json_scan_number(scan, &number))
        return false;
    if (number.too_large || number.whole > max ||
        (number.negative && (number.whole | number.millionths) != 0))
        return json_scan_fail(scan, "number out of range");
    *valuep = number.whole;
    return true;
}

bool json_read_unsigned(struct json_scan *scan, const struct json_key *key, void *into)
{
    char *field = (char *)into + key->offset;
    uint64_t value;

    if (!json_scan_unsigned(scan, UINT64_MAX >> (64 - 8 * key->size), &value))
        return false;
    switch (key->size) {
    case 1:
        *(uint8_t *)field = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)field = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)field = (uint32_t)value;
        break;
    default:
        *(uint64_t *)field = value;
        break;
    }
    return true;
}

/* The four digits of \uXXXX, the scanner standing on the first. */
static bool code_unit(struct json_scan *scan, unsigned *unitp)
{
    unsigned unit = 0;

    if (scan->end - scan->at < 4)
        return json_scan_fail(scan, "bad escape in a string");
    for (unsigned i = 0; i < 4; i++) {
        int digit = json_hex_value(scan->at[i]);

        if (digit < 0)
            return json_scan_fail(scan, "bad escape in a string");
        unit = unit << 4 | (unsigned)digit;
    }
    scan->at += 4;
    *unitp = unit;
    return true;
}

/* One escape, the scanner standing behind the backslash. What a record keeps of strings is ASCII; a character
 * beyond it becomes 0x80, which none of them holds. */
static bool escape(struct json_scan *scan, char *decoded)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    unsigned unit = 0;

    if (scan->at == scan->end)
        return json_scan_fail(scan, "string without end");
    if (*scan->at == 'u') {
        scan->at++;
        if (!code_unit(scan, &unit))
            return false;
        *decoded = (char)(unit < 0x80 ? unit : 0x80);
        return true;
    }
    name = *scan->at != '\0' ? strchr(names, *scan->at) : NULL;
    if (name == NULL)
        return json_scan_fail(scan, "bad escape in a string");
    *decoded = values[name - names];
    scan->at++;
    return true;
}

/* The rest of a string that has a backslash: decode what is kept, check all. */
static bool text_decode(struct json_scan *scan, const char *first, struct json_text *text)
{
    text->length = 0;
    text->octets = text->buffer;
    scan->at = first;
    while (scan->at < scan->end && *scan->at != '"') {
        char octet = *scan->at++;

        if ((unsigned char)octet < 0x20)
            return json_scan_fail(scan, "control character in a string");
        if (octet == '\\' && !escape(scan, &octet))
            return false;
        if (text->length < sizeof text->buffer)
            text->buffer[text->length++] = octet;
    }
    return take(scan, '"') || json_scan_fail(scan, "string without end");
}

bool json_scan_text(struct json_scan *scan, struct json_text *text)
{
    const char *first, *at;

    if (!take(scan, '"'))
        return json_scan_fail(scan, "expected a string");
    first = scan->at;
    for (at = first; at < scan->end && *at != '"'; at++) {
        if (*at == '\\' && !scan->plain_backslash)
            return text_decode(scan, first, text);
        if ((unsigned char)*at < 0x20)
            break;
    }
    scan->at = at;
    if (at == scan->end)
        return json_scan_fail(scan, "string without end");
    if (*at != '"')
        return json_scan_fail(scan, "control character in a string");
    text->octets = first;
    text->length = (size_t)(at - first);
    scan->at++;
    return true;
}

static bool open_container(struct json_scan *scan, char mark, const char *expected)
{
    if (!take(scan, mark))
        return json_scan_fail(scan, expected);
    if (scan->depth == JSON_DEPTH_MAX)
        return json_scan_fail(scan, "nested too deeply");
    scan->depth++;
    return true;
}

bool json_read_array(struct json_scan *scan, bool (*item)(struct json_scan *scan, unsigned index, void *into),
                     void *into)
{
    if (!open_container(scan, '[', "expected a list"))
        return false;
    for (unsigned i = 0; i > 0 || json_scan_peek(scan) != ']'; i++) {
        if (!item(scan, i, into)) {
            char name[16];

            (void)snprintf(name, sizeof name, "[%u]", i);
            return fail_in(scan, name);
        }
        if (take(scan, ','))
            continue;
        if (json_scan_peek(scan) != ']')
            return json_scan_fail(scan, "expected , or ] in a list");
        break;
    }
    scan->at++;
    scan->depth--;
    return true;
}

/* The key's index in the table, n_keys if it is not there. Text written by Joy has the keys in the order of
 * the table, so the search starts at the one expected next. */
static unsigned find_key(const struct json_key *keys, unsigned n_keys, unsigned expected,
                         const struct json_text *name)
{
    for (unsigned i = 0, k = expected; i < n_keys; i++, k++) {
        if (k >= n_keys)
            k = 0;
        if (keys[k].length == name->length && memcmp(keys[k].name, name->octets, name->length) == 0)
            return k;
    }
    return n_keys;
}

/* Read the name of a member and the colon. */
static bool read_name(struct json_scan *scan, const struct json_key *keys, unsigned n_keys, unsigned expected,
                      unsigned *foundp)
{
    struct json_text name;

    if (expected < n_keys) {
        const struct json_key *key = &keys[expected];

        skip_space(scan);
        if (scan->end - scan->at > key->length + 2 && scan->at[0] == '"' &&
            scan->at[key->length + 1] == '"' && memcmp(scan->at + 1, key->name, key->length) == 0) {
            scan->at += key->length + 2;
            *foundp = expected;
            return take(scan, ':') || json_scan_fail(scan, "expected : after a key");
        }
    }
    if (!json_scan_text(scan, &name))
        return false;
    *foundp = find_key(keys, n_keys, expected, &name);
    return take(scan, ':') || json_scan_fail(scan, "expected : after a key");
}

static bool read_member(struct json_scan *scan, const struct json_key *keys, unsigned n_keys,
                        unsigned *expected, void *into, uint32_t *seen)
{
    unsigned found;

    if (!read_name(scan, keys, n_keys, *expected, &found))
        return false;
    if (found == n_keys)
        return json_scan_skip(scan);
    if ((*seen >> found & 1) != 0) {
        (void)json_scan_fail(scan, "key comes twice");
        return fail_in(scan, keys[found].name);
    }
    *seen |= UINT32_C(1) << found;
    *expected = found + 1;
    return keys[found].read(scan, &keys[found], into) || fail_in(scan, keys[found].name);
}

bool json_read_object(struct json_scan *scan, const struct json_key *keys, unsigned n_keys, void *into,
                      uint32_t *seenp)
{
    unsigned expected = 0;
    uint32_t seen = 0;

    if (!open_container(scan, '{', "expected an object"))
        return false;
    if (!take(scan, '}')) {
        do {
            if (!read_member(scan, keys, n_keys, &expected, into, &seen))
                return false;
        } while (take(scan, ','));
        if (!take(scan, '}'))
            return json_scan_fail(scan, "expected , or } in an object");
    }
    scan->depth--;
    *seenp = seen;
    return true;
}

static bool skip_item(struct json_scan *scan, unsigned index, void *into)
{
    return json_scan_skip(scan);
}

bool json_scan_skip(struct json_scan *scan)
{
    struct json_text text;
    struct json_number number;
    uint32_t seen;

    switch (json_scan_peek(scan)) {
    case '{':
        return json_read_object(scan, NULL, 0, NULL, &seen);
    case '[':
        return json_read_array(scan, skip_item, NULL);
    case '"':
        return json_scan_text(scan, &text);
    case 't':
        return literal(scan, "true");
    case 'f':
        return literal(scan, "false");
    case 'n':
        return literal(scan, "null");
    default:
        return json_scan_number(scan, &number);
    }
}

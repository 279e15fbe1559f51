#include "flowtrack/tcp_option_json.h"

#include <string.h>

#include "flowtrack/json_put.h"

/* Option kinds (RFC 9293 section 3.2, RFC 7323, RFC 2018). */
enum {
    KIND_END = 0,
    KIND_NOOP = 1,
    KIND_MSS = 2,
    KIND_WINDOW_SCALE = 3,
    KIND_SACK_PERMITTED = 4,
    KIND_TIMESTAMPS = 8,
    OPTION_HEAD = 2, /* octets of kind and length */
};

static const char flag_letters[8] = {'F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'};

char *tcp_flags_put(char *at, uint8_t flags)
{
    for (unsigned bit = 0; bit < 8; bit++)
        if ((flags >> bit & 1) != 0)
            *at++ = flag_letters[bit];
    return at;
}

uint8_t tcp_flags_parse(const char *letters, size_t length)
{
    unsigned flags = 0;

    for (size_t i = 0; i < length; i++) {
        const char *letter = memchr(flag_letters, letters[i], sizeof flag_letters);

        if (letter != NULL)
            flags |= 1U << (letter - flag_letters);
    }
    return (uint8_t)flags;
}

static uint32_t big_endian(const uint8_t *octets, unsigned n)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < n; i++)
        value = value << 8 | octets[i];
    return value;
}

static void put_big_endian(uint8_t *octets, unsigned n, uint32_t value)
{
    for (unsigned i = 0; i < n; i++)
        octets[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static char *put_data(char *at, const uint8_t *data, unsigned length)
{
    at = JSON_PUT(at, ",\"data\":\"");
    at = json_put_hex(at, data, length);
    *at++ = '"';
    return at;
}

static char *put_known(char *at, uint8_t kind, const uint8_t *data)
{
    switch (kind) {
    case KIND_MSS:
        at = JSON_PUT(at, "{\"mss\":");
        at = json_put_unsigned(at, big_endian(data, 2));
        break;
    case KIND_WINDOW_SCALE:
        at = JSON_PUT(at, "{\"ws\":");
        at = json_put_unsigned(at, data[0]);
        break;
    case KIND_SACK_PERMITTED:
        at = JSON_PUT(at, "{\"sackp\":null");
        break;
    default:
        at = JSON_PUT(at, "{\"ts\":{\"val\":");
        at = json_put_unsigned(at, big_endian(data, 4));
        at = JSON_PUT(at, ",\"ecr\":");
        at = json_put_unsigned(at, big_endian(data + 4, 4));
        *at++ = '}';
        break;
    }
    *at++ = '}';
    return at;
}

/* Octets of data that a known kind has; -1: Joy does not look at the length; -2: not a known kind. */
static int data_length(uint8_t kind)
{
    switch (kind) {
    case KIND_MSS:
        return 2;
    case KIND_WINDOW_SCALE:
        return 1;
    case KIND_SACK_PERMITTED:
        return -1;
    case KIND_TIMESTAMPS:
        return 8;
    default:
        return -2;
    }
}

static char *put_option(char *at, uint8_t kind, const uint8_t *data, unsigned length)
{
    int wanted = data_length(kind);

    if (wanted == -1 || wanted == (int)length)
        return put_known(at, kind, data);
    at = wanted >= 0 ? JSON_PUT(at, "{\"malformed\":{\"kind\":") : JSON_PUT(at, "{\"kind\":");
    at = json_put_unsigned(at, kind);
    at = put_data(at, data, length);
    if (wanted >= 0) {
        at = JSON_PUT(at, ",\"len\":");
        at = json_put_unsigned(at, length);
        *at++ = '}';
    }
    *at++ = '}';
    return at;
}

/* A length octet of 1 counts as an option without data, and is itself the next option: a no-operation. */
char *tcp_options_put(char *at, const uint8_t *options, unsigned length)
{
    unsigned i = 0;

    while (i < length && options[i] != KIND_END) {
        unsigned size;

        if (options[i] != KIND_NOOP && i + 1 == length)
            break;
        if (i > 0)
            *at++ = ',';
        if (options[i] == KIND_NOOP) {
            at = JSON_PUT(at, "{\"noop\":null}");
            i++;
            continue;
        }
        size = options[i + 1];
        if (size == 0 || size > length - i) {
            at = JSON_PUT(at, "{\"malformed\":{\"kind\":");
            at = json_put_unsigned(at, options[i]);
            at = JSON_PUT(at, ",\"len\":");
            at = json_put_unsigned(at, size);
            return JSON_PUT(at, "}}");
        }
        at = put_option(at, options[i], options + i + OPTION_HEAD,
                        size > OPTION_HEAD ? size - OPTION_HEAD : 0);
        i += size;
    }
    return at;
}

/* One object of the list while it is read: an option of a known kind goes to the list at once, one given by
 * number when its object ends. */
struct option {
    struct tcp_options_read *list;
    uint8_t octets[OPTION_HEAD + sizeof((struct tcp_options_read *)0)->octets];
    uint8_t n_data;
    uint8_t kind;
    uint8_t size; /* where there is no data */
};

static void append(struct tcp_options_read *list, const uint8_t *octets, size_t length)
{
    if (length > sizeof list->octets - list->length)
        return;
    memcpy(list->octets + list->length, octets, length);
    list->length = (uint8_t)(list->length + length);
}

/* An option whose data is one number of `n` octets. */
static bool append_number(struct json_scan *scan, struct tcp_options_read *list, uint8_t kind, unsigned n)
{
    uint8_t octets[OPTION_HEAD + 2] = {kind, (uint8_t)(OPTION_HEAD + n)};
    uint64_t value;

    if (!json_scan_unsigned(scan, (1U << 8 * n) - 1, &value))
        return false;
    put_big_endian(octets + OPTION_HEAD, n, (uint32_t)value);
    append(list, octets, OPTION_HEAD + n);
    return true;
}

static bool read_mss(struct json_scan *scan, const struct json_key *key, void *into)
{
    return append_number(scan, ((struct option *)into)->list, KIND_MSS, 2);
}

static bool read_window_scale(struct json_scan *scan, const struct json_key *key, void *into)
{
    return append_number(scan, ((struct option *)into)->list, KIND_WINDOW_SCALE, 1);
}

static bool read_noop(struct json_scan *scan, const struct json_key *key, void *into)
{
    append(((struct option *)into)->list, (const uint8_t[]){KIND_NOOP}, 1);
    return json_scan_null(scan);
}

static bool read_sack_permitted(struct json_scan *scan, const struct json_key *key, void *into)
{
    append(((struct option *)into)->list, (const uint8_t[]){KIND_SACK_PERMITTED, OPTION_HEAD}, OPTION_HEAD);
    return json_scan_null(scan);
}

struct timestamps {
    uint32_t value;
    uint32_t echo;
};

static bool read_timestamps(struct json_scan *scan, const struct json_key *key, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("val", struct timestamps, value),
        JSON_KEY_UNSIGNED("ecr", struct timestamps, echo),
    };
    struct timestamps times = {0};
    uint8_t octets[OPTION_HEAD + 8] = {KIND_TIMESTAMPS, OPTION_HEAD + 8};
    uint32_t seen;

    if (!json_read_object(scan, keys, JSON_KEYS(keys), &times, &seen))
        return false;
    put_big_endian(octets + OPTION_HEAD, 4, times.value);
    put_big_endian(octets + OPTION_HEAD + 4, 4, times.echo);
    append(((struct option *)into)->list, octets, sizeof octets);
    return true;
}

static bool read_data(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct option *option = into;
    struct json_text text;

    if (!json_scan_text(scan, &text))
        return false;
    if (text.length / 2 > sizeof option->octets - OPTION_HEAD)
        return json_scan_fail(scan, "longer than TCP options can be");
    option->n_data = (uint8_t)(text.length / 2);
    if (!json_hex_octets(option->octets + OPTION_HEAD, text.octets, option->n_data))
        return json_scan_fail(scan, "expected hexadecimal digits");
    return true;
}

enum { SEEN_KIND = 1 << 0, SEEN_DATA = 1 << 1 }; /* both tables begin with these keys */

static void append_by_number(struct option *option, uint32_t seen)
{
    if ((seen & SEEN_KIND) == 0)
        return;
    option->octets[0] = option->kind;
    option->octets[1] = (seen & SEEN_DATA) != 0 ? (uint8_t)(OPTION_HEAD + option->n_data) : option->size;
    append(option->list, option->octets, OPTION_HEAD + option->n_data);
}

static bool read_malformed(struct json_scan *scan, const struct json_key *key, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("kind", struct option, kind),
        JSON_KEY("data", read_data),
        JSON_KEY_UNSIGNED("len", struct option, size),
    };
    struct option option = {.list = ((struct option *)into)->list};
    uint32_t seen;

    if (!json_read_object(scan, keys, JSON_KEYS(keys), &option, &seen))
        return false;
    append_by_number(&option, seen);
    return true;
}

static bool read_option(struct json_scan *scan, unsigned index, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("kind", struct option, kind),
        JSON_KEY("data", read_data),
        JSON_KEY("mss", read_mss),
        JSON_KEY("noop", read_noop),
        JSON_KEY("ws", read_window_scale),
        JSON_KEY("sackp", read_sack_permitted),
        JSON_KEY("ts", read_timestamps),
        JSON_KEY("malformed", read_malformed),
    };
    struct option option = {.list = into};
    uint32_t seen;

    if (!json_read_object(scan, keys, JSON_KEYS(keys), &option, &seen))
        return false;
    append_by_number(&option, seen);
    return true;
}

void tcp_options_fit(struct tcp_options_read *list, unsigned length)
{
    for (unsigned i = 0; list->length > length && i + OPTION_HEAD < list->length;) {
        uint8_t *option = list->octets + i;

        if (option[0] == KIND_NOOP) {
            i++;
        } else if (option[1] == OPTION_HEAD && option[OPTION_HEAD] == KIND_NOOP) {
            memmove(option + 1, option + OPTION_HEAD, list->length - i - OPTION_HEAD);
            list->length--;
            i += OPTION_HEAD;
        } else {
            i += option[1] < OPTION_HEAD ? OPTION_HEAD : option[1];
        }
    }
}

bool tcp_options_read(struct json_scan *scan, struct tcp_options_read *list)
{
    list->length = 0;
    return json_read_array(scan, read_option, list);
}

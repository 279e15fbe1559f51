/* Random records and damaged lines: reading gives back what was written, and record_json_read() agrees with a
 * reader on cJSON wherever both have the same rules. */
#include <math.h>
#include <string.h>

#include "flowtrack/record_json.h"
#include "tests/reference/record_cjson.h"
#include "tests/unit/records.h"
#include "tests/unit/unit.h"

enum {
    RECORDS = 4000,
    MUTATIONS = 60000,
    EDITS_MAX = 4,
};

static char line[RECORD_JSON_MAX + EDITS_MAX + 1], again[RECORD_JSON_MAX];
static struct record record, back, reference;
static struct error err;
static unsigned cut;

START_TEST(records_come_back)
{
    struct records_random random = {42};

    for (unsigned i = 0; i < RECORDS; i++) {
        size_t length, length_again;

        records_make(&random, &record);
        length = record_json_write(line, &record);
        ck_assert_int_eq(line[length - 1], '\n');
        ck_assert_ptr_eq(memchr(line, '\n', length), line + length - 1);
        memset(&back, 0xa5, sizeof back);
        ck_assert_msg(record_json_read(&back, line, length - 1, &cut, &err) == RECORD_JSON_RECORD, "%s: %.*s",
                      err.text, (int)length, line);
        ck_assert_uint_eq(cut, 0);
        ck_assert_msg(record_equal(&record, &back), "%.*s", (int)length, line);
        ck_assert_int_eq(back.reason, record.reason);
        length_again = record_json_write(again, &back);
        ck_assert_uint_eq(length_again, length);
        ck_assert_mem_eq(again, line, length);
    }
}
END_TEST

/* A record whose numbers a double can hold, and whose options cJSON's reader knows. */
static void make_plain(struct records_random *random, struct record *plain)
{
    static const uint64_t exact = (UINT64_C(1) << 53) - 1;
    static const int64_t time = INT64_C(4000000000000000);

    records_make(random, plain);
    plain->out.bytes &= exact;
    plain->out.packets &= exact;
    plain->in.bytes &= exact;
    plain->in.packets &= exact;
    plain->time_start %= time;
    plain->time_end %= time;
    plain->has_byte_dist = plain->has_entropy = false;
    memcpy(plain->tcp_out.options, "\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02\x08\x0a\x80\0\0\1\0\0\0\2\0\0",
           22);
    plain->tcp_out.options_length = plain->tcp_out.present ? 22 : 0;
    plain->tcp_in.options_length = 0;
}

static bool nearly_equal_times(int64_t a, int64_t b)
{
    return fabs((double)a - (double)b) <= 1 + fabs((double)a) * 0x1p-52;
}

/* Times went through a double: they may differ in their last digit. */
static bool nearly_equal(struct record *a, const struct record *b)
{
    if (!nearly_equal_times(a->time_start, b->time_start) || !nearly_equal_times(a->time_end, b->time_end))
        return false;
    a->time_start = b->time_start;
    a->time_end = b->time_end;
    return record_equal(a, b);
}

/* The length of a number as RFC 8259 has it, 0 if there is none. */
static size_t number_length(const char *text)
{
    const char *at = text + (*text == '-');
    size_t n = strspn(at, "0123456789");

    if (n == 0 || (n > 1 && *at == '0'))
        return 0;
    at += n;
    if (*at == '.') {
        n = strspn(at + 1, "0123456789");
        if (n == 0)
            return 0;
        at += 1 + n;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        n = strspn(at, "0123456789");
        if (n == 0)
            return 0;
        at += n;
    }
    return (size_t)(at - text);
}

/* Whether a text is made of tokens that both readers take for the same: cJSON lets through numbers, control
 * characters and white space that RFC 8259 does not, and Joy's backslashes are our exception. */
static bool rules_agree(const char *text)
{
    while (*text != '\0') {
        if (strchr("{}[]:, ", *text) != NULL) {
            text++;
        } else if (*text == '"') {
            for (text++; *text != '"'; text++)
                if ((unsigned char)*text < 0x20 || *text == '\\')
                    return false;
            text++;
        } else {
            size_t n = strncmp(text, "null", 4) == 0 ? 4 : number_length(text);

            if (n == 0 || n > 60)
                return false;
            text += n;
        }
    }
    return true;
}

static void mutate(struct records_random *random, char *text)
{
    static const char alphabet[] = "{}[]\",:.-+eE 0123456789abinulldiroptp<>\\\t";

    for (unsigned edits = 1 + (unsigned)records_below(random, EDITS_MAX); edits > 0; edits--) {
        size_t length = strlen(text), at = records_below(random, length);
        char letter = alphabet[records_below(random, sizeof alphabet - 1)];

        switch (records_below(random, 4)) {
        case 0:
            text[at] = letter;
            break;
        case 1:
            memmove(text + at + 1, text + at, length - at + 1);
            text[at] = letter;
            break;
        case 2:
            memmove(text + at, text + at + 1, length - at);
            break;
        default: /* two places change their octets: keys and values come apart */
            letter = text[at];
            text[at] = text[length - 1 - at];
            text[length - 1 - at] = letter;
            break;
        }
        if (*text == '\0')
            return;
    }
}

/* Return: whether the rules agree on this text. */
static bool compare_readers(const char *text)
{
    bool exact = true;
    int kind, expected;

    kind = record_json_read(&back, text, strlen(text), &cut, &err);
    if (!rules_agree(text))
        return false;
    expected = (int)record_cjson_read(&reference, text, &exact);
    if (!exact)
        return false;
    if (expected == RECORD_CJSON_NO_RECORD || expected == RECORD_CJSON_NO_JSON)
        ck_assert_msg(kind < 0, "taken, but cJSON says %d: %s", expected, text);
    else
        ck_assert_msg(kind == expected, "%d (%s), but cJSON says %d: %s", kind, err.text, expected, text);
    if (kind == RECORD_JSON_RECORD)
        ck_assert_msg(nearly_equal(&back, &reference), "read otherwise than by cJSON: %s", text);
    return true;
}

START_TEST(whole_lines_are_read_as_by_cjson)
{
    struct records_random random = {43};

    for (unsigned i = 0; i < RECORDS; i++) {
        make_plain(&random, &record);
        line[record_json_write(line, &record) - 1] = '\0';
        ck_assert(compare_readers(line));
        ck_assert_int_eq(record_json_read(&back, line, strlen(line), &cut, &err), RECORD_JSON_RECORD);
    }
}
END_TEST

START_TEST(damaged_lines_are_read_as_by_cjson)
{
    struct records_random random = {44};
    unsigned n_compared = 0, n_records = 0;

    for (unsigned i = 0; i < MUTATIONS; i++) {
        if (i % 16 == 0)
            make_plain(&random, &record);
        record.n_packets = (uint8_t)records_below(&random, 4);
        record.out.n_ids = record.in.n_ids = (uint8_t)records_below(&random, 3);
        line[record_json_write(line, &record) - 1] = '\0';
        mutate(&random, line);
        n_compared += compare_readers(line);
        n_records += record_json_read(&back, line, strlen(line), &cut, &err) == RECORD_JSON_RECORD;
    }
    ck_assert_uint_gt(n_compared, MUTATIONS / 8);
    ck_assert_uint_gt(n_records, MUTATIONS / 12);
}
END_TEST

/* What was read from anything is written, read and written again as the same. */
START_TEST(text_is_stable_after_one_reading)
{
    struct records_random random = {45};

    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t length, length_again;

        if (i % 16 == 0)
            records_make(&random, &record);
        record.n_packets = (uint8_t)records_below(&random, 4);
        line[record_json_write(line, &record) - 1] = '\0';
        mutate(&random, line);
        if (record_json_read(&record, line, strlen(line), &cut, &err) != RECORD_JSON_RECORD) {
            records_make(&random, &record);
            continue;
        }
        length = record_json_write(line, &record);
        ck_assert_int_eq(record_json_read(&back, line, length - 1, &cut, &err), RECORD_JSON_RECORD);
        length_again = record_json_write(again, &back);
        ck_assert_msg(length == length_again && memcmp(line, again, length) == 0, "%.*s", (int)length, line);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("record_json_random", records_come_back, whole_lines_are_read_as_by_cjson,
                    damaged_lines_are_read_as_by_cjson, text_is_stable_after_one_reading);
}

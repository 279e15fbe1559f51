#include "daemon/recent.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

static char text[RECENT_LINE_MAX];

START_TEST(lines_are_read_once_and_whole)
{
    struct recent *recent;
    uint64_t position = 0;

    ck_assert_int_eq(recent_new(&recent), 0);
    ck_assert_uint_eq(recent_read(recent, &position, text, sizeof text), 0);
    recent_add(recent, "one\ntwo\n", 8);
    ck_assert_uint_eq(recent_read(recent, &position, text, sizeof text), 8);
    ck_assert_mem_eq(text, "one\ntwo\n", 8);
    ck_assert_uint_eq(recent_read(recent, &position, text, sizeof text), 0);
    recent_add(recent, "three\n", 6);
    ck_assert_uint_eq(recent_end(recent), 14);
    ck_assert_uint_eq(recent_read(recent, &position, text, sizeof text), 6);
    ck_assert_mem_eq(text, "three\n", 6);
    recent_free(recent);
}
END_TEST

START_TEST(a_small_buffer_takes_what_fits)
{
    struct recent *recent;
    uint64_t position = 0;

    ck_assert_int_eq(recent_new(&recent), 0);
    recent_add(recent, "one\ntwo\n", 8);
    ck_assert_uint_eq(recent_read(recent, &position, text, 7), 4);
    ck_assert_uint_eq(recent_read(recent, &position, text, 7), 4);
    ck_assert_mem_eq(text, "two\n", 4);
    recent_free(recent);
}
END_TEST

START_TEST(a_slow_reader_goes_on_with_the_oldest_whole_line)
{
    struct recent *recent;
    uint64_t position = 0, last = 0;
    bool in_order = true;
    char line[64];

    ck_assert_int_eq(recent_new(&recent), 0);
    for (unsigned i = 1; i <= 500000; i++)
        recent_add(recent, line, (size_t)snprintf(line, sizeof line, "%u:abcdefg\n", i));
    for (size_t n; (n = recent_read(recent, &position, text, sizeof text)) > 0;) {
        text[n - 1] = '\0';
        for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
            char *end;
            uint64_t number = strtoull(at, &end, 10);

            in_order = in_order && strcmp(end, ":abcdefg") == 0 && (last == 0 || number == last + 1);
            last = number;
        }
    }
    ck_assert(in_order);
    ck_assert_uint_eq(last, 500000);
    recent_free(recent);
}
END_TEST

static void *add_lines(void *context)
{
    for (unsigned i = 0; i < 200000; i++)
        recent_add(context, "0123456789012345678901234567890123456789\n", 41);
    return NULL;
}

START_TEST(reading_while_lines_are_added)
{
    struct recent *recent;
    uint64_t position = 0;
    bool whole = true;
    pthread_t thread;

    ck_assert_int_eq(recent_new(&recent), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, add_lines, recent), 0);
    while (position < 200000 * 41) {
        size_t n = recent_read(recent, &position, text, sizeof text);

        for (size_t i = 0; i < n; i += 41)
            whole = whole && memcmp(text + i, "0123456789012345678901234567890123456789\n", 41) == 0;
    }
    ck_assert(whole);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    recent_free(recent);
}
END_TEST

int main(void)
{
    return UNIT_RUN("recent", lines_are_read_once_and_whole, a_small_buffer_takes_what_fits,
                    a_slow_reader_goes_on_with_the_oldest_whole_line, reading_while_lines_are_added);
}

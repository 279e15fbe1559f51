#include "flowtrack/rotation.h"

#include <errno.h>

#include "tests/unit/files.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000)
#define BEGUN (INT64_C(1795410093) * SECOND) /* 2026-11-23 05:01:33 UTC */

static struct error err;

static struct rotation_options options_of(uint64_t size, int64_t period, uint64_t quota)
{
    return (struct rotation_options){.directory = files_directory,
                                     .name = "flows",
                                     .active_end = ".json.part",
                                     .end = ".json",
                                     .size = size,
                                     .period = period,
                                     .quota = quota};
}

static struct rotation *open_rotation(struct rotation_options options)
{
    struct rotation *rotation;

    ck_assert_msg(rotation_open(&rotation, &options, BEGUN, &err) == 0, "%s", err.text);
    return rotation;
}

/* Write a file of so many octets and finish it. */
static void one_file(struct rotation *rotation, int64_t begun, size_t octets)
{
    FILE *file = fopen(rotation_path(rotation), "wb");

    ck_assert_ptr_nonnull(file);
    rotation_begin(rotation, begun);
    while (octets-- > 0)
        (void)fputc('x', file);
    (void)fclose(file);
    ck_assert_msg(rotation_finish(rotation, &err) == 0, "%s", err.text);
    ck_assert_msg(rotation_enforce(rotation, &err) == 0, "%s", err.text);
}

static bool exists(const char *name)
{
    return access(files_path(name), F_OK) == 0;
}

START_TEST(a_finished_file_bears_the_time_it_was_begun)
{
    struct rotation *rotation;

    files_setup();
    rotation = open_rotation(options_of(0, 0, 0));
    ck_assert_str_eq(rotation_path(rotation), files_path("flows.json.part"));
    one_file(rotation, BEGUN, 1);
    one_file(rotation, BEGUN, 1);
    one_file(rotation, BEGUN + 100 * SECOND, 1);
    ck_assert(exists("flows-20261123T050133Z.json"));
    ck_assert(exists("flows-20261123T050134Z.json"));
    ck_assert(exists("flows-20261123T050313Z.json"));
    ck_assert(!exists("flows.json.part"));
    ck_assert_uint_eq(rotation_stats(rotation)->finished, 3);
    rotation_close(rotation);
    files_teardown();
}
END_TEST

START_TEST(nothing_is_overwritten)
{
    struct rotation *rotation;
    size_t length;
    char *text;

    files_setup();
    files_write("flows-20261123T050133Z.json", "old", 3);
    rotation = open_rotation(options_of(0, 0, 0));
    one_file(rotation, BEGUN, 5);
    text = files_read("flows-20261123T050133Z.json", &length);
    ck_assert_str_eq(text, "old");
    ck_assert(exists("flows-20261123T050134Z.json"));
    free(text);
    rotation_close(rotation);
    files_teardown();
}
END_TEST

START_TEST(a_file_left_behind_is_finished_or_kept)
{
    struct rotation_options options;

    files_setup();
    options = options_of(0, 0, 0);
    files_write("flows.json.part", "rest", 4);
    options.resume = true;
    rotation_close(open_rotation(options));
    ck_assert(exists("flows.json.part"));
    options.resume = false;
    rotation_close(open_rotation(options));
    ck_assert(!exists("flows.json.part"));
    ck_assert_uint_eq(files_count(), 1);
    files_write("flows.json.part", "", 0);
    rotation_close(open_rotation(options));
    ck_assert_uint_eq(files_count(), 1);
    files_teardown();
}
END_TEST

START_TEST(the_quota_removes_the_oldest_and_nothing_else)
{
    struct rotation *rotation;

    files_setup();
    files_write("flows-20200101T000000Z.json.bak", "xxxxxxxxxx", 10);
    files_write("flows-2020010100000000Z.json", "xxxxxxxxxx", 10);
    files_write("other-20200101T000000Z.json", "xxxxxxxxxx", 10);
    files_write("flows-20200101T000000Z.json", "xxxxxxxxxx", 10);
    rotation = open_rotation(options_of(0, 0, 40)); /* 10 for one file, 30 for the finished ones */
    ck_assert(!rotation_is_due(rotation, BEGUN, 9));
    ck_assert(rotation_is_due(rotation, BEGUN, 10));
    one_file(rotation, BEGUN, 10);
    one_file(rotation, BEGUN, 10);
    ck_assert(exists("flows-20200101T000000Z.json"));
    one_file(rotation, BEGUN, 10);
    ck_assert(!exists("flows-20200101T000000Z.json"));
    ck_assert(exists("flows-20261123T050133Z.json"));
    one_file(rotation, BEGUN, 25);
    ck_assert(exists("flows-20261123T050136Z.json"));
    ck_assert(!exists("flows-20261123T050135Z.json"));
    ck_assert_uint_eq(files_count(), 4);
    ck_assert_uint_eq(rotation_stats(rotation)->removed, 4);
    ck_assert_uint_eq(rotation_stats(rotation)->removed_octets, 40);
    rotation_close(rotation);
    rotation_close(open_rotation(options_of(0, 0, 8)));
    ck_assert_uint_eq(files_count(), 3);
    files_teardown();
}
END_TEST

START_TEST(size_and_time_make_a_file_due)
{
    struct rotation *rotation;

    files_setup();
    rotation = open_rotation(options_of(100, 60 * SECOND, 0));
    rotation_begin(rotation, BEGUN);
    ck_assert(!rotation_is_due(rotation, BEGUN + 60 * SECOND - 1, 99));
    ck_assert(rotation_is_due(rotation, BEGUN + 60 * SECOND, 0));
    ck_assert(rotation_is_due(rotation, BEGUN, 100));
    ck_assert(!rotation_is_due(rotation, BEGUN - SECOND, 0));
    ck_assert(rotation_is_due(rotation, BEGUN - 3600 * SECOND, 0)); /* the clock was set back */
    rotation_close(rotation);
    rotation = open_rotation(options_of(0, 0, 0));
    ck_assert(!rotation_is_due(rotation, INT64_MAX, UINT64_MAX));
    rotation_close(rotation);
    files_teardown();
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    struct rotation_options options;
    struct rotation *rotation = NULL;

    files_setup();
    options = options_of(0, 0, 0);
    options.directory = "/nowhere/at/all";
    ck_assert_int_eq(rotation_open(&rotation, &options, BEGUN, &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nowhere/at/all: No such file or directory");
    files_write("file", "", 0);
    options.directory = files_path("file");
    ck_assert_int_eq(rotation_open(&rotation, &options, BEGUN, &err), -ENOTDIR);
    ck_assert_ptr_null(rotation);
    rotation = open_rotation(options_of(0, 0, 0));
    ck_assert_int_eq(rotation_finish(rotation, &err), -ENOENT);
    rotation_close(rotation);
    rotation_close(NULL);
    files_teardown();
}
END_TEST

int main(void)
{
    return UNIT_RUN("rotation", a_finished_file_bears_the_time_it_was_begun, nothing_is_overwritten,
                    a_file_left_behind_is_finished_or_kept, the_quota_removes_the_oldest_and_nothing_else,
                    size_and_time_make_a_file_due, what_is_wrong_is_said);
}

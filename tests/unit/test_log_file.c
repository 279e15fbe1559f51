#include "daemon/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char folder[] = "/tmp/test_log_file.XXXXXX";
static char path[64];
static const int64_t now = INT64_C(1700000000000000);

static struct log_file_options options(void)
{
    return (struct log_file_options){.path = path, .endless = true};
}

static int line_write(struct log_sink *file, const char *line, int64_t when)
{
    struct stats_output counts = {0};
    struct error err;

    log_sink_put(file, line, strlen(line), when);
    ck_assert_int_eq(log_sink_flush(file, when, &counts, &err), 0);
    ck_assert_uint_eq(stats_lost(&counts), 0);
    return (int)counts.written;
}

/* Files in the folder; text: all of them joined in order of name. */
static int content(char *text)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    int files = 0;
    char name[512];

    text[0] = '\0';
    ck_assert_int_ge(n, 0);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            FILE *file;
            size_t size = strlen(text);

            (void)snprintf(name, sizeof name, "%s/%s", folder, entries[i]->d_name);
            file = fopen(name, "r");
            ck_assert_ptr_nonnull(file);
            size += fread(text + size, 1, 4096 - size, file);
            text[size] = '\0';
            (void)fclose(file);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    return files;
}

static int empty(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -f %s/*", folder);
    return system(command);
}

START_TEST(goes_on_where_it_stopped)
{
    struct log_file_options how = options();
    struct log_sink *file;
    struct error err;
    char text[4097];

    ck_assert_int_eq(empty(), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
        ck_assert_int_eq(line_write(file, i == 0 ? "one\n" : "two\n", now), 1);
        ck_assert_int_eq(log_sink_close(file, &err), 0);
    }
    ck_assert_int_eq(content(text), 1);
    ck_assert_str_eq(text, "one\ntwo\n");
}
END_TEST

START_TEST(rotates_by_size_time_and_on_request)
{
    struct log_file_options how = options();
    struct log_sink *file;
    struct error err;
    char text[4097];

    ck_assert_int_eq(empty(), 0);
    how.size = 8;
    how.period = 60000000;
    ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
    (void)line_write(file, "abcdefgh\n", now); /* full */
    ck_assert_int_eq(content(text), 2);
    (void)line_write(file, "x\n", now + 1000000);
    ck_assert_int_eq(content(text), 2);
    (void)line_write(file, "y\n", now + 61000000); /* old */
    ck_assert_int_eq(content(text), 3);
    (void)line_write(file, "z\n", now + 62000000);
    ck_assert_int_eq(log_sink_rotate(file, now + 62000000, &err), 0);
    ck_assert_int_eq(content(text), 4);
    ck_assert_str_eq(text, "abcdefgh\nx\ny\nz\n");
    ck_assert_int_eq(log_sink_close(file, &err), 0);
}
END_TEST

START_TEST(keeps_within_the_quota)
{
    struct log_file_options how = options();
    struct log_sink *file;
    struct error err;
    char text[4097];

    ck_assert_int_eq(empty(), 0);
    how.quota = 64;
    ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
    for (int i = 0; i < 40; i++)
        (void)line_write(file, "0123456\n", now + i * INT64_C(1000000));
    (void)content(text);
    ck_assert_uint_le(strlen(text), 64);
    ck_assert_uint_ge(strlen(text), 40);
    ck_assert_int_eq(log_sink_close(file, &err), 0);
}
END_TEST

START_TEST(is_finished_with_what_was_gathered)
{
    struct log_file_options how = options();
    struct stats_output counts = {0};
    struct log_sink *file;
    struct error err;
    char text[4097];

    ck_assert_int_eq(empty(), 0);
    how.size = 8;
    ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
    (void)line_write(file, "abc\n", now);
    ck_assert_int_eq(content(text), 1);
    log_sink_put(file, "def\n", 4, now); /* full, though nothing was flushed */
    ck_assert_int_eq(content(text), 2);
    log_sink_put(file, "ghi\n", 4, now);
    ck_assert_int_eq(log_sink_flush(file, now, &counts, &err), 0);
    ck_assert_uint_eq(counts.written, 2);
    ck_assert_int_eq(content(text), 2);
    ck_assert_str_eq(text, "abc\ndef\nghi\n");
    ck_assert_int_eq(log_sink_close(file, &err), 0);
}
END_TEST

/* What went wrong while lines were taken is said at the next flush, once. */
START_TEST(says_at_the_flush_what_went_wrong_before)
{
    struct log_file_options how = {.path = "/dev/full"};
    static char line[100000];
    struct stats_output counts = {0};
    struct log_sink *file;
    struct error err;

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
    for (int i = 0; i < 10; i++)
        log_sink_put(file, line, sizeof line, now);
    ck_assert_int_eq(log_sink_flush(file, now, &counts, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "/dev/full: No space left on device");
    ck_assert_uint_eq(counts.written, 0);
    ck_assert_uint_eq(counts.lost[STATS_LOSS_file], 10);
    ck_assert_int_eq(log_sink_flush(file, now, &counts, &err), 0);
    ck_assert_uint_eq(counts.lost[STATS_LOSS_file], 10);
    ck_assert_int_eq(log_sink_close(file, &err), 0);
}
END_TEST

START_TEST(is_reopened_after_it_was_moved)
{
    struct log_file_options how = options();
    struct log_sink *file;
    struct error err;
    char text[4097], moved[80];

    ck_assert_int_eq(empty(), 0);
    (void)snprintf(moved, sizeof moved, "%s.1", path);
    ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
    (void)line_write(file, "one\n", now);
    ck_assert_int_eq(log_sink_reopen(file, now, &err), 0); /* nothing to do */
    ck_assert_int_eq(rename(path, moved), 0);
    (void)line_write(file, "two\n", now);
    ck_assert_int_eq(content(text), 1);
    ck_assert_int_eq(log_sink_reopen(file, now, &err), 0);
    (void)line_write(file, "three\n", now);
    ck_assert_int_eq(content(text), 2);
    ck_assert_str_eq(text, "three\none\ntwo\n");
    ck_assert_int_eq(log_sink_close(file, &err), 0);
}
END_TEST

START_TEST(one_file_starts_empty_and_is_not_rotated)
{
    struct log_file_options how = {.path = path, .size = 1};
    struct log_sink *file;
    struct error err;
    char text[4097];

    ck_assert_int_eq(empty(), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(log_file_open(&file, &how, now, &err), 0);
        (void)line_write(file, "once\n", now);
        ck_assert_int_eq(log_sink_rotate(file, now, &err), 0);
        ck_assert_int_eq(log_sink_close(file, &err), 0);
    }
    ck_assert_int_eq(content(text), 1);
    ck_assert_str_eq(text, "once\n");
}
END_TEST

START_TEST(needs_a_folder_to_rotate_in)
{
    struct log_file_options how = {.path = "verdicts.json", .endless = true};
    struct log_sink *file;
    struct error err;

    ck_assert_int_eq(log_file_open(&file, &how, now, &err), -EINVAL);
    ck_assert_str_eq(err.text, "verdicts.json: not a path of the form /FOLDER/NAME");
}
END_TEST

int main(void)
{
    int status;

    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    (void)snprintf(path, sizeof path, "%s/verdicts.json", folder);
    status = UNIT_RUN("log_file", goes_on_where_it_stopped, rotates_by_size_time_and_on_request,
                      keeps_within_the_quota, is_finished_with_what_was_gathered,
                      says_at_the_flush_what_went_wrong_before, is_reopened_after_it_was_moved,
                      one_file_starts_empty_and_is_not_rotated, needs_a_folder_to_rotate_in);
    return empty() == 0 && rmdir(folder) == 0 ? status : EXIT_FAILURE;
}

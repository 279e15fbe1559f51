#include "daemon/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "tests/unit/unit.h"

static char folder[] = "/tmp/test_line_file.XXXXXX";
static char path[64];

static void line_put(struct line_file *file, const char *line)
{
    size_t size = strlen(line);

    memcpy(line_file_room(file, size), line, size);
    line_file_added(file, size);
}

static char *content(size_t *size)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    *size = fread(text, 1, sizeof text - 1, file);
    text[*size] = '\0';
    (void)fclose(file);
    return text;
}

START_TEST(lines_come_out_in_order)
{
    struct line_file *file;
    uint64_t written, lost;
    struct error err;
    size_t size;

    ck_assert_int_eq(line_file_open(&file, path, false, &err), 0);
    line_put(file, "one\n");
    line_put(file, "two\n");
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), 0);
    ck_assert_uint_eq(written, 2);
    ck_assert_uint_eq(lost, 0);
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), 0);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(line_file_close(file, &err), 0);
    ck_assert_str_eq(content(&size), "one\ntwo\n");

    ck_assert_int_eq(line_file_open(&file, path, true, &err), 0);
    line_put(file, "three\n");
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), 0);
    ck_assert_int_eq(line_file_close(file, &err), 0);
    ck_assert_str_eq(content(&size), "one\ntwo\nthree\n");

    ck_assert_int_eq(line_file_open(&file, path, false, &err), 0);
    ck_assert_int_eq(line_file_close(file, &err), 0);
    ck_assert_str_eq(content(&size), "");
}
END_TEST

START_TEST(more_than_the_buffer_holds)
{
    struct line_file *file;
    uint64_t written, lost;
    struct error err;
    char line[1000];
    size_t size;

    memset(line, 'x', sizeof line - 2);
    strcpy(line + sizeof line - 2, "\n");
    ck_assert_int_eq(line_file_open(&file, path, false, &err), 0);
    for (int i = 0; i < 1000; i++)
        line_put(file, line);
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), 0);
    ck_assert_uint_eq(written, 1000);
    ck_assert_int_eq(line_file_close(file, &err), 0);
    (void)content(&size);
    ck_assert_uint_eq(size, 1000 * (sizeof line - 1));
}
END_TEST

/* A limit on the size of files stands for a full disk. */
START_TEST(a_full_disk_loses_whole_lines_and_counts_them)
{
    struct rlimit before, small = {10, 10};
    struct line_file *file;
    uint64_t written, lost;
    struct error err;
    size_t size;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(line_file_open(&file, path, false, &err), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 4; i++)
        line_put(file, "abc\n"); /* two and a half fit */
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), -EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_uint_eq(written, 2);
    ck_assert_uint_eq(lost, 2);
    line_put(file, "later\n");
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), 0);
    ck_assert_uint_eq(written, 1);
    ck_assert_int_eq(line_file_close(file, &err), 0);
    ck_assert_str_eq(content(&size), "abc\nabc\nlater\n");
}
END_TEST

static void *hurry(void *deadline)
{
    (void)usleep(300000);
    atomic_store((atomic_int_least64_t *)deadline, clock_monotonic());
    return NULL;
}

/* A pipe takes 64 KiB that nobody reads: what is written then waits, until another thread sets a deadline. */
START_TEST(a_reader_that_stalls_is_waited_for_up_to_a_deadline)
{
    atomic_int_least64_t deadline = INT64_MAX;
    int64_t begun = clock_monotonic();
    struct line_file *file;
    uint64_t written, lost;
    pthread_t thread;
    struct error err;
    int reader;

    (void)unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    ck_assert_int_ge(reader, 0);
    ck_assert_int_eq(line_file_open(&file, path, true, &err), 0);
    line_file_wait_until(file, &deadline);
    for (int i = 0; i < 10000; i++)
        line_put(file, "0123456789\n");
    ck_assert_int_eq(pthread_create(&thread, NULL, hurry, &deadline), 0);
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), -ETIMEDOUT);
    ck_assert_int_ge(clock_monotonic() - begun, 300000);
    ck_assert_ptr_nonnull(strstr(err.text, "nobody takes what is written"));
    ck_assert_uint_eq(written, 65536 / 11);
    ck_assert_uint_eq(lost, 10000 - written);
    line_put(file, "later\n");
    begun = clock_monotonic();
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), -ETIMEDOUT);
    ck_assert_int_lt(clock_monotonic() - begun, 100000); /* no more waiting */
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)line_file_close(file, &err);
    (void)close(reader);
    (void)unlink(path);
}
END_TEST

START_TEST(device_without_room)
{
    struct line_file *file;
    uint64_t written, lost;
    struct error err;

    ck_assert_int_eq(line_file_open(&file, "/dev/full", true, &err), 0);
    line_put(file, "one\n");
    ck_assert_int_eq(line_file_flush(file, &written, &lost, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "/dev/full: No space left on device");
    ck_assert_uint_eq(lost, 1);
    (void)line_file_close(file, &err);
}
END_TEST

START_TEST(what_cannot_be_opened_is_named)
{
    struct line_file *file;
    struct error err;

    ck_assert_int_eq(line_file_open(&file, "/nonexistent/log", true, &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nonexistent/log: No such file or directory");
    ck_assert_int_eq(line_file_open(&file, folder, true, &err), -EISDIR);
}
END_TEST

int main(void)
{
    int status;

    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    (void)snprintf(path, sizeof path, "%s/log", folder);
    status = UNIT_RUN("line_file", lines_come_out_in_order, more_than_the_buffer_holds,
                      a_full_disk_loses_whole_lines_and_counts_them,
                      a_reader_that_stalls_is_waited_for_up_to_a_deadline, device_without_room,
                      what_cannot_be_opened_is_named);
    (void)unlink(path);
    (void)rmdir(folder);
    return status;
}

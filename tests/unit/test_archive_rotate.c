#include "flowtrack/archive_rotate.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/allocations.h"
#include "tests/unit/files.h"
#include "tests/unit/records.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000)
#define BEGUN (INT64_C(1795410093) * SECOND)

static struct error err;

static struct archive_rotate_options options_of(uint64_t size, int64_t period, uint64_t quota)
{
    return (struct archive_rotate_options){.directory = files_directory,
                                           .size = size,
                                           .period = period,
                                           .quota = quota,
                                           .flush_interval = SECOND,
                                           .writer = {.level = 1}};
}

static struct archive_rotate *open_archive(uint64_t size, int64_t period, uint64_t quota)
{
    const struct archive_rotate_options options = options_of(size, period, quota);
    struct archive_rotate *rotate;

    ck_assert_msg(archive_rotate_open(&rotate, &options, BEGUN, &err) == 0, "%s", err.text);
    return rotate;
}

static int is_archive(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Read every file of the folder, in order. Records have their number in out.packets.
 *
 * gaps: some may be missing.
 *
 * Return: records.
 */
static unsigned read_all(bool gaps)
{
    struct dirent **entries;
    int n_files = scandir(files_directory, &entries, is_archive, alphasort);
    unsigned n = 0;
    uint64_t last = 0;

    for (int i = 0; i < n_files; i++) {
        struct archive_reader *reader;
        struct record record;
        int rc;

        ck_assert_int_eq(archive_reader_open(&reader, files_path(entries[i]->d_name), &err), 0);
        while ((rc = archive_reader_next(reader, &record, &err)) == 1) {
            ck_assert(gaps ? record.out.packets > last : record.out.packets == last + 1);
            last = record.out.packets;
            n++;
        }
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_uint_eq(archive_reader_stats(reader)->headers, 1);
        archive_reader_close(reader);
        free(entries[i]);
    }
    free(entries);
    return n;
}

START_TEST(every_record_is_in_exactly_one_file)
{
    struct records_random random = {1};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    int64_t now = BEGUN;

    files_setup();
    rotate = open_archive(150 * 1000, 20 * SECOND, 0);
    for (unsigned i = 1; i <= 3000; i++) {
        records_make(&random, &record);
        record.out.packets = i;
        now += (int64_t)records_below(&random, SECOND / 10);
        ck_assert_int_eq(archive_rotate_put(rotate, &record, now, &err), 0);
        if (i % 10 == 0)
            ck_assert_int_eq(archive_rotate_tick(rotate, now, &err), 0);
        if (i % 1000 == 0)
            ck_assert_int_eq(archive_rotate_now(rotate, now, &err), 0);
        archive_rotate_stats(rotate, &stats);
        ck_assert_uint_eq(stats.in_files + stats.waiting, i);
    }
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_eq(stats.in_files, 3000);
    ck_assert_uint_eq(stats.waiting + stats.lost, 0);
    ck_assert_uint_gt(stats.files, 10);
    ck_assert_uint_eq(stats.files, files_count());
    ck_assert_uint_eq(read_all(false), 3000);
    files_teardown();
}
END_TEST

static uint64_t octets_in_folder(void)
{
    struct dirent **entries;
    int n_files = scandir(files_directory, &entries, is_archive, alphasort);
    uint64_t octets = 0;

    for (int i = 0; i < n_files; i++) {
        struct stat status;

        ck_assert_int_eq(stat(files_path(entries[i]->d_name), &status), 0);
        octets += (uint64_t)status.st_size;
        free(entries[i]);
    }
    free(entries);
    return octets;
}

START_TEST(the_quota_holds_at_any_moment)
{
    struct records_random random = {2};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    const uint64_t quota = 400 * 1000, block = 256 * 1024;

    files_setup();
    rotate = open_archive(0, 0, quota);
    for (unsigned i = 1; i <= 2000; i++) {
        records_make(&random, &record);
        record.out.packets = i;
        ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN, &err), 0);
        if (i % 50 == 0)
            ck_assert_uint_le(octets_in_folder(), quota + block);
    }
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_gt(stats.removed, 0);
    ck_assert_uint_eq(stats.files - stats.removed, files_count());
    ck_assert_uint_le(octets_in_folder(), quota);
    files_teardown();
}
END_TEST

/* What a full disk does to a write, a limit on the size of files does too. */
static void limit_file_size(rlim_t octets)
{
    struct rlimit limit;

    (void)signal(SIGXFSZ, SIG_IGN);
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = octets;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

/* Put a record on a disk with room for files of so many octets. Check itself writes to a file between. */
static int put_limited(struct archive_rotate *rotate, const struct record *record, int64_t now, rlim_t octets)
{
    int rc;

    limit_file_size(octets);
    rc = archive_rotate_put(rotate, record, now, &err);
    limit_file_size(RLIM_INFINITY);
    return rc;
}

START_TEST(a_full_disk_costs_what_comes_meanwhile)
{
    struct records_random random = {3};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    unsigned failures = 0;

    files_setup();
    rotate = open_archive(0, 0, 0);
    for (unsigned i = 1; i <= 1000; i++) {
        int rc;

        records_make(&random, &record);
        record.out.packets = i;
        rc = put_limited(rotate, &record, BEGUN, i >= 400 && i < 800 ? 40 * 1000 : RLIM_INFINITY);
        ck_assert(rc == 0 || rc == -ENOSPC);
        failures += rc != 0;
        archive_rotate_stats(rotate, &stats);
        ck_assert_uint_eq(stats.in_files + stats.waiting + stats.lost, i);
    }
    ck_assert_uint_gt(failures, 0);
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_eq(stats.lost, failures);
    ck_assert_uint_eq(stats.in_files, 1000 - failures);
    ck_assert_uint_eq(read_all(true), 1000 - failures);
    files_teardown();
}
END_TEST

START_TEST(a_disk_that_stays_full_leaves_whole_lines)
{
    struct records_random random = {4};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    int rc_tick, rc_close;

    files_setup();
    rotate = open_archive(0, 0, 0);
    for (unsigned i = 1; i <= 600; i++) {
        if (i == 100)
            ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + SECOND, &err), 0);
        records_make(&random, &record);
        record.out.packets = i;
        (void)put_limited(rotate, &record, BEGUN + SECOND, i >= 100 ? 60 * 1000 : RLIM_INFINITY);
    }
    limit_file_size(60 * 1000);
    rc_tick = archive_rotate_tick(rotate, BEGUN + 3 * SECOND, &err);
    rc_close = archive_rotate_close(rotate, &stats, &err);
    limit_file_size(RLIM_INFINITY);
    ck_assert_int_eq(rc_tick, -ENOSPC);
    ck_assert_int_eq(rc_close, -ENOSPC);
    ck_assert_uint_eq(stats.in_files + stats.lost, 600);
    ck_assert_uint_eq(stats.in_files, 99);
    ck_assert_uint_eq(read_all(false), 99);
    files_teardown();
}
END_TEST

START_TEST(a_full_disk_does_not_prevent_the_start)
{
    const struct archive_rotate_options options = options_of(0, 0, 0);
    struct records_random random = {13};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    int rc, rc_put, rc_tick;

    files_setup();
    records_make(&random, &record);
    limit_file_size(10);
    rc = archive_rotate_open(&rotate, &options, BEGUN, &err);
    rc_put = archive_rotate_put(rotate, &record, BEGUN, &err);
    rc_tick = archive_rotate_tick(rotate, BEGUN, &err);
    limit_file_size(RLIM_INFINITY);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(rc_put, -ENOSPC);
    ck_assert_int_eq(rc_tick, -ENOSPC);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN + SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_eq(stats.lost, 1);
    ck_assert_uint_eq(read_all(true), 1);
    files_teardown();
}
END_TEST

/* Write without end, and tell through the pipe how many records a flush has made safe. */
static void write_until_killed(int pipe_end)
{
    const struct archive_rotate_options options = options_of(0, 0, 0);
    struct records_random random = {5};
    struct archive_rotate *rotate;
    struct record record;

    if (archive_rotate_open(&rotate, &options, BEGUN, &err) != 0)
        _exit(1);
    for (uint64_t i = 1;; i++) {
        records_make(&random, &record);
        record.out.packets = i;
        (void)archive_rotate_put(rotate, &record, BEGUN, &err);
        if (i % 100 == 0 && (archive_rotate_tick(rotate, BEGUN + (int64_t)i * SECOND, &err) != 0 ||
                             write(pipe_end, &i, sizeof i) != sizeof i))
            _exit(1);
    }
}

START_TEST(a_killed_writer_leaves_what_was_flushed)
{
    struct archive_reader *reader;
    struct dirent **entries;
    struct record record;
    uint64_t safe = 0;
    uint64_t n = 0;
    int ends[2], status, rc;
    pid_t child;

    files_setup();
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0)
        write_until_killed(ends[1]);
    ck_assert_int_gt(child, 0);
    while (safe < 1500)
        ck_assert_int_eq(read(ends[0], &safe, sizeof safe), sizeof safe);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));

    ck_assert_int_eq(archive_rotate_close(open_archive(0, 0, 0), NULL, &err), 0); /* finishes what is left */
    ck_assert_int_eq(scandir(files_directory, &entries, is_archive, alphasort), 1);
    ck_assert_int_eq(archive_reader_open(&reader, files_path(entries[0]->d_name), &err), 0);
    while ((rc = archive_reader_next(reader, &record, &err)) != 0)
        if (rc == 1)
            ck_assert_uint_eq(record.out.packets, ++n);
    ck_assert_uint_ge(n, safe);
    ck_assert_uint_le(archive_reader_stats(reader)->damaged, 1);
    archive_reader_close(reader);
    free(entries[0]);
    free(entries);
    files_teardown();
}
END_TEST

START_TEST(an_archive_without_records_leaves_no_file)
{
    struct archive_rotate *rotate;

    files_setup();
    rotate = open_archive(0, 10 * SECOND, 0);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + 11 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + 22 * SECOND, &err), 0);
    ck_assert_uint_eq(files_count(), 1);
    ck_assert_int_eq(archive_rotate_close(rotate, NULL, &err), 0);
    ck_assert_uint_eq(files_count(), 0);
    files_teardown();
}
END_TEST

START_TEST(a_clock_set_back_delays_no_flush)
{
    struct records_random random = {14};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;

    files_setup();
    rotate = open_archive(0, 0, 0);
    records_make(&random, &record);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN - 3600 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN - 3600 * SECOND, &err), 0);
    archive_rotate_stats(rotate, &stats);
    ck_assert_uint_eq(stats.in_files, 1);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN - 3599 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN - 3599 * SECOND, &err), 0);
    archive_rotate_stats(rotate, &stats);
    ck_assert_uint_eq(stats.in_files, 2);
    ck_assert_int_eq(archive_rotate_close(rotate, NULL, &err), 0);
    files_teardown();
}
END_TEST

START_TEST(an_active_file_that_is_gone_is_told_and_replaced)
{
    struct records_random random = {10};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;

    files_setup();
    rotate = open_archive(0, 10 * SECOND, 400 * 1000);
    records_make(&random, &record);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN, &err), 0);
    ck_assert_int_eq(unlink(files_path("flows.json.gz.part")), 0);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN + 10 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + 11 * SECOND, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "flows.json.gz.part: No such file or directory"));
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + 12 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_eq(stats.lost, 0);
    ck_assert_uint_eq(stats.files, 1);
    ck_assert_uint_eq(read_all(true), 1);
    files_teardown();
}
END_TEST

START_TEST(a_folder_that_is_gone_costs_what_comes_meanwhile)
{
    struct records_random random = {12};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;

    files_setup();
    rotate = open_archive(0, 10 * SECOND, 0);
    records_make(&random, &record);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN, &err), 0);
    ck_assert_int_eq(unlink(files_path("flows.json.gz.part")), 0);
    ck_assert_int_eq(rmdir(files_directory), 0);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN + 10 * SECOND, &err), -ENOENT);
    ck_assert_int_eq(archive_rotate_tick(rotate, BEGUN + 11 * SECOND, &err), -ENOENT);
    ck_assert_int_eq(mkdir(files_directory, 0700), 0);
    ck_assert_int_eq(archive_rotate_put(rotate, &record, BEGUN + 12 * SECOND, &err), 0);
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_eq(stats.lost, 1);
    ck_assert_uint_eq(read_all(true), 1);
    files_teardown();
}
END_TEST

START_TEST(allocation_failures_cost_counted_records)
{
    const struct archive_rotate_options options = options_of(0, 0, 1000 * 1000);
    struct records_random random = {6};
    struct archive_rotate *rotate;
    struct archive_rotate_stats stats;
    struct record record;
    unsigned given = 0;
    unsigned long n;
    int rc;

    files_setup();
    for (n = 0, rc = -ENOMEM; rc != 0; n++) {
        allocations_fail_at(n);
        rc = archive_rotate_open(&rotate, &options, BEGUN, &err);
        (void)allocations_fail_none();
        ck_assert(rc == 0 || rc == -ENOMEM);
    }
    ck_assert_uint_gt(n, 10);
    for (n = 0; n < 20; n++) { /* a change of files makes fewer allocations than that */
        int rc_put;

        records_make(&random, &record);
        record.out.packets = ++given;
        allocations_fail_at(n);
        rc = archive_rotate_now(rotate, BEGUN + given * SECOND, &err);
        allocations_fail_at(0);
        rc_put = archive_rotate_put(rotate, &record, BEGUN + given * SECOND, &err);
        (void)allocations_fail_none();
        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert(rc_put == 0 || rc_put == -ENOMEM);
        archive_rotate_stats(rotate, &stats);
        ck_assert_uint_eq(stats.in_files + stats.waiting + stats.lost, given);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(archive_rotate_close(rotate, &stats, &err), 0);
    ck_assert_uint_gt(stats.lost, 0);
    ck_assert_uint_eq(stats.in_files + stats.lost, given);
    ck_assert_uint_eq(read_all(true), stats.in_files);
    files_teardown();
}
END_TEST

int main(void)
{
    return UNIT_RUN("archive_rotate", every_record_is_in_exactly_one_file, the_quota_holds_at_any_moment,
                    a_full_disk_costs_what_comes_meanwhile, a_full_disk_does_not_prevent_the_start,
                    a_disk_that_stays_full_leaves_whole_lines, a_killed_writer_leaves_what_was_flushed,
                    an_archive_without_records_leaves_no_file, a_clock_set_back_delays_no_flush,
                    an_active_file_that_is_gone_is_told_and_replaced,
                    a_folder_that_is_gone_costs_what_comes_meanwhile,
                    allocation_failures_cost_counted_records);
}

#include "flowtrack/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <zlib.h>

#include "tests/unit/allocations.h"
#include "tests/unit/files.h"
#include "tests/unit/records.h"
#include "tests/unit/unit.h"

#define HEADER "{\"version\":\"4.5.0\",\"end-config\":1}\n"
#define LINE                                                                                                 \
    "{\"sa\":\"192.0.2.1\",\"da\":\"192.0.2.2\",\"pr\":17,\"sp\":1,\"dp\":2,\"bytes_out\":3,\"num_pkts_"     \
    "out\":"                                                                                                 \
    "4,\"time_start\":5.000000,\"time_end\":6.000000,\"packets\":[]}\n"

static struct error err;
static struct record record;

/* A file as one gzip member behind what is there. */
static size_t add_member(uint8_t *file, size_t n_file, const char *text, size_t length)
{
    z_stream stream = {0};

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)text;
    stream.avail_in = (unsigned)length;
    stream.next_out = file + n_file;
    stream.avail_out = 65536;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&stream);
    return n_file + stream.total_out;
}

static struct archive_reader *open_reader(const char *name)
{
    struct archive_reader *reader;

    ck_assert_msg(archive_reader_open(&reader, files_path(name), &err) == 0, "%s", err.text);
    return reader;
}

/* Read a file to its end. Return: its statistics. messages: (n) expected ends of the errors, in order. */
static struct archive_reader_stats read_file(const char *name, const char *const *messages, unsigned n)
{
    struct archive_reader *reader = open_reader(name);
    struct archive_reader_stats stats;
    unsigned n_messages = 0;
    int rc;

    while ((rc = archive_reader_next(reader, &record, &err)) != 0) {
        if (rc == 1)
            continue;
        ck_assert_int_eq(rc, -EBADMSG);
        ck_assert_msg(n_messages < n, "unexpected: %s", err.text);
        ck_assert_msg(strstr(err.text, files_path(name)) == err.text, "%s", err.text);
        ck_assert_str_eq(err.text + strlen(files_path(name)), messages[n_messages++]);
    }
    ck_assert_uint_eq(n_messages, n);
    stats = *archive_reader_stats(reader);
    ck_assert_uint_eq(stats.lines, stats.records + stats.headers + stats.damaged);
    archive_reader_close(reader);
    return stats;
}

static struct archive_reader_stats read_text(const char *text, const char *const *messages, unsigned n)
{
    files_write("text", text, strlen(text));
    return read_file("text", messages, n);
}

static void write_records(const char *name, unsigned n)
{
    struct records_random random = {7};
    struct archive_writer *writer;

    ck_assert_msg(archive_writer_open(&writer, files_path(name), NULL, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < n; i++) {
        records_make(&random, &record);
        ck_assert_int_eq(archive_writer_put(writer, &record, &err), 0);
    }
    ck_assert_uint_eq(archive_writer_stats(writer)->records, n);
    ck_assert_int_eq(archive_writer_close(writer, &err), 0);
}

static void expect_records(const char *name, unsigned n)
{
    struct records_random random = {7};
    struct archive_reader *reader = open_reader(name);
    struct record expected;

    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(archive_reader_next(reader, &record, &err) == 1, "%s", err.text);
        records_make(&random, &expected);
        ck_assert(record_equal(&record, &expected));
        ck_assert_uint_eq(archive_reader_stats(reader)->lines, i + 2);
    }
    ck_assert_int_eq(archive_reader_next(reader, &record, &err), 0);
    ck_assert_uint_eq(archive_reader_stats(reader)->records, n);
    ck_assert_uint_eq(archive_reader_stats(reader)->headers, 1);
    ck_assert_uint_eq(archive_reader_stats(reader)->lines, n + 1);
    archive_reader_close(reader);
}

START_TEST(records_go_there_and_back)
{
    static const char *const names[] = {"flows.json", "flows.json.gz", "flows.json.gz.part"};

    files_setup();
    for (unsigned i = 0; i < 3; i++) {
        char *octets;
        size_t length;

        write_records(names[i], 2000);
        expect_records(names[i], 2000);
        octets = files_read(names[i], &length);
        ck_assert_int_eq(octets[0] == '{', i == 0);
        free(octets);
    }
    files_teardown();
}
END_TEST

START_TEST(the_header_line_is_that_of_joy)
{
    const struct archive_writer_options options = {
        .interface = "eth\"0", .filter = "ip\tor ip6", .byte_dist = true};
    struct archive_writer *writer;
    size_t length;
    char *text;

    files_setup();
    ck_assert_int_eq(archive_writer_open(&writer, files_path("flows.json"), &options, &err), 0);
    text = files_read("flows.json", &length); /* it is there at once */
    ck_assert_str_eq(text, "{\"version\":\"4.5.0\",\"interface\":\"eth\\\"0\",\"promisc\":0,\"output\":"
                           "\"flows.json\",\"outputdir\":"
                           "\"none\",\"username\":\"none\",\"info\":\"flowclassd\",\"count\":0,\"upload\":"
                           "\"none\",\"keyfile\":\"none\","
                           "\"retain\":0,\"bidir\":1,\"num_pkts\":50,\"zeros\":0,\"retrans\":0,\"dist\":1,"
                           "\"cdist\":\"none\",\"entropy\":"
                           "1,\"hd\":0,\"classify\":0,\"idp\":0,\"exe\":0,\"anon\":\"none\",\"useranon\":"
                           "\"none\",\"bpf\":\"ip\\u0009or "
                           "ip6\",\"verbosity\":4,\"threads\":1,\"updater\":0,\"wht\":0,\"example\":0,"
                           "\"dns\":0,\"ssh\":0,\"tls\":0,"
                           "\"dhcp\":0,\"dhcpv6\":0,\"http\":0,\"ike\":0,\"payload\":0,\"salt\":0,\"ppi\":0,"
                           "\"fpx\":0,\"end-config\":1}"
                           "\n");
    free(text);
    ck_assert_int_eq(archive_writer_close(writer, &err), 0);
    files_teardown();
}
END_TEST

START_TEST(damaged_lines_are_skipped_and_named)
{
    static const char *const messages[] = {
        ":3: column 1: expected an object",
        ":7: column 9: sa: expected an address",
    };
    struct archive_reader_stats stats;

    files_setup();
    stats = read_text(HEADER LINE "no json\n" LINE "\r\n" HEADER "{\"sa\":\"\"}\n" LINE, messages, 2);
    ck_assert_uint_eq(stats.records, 3);
    ck_assert_uint_eq(stats.headers, 2);
    ck_assert_uint_eq(stats.damaged, 2);
    ck_assert_uint_eq(stats.truncated, 0);
    files_teardown();
}
END_TEST

/* Some editors put it there. */
START_TEST(a_byte_order_mark_is_passed_over)
{
    struct archive_reader_stats stats;

    files_setup();
    stats = read_text("\xef\xbb\xbf" LINE LINE, NULL, 0);
    ck_assert_uint_eq(stats.records, 2);
    stats = read_text(LINE "\xef\xbb\xbf" LINE, (const char *const[]){":2: column 1: expected an object"}, 1);
    ck_assert_uint_eq(stats.records, 1);
    files_teardown();
}
END_TEST

START_TEST(the_last_line_may_lack_its_newline)
{
    static const char *const message[] = {":2: column 6: expected : after a key"};
    struct archive_reader_stats stats;
    size_t length = strlen(LINE);

    files_setup();
    files_write("whole", HEADER LINE, strlen(HEADER) + length - 1);
    stats = read_file("whole", NULL, 0);
    ck_assert_uint_eq(stats.records, 1);
    ck_assert_uint_eq(stats.truncated, 0);
    stats = read_text(HEADER "{\"sa\"", message, 0 + 1);
    ck_assert_uint_eq(stats.damaged, 1);
    ck_assert_uint_eq(stats.truncated, 1);
    stats = read_text("", NULL, 0);
    ck_assert_uint_eq(stats.lines, 0);
    files_teardown();
}
END_TEST

START_TEST(a_gzip_file_may_end_anywhere)
{
    static uint8_t file[3 * 65536];
    const size_t first = add_member(file, 0, HEADER LINE, strlen(HEADER LINE));
    const size_t whole = add_member(file, first, LINE LINE, strlen(LINE LINE));

    files_setup();
    for (size_t length = 4; length <= whole; length++) {
        struct archive_reader *reader;
        const struct archive_reader_stats *stats;
        bool at_edge = length == first || length == whole;
        unsigned n = 0;
        int rc;

        files_write("cut.gz", file, length);
        reader = open_reader("cut.gz");
        while ((rc = archive_reader_next(reader, &record, &err)) != 0)
            n += rc == 1;
        stats = archive_reader_stats(reader);
        ck_assert_msg(stats->truncated == !at_edge ||
                          (length > first && length < first + 4 && stats->gaps == 1),
                      "%zu octets", length);
        ck_assert_uint_eq(stats->records, n);
        ck_assert_uint_le(n, 3);
        ck_assert(length < first || n >= 1);
        ck_assert(length < whole || n == 3);
        ck_assert_uint_le(stats->damaged, 1);
        archive_reader_close(reader);
    }
    files_teardown();
}
END_TEST

/* Octets of text that a gzip file holds, cut or not. */
static size_t text_in(const uint8_t *file, size_t length)
{
    static uint8_t text[300000];
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)file, .avail_in = (unsigned)length};

    ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_out = text;
    stream.avail_out = sizeof text;
    (void)inflate(&stream, Z_SYNC_FLUSH);
    (void)inflateEnd(&stream);
    return sizeof text - stream.avail_out;
}

/* Much text for few octets, so that the end is in the middle of it more often than not. */
START_TEST(what_a_cut_file_holds_is_read)
{
    static uint8_t file[65536];
    static char blank[200000];
    size_t whole;

    memset(blank, '\n', sizeof blank);
    whole = add_member(file, 0, blank, sizeof blank);
    files_setup();
    for (size_t length = 20; length <= whole; length++) {
        struct archive_reader *reader;
        int rc;

        files_write("cut.gz", file, length);
        reader = open_reader("cut.gz");
        while ((rc = archive_reader_next(reader, &record, &err)) != 0)
            ck_assert_int_eq(rc, -EBADMSG);
        ck_assert_uint_eq(archive_reader_stats(reader)->octets, text_in(file, length));
        archive_reader_close(reader);
    }
    files_teardown();
}
END_TEST

START_TEST(members_are_one_text)
{
    static uint8_t file[6 * 65536];
    size_t length = add_member(file, 0, HEADER, strlen(HEADER));
    struct archive_reader_stats stats;

    files_setup();
    length = add_member(file, length, LINE, 30); /* a line may go on in the next member */
    length = add_member(file, length, "", 0);
    length = add_member(file, length, LINE + 30, strlen(LINE) - 30);
    memset(file + length, 0, 700); /* padding */
    files_write("flows.gz", file, length + 700);
    stats = read_file("flows.gz", NULL, 0);
    ck_assert_uint_eq(stats.records, 1);
    ck_assert_uint_eq(stats.headers, 1);
    files_teardown();
}
END_TEST

START_TEST(damaged_gzip_data_is_said_and_passed_over)
{
    static const char *const checksum[] = {": damaged gzip data (incorrect data check)"};
    static const char *const head[] = {
        ": damaged gzip data (no gzip member where the next one should begin)"};
    static uint8_t file[4 * 65536];
    const size_t first = add_member(file, 0, HEADER LINE, strlen(HEADER LINE));
    size_t length = add_member(file, first, LINE, strlen(LINE));
    struct archive_reader_stats stats;

    files_setup();
    file[first - 6] ^= 1;
    files_write("flows.gz", file, length);
    stats = read_file("flows.gz", checksum, 1);
    ck_assert_uint_eq(stats.records, 2);
    ck_assert_uint_eq(stats.gaps, 1);
    ck_assert_uint_eq(stats.truncated, 0);

    files_write("checksum.gz", file, first);
    ck_assert_uint_eq(read_file("checksum.gz", checksum, 1).records, 1);

    file[first - 6] ^= 1;
    file[first] = 'x';
    length = add_member(file, length, LINE LINE, strlen(LINE LINE));
    files_write("flows.gz", file, length);
    stats = read_file("flows.gz", head, 1);
    ck_assert_uint_eq(stats.records, 3);
    files_teardown();
}
END_TEST

START_TEST(an_overlong_line_is_damaged)
{
    static const char *const messages[] = {":2: longer than 1048576 octets",
                                           ":4: longer than 1048576 octets"};
    const size_t overlong = 3 * 1024 * 1024;
    char *text = malloc(2 * overlong + 4096), *at = text;
    struct archive_reader_stats stats;

    ck_assert_ptr_nonnull(text);
    files_setup();
    at = stpcpy(at, HEADER);
    memset(at, '[', overlong);
    at = stpcpy(at + overlong, "\n" LINE);
    memset(at, ' ', overlong);
    files_write("flows.json", text, (size_t)(at + overlong - text));
    free(text);
    stats = read_file("flows.json", messages, 2);
    ck_assert_uint_eq(stats.records, 1);
    ck_assert_uint_eq(stats.damaged, 2);
    ck_assert_uint_eq(stats.truncated, 1);
    files_teardown();
}
END_TEST

START_TEST(standard_input_is_read)
{
    struct archive_reader *reader;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    ck_assert_int_eq(write(ends[1], HEADER LINE, strlen(HEADER LINE)), strlen(HEADER LINE));
    (void)close(ends[1]);
    ck_assert_int_eq(archive_reader_open(&reader, "-", &err), 0);
    ck_assert_int_eq(archive_reader_next(reader, &record, &err), 1);
    ck_assert_int_eq(archive_reader_next(reader, &record, &err), 0);
    archive_reader_close(reader);
    ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), 0);
}
END_TEST

START_TEST(what_cannot_be_opened_is_said)
{
    struct archive_reader *reader = NULL;
    struct archive_writer *writer = NULL;
    char expected[600];

    files_setup();
    ck_assert_int_eq(archive_reader_open(&reader, "/nowhere/flows.json", &err), -ENOENT);
    ck_assert_str_eq(err.text, "/nowhere/flows.json: No such file or directory");
    ck_assert_int_eq(archive_reader_open(&reader, files_directory, &err), -EISDIR);
    (void)snprintf(expected, sizeof expected, "%s: Is a directory", files_directory);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(archive_writer_open(&writer, "/nowhere/flows.json", NULL, &err), -ENOENT);
    ck_assert_int_eq(archive_writer_open(&writer, files_directory, NULL, &err), -EISDIR);
    ck_assert_int_eq(archive_writer_open(&writer, "/dev/full", NULL, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "/dev/full: No space left on device");
    ck_assert_ptr_null(reader);
    ck_assert_ptr_null(writer);
    archive_reader_close(NULL);
    ck_assert_int_eq(archive_writer_close(NULL, &err), 0);
    files_teardown();
}
END_TEST

/* A pipe takes a part of a block: the rest follows when it is read, nothing twice and nothing torn. */
START_TEST(a_pipe_goes_on_where_it_stopped)
{
    struct records_random random = {8};
    struct archive_writer *writer;
    struct archive_reader *reader;
    int ends[2], saved = dup(STDOUT_FILENO), rc;
    unsigned n = 0, refused = 0;
    FILE *copy;

    files_setup();
    copy = fopen(files_path("copy"), "wb");
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    ck_assert_int_eq(archive_writer_open(&writer, "-", NULL, &err), 0);
    for (unsigned i = 0; i < 2000; i++) {
        static char octets[10000];
        ssize_t n_read;

        records_make(&random, &record);
        refused += archive_writer_put(writer, &record, &err) != 0;
        if (i % 4 == 0 && (n_read = read(ends[0], octets, sizeof octets)) > 0)
            ck_assert_uint_eq(fwrite(octets, 1, (size_t)n_read, copy), (size_t)n_read);
    }
    do {
        static char octets[10000];
        ssize_t n_read;

        rc = archive_writer_flush(writer, &err);
        while ((n_read = read(ends[0], octets, sizeof octets)) > 0)
            ck_assert_uint_eq(fwrite(octets, 1, (size_t)n_read, copy), (size_t)n_read);
    } while (rc != 0);
    ck_assert_int_eq(archive_writer_close(writer, &err), 0);
    (void)dup2(saved, STDOUT_FILENO);
    (void)fclose(copy);
    reader = open_reader("copy");
    while ((rc = archive_reader_next(reader, &record, &err)) != 0) {
        ck_assert_msg(rc == 1, "%s", err.text);
        n++;
    }
    archive_reader_close(reader);
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_eq(n, 2000 - refused);
    files_teardown();
}
END_TEST

START_TEST(allocation_failures_are_reported)
{
    struct archive_reader *reader;
    struct archive_writer *writer;
    unsigned long n;
    int rc, rc_close;

    files_setup();
    for (n = 0, rc = -ENOMEM; rc != 0; n++) {
        allocations_fail_at(n);
        rc = archive_writer_open(&writer, files_path("flows.json.gz"), NULL, &err);
        (void)allocations_fail_none();
        ck_assert(rc == 0 || rc == -ENOMEM);
    }
    ck_assert_uint_gt(n, 4);
    records_make(&(struct records_random){9}, &record);
    allocations_fail_at(0); /* nothing is allocated from here on */
    rc = archive_writer_put(writer, &record, &err);
    rc_close = archive_writer_close(writer, &err);
    ck_assert_uint_eq(allocations_fail_none(), 0);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(rc_close, 0);

    for (n = 0, rc = -ENOMEM; rc != 0; n++) {
        allocations_fail_at(n);
        rc = archive_reader_open(&reader, files_path("flows.json.gz"), &err);
        (void)allocations_fail_none();
        ck_assert(rc == 0 || rc == -ENOMEM);
    }
    ck_assert_uint_gt(n, 2);
    allocations_fail_at(0);
    rc = archive_reader_next(reader, &record, &err);
    (void)allocations_fail_none();
    ck_assert(rc == 1 || rc == -ENOMEM); /* zlib makes its window when it needs one */
    archive_reader_close(reader);
    files_teardown();
}
END_TEST

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    return UNIT_RUN("archive", records_go_there_and_back, the_header_line_is_that_of_joy,
                    damaged_lines_are_skipped_and_named, a_byte_order_mark_is_passed_over,
                    the_last_line_may_lack_its_newline, a_gzip_file_may_end_anywhere,
                    what_a_cut_file_holds_is_read, members_are_one_text,
                    damaged_gzip_data_is_said_and_passed_over, an_overlong_line_is_damaged,
                    standard_input_is_read, what_cannot_be_opened_is_said, a_pipe_goes_on_where_it_stopped,
                    allocation_failures_are_reported);
}

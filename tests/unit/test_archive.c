#include "flowtrack/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char path[64];

static const char *temporary(const char *end)
{
    (void)snprintf(path, sizeof path, "archive-test-%d%s", (int)getpid(), end);
    return path;
}

static void make_record(struct record *record, unsigned i)
{
    memset(record, 0, sizeof *record);
    record->family = 4;
    record->protocol = 17;
    record->has_ports = true;
    record->source_port = (uint16_t)i;
    record->out.present = true;
    record->out.bytes = i;
    record->out.packets = 1;
    record->n_packets = 1;
    record->packets[0].bytes = 100;
}

static void write_records(const char *name, unsigned n)
{
    struct archive_writer *writer;
    struct record record;
    struct error err;

    ck_assert_int_eq(archive_writer_open(&writer, name, NULL, &err), 0);
    for (unsigned i = 0; i < n; i++) {
        make_record(&record, i);
        ck_assert_int_eq(archive_writer_put(writer, &record, &err), 0);
    }
    ck_assert_int_eq(archive_writer_close(writer, &err), 0);
}

static void expect_records(const char *name, unsigned n)
{
    struct archive_reader *reader;
    struct record record, expected;
    struct error err;

    ck_assert_int_eq(archive_reader_open(&reader, name, &err), 0);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(archive_reader_next(reader, &record, &err) == 1, "%s", err.text);
        make_record(&expected, i);
        ck_assert(record_equal(&record, &expected));
    }
    ck_assert_int_eq(archive_reader_next(reader, &record, &err), 0);
    ck_assert_uint_eq(archive_reader_stats(reader)->records, n);
    ck_assert_uint_eq(archive_reader_stats(reader)->headers, 1);
    ck_assert_uint_eq(archive_reader_stats(reader)->lines, n + 1);
    archive_reader_close(reader);
}

START_TEST(records_go_there_and_back)
{
    write_records(temporary(".json"), 5000);
    expect_records(path, 5000);
    unlink(path);
    write_records(temporary(".json.gz"), 5000);
    expect_records(path, 5000);
    unlink(path);
}
END_TEST

int main(void)
{
    return UNIT_RUN("archive", records_go_there_and_back);
}

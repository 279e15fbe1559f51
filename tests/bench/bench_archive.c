/* bench_archive - how fast archives are read and written, beside zcat and beside a reader on cJSON.
 *
 *     bench_archive FOLDER
 *
 * The records of all archives below FOLDER, written again and again into one of TEXT_OCTETS, are the work.
 * Times are processor time, user and system, so that other load on the machine hardly counts; each figure is
 * the median of ROUNDS runs, in megabytes of JSON a second.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flowtrack/archive.h"
#include "flowtrack/record_json.h"
#include "flowtrack/text_source.h"
#include "tests/archives.h"
#include "tests/reference/record_cjson.h"

enum {
    SKIP = 77,
    ROUNDS = 5,
    RECORDS_MAX = 20000,
    TEXT_OCTETS = 64 * 1000 * 1000,
    STEP = 128 * 1024,
};

static struct record *records[RECORDS_MAX];
static unsigned n_records;
static uint64_t n_text;   /* octets of JSON in the archive */
static uint64_t n_copies; /* records in it */
static char packed[64], plain[64], written[64];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_archive: %s\n", what);
    exit(EXIT_FAILURE);
}

static void expect(bool right, const char *what)
{
    if (!right)
        fail(what);
}

/* ---- the work ---- */

static void keep(const struct record *record)
{
    if (n_records == RECORDS_MAX)
        return;
    records[n_records] = malloc(record_size(record));
    expect(records[n_records] != NULL, "no memory");
    record_copy(records[n_records++], record);
}

static void collect_file(const char *path)
{
    struct archive_reader *reader;
    struct record record;
    struct error err;

    expect(archive_reader_open(&reader, path, &err) == 0, path);
    for (int rc; (rc = archive_reader_next(reader, &record, &err)) != 0;)
        if (rc == 1)
            keep(&record);
    archive_reader_close(reader);
}

/* Write the work into a file. level: of zlib. */
static void write_archive(const char *path, int level)
{
    const struct archive_writer_options options = {.level = level};
    struct archive_writer *writer;
    struct error err;

    expect(archive_writer_open(&writer, path, &options, &err) == 0, path);
    for (n_copies = 0; archive_writer_stats(writer)->text < TEXT_OCTETS; n_copies++)
        expect(archive_writer_put(writer, records[n_copies % n_records], &err) == 0, path);
    n_text = archive_writer_stats(writer)->text;
    expect(archive_writer_close(writer, &err) == 0, path);
}

/* ---- what is measured ---- */

static void read_packed(void)
{
    struct archive_reader *reader;
    struct record record;
    struct error err;
    uint64_t n = 0;

    expect(archive_reader_open(&reader, packed, &err) == 0, packed);
    while (archive_reader_next(reader, &record, &err) == 1)
        n++;
    archive_reader_close(reader);
    expect(n == n_copies, "records are missing");
}

static void read_plain(void)
{
    struct archive_reader *reader;
    struct record record;
    struct error err;
    uint64_t n = 0;

    expect(archive_reader_open(&reader, plain, &err) == 0, plain);
    while (archive_reader_next(reader, &record, &err) == 1)
        n++;
    archive_reader_close(reader);
    expect(n == n_copies, "records are missing");
}

static void inflate_only(void)
{
    static char text[STEP];
    struct text_source *source;
    struct error err;

    expect(text_source_open(&source, packed, &err) == 0, packed);
    while (text_source_read(source, text, sizeof text, &err) > 0)
        continue;
    text_source_close(source);
}

static void run_zcat(void)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);

        (void)dup2(null, STDOUT_FILENO);
        (void)execlp("zcat", "zcat", packed, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, "zcat");
}

/* Lines from the source, each through cJSON's tree. */
static void read_by_cjson(void)
{
    static char text[4 * STEP];
    struct text_source *source;
    struct record record;
    struct error err;
    size_t length = 0;
    ssize_t n;
    uint64_t n_read = 0;
    bool exact;

    expect(text_source_open(&source, packed, &err) == 0, packed);
    while ((n = text_source_read(source, text + length, STEP, &err)) > 0) {
        char *line = text, *newline;

        length += (size_t)n;
        for (; (newline = memchr(line, '\n', (size_t)(text + length - line))) != NULL; line = newline + 1) {
            *newline = '\0';
            n_read += record_cjson_read(&record, line, &exact) == RECORD_CJSON_RECORD;
        }
        length = (size_t)(text + length - line);
        memmove(text, line, length);
    }
    text_source_close(source);
    expect(n_read == n_copies, "records are missing from cJSON");
}

static void write_plain(void)
{
    write_archive("/dev/null", 0);
}

static void write_level_1(void)
{
    write_archive(written, 1);
}

static void write_default(void)
{
    write_archive(written, 0);
}

static void write_level_6(void)
{
    write_archive(written, 6);
}

static const struct {
    const char *name;
    void (*run)(void);
    unsigned rounds;
} works[] = {
    {"zcat (gzip's own inflate)", run_zcat, ROUNDS},
    {"inflate alone (zlib)", inflate_only, ROUNDS},
    {"read gzip", read_packed, ROUNDS},
    {"read gzip by cJSON", read_by_cjson, 1},
    {"read plain", read_plain, ROUNDS},
    {"write plain", write_plain, ROUNDS},
    {"write gzip, level 1", write_level_1, 1},
    {"write gzip, default level", write_default, 1},
    {"write gzip, level 6", write_level_6, 1},
};

static double seconds(int who)
{
    struct rusage usage;

    (void)getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double now(void)
{
    return seconds(RUSAGE_SELF) + seconds(RUSAGE_CHILDREN);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_rate(size_t work)
{
    double times[ROUNDS];

    for (unsigned i = 0; i < works[work].rounds; i++) {
        double begin = now();

        works[work].run();
        times[i] = now() - begin;
    }
    qsort(times, works[work].rounds, sizeof times[0], compare);
    return (double)n_text / 1e6 / times[works[work].rounds / 2];
}

int main(int argc, char *argv[])
{
    double floor = 0;

    if (argc == 2)
        archives_each(argv[1], collect_file);
    if (n_records == 0) {
        printf("skipped: no archives to take records from\n");
        return SKIP;
    }
    (void)snprintf(packed, sizeof packed, "/tmp/bench-archive-%d.json.gz", (int)getpid());
    (void)snprintf(plain, sizeof plain, "/tmp/bench-archive-%d.json", (int)getpid());
    (void)snprintf(written, sizeof written, "/tmp/bench-archive-%d-written.json.gz", (int)getpid());
    write_archive(packed, 6);
    write_archive(plain, 0);
    printf("%u records, %.0f MB of JSON\n\n%-28s %8s %8s %12s\n", n_records, (double)n_text / 1e6, "work",
           "MB/s", "ratio", "records/s");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        double rate = median_rate(i);

        floor = i == 0 ? rate : floor;
        printf("%-28s %8.0f %8.2f %12.0f\n", works[i].name, rate, rate / floor,
               rate * 1e6 / (double)n_text * (double)n_copies);
        (void)fflush(stdout);
    }
    (void)unlink(packed);
    (void)unlink(plain);
    (void)unlink(written);
    return EXIT_SUCCESS;
}

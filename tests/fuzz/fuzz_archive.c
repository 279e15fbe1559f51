/* A whole file, plain or gzip: the sums of the statistics hold, every line is counted once,
 * and what is wrong is said with the name of the file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flowtrack/archive.h"
#include "tests/fuzz/fuzz.h"

static void check(bool right)
{
    if (!right)
        abort();
}

static void read_archive(const char *path)
{
    struct archive_reader *reader;
    const struct archive_reader_stats *stats;
    struct record record;
    struct error err = {0};
    uint64_t records = 0, skipped = 0, line = 0;
    int rc;

    check(archive_reader_open(&reader, path, &err) == 0);
    while ((rc = archive_reader_next(reader, &record, &err)) != 0) {
        check(rc == 1 || rc == -EBADMSG);
        check(rc == 1 || strncmp(err.text, path, strlen(path)) == 0);
        check(archive_reader_stats(reader)->lines >= line);
        line = archive_reader_stats(reader)->lines;
        records += rc == 1;
        skipped += rc != 1;
    }
    check(archive_reader_next(reader, &record, &err) == 0);
    stats = archive_reader_stats(reader);
    check(stats->records == records);
    check(stats->lines == stats->records + stats->headers + stats->damaged);
    check(skipped >= stats->damaged && skipped <= stats->damaged + stats->gaps + stats->truncated);
    archive_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("archive", MFD_CLOEXEC);

    check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    read_archive(path);
    (void)close(fd);
    return 0;
}

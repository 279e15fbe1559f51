#include "daemon/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"

enum { LOOK_EVERY = 100 }; /* milliseconds, while a reader stalls: whether there is a deadline by now */

struct line_file {
    const char *name; /* borrowed: for messages */
    int descriptor;
    bool owned;                           /* the descriptor is closed with the file */
    bool regular;                         /* what was written can be taken back */
    const atomic_int_least64_t *deadline; /* of waiting; NULL: none */
    size_t used;
    uint64_t lines;   /* in the buffer */
    uint64_t written; /* since the last line_file_flush() */
    uint64_t lost;
    struct error failure; /* the first since then; code 0: none */
    char buffer[LINE_FILE_BUFFER];
};

int line_file_open(struct line_file **filep, const char *path, bool append, struct error *err)
{
    struct line_file *file = calloc(1, sizeof *file);
    struct stat status;

    if (file == NULL)
        return error_set(err, -ENOMEM, "%s: out of memory", path);
    file->owned = strcmp(path, "-") != 0;
    file->name = file->owned ? path : "standard output";
    file->descriptor = STDOUT_FILENO;
    if (file->owned)
        file->descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (file->descriptor < 0 || fstat(file->descriptor, &status) < 0) {
        int code = -errno;

        free(file);
        return error_set(err, code, "%s: %s", path, strerror(-code));
    }
    file->regular = S_ISREG(status.st_mode);
    *filep = file;
    return 0;
}

static uint64_t lines_count(const char *text, size_t size)
{
    const char *end = text + size;
    uint64_t n = 0;

    while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        text++;
        n++;
    }
    return n;
}

/* Writing stopped after `done` octets: count the lines that got through, and take the part of a line back. */
static void write_failed(struct line_file *file, size_t done, int code)
{
    const char *newline = done > 0 ? memrchr(file->buffer, '\n', done) : NULL;
    size_t whole = newline != NULL ? (size_t)(newline - file->buffer) + 1 : 0;
    uint64_t written = lines_count(file->buffer, whole);
    off_t end;

    if (file->regular && done > whole && (end = lseek(file->descriptor, 0, SEEK_END)) >= 0) {
        end -= (off_t)(done - whole);
        if (ftruncate(file->descriptor, end) == 0)
            (void)lseek(file->descriptor, end, SEEK_SET);
    }
    file->written += written;
    file->lost += file->lines - written;
    if (file->failure.code == 0)
        (void)error_set(&file->failure, code, "%s: %s", file->name,
                        code == -ETIMEDOUT ? "nobody takes what is written" : strerror(-code));
}

/* Wait until a write does not block: of a pipe that can be written to, PIPE_BUF octets are free. */
static int room_wait(struct line_file *file)
{
    struct pollfd wait = {.fd = file->descriptor, .events = POLLOUT};
    bool late;

    do {
        late = file->deadline != NULL && clock_monotonic() >= atomic_load(file->deadline);
        if (poll(&wait, 1, late ? 0 : LOOK_EVERY) > 0)
            return 0;
    } while (!late);
    return -ETIMEDOUT;
}

/* As write(); a file of any other kind than a regular one gets a part that it can take at once. */
static ssize_t part_write(struct line_file *file, const char *text, size_t size)
{
    if (file->regular)
        return write(file->descriptor, text, size);
    if (room_wait(file) < 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    return write(file->descriptor, text, size < PIPE_BUF ? size : PIPE_BUF);
}

static void buffer_write(struct line_file *file)
{
    size_t done = 0;

    while (done < file->used) {
        ssize_t n = part_write(file, file->buffer + done, file->used - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    if (done < file->used)
        write_failed(file, done, -errno);
    else
        file->written += file->lines;
    file->used = 0;
    file->lines = 0;
}

char *line_file_room(struct line_file *file, size_t size)
{
    if (size > sizeof file->buffer - file->used)
        buffer_write(file);
    return file->buffer + file->used;
}

void line_file_added(struct line_file *file, size_t size)
{
    file->used += size;
    file->lines++;
}

int line_file_flush(struct line_file *file, uint64_t *written, uint64_t *lost, struct error *err)
{
    int r;

    buffer_write(file);
    *written = file->written;
    *lost = file->lost;
    r = file->failure.code;
    if (r < 0 && err != NULL)
        *err = file->failure;
    file->written = 0;
    file->lost = 0;
    file->failure.code = 0;
    return r;
}

void line_file_wait_until(struct line_file *file, const atomic_int_least64_t *deadline)
{
    file->deadline = deadline;
}

uint64_t line_file_size(const struct line_file *file)
{
    struct stat status;

    return fstat(file->descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
}

bool line_file_is(const struct line_file *file, const struct stat *status)
{
    struct stat own;

    return fstat(file->descriptor, &own) == 0 && own.st_dev == status->st_dev && own.st_ino == status->st_ino;
}

int line_file_close(struct line_file *file, struct error *err)
{
    int r = 0;

    if (file == NULL)
        return 0;
    if (file->owned && close(file->descriptor) < 0)
        r = error_set(err, -EIO, "%s: %s", file->name, strerror(errno));
    free(file);
    return r;
}

/* joy_lines.c - golden test: every line of Joy's, read and written again, is the same text.
 *
 * usage: joy_lines FOLDER
 *
 * Looks into the folders below FOLDER too. `probable_os` is not kept in a record and taken out before.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowtrack/record_json.h"
#include "flowtrack/text_source.h"
#include "tests/archives.h"

enum {
    SKIP = 77,
    ARCHIVE_MAX = 8 * 1024 * 1024, /* octets of text */
    FAILURES_SHOWN = 5,
};

static unsigned long n_files, n_records, n_headers, n_failures;
static char text[ARCHIVE_MAX + 1];

static void wrong(const char *path, const char *line, const char *reason)
{
    if (n_failures++ < FAILURES_SHOWN)
        printf("%s: %s\n    %s\n", path, reason, line);
}

/* Take the member `probable_os` out of a line. */
static void remove_guess(char *line)
{
    char *begin = strstr(line, ",\"probable_os\":{");
    char *end = begin != NULL ? strchr(begin, '}') : NULL;

    if (end != NULL)
        memmove(begin, end + 1, strlen(end + 1) + 1);
}

static void check_line(const char *path, char *line)
{
    static char written[RECORD_JSON_MAX];
    struct record record;
    struct error err;
    unsigned cut;
    size_t length;
    int kind = record_json_read(&record, line, strlen(line), &cut, &err);

    if (kind == RECORD_JSON_HEADER) {
        n_headers++;
        return;
    }
    if (kind < 0) {
        wrong(path, line, err.text);
        return;
    }
    n_records++;
    remove_guess(line);
    length = record_json_write(written, &record);
    if (length != strlen(line) + 1 || memcmp(line, written, length - 1) != 0)
        wrong(path, line, "written otherwise");
}

static bool read_archive(const char *path)
{
    struct text_source *source;
    struct error err;
    size_t length = 0;
    ssize_t n = 0;

    if (text_source_open(&source, path, &err) != 0)
        return false;
    while (length < ARCHIVE_MAX &&
           (n = text_source_read(source, text + length, ARCHIVE_MAX - length, &err)) > 0)
        length += (size_t)n;
    text_source_close(source);
    text[length] = '\0';
    return n == 0;
}

static void check_archive(const char *path)
{
    char *line = text, *newline;

    n_files++;
    if (!read_archive(path)) {
        wrong(path, "", "cannot be read");
        return;
    }
    for (; (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
        *newline = '\0';
        check_line(path, line);
    }
    if (*line != '\0')
        wrong(path, line, "no newline at the end");
}

int main(int argc, char *argv[])
{
    if (argc != 2 || access(argv[1], R_OK) != 0) {
        printf("skipped: no folder with Joy's archives\n");
        return SKIP;
    }
    archives_each(argv[1], check_archive);
    printf("%lu archives, %lu headers, %lu records, %lu failures\n", n_files, n_headers, n_records,
           n_failures);
    return n_failures == 0 && n_records > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* archive_reader.c
 *
 * `text` holds what is read from the source and not yet handed out, [begin, end), without a newline before
 * `searched`. When no newline is left the rest moves to the front and more text is read behind it. A rest
 * that fills the buffer is an overlong line: it is dropped, up to its newline.
 *
 * An error of the source (damaged gzip data, a file that ends too early) also cuts the line it falls into.
 * It is kept in `trouble` and reported behind the lines in front of it, and stands for the cut line too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowtrack/archive.h"
#include "flowtrack/record_json.h"
#include "flowtrack/text_source.h"

enum {
    LINE_OCTETS_MAX = 1024 * 1024, /* the tls and http features of Joy make long lines */
    TEXT_STEP = 128 * 1024,        /* read at once, so that a line is parsed while it is in the cache */
    TEXT_MAX = LINE_OCTETS_MAX + TEXT_STEP,
    BYTE_ORDER_MARK_OCTETS = 3,
};

/* Some editors put it in front of the first line (RFC 8259 section 8.1). */
static const char byte_order_mark[] = "\xef\xbb\xbf";

struct archive_reader {
    const char *path;
    struct text_source *source;
    struct archive_reader_stats stats;
    uint64_t line;
    size_t begin, searched, end;
    bool overlong;        /* inside a line that is being dropped */
    bool at_end;          /* the source has no more */
    struct error trouble; /* code 0: none */
    char text[TEXT_MAX];
};

int archive_reader_open(struct archive_reader **readerp, const char *path, struct error *err)
{
    struct archive_reader *reader = malloc(sizeof *reader);
    int rc;

    if (reader == NULL)
        return error_set(err, -ENOMEM, "%s: no memory to read", path);
    memset(reader, 0, offsetof(struct archive_reader, text));
    reader->path = path;
    rc = text_source_open(&reader->source, path, err);
    if (rc != 0) {
        free(reader);
        return rc;
    }
    *readerp = reader;
    return 0;
}

void archive_reader_close(struct archive_reader *reader)
{
    if (reader == NULL)
        return;
    text_source_close(reader->source);
    free(reader);
}

const struct archive_reader_stats *archive_reader_stats(const struct archive_reader *reader)
{
    return &reader->stats;
}

/* Move the rest to the front and read behind it. */
static void fill(struct archive_reader *reader)
{
    size_t rest = reader->end - reader->begin;
    ssize_t n;

    if (rest >= LINE_OCTETS_MAX) {
        reader->overlong = true;
        rest = 0;
    }
    memmove(reader->text, reader->text + reader->end - rest, rest);
    reader->begin = 0;
    reader->searched = rest;
    reader->end = rest;
    n = text_source_read(reader->source, reader->text + rest, TEXT_STEP, &reader->trouble);
    if (n > 0) {
        reader->end += (size_t)n;
        reader->stats.octets += (uint64_t)n;
    } else if (n == 0) {
        reader->at_end = true;
    }
}

/* Find the next line. It is without its newline; `whole` tells whether it had one.
 *
 * Return: false: no line is left in front of the trouble or the end.
 */
static bool next_line(struct archive_reader *reader, const char **linep, size_t *lengthp, bool *whole)
{
    char *newline;

    while ((newline = memchr(reader->text + reader->searched, '\n', reader->end - reader->searched)) ==
           NULL) {
        reader->searched = reader->end;
        if (reader->at_end || reader->trouble.code != 0)
            break;
        fill(reader);
    }
    if (newline == NULL && reader->begin == reader->end && !reader->overlong)
        return false;
    *linep = reader->text + reader->begin;
    *lengthp = (newline != NULL ? (size_t)(newline - reader->text) : reader->end) - reader->begin;
    *whole = newline != NULL;
    reader->begin = reader->searched = newline != NULL ? reader->begin + *lengthp + 1 : reader->end;
    reader->line++;
    if (reader->line == 1 && *lengthp >= BYTE_ORDER_MARK_OCTETS &&
        memcmp(*linep, byte_order_mark, BYTE_ORDER_MARK_OCTETS) == 0) {
        *linep += BYTE_ORDER_MARK_OCTETS;
        *lengthp -= BYTE_ORDER_MARK_OCTETS;
    }
    return true;
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* Return: as archive_reader_next(), 0: no record, nothing wrong. */
static int read_line(struct archive_reader *reader, const char *line, size_t length, bool whole,
                     struct record *record, struct error *err)
{
    unsigned cut = 0;
    int rc;

    if (reader->overlong) {
        reader->overlong = false;
        rc = error_set(err, -EBADMSG, "longer than %d octets", LINE_OCTETS_MAX);
    } else if (is_blank(line, length)) {
        return 0;
    } else {
        rc = record_json_read(record, line, length, &cut, err);
    }
    reader->stats.lines++;
    if (rc == RECORD_JSON_RECORD) {
        reader->stats.records++;
        reader->stats.cut += cut > 0;
        return 1;
    }
    if (rc == RECORD_JSON_HEADER) {
        reader->stats.headers++;
        return 0;
    }
    reader->stats.damaged++;
    if (!whole && reader->at_end)
        reader->stats.truncated = 1;
    (void)error_prefix(err, "%s:%llu: ", reader->path, (unsigned long long)reader->line);
    return rc;
}

/* Report the trouble that the source had, once. */
static int report_trouble(struct archive_reader *reader, struct error *err)
{
    int rc = reader->trouble.code;

    if (err != NULL)
        *err = reader->trouble;
    reader->trouble.code = 0;
    reader->stats.gaps += rc == -EBADMSG;
    if (rc == -ENODATA) {
        reader->stats.truncated = 1;
        rc = -EBADMSG;
        if (err != NULL)
            err->code = rc;
    }
    return rc;
}

int archive_reader_next(struct archive_reader *reader, struct record *record, struct error *err)
{
    struct error own;
    const char *line;
    size_t length;
    bool whole;
    int rc = 0;

    if (err == NULL)
        err = &own;
    while (rc == 0) {
        if (next_line(reader, &line, &length, &whole)) {
            rc = read_line(reader, line, length, whole, record, err);
            if (rc == -EBADMSG && !whole && reader->trouble.code != 0)
                return report_trouble(reader, err);
        } else if (reader->trouble.code != 0) {
            return report_trouble(reader, err);
        } else {
            return 0;
        }
    }
    return rc;
}

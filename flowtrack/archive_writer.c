/* archive_writer.c
 *
 * Lines gather in `text`. A flush packs them into one gzip member (or takes them as they are) and writes that
 * block at `offset`; only when all of it is written does the offset move on and the text start anew. A block
 * that could not be written stays packed, so trying again costs one write.
 *
 * Invariant: the octets of the file up to `offset` are whole members, or whole lines. What a failed write
 * left behind them is overwritten by the next attempt, and cut off when closing. Pipes and terminals have no
 * offset; there the part that is written is taken off the block.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "flowtrack/archive.h"
#include "flowtrack/json_put.h"
#include "flowtrack/record_json.h"

enum {
    TEXT_MAX = 256 * 1024,
    PACKED_MAX = TEXT_MAX + 1024, /* what deflate makes of it at worst, and the gzip wrapper */
    GZIP_WINDOW = 15 + 16,        /* deflateInit2(): largest window, gzip wrapper */
    GZIP_MEMORY = 8,              /* deflateInit2(): the default */
    LEVEL_DEFAULT = 4,            /* half the time of zlib's own default, for an eighth more octets */
    HEADER_TEXT_MAX = 1024,       /* octets kept of a string in the header line */
};

struct archive_writer {
    char *path;
    int fd;
    bool is_stdout;
    bool seekable;
    bool compressed;
    z_stream stream;
    struct archive_writer_stats stats; /* .octets: where the next block begins */
    size_t n_text;
    const char *block; /* to be written: in text or packed; NULL: none */
    size_t n_block;
    size_t n_written;    /* of the block */
    size_t n_block_text; /* the octets of text that it stands for */
    uint64_t n_block_records;
    char text[TEXT_MAX];
    uint8_t packed[PACKED_MAX];
};

/* One member of the header line: a string, or a number where there is none. */
struct header_row {
    const char *key;
    const char *text;
    unsigned number;
};

static char *put_header_row(char *at, const struct header_row *row)
{
    at = json_put_string(at, row->key, strlen(row->key));
    *at++ = ':';
    if (row->text == NULL)
        return json_put_unsigned(at, row->number);
    return json_put_string(at, row->text, strnlen(row->text, HEADER_TEXT_MAX));
}

/* The configuration line of Joy with our values: both directions joined, 50 packets each way, and none of the
 * features that a record does not keep. */
static char *put_header(char *at, const char *path, const struct archive_writer_options *options)
{
    const char *slash = strrchr(path, '/');
    const struct header_row rows[] = {
        {"version", "4.5.0", 0}, /* of the format */
        {"interface", options->interface != NULL ? options->interface : "none", 0},
        {"promisc", NULL, 0},
        {"output", slash != NULL ? slash + 1 : path, 0},
        {"outputdir", "none", 0},
        {"username", "none", 0},
        {"info", "flowclassd", 0},
        {"count", NULL, 0},
        {"upload", "none", 0},
        {"keyfile", "none", 0},
        {"retain", NULL, 0},
        {"bidir", NULL, 1},
        {"num_pkts", NULL, RECORD_SIDE_PACKETS_MAX},
        {"zeros", NULL, 0},
        {"retrans", NULL, 0},
        {"dist", NULL, options->byte_dist},
        {"cdist", "none", 0},
        {"entropy", NULL, options->byte_dist},
        {"hd", NULL, 0},
        {"classify", NULL, 0},
        {"idp", NULL, 0},
        {"exe", NULL, 0},
        {"anon", "none", 0},
        {"useranon", "none", 0},
        {"bpf", options->filter != NULL ? options->filter : "none", 0},
        {"verbosity", NULL, 4},
        {"threads", NULL, 1},
        {"updater", NULL, 0},
        {"wht", NULL, 0},
        {"example", NULL, 0},
        {"dns", NULL, 0},
        {"ssh", NULL, 0},
        {"tls", NULL, 0},
        {"dhcp", NULL, 0},
        {"dhcpv6", NULL, 0},
        {"http", NULL, 0},
        {"ike", NULL, 0},
        {"payload", NULL, 0},
        {"salt", NULL, 0},
        {"ppi", NULL, 0},
        {"fpx", NULL, 0},
        {"end-config", NULL, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *at++ = i == 0 ? '{' : ',';
        at = put_header_row(at, &rows[i]);
    }
    return JSON_PUT(at, "}\n");
}

/* Make a block of the whole text. */
static void pack(struct archive_writer *writer)
{
    z_stream *stream = &writer->stream;

    writer->n_block_text = writer->n_text;
    writer->n_block_records = writer->stats.waiting;
    writer->block = writer->text;
    writer->n_block = writer->n_text;
    writer->n_written = 0;
    if (!writer->compressed)
        return;
    (void)deflateReset(stream);
    stream->next_in = (unsigned char *)writer->text;
    stream->avail_in = (unsigned)writer->n_text;
    stream->next_out = writer->packed;
    stream->avail_out = sizeof writer->packed;
    (void)deflate(stream, Z_FINISH);
    writer->block = (const char *)writer->packed;
    writer->n_block = sizeof writer->packed - stream->avail_out;
}

static int write_failed(const struct archive_writer *writer, int code, struct error *err)
{
    bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;

    return error_set(err, full ? -ENOSPC : -EIO, "%s: %s", writer->path, strerror(code));
}

/* Write the block, and let go of its text. */
static int write_block(struct archive_writer *writer, struct error *err)
{
    while (writer->n_written < writer->n_block) {
        const char *from = writer->block + writer->n_written;
        size_t left = writer->n_block - writer->n_written;
        ssize_t n = writer->seekable
                        ? pwrite(writer->fd, from, left, (off_t)(writer->stats.octets + writer->n_written))
                        : write(writer->fd, from, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (writer->seekable)
                writer->n_written = 0;
            return write_failed(writer, errno, err);
        }
        writer->n_written += (size_t)n;
    }
    writer->stats.octets += writer->n_block;
    writer->stats.waiting -= writer->n_block_records;
    writer->n_text -= writer->n_block_text;
    memmove(writer->text, writer->text + writer->n_block_text, writer->n_text);
    writer->block = NULL;
    return 0;
}

int archive_writer_flush(struct archive_writer *writer, struct error *err)
{
    int rc = 0;

    while (rc == 0 && writer->n_text > 0) {
        if (writer->block == NULL)
            pack(writer);
        rc = write_block(writer, err);
    }
    return rc;
}

int archive_writer_put(struct archive_writer *writer, const struct record *record, struct error *err)
{
    size_t length;

    if (writer->n_text > TEXT_MAX - RECORD_JSON_MAX) {
        int rc = archive_writer_flush(writer, err);

        if (rc != 0) {
            writer->stats.refused++;
            return rc;
        }
    }
    length = record_json_write(writer->text + writer->n_text, record);
    writer->n_text += length;
    writer->stats.text += length;
    writer->stats.records++;
    writer->stats.waiting++;
    return 0;
}

const struct archive_writer_stats *archive_writer_stats(const struct archive_writer *writer)
{
    return &writer->stats;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n_text = strlen(text), n_end = strlen(end);

    return n_text >= n_end && strcmp(text + n_text - n_end, end) == 0;
}

static int open_file(struct archive_writer *writer, struct error *err)
{
    struct stat status;

    writer->is_stdout = strcmp(writer->path, "-") == 0;
    if (writer->is_stdout) {
        writer->fd = STDOUT_FILENO;
        return 0;
    }
    writer->compressed = ends_with(writer->path, ".gz") || ends_with(writer->path, ".gz.part");
    writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->fd < 0 || fstat(writer->fd, &status) != 0) {
        int code = errno;

        return error_set(err, -code, "%s: %s", writer->path, strerror(code));
    }
    writer->seekable = S_ISREG(status.st_mode);
    return 0;
}

static void *deflate_alloc(void *opaque, unsigned n, unsigned size)
{
    return calloc(n, size);
}

static void deflate_free(void *opaque, void *memory)
{
    free(memory);
}

static int begin(struct archive_writer *writer, const struct archive_writer_options *options,
                 struct error *err)
{
    writer->stream.zalloc = deflate_alloc;
    writer->stream.zfree = deflate_free;
    if (writer->compressed &&
        deflateInit2(&writer->stream, options->level != 0 ? options->level : LEVEL_DEFAULT, Z_DEFLATED,
                     GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        writer->compressed = false;
        return error_set(err, -ENOMEM, "%s: no memory to compress", writer->path);
    }
    writer->n_text = (size_t)(put_header(writer->text, writer->path, options) - writer->text);
    return archive_writer_flush(writer, err);
}

static void release(struct archive_writer *writer)
{
    if (writer->compressed)
        (void)deflateEnd(&writer->stream);
    if (writer->fd >= 0 && !writer->is_stdout)
        (void)close(writer->fd);
    free(writer->path);
    free(writer);
}

int archive_writer_open(struct archive_writer **writerp, const char *path,
                        const struct archive_writer_options *options, struct error *err)
{
    static const struct archive_writer_options defaults;
    struct archive_writer *writer = malloc(sizeof *writer);
    int rc;

    if (writer == NULL)
        return error_set(err, -ENOMEM, "%s: no memory to write", path);
    memset(writer, 0, offsetof(struct archive_writer, text));
    writer->fd = -1;
    writer->path = strdup(path);
    if (writer->path == NULL)
        rc = error_set(err, -ENOMEM, "%s: no memory to write", path);
    else
        rc = open_file(writer, err);
    if (rc == 0)
        rc = begin(writer, options != NULL ? options : &defaults, err);
    if (rc != 0) {
        release(writer);
        return rc;
    }
    *writerp = writer;
    return 0;
}

int archive_writer_close(struct archive_writer *writer, struct error *err)
{
    int rc;

    if (writer == NULL)
        return 0;
    rc = archive_writer_flush(writer, err);
    if (rc != 0 && writer->seekable)
        (void)ftruncate(writer->fd, (off_t)writer->stats.octets);
    if (rc == 0 && writer->seekable && fsync(writer->fd) != 0)
        rc = write_failed(writer, errno, err);
    release(writer);
    return rc;
}

/* text_source.c
 *
 * `state` says what the next unused octet of input is part of. An error found while there is text to return
 * is not kept: the call returns the text, the stream stays where it is, and the next call meets the error
 * again.
 */
#include "flowtrack/text_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    INPUT_MAX = 128 * 1024,
    GZIP_WINDOW = 15 + 16, /* inflateInit2(): largest window, gzip wrapper */
    GZIP_MAGIC_0 = 0x1f,
    GZIP_MAGIC_1 = 0x8b,
    GZIP_DEFLATE = 8,
    GZIP_HEAD = 4,        /* octets looked at to find a member: magic, method, flags */
    GZIP_RESERVED = 0xe0, /* flags that have to be 0 */
};

enum state {
    STATE_PLAIN,
    STATE_MEMBER,  /* inside a gzip member */
    STATE_BETWEEN, /* behind one */
    STATE_LOST,    /* behind damage: looking for the next one */
    STATE_END,
};

struct text_source {
    const char *path;
    int fd;
    enum state state;
    bool end_of_file; /* no input beyond what is in `stream` */
    bool has_inflate;
    bool is_stdin;
    int rc_inflate;  /* of the last call in this member */
    z_stream stream; /* next_in, avail_in: the unused input, of a plain file too */
    uint8_t input[INPUT_MAX];
};

/* Get more input behind what is unused; that is less than a gzip head, or nothing.
 *
 * Return: 0 (perhaps end_of_file), -EIO.
 */
static int more_input(struct text_source *source, struct error *err)
{
    z_stream *stream = &source->stream;
    ssize_t n;

    memmove(source->input, stream->next_in, stream->avail_in);
    stream->next_in = source->input;
    do
        n = read(source->fd, source->input + stream->avail_in, sizeof source->input - stream->avail_in);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        source->state = STATE_END;
        return error_set(err, -EIO, "%s: %s", source->path, strerror(errno));
    }
    source->end_of_file = n == 0;
    stream->avail_in += (unsigned)n;
    return 0;
}

/* Have `n` octets of input, or all that is left. */
static int want_input(struct text_source *source, unsigned n, struct error *err)
{
    int rc = 0;

    while (rc == 0 && source->stream.avail_in < n && !source->end_of_file)
        rc = more_input(source, err);
    return rc;
}

static bool at_member(const struct text_source *source)
{
    const uint8_t *head = source->stream.next_in;

    return source->stream.avail_in >= GZIP_HEAD && head[0] == GZIP_MAGIC_0 && head[1] == GZIP_MAGIC_1 &&
           head[2] == GZIP_DEFLATE && (head[3] & GZIP_RESERVED) == 0;
}

static int damaged(struct text_source *source, const char *reason, struct error *err)
{
    source->state = STATE_LOST;
    return error_set(err, -EBADMSG, "%s: damaged gzip data (%s)", source->path, reason);
}

static int truncated(struct text_source *source, struct error *err)
{
    source->state = STATE_END;
    return error_set(err, -ENODATA, "%s: the file ends inside its gzip data", source->path);
}

static ssize_t read_plain(struct text_source *source, char *buffer, size_t room, struct error *err)
{
    z_stream *stream = &source->stream;
    size_t n;
    int rc = want_input(source, 1, err);

    if (rc != 0)
        return rc;
    n = stream->avail_in < room ? stream->avail_in : room;
    memcpy(buffer, stream->next_in, n);
    stream->next_in += n;
    stream->avail_in -= (unsigned)n;
    if (n == 0)
        source->state = STATE_END;
    return (ssize_t)n;
}

/* Inflate until the buffer is full, the member ends, or something is wrong. */
static ssize_t read_member(struct text_source *source, char *buffer, size_t room, struct error *err)
{
    z_stream *stream = &source->stream;
    unsigned asked = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    int rc_input = 0, rc = source->rc_inflate;
    bool at_end;

    stream->next_out = (unsigned char *)buffer;
    stream->avail_out = asked;
    while (rc == Z_OK && stream->avail_out > 0) {
        rc_input = want_input(source, 1, err);
        if (rc_input != 0)
            break;
        rc = inflate(stream, Z_NO_FLUSH); /* without input: what it still holds */
    }
    at_end = rc == Z_BUF_ERROR;
    source->rc_inflate = at_end ? Z_OK : rc;
    if (rc == Z_STREAM_END)
        source->state = STATE_BETWEEN;
    if (stream->avail_out < asked || rc == Z_STREAM_END)
        return asked - stream->avail_out;
    if (rc_input != 0)
        return rc_input;
    if (rc == Z_MEM_ERROR) {
        source->state = STATE_END;
        return error_set(err, -ENOMEM, "%s: no memory to decompress", source->path);
    }
    return at_end ? truncated(source, err) : damaged(source, stream->msg != NULL ? stream->msg : "?", err);
}

static void begin_member(struct text_source *source)
{
    source->state = STATE_MEMBER;
    source->rc_inflate = Z_OK;
    (void)inflateReset(&source->stream);
}

/* What stands behind a member: the end, a further member, or zeros (padding of tapes and block devices). */
static int next_member(struct text_source *source, struct error *err)
{
    z_stream *stream = &source->stream;
    int rc = want_input(source, GZIP_HEAD, err);

    if (rc != 0)
        return rc;
    while (stream->avail_in > 0 && *stream->next_in == 0) {
        stream->next_in++;
        stream->avail_in--;
        rc = want_input(source, GZIP_HEAD, err);
        if (rc != 0)
            return rc;
    }
    if (stream->avail_in == 0) {
        source->state = STATE_END;
        return 0;
    }
    if (!at_member(source))
        return damaged(source, "no gzip member where the next one should begin", err);
    begin_member(source);
    return 0;
}

/* Pass over damage, up to what looks like the head of a member. If it is none, the next call is back here. */
static int find_member(struct text_source *source, struct error *err)
{
    z_stream *stream = &source->stream;
    int rc = want_input(source, GZIP_HEAD, err);

    while (rc == 0 && stream->avail_in >= GZIP_HEAD && !at_member(source)) {
        stream->next_in++;
        stream->avail_in--;
        rc = want_input(source, GZIP_HEAD, err);
    }
    if (rc != 0)
        return rc;
    if (at_member(source))
        begin_member(source);
    else
        source->state = STATE_END;
    return 0;
}

ssize_t text_source_read(struct text_source *source, char *buffer, size_t room, struct error *err)
{
    ssize_t n = 0;

    while (n == 0 && source->state != STATE_END) {
        switch (source->state) {
        case STATE_PLAIN:
            n = read_plain(source, buffer, room, err);
            break;
        case STATE_MEMBER:
            n = read_member(source, buffer, room, err);
            break;
        case STATE_BETWEEN:
            n = next_member(source, err);
            break;
        default:
            n = find_member(source, err);
            break;
        }
    }
    return n;
}

static void *inflate_alloc(void *opaque, unsigned n, unsigned size)
{
    return calloc(n, size);
}

static void inflate_free(void *opaque, void *memory)
{
    free(memory);
}

/* Look at the first octets to see what the file is. */
static int recognise(struct text_source *source, struct error *err)
{
    int rc = want_input(source, GZIP_HEAD, err);

    if (rc != 0)
        return rc;
    source->state = STATE_PLAIN;
    if (!at_member(source))
        return 0;
    source->stream.zalloc = inflate_alloc;
    source->stream.zfree = inflate_free;
    if (inflateInit2(&source->stream, GZIP_WINDOW) != Z_OK)
        return error_set(err, -ENOMEM, "%s: no memory to decompress", source->path);
    source->has_inflate = true;
    begin_member(source);
    return 0;
}

static int open_file(struct text_source *source, struct error *err)
{
    struct stat status;
    int code = 0;

    source->is_stdin = strcmp(source->path, "-") == 0;
    source->fd = source->is_stdin ? STDIN_FILENO : open(source->path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 || fstat(source->fd, &status) != 0)
        code = errno;
    else if (S_ISDIR(status.st_mode))
        code = EISDIR;
    return code == 0 ? 0 : error_set(err, -code, "%s: %s", source->path, strerror(code));
}

int text_source_open(struct text_source **sourcep, const char *path, struct error *err)
{
    struct text_source *source = malloc(sizeof *source);
    int rc;

    if (source == NULL)
        return error_set(err, -ENOMEM, "%s: no memory to read", path);
    memset(source, 0, offsetof(struct text_source, input));
    source->path = path;
    source->stream.next_in = source->input;
    rc = open_file(source, err);
    if (rc == 0)
        rc = recognise(source, err);
    if (rc != 0) {
        text_source_close(source);
        return rc;
    }
    *sourcep = source;
    return 0;
}

void text_source_close(struct text_source *source)
{
    if (source == NULL)
        return;
    if (source->has_inflate)
        (void)inflateEnd(&source->stream);
    if (source->fd >= 0 && !source->is_stdin)
        (void)close(source->fd);
    free(source);
}

/* capture_stream.c - a stream that mends interface blocks.
 *
 * To know an interface block one has to stand where libpcap stands, in damaged files too. libpcap reads 8
 * octets, type and length of a block; if the length is sound it reads the rest, else it takes the next 8
 * octets for the head of a block. Here the same is done one step ahead, and made certain: a length that we
 * hold for unsound (or would not wait for) is replaced by 0, which no libpcap takes.
 *
 * What is read ahead of libpcap ends before an interface block, and after it, so that its damage is known
 * neither before nor after libpcap comes to it.
 *
 * Source: draft-ietf-opsawg-pcapng sections 3.1, 3.5, 4.1 and 4.2.
 */
#include "flowtrack/capture_stream.h"

#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowtrack/bytes.h"
#include "flowtrack/capture_interfaces.h"

enum {
    READ_AHEAD = 256 * 1024,
    BLOCK_HEAD = 8,
    BLOCK_TRAILER = 4,
    BLOCK_MIN = 12,
    BLOCK_MAX = 16 * 1024 * 1024,
    INTERFACE_HEAD = 8, /* link type, reserved, snap length */
};

struct capture_stream {
    FILE *file;
    int fd;
    bool pcapng;
    bool big_endian;
    bool mend;
    bool join; /* interfaces */
    struct capture_interfaces interfaces;
    const char *damage;
    uint64_t position;
    size_t start; /* of what is left of `ahead` */
    size_t end;
    size_t passing; /* octets to hand on before the next head */
    uint8_t ahead[READ_AHEAD];
    char buffer[READ_AHEAD]; /* of `file` */
};

/* ---- options ---- */

struct option_check {
    struct bytes options;
    bool big_endian;
    bool has_resolution;
    bool has_offset;
    bool ended;
};

static uint16_t read_16(struct option_check *check, size_t offset)
{
    return check->big_endian ? bytes_be16_at(&check->options, offset)
                             : bytes_le16_at(&check->options, offset);
}

static const char *check_resolution(struct option_check *check, uint16_t length)
{
    enum { BINARY = 0x80, BINARY_MAX = 63, DECIMAL_MAX = 19 };
    uint8_t value = bytes_u8_at(&check->options, 0);

    if (length != 1)
        return "time resolution option of wrong length";
    if (check->has_resolution)
        return "time resolution given twice";
    check->has_resolution = true;
    if ((value & BINARY) ? (value & ~BINARY) > BINARY_MAX : value > DECIMAL_MAX)
        return "time resolution too fine";
    return NULL;
}

static const char *check_offset(struct option_check *check, uint16_t length)
{
    if (length != 8)
        return "time offset option of wrong length";
    if (check->has_offset)
        return "time offset given twice";
    check->has_offset = true;
    return NULL;
}

static const char *check_option(struct option_check *check)
{
    enum { END = 0, TIME_RESOLUTION = 9, TIME_OFFSET = 14 };
    uint16_t code = read_16(check, 0);
    uint16_t length = read_16(check, 2);
    size_t padded = (length + 3u) / 4 * 4;
    const char *wrong = NULL;

    bytes_skip(&check->options, 4);
    if (check->options.failed || !bytes_have(&check->options, 0, padded))
        return "option cut short";
    if (code == END) {
        wrong = length != 0 ? "end of options with a length" : NULL;
        check->ended = true;
    } else if (code == TIME_RESOLUTION) {
        wrong = check_resolution(check, length);
    } else if (code == TIME_OFFSET) {
        wrong = check_offset(check, length);
    }
    bytes_skip(&check->options, padded);
    return wrong;
}

/* What libpcap would refuse in the options of an interface block; NULL: nothing. */
static const char *check_options(const uint8_t *body, size_t length, bool big_endian)
{
    struct option_check check = {.options = bytes_over(body, length - BLOCK_TRAILER),
                                 .big_endian = big_endian};
    const char *wrong = NULL;

    bytes_skip(&check.options, INTERFACE_HEAD);
    while (!wrong && !check.ended && check.options.left > 0)
        wrong = check_option(&check);
    return wrong;
}

/* ---- blocks ---- */

/* Read on until `wanted` octets are at hand; fewer at the end of the file. Return: how many, -1 on error. */
static ssize_t have_ahead(struct capture_stream *stream, size_t wanted)
{
    if (stream->start > 0 && stream->start + wanted > READ_AHEAD) {
        memmove(stream->ahead, stream->ahead + stream->start, stream->end - stream->start);
        stream->end -= stream->start;
        stream->start = 0;
    }
    while (stream->end - stream->start < wanted) {
        ssize_t got = read(stream->fd, stream->ahead + stream->end, READ_AHEAD - stream->end);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        stream->end += (size_t)got;
    }
    return (ssize_t)(stream->end - stream->start);
}

static uint32_t number_at(const struct capture_stream *stream, size_t offset)
{
    struct bytes ahead = bytes_over(stream->ahead + stream->start, stream->end - stream->start);

    return stream->big_endian ? bytes_be32_at(&ahead, offset) : bytes_le32_at(&ahead, offset);
}

static void mend(struct capture_stream *stream, size_t length)
{
    uint8_t *body = stream->ahead + stream->start + BLOCK_HEAD;
    const char *wrong = check_options(body, length - BLOCK_HEAD, stream->big_endian);

    if (!wrong)
        return;
    stream->damage = wrong;
    /* Options that are all zeros begin with the end of options. */
    memset(body + INTERFACE_HEAD, 0, length - BLOCK_HEAD - INTERFACE_HEAD - BLOCK_TRAILER);
}

/* Join the interfaces, as far as a block has to do with them. */
static void join(struct capture_stream *stream, uint32_t type, size_t length)
{
    bool whole = type == CAPTURE_BLOCK_INTERFACE || type == CAPTURE_BLOCK_SECTION;
    size_t wanted = whole ? length : BLOCK_MIN;
    const char *news = NULL;

    if (wanted <= READ_AHEAD && have_ahead(stream, wanted) >= (ssize_t)wanted)
        news = capture_interfaces_pass(&stream->interfaces, stream->ahead + stream->start, length);
    if (news)
        stream->damage = news;
}

/* Look at the head that comes next and say in `passing` how much goes with it.
 *
 * alone: set if the block must neither follow nor be followed by another one in what is handed on.
 * Return: 0, -1 the file cannot be read.
 */
static int begin_block(struct capture_stream *stream, bool *alone)
{
    ssize_t have = have_ahead(stream, BLOCK_HEAD);
    uint32_t type = number_at(stream, 0);
    bool interface = type == CAPTURE_BLOCK_INTERFACE;
    size_t length = number_at(stream, 4);

    *alone = !stream->mend;
    stream->passing = have < BLOCK_HEAD ? (size_t)(have > 0 ? have : 0) : BLOCK_HEAD;
    if (have < BLOCK_HEAD)
        return have < 0 ? -1 : 0;
    if (length < BLOCK_MIN || length > BLOCK_MAX || length % 4 != 0 || (interface && length > READ_AHEAD)) {
        memset(stream->ahead + stream->start + 4, 0, 4);
        return 0;
    }
    stream->passing = length;
    if (stream->join)
        join(stream, type, length);
    if (interface && length >= BLOCK_HEAD + INTERFACE_HEAD + BLOCK_TRAILER) {
        *alone = true;
        if (stream->mend && have_ahead(stream, length) >= (ssize_t)length)
            mend(stream, length);
    }
    return 0;
}

/* Hand on octets of the block in hand. Return: how many, -1 on error. */
static ssize_t pass_on(struct capture_stream *stream, char *to, size_t room)
{
    ssize_t have = have_ahead(stream, 1);
    size_t length = stream->passing < room ? stream->passing : room;

    if (have <= 0)
        return have;
    if (length > (size_t)have)
        length = (size_t)have;
    memcpy(to, stream->ahead + stream->start, length);
    stream->start += length;
    stream->passing -= length;
    stream->position += length;
    return (ssize_t)length;
}

/* Whether what was handed on has to be gone before more is. A pipe may be silent for long; and mending waits
 * until what comes before is gone, so that an interface is looked at once only. */
static bool must_go_first(const struct capture_stream *stream)
{
    size_t at_hand = stream->end - stream->start;

    if (stream->passing > 0)
        return at_hand == 0;
    return at_hand < BLOCK_MIN || number_at(stream, 0) == CAPTURE_BLOCK_INTERFACE;
}

static ssize_t read_blocks(struct capture_stream *stream, char *to, size_t room)
{
    size_t done = 0;
    bool alone = false;

    while (done < room && !(alone && stream->passing == 0)) {
        ssize_t got;

        if (done > 0 && must_go_first(stream))
            break;
        if (stream->passing == 0 && begin_block(stream, &alone) < 0)
            return -1;
        got = pass_on(stream, to + done, room - done);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* ---- stream ---- */

static ssize_t stream_read(void *cookie, char *to, size_t room)
{
    struct capture_stream *stream = cookie;
    ssize_t got;

    if (stream->pcapng)
        return read_blocks(stream, to, room);
    if (stream->end > stream->start) {
        stream->passing = room;
        return pass_on(stream, to, room);
    }
    do
        got = read(stream->fd, to, room);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        stream->position += (uint64_t)got;
    return got;
}

static int stream_close(void *cookie)
{
    struct capture_stream *stream = cookie;

    return close(stream->fd);
}

/* Find out whether this is a pcapng file, and its byte order. The first block is handed on whatever its
 * length: libpcap opens the file by it, or refuses to. */
static void look_at_first_block(struct capture_stream *stream)
{
    enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d };

    if (have_ahead(stream, 12) < 12 || number_at(stream, 0) != CAPTURE_BLOCK_SECTION)
        return;
    stream->pcapng = true;
    stream->big_endian = number_at(stream, 8) != BYTE_ORDER_MAGIC;
    stream->interfaces.big_endian = stream->big_endian;
    stream->passing = number_at(stream, 4);
}

int capture_stream_new(struct capture_stream **streamp, int fd, bool join)
{
    static const cookie_io_functions_t functions = {.read = stream_read, .close = stream_close};
    struct capture_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return -ENOMEM;
    stream->fd = fd;
    stream->join = join;
    stream->file = fopencookie(stream, "rb", functions);
    if (!stream->file) {
        free(stream);
        return -ENOMEM;
    }
    (void)setvbuf(stream->file, stream->buffer, _IOFBF, sizeof stream->buffer);
    (void)__fsetlocking(stream->file, FSETLOCKING_BYCALLER);
    look_at_first_block(stream);
    *streamp = stream;
    return 0;
}

void capture_stream_free(struct capture_stream *stream)
{
    free(stream);
}

FILE *capture_stream_file(struct capture_stream *stream)
{
    return stream->file;
}

void capture_stream_mend(struct capture_stream *stream)
{
    stream->mend = stream->pcapng;
}

const char *capture_stream_damage(struct capture_stream *stream)
{
    const char *damage = stream->damage;

    stream->damage = NULL;
    return damage;
}

uint64_t capture_stream_position(const struct capture_stream *stream)
{
    return stream->position;
}

uint64_t capture_stream_left_out(struct capture_stream *stream)
{
    uint64_t left_out = stream->interfaces.left_out;

    stream->interfaces.left_out = 0;
    return left_out;
}

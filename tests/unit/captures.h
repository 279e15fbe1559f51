/* captures.h - capture files made field by field, and what is read from them, in words. */
#ifndef TESTS_UNIT_CAPTURES_H
#define TESTS_UNIT_CAPTURES_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowtrack/capture.h"
#include "tests/unit/octets.h"

enum { ETHERNET = 1, RAW = 101, SNAP = 1000 };

/* ---- pcapng ---- */

static inline size_t block_begin(struct octets *file, uint32_t type)
{
    octets_u32(file, type);
    octets_u32(file, 0);
    return file->length - 8;
}

static inline void block_end(struct octets *file, size_t at)
{
    uint32_t length = (uint32_t)(file->length - at) + 4;

    octets_u32(file, length);
    octets_set(file, at + 4, length, 4);
}

static inline void section(struct octets *file)
{
    size_t at = block_begin(file, 0x0a0d0d0a);

    octets_u32(file, 0x1a2b3c4d);
    octets_u16(file, 1);
    octets_u16(file, 0);
    octets_number(file, UINT64_MAX, 8);
    block_end(file, at);
}

/* options: (length), as they stand in the block. */
static inline void interface(struct octets *file, uint16_t link, const void *options, size_t length)
{
    size_t at = block_begin(file, 1);

    octets_u16(file, link);
    octets_u16(file, 0);
    octets_u32(file, SNAP);
    octets_put(file, options, length);
    block_end(file, at);
}

static inline void enhanced(struct octets *file, uint32_t number, uint64_t time, uint32_t captured)
{
    size_t at = block_begin(file, 6);

    octets_u32(file, number);
    octets_u32(file, (uint32_t)(time >> 32));
    octets_u32(file, (uint32_t)time);
    octets_u32(file, captured);
    octets_u32(file, captured);
    octets_fill(file, 0x55, (captured + 3) / 4 * 4);
    block_end(file, at);
}

/* A section, an interface, a packet. */
static inline void ng_plain(struct octets *file)
{
    file->little = true;
    section(file);
    interface(file, ETHERNET, NULL, 0);
    enhanced(file, 0, 7999999, 61);
}

/* ---- reading ---- */

/* Return: the path of a temporary file, valid until the next call. */
static inline const char *write_file(const struct octets *file)
{
    static char path[] = "/tmp/test_capture.XXXXXX";
    int fd;

    strcpy(path + sizeof path - 7, "XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, file->bytes, file->length), (ssize_t)file->length);
    close(fd);
    return path;
}

/* What a capture holds: SECONDS.MICROSECONDS/CAPTURED/WIRE for a packet, "!" for an error. */
static inline const char *read_all(struct capture *capture)
{
    static char words[1024];
    size_t length = 0;
    struct capture_packet packet;
    struct error err = {0};
    int result;

    words[0] = '\0';
    while ((result = capture_next(capture, &packet, &err)) != 0 && length < sizeof words - 100) {
        int64_t seconds = packet.time / 1000000 - (packet.time % 1000000 < 0);

        if (result == -EBADMSG) {
            length += (size_t)sprintf(words + length, "! ");
            ck_assert_int_eq(err.code, -EBADMSG);
            ck_assert_str_ne(err.text, "");
            err = (struct error){0};
            continue;
        }
        ck_assert_int_eq(result, 1);
        length += (size_t)sprintf(words + length, "%lld.%06lld/%u/%u ", (long long)seconds,
                                  (long long)(packet.time - seconds * 1000000), packet.captured, packet.wire);
    }
    if (length > 0)
        words[length - 1] = '\0';
    return words;
}

#endif

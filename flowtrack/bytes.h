/* bytes.h - a cursor over octets from the network, with a sticky error.
 *
 * The only place below that does arithmetic on pointers into a frame. A read behind the end gives 0 for the
 * octets that are not there and sets `failed`, which stays; so a decoder reads what it wants and asks once.
 * Under the joy rules the zeros themselves are wanted (joy-records section 12, item 15) and nobody asks.
 *
 * Offsets count from the current position. Multi-octet readers go through memcpy: no alignment is assumed.
 */
#ifndef FLOWTRACK_BYTES_H
#define FLOWTRACK_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at; /* current position */
    size_t left;       /* octets from here to the end */
    bool failed;       /* a read or a skip went behind the end */
};

static inline struct bytes bytes_over(const uint8_t *data, size_t length)
{
    return (struct bytes){.at = data, .left = length};
}

/* Whether `length` octets stand at `offset`. */
static inline bool bytes_have(const struct bytes *bytes, size_t offset, size_t length)
{
    return offset <= bytes->left && length <= bytes->left - offset;
}

/* Copy octets; those behind the end are 0 and an error.
 *
 * to: (length).
 */
static inline void bytes_copy_at(struct bytes *bytes, size_t offset, void *to, size_t length)
{
    if (__builtin_expect(bytes_have(bytes, offset, length), 1)) {
        memcpy(to, bytes->at + offset, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)to)[i] = bytes_have(bytes, offset, i + 1) ? bytes->at[offset + i] : 0;
    bytes->failed = true;
}

static inline uint8_t bytes_u8_at(struct bytes *bytes, size_t offset)
{
    uint8_t value;

    bytes_copy_at(bytes, offset, &value, sizeof value);
    return value;
}

static inline uint16_t bytes_be16_at(struct bytes *bytes, size_t offset)
{
    uint16_t value;

    bytes_copy_at(bytes, offset, &value, sizeof value);
    return be16toh(value);
}

static inline uint32_t bytes_be32_at(struct bytes *bytes, size_t offset)
{
    uint32_t value;

    bytes_copy_at(bytes, offset, &value, sizeof value);
    return be32toh(value);
}

static inline uint16_t bytes_le16_at(struct bytes *bytes, size_t offset)
{
    uint16_t value;

    bytes_copy_at(bytes, offset, &value, sizeof value);
    return le16toh(value);
}

static inline uint32_t bytes_le32_at(struct bytes *bytes, size_t offset)
{
    uint32_t value;

    bytes_copy_at(bytes, offset, &value, sizeof value);
    return le32toh(value);
}

/* Move the position on. Behind the end nothing is left, and that is an error. */
static inline void bytes_skip(struct bytes *bytes, size_t length)
{
    if (__builtin_expect(length > bytes->left, 0)) {
        bytes->failed = true;
        length = bytes->left;
    }
    bytes->at += length;
    bytes->left -= length;
}

#endif

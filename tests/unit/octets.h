/* octets.h - a growing block of octets, for tests that write packets and files field by field. */
#ifndef TESTS_UNIT_OCTETS_H
#define TESTS_UNIT_OCTETS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OCTETS_MAX = 400000 };

struct octets {
    bool little; /* byte order of the numbers put */
    size_t length;
    uint8_t bytes[OCTETS_MAX];
};

static inline void octets_number(struct octets *octets, uint64_t value, unsigned size)
{
    ck_assert_uint_le(octets->length + size, OCTETS_MAX);
    for (unsigned i = 0; i < size; i++)
        octets->bytes[octets->length++] = (uint8_t)(value >> 8 * (octets->little ? i : size - 1 - i));
}

static inline void octets_u8(struct octets *octets, uint8_t value)
{
    octets_number(octets, value, 1);
}

static inline void octets_u16(struct octets *octets, uint16_t value)
{
    octets_number(octets, value, 2);
}

static inline void octets_u32(struct octets *octets, uint32_t value)
{
    octets_number(octets, value, 4);
}

static inline void octets_fill(struct octets *octets, uint8_t value, size_t length)
{
    ck_assert_uint_le(octets->length + length, OCTETS_MAX);
    memset(octets->bytes + octets->length, value, length);
    octets->length += length;
}

static inline void octets_put(struct octets *octets, const void *bytes, size_t length)
{
    ck_assert_uint_le(octets->length + length, OCTETS_MAX);
    if (length > 0)
        memcpy(octets->bytes + octets->length, bytes, length);
    octets->length += length;
}

/* Overwrite a number that was put at `at`. */
static inline void octets_set(struct octets *octets, size_t at, uint64_t value, unsigned size)
{
    size_t length = octets->length;

    octets->length = at;
    octets_number(octets, value, size);
    octets->length = length;
}

#endif

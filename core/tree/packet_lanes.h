/* packet_lanes.h - packets of a list side by side in vector lanes. */
#ifndef CORE_TREE_PACKET_LANES_H
#define CORE_TREE_PACKET_LANES_H

#include <stddef.h>
#include <string.h>

#include "core/vector_lanes.h"
#include "flowtrack/record.h"

/* A packet is two words: its time, and its octets with its direction. */
_Static_assert(sizeof(struct record_packet) == 8 && offsetof(struct record_packet, bytes) == 4 &&
                   offsetof(struct record_packet, out) == 6,
               "packet_lanes.h takes a packet apart by these places");

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { PACKET_BYTES_SHIFT = 0, PACKET_OUT_SHIFT = 16 };
#else
enum { PACKET_BYTES_SHIFT = 16, PACKET_OUT_SHIFT = 8 };
#endif

struct packet_lanes {
    vector_float ipt; /* milliseconds */
    vector_float bytes;
    vector_float out; /* 1 where it goes out, else 0 */
};

/* Load VECTOR_LANES packets. Compares are made between floats: GCC 12 takes those of integers apart. */
VECTOR_INLINE void packet_lanes_load(struct packet_lanes *lanes, const struct record_packet *packets)
{
    vector_unsigned low, high, word;

    memcpy(&low, packets, sizeof low);
    memcpy(&high, packets + VECTOR_LANES / 2, sizeof high);
    word = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    lanes->ipt = __builtin_convertvector(word, vector_float);
    word = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    lanes->bytes = __builtin_convertvector((vector_int)(word >> PACKET_BYTES_SHIFT & 0xffff), vector_float);
    word = word >> PACKET_OUT_SHIFT & 0xff;
    lanes->out =
        (vector_float)((__builtin_convertvector((vector_int)word, vector_float) > 0) & VECTOR_ONE_BITS);
}

#endif

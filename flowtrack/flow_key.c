/* flow_key.c - ordering and hashing of 5-tuples. */
#include "flowtrack/flow_key.h"

#include <endian.h>
#include <string.h>

static uint64_t load64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return be64toh(value);
}

/* -1, 0, 1 as the source end is smaller than, equal to or greater than the destination end. */
static int compare_ends(const struct flow_key *key)
{
    for (int i = 0; i < 16; i += 8) {
        uint64_t source = load64(key->source + i);
        uint64_t destination = load64(key->destination + i);

        if (source != destination)
            return source < destination ? -1 : 1;
    }
    return (key->source_port > key->destination_port) - (key->source_port < key->destination_port);
}

bool flow_key_sort(struct flow_key *key)
{
    uint8_t address[16];
    uint16_t port;

    if (compare_ends(key) <= 0)
        return false;
    memcpy(address, key->source, sizeof(address));
    memcpy(key->source, key->destination, sizeof(address));
    memcpy(key->destination, address, sizeof(address));
    port = key->source_port;
    key->source_port = key->destination_port;
    key->destination_port = port;
    return true;
}

bool flow_key_is_loop(const struct flow_key *key)
{
    return compare_ends(key) == 0;
}

/* Both halves of the 128-bit product, folded: every bit of the factors reaches every bit of the result. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t flow_key_hash(const struct flow_key *key, const uint64_t secret[2])
{
    uint64_t w[5];
    uint64_t addresses;
    uint64_t rest;

    memcpy(w, key, sizeof(w));
    addresses = fold(w[0] ^ secret[0], w[2] ^ secret[1]) + fold(w[1] ^ secret[1], w[3] ^ ~secret[0]);
    rest = w[4] ^ UINT64_C(0x9e3779b97f4a7c15);
    return fold(addresses ^ secret[0], rest ^ secret[1]);
}

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

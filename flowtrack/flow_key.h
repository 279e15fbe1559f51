/* flow_key.h - the 5-tuple that says which packets belong together. */
#ifndef FLOWTRACK_FLOW_KEY_H
#define FLOWTRACK_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct flow_key {
    uint8_t source[16]; /* network order; IPv4: the first 4 octets, the rest 0 */
    uint8_t destination[16];
    uint16_t source_port; /* host order; 0 without ports */
    uint16_t destination_port;
    uint8_t protocol;
    uint8_t family; /* 4 or 6; 0 under rules.families_share_keys */
    uint8_t zero[2];
};

_Static_assert(sizeof(struct flow_key) == 40, "compared and hashed as five 64-bit words");

/* Bring a key into the order in which both directions of a flow are the same (smaller end first).
 *
 * Return: true if the ends changed places.
 */
bool flow_key_sort(struct flow_key *key);

/* Both halves of the 128-bit product, folded: every bit of the factors reaches every bit of the result. */
static inline uint64_t flow_key_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Hash of a sorted key under a secret, so that a sender cannot choose collisions. */
static inline uint64_t flow_key_hash(const struct flow_key *key, const uint64_t secret[2])
{
    uint64_t w[5];
    uint64_t addresses;
    uint64_t rest;

    memcpy(w, key, sizeof(w));
    addresses = flow_key_fold(w[0] ^ secret[0], w[2] ^ secret[1]) +
                flow_key_fold(w[1] ^ secret[1], w[3] ^ ~secret[0]);
    rest = w[4] ^ UINT64_C(0x9e3779b97f4a7c15);
    return flow_key_fold(addresses ^ secret[0], rest ^ secret[1]);
}

static inline bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

#endif

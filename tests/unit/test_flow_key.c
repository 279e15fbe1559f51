/* test_flow_key.c - both directions are one key; hashes depend on every field and on the secret. */
#include "flowtrack/flow_key.h"

#include <string.h>

#include "unit.h"

static const uint64_t secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct flow_key sample(void)
{
    return (struct flow_key){.source = {10, 0, 0, 1},
                             .destination = {10, 0, 0, 2},
                             .source_port = 40000,
                             .destination_port = 443,
                             .protocol = 6,
                             .family = 4};
}

static struct flow_key turned(const struct flow_key *key)
{
    struct flow_key other = *key;

    memcpy(other.source, key->destination, 16);
    memcpy(other.destination, key->source, 16);
    other.source_port = key->destination_port;
    other.destination_port = key->source_port;
    return other;
}

START_TEST(both_directions_sort_to_the_same_key)
{
    struct flow_key there = sample();
    struct flow_key back = turned(&there);

    ck_assert(!flow_key_sort(&there));
    ck_assert(flow_key_sort(&back));
    ck_assert(flow_key_equal(&there, &back));
    ck_assert_uint_eq(flow_key_hash(&there, secret), flow_key_hash(&back, secret));
}
END_TEST

START_TEST(ports_decide_between_equal_addresses)
{
    struct flow_key key = sample();

    memcpy(key.destination, key.source, 16);
    ck_assert(flow_key_sort(&key));
    ck_assert_uint_eq(key.source_port, 443);
    key.destination_port = key.source_port;
    ck_assert(!flow_key_sort(&key));
}
END_TEST

START_TEST(every_octet_changes_the_hash)
{
    struct flow_key key = sample();
    uint64_t hash = flow_key_hash(&key, secret);
    const uint64_t other[2] = {secret[0] + 1, secret[1]};

    for (size_t i = 0; i < sizeof(key); i++) {
        struct flow_key changed = key;

        ((uint8_t *)&changed)[i] ^= 1;
        ck_assert(!flow_key_equal(&key, &changed));
        ck_assert_uint_ne(flow_key_hash(&changed, secret), hash);
        ck_assert_uint_ne((uint32_t)flow_key_hash(&changed, secret), (uint32_t)hash);
    }
    ck_assert_uint_ne(flow_key_hash(&key, other), hash);
}
END_TEST

int main(void)
{
    return UNIT_RUN("flow_key", both_directions_sort_to_the_same_key, ports_decide_between_equal_addresses,
                    every_octet_changes_the_hash);
}

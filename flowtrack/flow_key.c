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

#include "daemon/community_id.h"

#include <netinet/in.h>
#include <sha1.h>
#include <string.h>

enum { MESSAGE_MAX = 2 + 2 * 16 + 2 + 4 };

/* base64 of a digest; 20 octets leave two octets over, hence one "=" at the end. */
static void base64_digest(char *text, const uint8_t digest[SHA1_DIGEST_LENGTH])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned i = 0; i < SHA1_DIGEST_LENGTH; i += 3) {
        uint32_t word = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8 |
                        (i + 2 < SHA1_DIGEST_LENGTH ? digest[i + 2] : 0u);

        for (unsigned k = 0; k < 4; k++)
            *text++ = alphabet[word >> (18 - 6 * k) & 63];
    }
    text[-1] = '=';
    *text = '\0';
}

/* Types of ICMP messages that belong together. */
static const struct {
    uint8_t protocol, ask, answer;
} icmp_pairs[] = {
    {IPPROTO_ICMP, 8, 0},       /* echo */
    {IPPROTO_ICMP, 10, 9},      /* router solicitation, advertisement */
    {IPPROTO_ICMP, 13, 14},     /* time stamp */
    {IPPROTO_ICMP, 15, 16},     /* information */
    {IPPROTO_ICMP, 17, 18},     /* address mask */
    {IPPROTO_ICMPV6, 128, 129}, /* echo */
    {IPPROTO_ICMPV6, 130, 131}, /* listener query, report */
    {IPPROTO_ICMPV6, 133, 134}, /* router solicitation, advertisement */
    {IPPROTO_ICMPV6, 135, 136}, /* neighbour solicitation, advertisement */
    {IPPROTO_ICMPV6, 139, 140}, /* node information */
    {IPPROTO_ICMPV6, 144, 145}, /* home agent address discovery */
};

/* The two "ports" of an ICMP message.
 *
 * Return: true: a pair, its ends may change places; false: a message of one direction.
 */
static bool icmp_ports(uint16_t ports[2], const struct record *record)
{
    ports[0] = record->icmp_type;
    for (size_t i = 0; i < sizeof icmp_pairs / sizeof icmp_pairs[0]; i++) {
        if (icmp_pairs[i].protocol != record->protocol)
            continue;
        if (icmp_pairs[i].ask == record->icmp_type || icmp_pairs[i].answer == record->icmp_type) {
            ports[1] = record->icmp_type == icmp_pairs[i].ask ? icmp_pairs[i].answer : icmp_pairs[i].ask;
            return true;
        }
    }
    ports[1] = record->icmp_code;
    return false;
}

static size_t put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return 2;
}

bool community_id_v1(char text[COMMUNITY_ID_SIZE], const struct record *record, uint16_t seed)
{
    bool icmp = record->protocol == IPPROTO_ICMP || record->protocol == IPPROTO_ICMPV6;
    size_t address_size = record->family == 6 ? 16 : 4;
    const uint8_t *ends[2] = {record->source, record->destination};
    uint16_t ports[2] = {record->source_port, record->destination_port};
    uint8_t message[MESSAGE_MAX];
    uint8_t digest[SHA1_DIGEST_LENGTH];
    SHA1_CTX hash;
    bool sortable = true;
    size_t n = 0;
    unsigned low;
    int order;

    if (record->protocol == IPPROTO_SCTP)
        return false;
    if (icmp)
        sortable = icmp_ports(ports, record);
    order = memcmp(ends[0], ends[1], address_size);
    low = sortable && (order > 0 || (order == 0 && ports[0] > ports[1]));

    n += put16(message + n, seed);
    memcpy(message + n, ends[low], address_size);
    n += address_size;
    memcpy(message + n, ends[!low], address_size);
    n += address_size;
    message[n++] = record->protocol;
    message[n++] = 0;
    if (record->has_ports || icmp) {
        n += put16(message + n, ports[low]);
        n += put16(message + n, ports[!low]);
    }
    SHA1Init(&hash);
    SHA1Update(&hash, message, n);
    SHA1Final(digest, &hash);
    memcpy(text, "1:", 2);
    base64_digest(text + 2, digest);
    return true;
}

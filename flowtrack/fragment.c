/* fragment.c - packets whose fragments are being joined.
 *
 * One fixed block of packets and one of held fragments. A packet is in one hash chain and in the list by age,
 * oldest first, which is the order in which packets are given up. A packet leaves when all its octets were
 * seen, when it is too old, or when its place is needed. Fragments that need not wait any more go to the due
 * list with a copy of what is known about their packet, so they outlive it.
 *
 * Invariants: a packet in the table with `first` set holds nothing. Its ranges are sorted, apart from each
 * other by at least one octet, and their octets are those of all fragments placed, until they were too many
 * (`ranges_lost`).
 */
#include "flowtrack/fragment.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CHAINS = 4096, NONE = UINT16_MAX, PACKET_OCTETS_MAX = 65535 };

_Static_assert(FRAGMENT_PACKETS_MAX < UINT16_MAX, "places are numbered in 16 bits");
_Static_assert(FRAGMENT_HELD_MAX < UINT16_MAX, "places are numbered in 16 bits");
_Static_assert((CHAINS & (CHAINS - 1)) == 0, "chosen by the low bits of a hash");

struct range {
    uint32_t start;
    uint32_t end;
};

/* A fragment without its payload. */
struct held {
    struct packet packet;
    uint32_t offset;
    uint16_t next; /* in the list of its packet, the due list, or the free list */
};

struct parted {
    struct flow_key key; /* addresses, protocol, and the identification in place of the ports */
    int64_t begun;
    uint32_t length;      /* of the whole packet, 0: the last fragment was not seen */
    uint32_t data_offset; /* where the transport payload begins */
    uint32_t tcp_seq;     /* of the first fragment, as are the following */
    uint16_t source_port;
    uint16_t destination_port;
    uint8_t protocol;
    bool first;     /* was seen */
    bool malformed; /* it was */
    bool ranges_lost;
    uint8_t n_ranges;
    struct range ranges[FRAGMENT_RANGES_MAX];
    uint16_t held_head;
    uint16_t held_tail;
    uint16_t chain_next;
    uint16_t older;
    uint16_t newer;
};

struct fragment_table {
    struct tracker_stats *stats;
    uint64_t secret[2];
    uint16_t chains[CHAINS];
    uint16_t oldest;
    uint16_t newest;
    uint16_t free_parted; /* given back, linked by chain_next */
    uint16_t free_held;
    uint16_t n_parted; /* places ever used: memory is touched as far as it is needed */
    uint16_t n_held;
    uint16_t due_head;
    uint16_t due_tail;
    struct parted parted[FRAGMENT_PACKETS_MAX];
    struct held held[FRAGMENT_HELD_MAX];
};

/* ---- lists ---- */

static void list_append(struct fragment_table *table, uint16_t *head, uint16_t *tail, uint16_t at)
{
    table->held[at].next = NONE;
    if (*head == NONE)
        *head = at;
    else
        table->held[*tail].next = at;
    *tail = at;
}

/* A place for a packet, NONE if there is no more. */
static uint16_t free_parted(struct fragment_table *table)
{
    uint16_t at = table->free_parted;

    if (at != NONE)
        table->free_parted = table->parted[at].chain_next;
    else if (table->n_parted < FRAGMENT_PACKETS_MAX)
        at = table->n_parted++;
    return at;
}

/* A place for a fragment, NONE if there is no more. */
static uint16_t free_held(struct fragment_table *table)
{
    uint16_t at = table->free_held;

    if (at != NONE)
        table->free_held = table->held[at].next;
    else if (table->n_held < FRAGMENT_HELD_MAX)
        at = table->n_held++;
    return at;
}

static uint16_t place_of(const struct fragment_table *table, const struct parted *parted)
{
    return (uint16_t)(parted - table->parted);
}

static uint16_t *chain_of(struct fragment_table *table, const struct flow_key *key)
{
    return &table->chains[flow_key_hash(key, table->secret) & (CHAINS - 1)];
}

/* ---- packets ---- */

static void key_of_packet(struct flow_key *key, const struct packet *packet, const struct ip_payload *payload)
{
    *key = packet->key;
    key->source_port = (uint16_t)payload->id;
    key->destination_port = (uint16_t)(payload->id >> 16);
    key->protocol = payload->id_scope;
    key->family = packet->family;
}

static struct parted *parted_find(struct fragment_table *table, const struct flow_key *key)
{
    uint16_t at = *chain_of(table, key);

    while (at != NONE && !flow_key_equal(&table->parted[at].key, key))
        at = table->parted[at].chain_next;
    return at == NONE ? NULL : &table->parted[at];
}

static void parted_remove(struct fragment_table *table, struct parted *parted)
{
    uint16_t at = place_of(table, parted);
    uint16_t *link = chain_of(table, &parted->key);

    while (*link != at)
        link = &table->parted[*link].chain_next;
    *link = parted->chain_next;
    *(parted->older == NONE ? &table->oldest : &table->parted[parted->older].newer) = parted->newer;
    *(parted->newer == NONE ? &table->newest : &table->parted[parted->newer].older) = parted->older;
    parted->chain_next = table->free_parted;
    table->free_parted = at;
}

/* Remove a packet whose first fragment is waited for no more.
 *
 * counter: of the fragments that go without ports.
 */
static void parted_give_up(struct fragment_table *table, struct parted *parted, uint64_t *counter)
{
    uint16_t next;

    for (uint16_t at = parted->held_head; at != NONE; at = next) {
        next = table->held[at].next;
        table->held[at].packet.malformed = true;
        list_append(table, &table->due_head, &table->due_tail, at);
        ++*counter;
    }
    parted_remove(table, parted);
}

static struct parted *parted_add(struct fragment_table *table, const struct flow_key *key, int64_t time)
{
    uint16_t at = free_parted(table);
    struct parted *parted;
    uint16_t *chain;

    if (at == NONE) {
        parted_give_up(table, &table->parted[table->oldest], &table->stats->trimmed.fragment_table);
        at = free_parted(table);
    }
    chain = chain_of(table, key);
    parted = &table->parted[at];
    *parted = (struct parted){
        .key = *key,
        .begun = time,
        .held_head = NONE,
        .held_tail = NONE,
        .chain_next = *chain,
        .older = table->newest,
        .newer = NONE,
    };
    *chain = at;
    *(table->newest == NONE ? &table->oldest : &table->parted[table->newest].newer) = at;
    table->newest = at;
    return parted;
}

/* ---- what was seen of a packet ---- */

/* Add octets to the ranges. Return: false if some were there before. */
static bool ranges_add(struct parted *parted, struct range range)
{
    struct range *ranges = parted->ranges;
    unsigned at = 0;

    while (at < parted->n_ranges && ranges[at].end <= range.start)
        at++;
    if (at < parted->n_ranges && ranges[at].start < range.end)
        return false;
    if (at > 0 && ranges[at - 1].end == range.start) {
        ranges[at - 1].end = range.end;
        if (at < parted->n_ranges && ranges[at].start == range.end) {
            ranges[at - 1].end = ranges[at].end;
            memmove(&ranges[at], &ranges[at + 1], (parted->n_ranges - at - 1) * sizeof *ranges);
            parted->n_ranges--;
        }
    } else if (at < parted->n_ranges && ranges[at].start == range.end) {
        ranges[at].start = range.start;
    } else if (parted->n_ranges == FRAGMENT_RANGES_MAX) {
        parted->ranges_lost = true;
    } else {
        memmove(&ranges[at + 1], &ranges[at], (parted->n_ranges - at) * sizeof *ranges);
        ranges[at] = range;
        parted->n_ranges++;
    }
    return true;
}

/* Return: false if the fragment cannot belong to this packet. */
static bool parted_take(struct parted *parted, struct range range, bool more)
{
    uint32_t seen = parted->n_ranges ? parted->ranges[parted->n_ranges - 1].end : 0;

    if (parted->length != 0 && (!more || range.end > parted->length))
        return false;
    if (!more && seen > range.end)
        return false;
    if (!ranges_add(parted, range))
        return false;
    if (!more)
        parted->length = range.end;
    return true;
}

static bool parted_is_complete(const struct parted *parted)
{
    return parted->length != 0 && !parted->ranges_lost && parted->n_ranges == 1 &&
           parted->ranges[0].start == 0 && parted->ranges[0].end == parted->length;
}

/* ---- joining ---- */

static void remember_first(struct parted *parted, const struct packet *packet, uint32_t length)
{
    parted->first = true;
    parted->malformed = packet->malformed;
    parted->protocol = packet->key.protocol;
    parted->source_port = packet->key.source_port;
    parted->destination_port = packet->key.destination_port;
    parted->tcp_seq = packet->tcp_seq;
    parted->data_offset = length - (uint32_t)packet->payload_length;
}

/* Give a later fragment what only the first one has. */
static void join(const struct parted *parted, struct packet *packet, uint32_t offset)
{
    packet->key.protocol = parted->protocol;
    packet->key.source_port = parted->source_port;
    packet->key.destination_port = parted->destination_port;
    packet->malformed = parted->malformed;
    if (parted->protocol == IPPROTO_TCP && !parted->malformed) {
        packet->tcp_seq = parted->tcp_seq + offset - parted->data_offset;
        packet->tcp_flags = TCP_ACK;
    }
}

static void release_held(struct fragment_table *table, struct parted *parted)
{
    uint16_t next;

    for (uint16_t at = parted->held_head; at != NONE; at = next) {
        next = table->held[at].next;
        join(parted, &table->held[at].packet, table->held[at].offset);
        list_append(table, &table->due_head, &table->due_tail, at);
    }
    parted->held_head = parted->held_tail = NONE;
}

/* Keep a fragment until its first one comes; without room it goes on as it is. */
static enum packet_result hold(struct fragment_table *table, struct parted *parted, struct packet *packet,
                               uint32_t offset)
{
    uint16_t at = free_held(table);

    if (at == NONE) {
        packet->malformed = true;
        table->stats->trimmed.fragment_table++;
        return PACKET_DECODED;
    }
    table->held[at].packet = *packet;
    table->held[at].packet.payload = NULL;
    table->held[at].packet.payload_captured = 0;
    table->held[at].offset = offset;
    list_append(table, &parted->held_head, &parted->held_tail, at);
    return PACKET_HELD;
}

enum packet_result fragment_table_place(struct fragment_table *table, struct packet *packet,
                                        const struct ip_payload *payload)
{
    enum { UNIT = 8 }; /* octets that every fragment but the last is a multiple of */
    uint32_t length = (uint32_t)payload->length + payload->skipped;
    struct range range = {payload->offset, payload->offset + length};
    enum packet_result result = PACKET_DECODED;
    struct flow_key key;
    struct parted *parted;

    fragment_table_expire(table, packet->time);
    if (length == 0 || range.end > PACKET_OCTETS_MAX || (payload->more && length % UNIT != 0)) {
        table->stats->ignored.fragment_overlap++;
        return PACKET_IGNORED;
    }
    key_of_packet(&key, packet, payload);
    parted = parted_find(table, &key);
    if (!parted)
        parted = parted_add(table, &key, packet->time);
    if (!parted_take(parted, range, payload->more)) {
        table->stats->ignored.fragment_overlap++;
        return PACKET_IGNORED;
    }
    if (payload->offset == 0) {
        remember_first(parted, packet, length);
        release_held(table, parted);
    } else if (parted->first) {
        join(parted, packet, payload->offset);
    } else {
        result = hold(table, parted, packet, payload->offset);
    }
    if (parted_is_complete(parted))
        parted_remove(table, parted);
    return result;
}

bool fragment_table_take(struct fragment_table *table, struct packet *packet)
{
    uint16_t at = table->due_head;

    if (at == NONE)
        return false;
    *packet = table->held[at].packet;
    table->due_head = table->held[at].next;
    table->held[at].next = table->free_held;
    table->free_held = at;
    return true;
}

/* A packet begun after `now` is one of before the clock was set back. */
static bool is_due(const struct parted *parted, int64_t now)
{
    uint64_t from = (uint64_t)(now > parted->begun ? parted->begun : now);
    uint64_t to = (uint64_t)(now > parted->begun ? now : parted->begun);

    return now == INT64_MAX || to - from > FRAGMENT_TIMEOUT;
}

void fragment_table_expire(struct fragment_table *table, int64_t now)
{
    while (table->oldest != NONE && is_due(&table->parted[table->oldest], now))
        parted_give_up(table, &table->parted[table->oldest], &table->stats->trimmed.fragment_orphan);
}

int fragment_table_new(struct fragment_table **tablep, struct tracker_stats *stats)
{
    struct fragment_table *table = malloc(sizeof *table);

    if (!table)
        return -ENOMEM;
    table->stats = stats;
    table->oldest = table->newest = NONE;
    table->due_head = table->due_tail = NONE;
    if (getrandom(table->secret, sizeof table->secret, GRND_NONBLOCK) != (ssize_t)sizeof table->secret)
        memset(table->secret, 0, sizeof table->secret);
    memset(table->chains, 0xff, sizeof table->chains); /* NONE */
    table->free_parted = table->free_held = NONE;
    table->n_parted = table->n_held = 0;
    *tablep = table;
    return 0;
}

void fragment_table_free(struct fragment_table *table)
{
    free(table);
}

/* record_json_read.c
 *
 * One table of keys for each kind of object in a record; the rows stand in Joy's order. Readers store into
 * the record as they go; what depends on several keys is settled at the end (settle()).
 */
#include <errno.h>
#include <string.h>

#include "flowtrack/json_scan.h"
#include "flowtrack/record_json.h"
#include "flowtrack/tcp_option_json.h"

enum {
    MICROSECONDS = 1000000,
    REP_BASE = 65536,
    BYTE_VALUES = 256,
    SECONDS_MAX = INT64_MAX / MICROSECONDS - 1,
};

/* Entries left out; the user of the scanner. */
struct cuts {
    unsigned entries;
};

static bool read_address(struct json_scan *scan, uint8_t address[16], uint8_t *family)
{
    struct json_text text;

    if (!json_scan_text(scan, &text))
        return false;
    if (record_address_parse(address, family, text.octets, text.length) != 0)
        return json_scan_fail(scan, "expected an address");
    return true;
}

static bool read_source(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record *record = into;

    return read_address(scan, record->source, &record->family);
}

static bool read_destination(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record *record = into;
    uint8_t family;

    return read_address(scan, record->destination, &family);
}

static bool read_port(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record *record = into;

    if (json_scan_peek(scan) == 'n')
        return json_scan_null(scan);
    record->has_ports = true;
    return json_read_unsigned(scan, key, into);
}

/* Joy prints seconds and microseconds apart, so the fraction counts upwards for negative seconds too. */
static bool read_time(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct json_number number;
    int64_t seconds;

    if (!json_scan_number(scan, &number))
        return false;
    if (number.whole > SECONDS_MAX)
        return json_scan_fail(scan, "number out of range");
    seconds = number.negative ? -(int64_t)number.whole : (int64_t)number.whole;
    *(int64_t *)((char *)into + key->offset) = seconds * MICROSECONDS + number.millionths;
    return true;
}

static bool read_rep(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record_packet *packet = into;
    uint64_t value;

    if (!json_scan_unsigned(scan, UINT16_MAX, &value))
        return false;
    if (value == 0)
        return json_scan_fail(scan, "number out of range");
    packet->bytes = (uint16_t)(REP_BASE - value);
    return true;
}

static bool read_direction(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record_packet *packet = into;
    struct json_text text;

    if (!json_scan_text(scan, &text))
        return false;
    if (text.length != 1 || (text.octets[0] != '<' && text.octets[0] != '>'))
        return json_scan_fail(scan, "expected \"<\" or \">\"");
    packet->out = text.octets[0] == '>';
    return true;
}

/* Joy prints a gap below 0 as an unsigned number; a negative one means the same. */
static bool read_gap(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record_packet *packet = into;
    struct json_number number;

    if (!json_scan_number(scan, &number))
        return false;
    if (number.whole > (number.negative ? (uint64_t)INT32_MAX + 1 : UINT32_MAX))
        return json_scan_fail(scan, "number out of range");
    packet->ipt_ms = number.negative ? -(uint32_t)number.whole : (uint32_t)number.whole;
    return true;
}

static const struct json_key packet_keys[] = {
    JSON_KEY_UNSIGNED("b", struct record_packet, bytes),
    JSON_KEY("dir", read_direction),
    JSON_KEY("ipt", read_gap),
    JSON_KEY("rep", read_rep),
};

enum { PACKET_B = 1 << 0, PACKET_DIR = 1 << 1, PACKET_IPT = 1 << 2, PACKET_REP = 1 << 3 };

static bool read_packet(struct json_scan *scan, unsigned index, void *into)
{
    struct record *record = into;
    struct record_packet packet = {0};
    uint32_t seen;

    if (!json_read_object(scan, packet_keys, JSON_KEYS(packet_keys), &packet, &seen))
        return false;
    if (seen != (PACKET_B | PACKET_DIR | PACKET_IPT) && seen != (PACKET_REP | PACKET_DIR | PACKET_IPT))
        return json_scan_fail(scan, "expected one of b and rep, dir, ipt");
    if (index < RECORD_PACKETS_MAX)
        record->packets[record->n_packets++] = packet;
    else
        ((struct cuts *)scan->user)->entries++;
    return true;
}

static bool read_packets(struct json_scan *scan, const struct json_key *key, void *into)
{
    return json_read_array(scan, read_packet, into);
}

struct counts {
    uint8_t *octets;
    unsigned n;
};

static bool read_count(struct json_scan *scan, unsigned index, void *into)
{
    struct counts *counts = into;
    uint64_t value;

    if (!json_scan_unsigned(scan, UINT8_MAX, &value))
        return false;
    if (index >= BYTE_VALUES)
        return json_scan_fail(scan, "expected 256 numbers");
    counts->octets[index] = (uint8_t)value;
    counts->n = index + 1;
    return true;
}

static bool read_byte_dist(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct counts counts = {.octets = ((struct record *)into)->byte_dist.counts};

    if (!json_read_array(scan, read_count, &counts))
        return false;
    return counts.n == BYTE_VALUES || json_scan_fail(scan, "expected 256 numbers");
}

static bool read_decimal(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct json_number number;
    double value;

    if (!json_scan_number(scan, &number))
        return false;
    if (number.too_large)
        return json_scan_fail(scan, "number out of range");
    value = ((double)number.whole * 1e6 + number.millionths) / 1e6;
    *(double *)((char *)into + key->offset) = number.negative ? -value : value;
    return true;
}

/* One side of `ip` or `tcp` while it is read. */
struct ip_side {
    struct record_side *side;
    uint16_t *ids;
    uint8_t ttl;
};

static bool read_id(struct json_scan *scan, unsigned index, void *into)
{
    struct ip_side *ip = into;
    uint64_t value;

    if (!json_scan_unsigned(scan, UINT16_MAX, &value))
        return false;
    if (index < RECORD_IDS_MAX)
        ip->ids[ip->side->n_ids++] = (uint16_t)value;
    else
        ((struct cuts *)scan->user)->entries++;
    return true;
}

static bool read_ids(struct json_scan *scan, const struct json_key *key, void *into)
{
    return json_read_array(scan, read_id, into);
}

static bool read_ip_side(struct json_scan *scan, struct record_side *side, uint16_t *ids)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("ttl", struct ip_side, ttl),
        JSON_KEY("id", read_ids),
    };
    struct ip_side ip = {.side = side, .ids = ids};
    uint32_t seen;

    if (!json_read_object(scan, keys, JSON_KEYS(keys), &ip, &seen))
        return false;
    side->has_ip = true;
    side->ttl = ip.ttl;
    return true;
}

static bool read_ip_out(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record *record = into;

    return read_ip_side(scan, &record->out, record->ids_out);
}

static bool read_ip_in(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct record *record = into;

    return read_ip_side(scan, &record->in, record->ids_in);
}

static bool read_ip(struct json_scan *scan, const struct json_key *key, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY("out", read_ip_out),
        JSON_KEY("in", read_ip_in),
    };
    uint32_t seen;

    return json_read_object(scan, keys, JSON_KEYS(keys), into, &seen);
}

/* A side of `tcp` while it is read. */
struct tcp_side {
    struct tcp_options_read options;
    uint8_t flags;
    uint8_t options_length;
    uint16_t window;
};

static bool read_flags(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct json_text text;

    if (!json_scan_text(scan, &text))
        return false;
    ((struct tcp_side *)into)->flags = tcp_flags_parse(text.octets, text.length);
    return true;
}

static bool read_options(struct json_scan *scan, const struct json_key *key, void *into)
{
    return tcp_options_read(scan, &((struct tcp_side *)into)->options);
}

/* What follows the last option that was printed comes back as zeros. */
static bool read_tcp_side(struct json_scan *scan, struct record_tcp_side *side)
{
    static const struct json_key keys[] = {
        JSON_KEY("flags", read_flags),
        JSON_KEY_UNSIGNED("first_window_size", struct tcp_side, window),
        JSON_KEY_UNSIGNED("opt_len", struct tcp_side, options_length),
        JSON_KEY("opts", read_options),
    };
    struct tcp_side tcp = {0};
    uint32_t seen;

    if (!json_read_object(scan, keys, JSON_KEYS(keys), &tcp, &seen))
        return false;
    if (tcp.options_length > RECORD_TCP_OPTIONS_MAX)
        return json_scan_fail(scan, "opt_len is above 40");
    tcp_options_fit(&tcp.options, tcp.options_length);
    side->present = true;
    side->flags = tcp.flags;
    side->window = tcp.window;
    side->options_length = tcp.options_length > tcp.options.length ? tcp.options_length : tcp.options.length;
    memcpy(side->options, tcp.options.octets, tcp.options.length);
    return true;
}

static bool read_tcp_out(struct json_scan *scan, const struct json_key *key, void *into)
{
    return read_tcp_side(scan, &((struct record *)into)->tcp_out);
}

static bool read_tcp_in(struct json_scan *scan, const struct json_key *key, void *into)
{
    return read_tcp_side(scan, &((struct record *)into)->tcp_in);
}

static bool read_tcp(struct json_scan *scan, const struct json_key *key, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("first_seq", struct record, tcp_first_seq),
        JSON_KEY("out", read_tcp_out),
        JSON_KEY("in", read_tcp_in),
    };
    uint32_t seen;

    return json_read_object(scan, keys, JSON_KEYS(keys), into, &seen);
}

static bool read_debug(struct json_scan *scan, const struct json_key *key, void *into)
{
    static const struct json_key keys[] = {
        JSON_KEY_UNSIGNED("tcp_retrans", struct record, tcp_retrans),
        JSON_KEY_UNSIGNED("invalid", struct record, invalid),
    };
    uint32_t seen;

    return json_read_object(scan, keys, JSON_KEYS(keys), into, &seen);
}

static bool read_expire_type(struct json_scan *scan, const struct json_key *key, void *into)
{
    struct json_text text;

    if (!json_scan_text(scan, &text))
        return false;
    if (text.length != 1 || text.octets[0] < 'a' || text.octets[0] > 'z')
        return json_scan_fail(scan, "expected one letter");
    ((struct record *)into)->expire_type = text.octets[0];
    return true;
}

enum {
    KEY_SA,
    KEY_DA,
    KEY_PR,
    KEY_SP,
    KEY_DP,
    KEY_BYTES_OUT,
    KEY_PACKETS_OUT,
    KEY_BYTES_IN,
    KEY_PACKETS_IN,
    KEY_TIME_START,
    KEY_TIME_END,
    KEY_PACKETS,
    KEY_BYTE_DIST,
    KEY_MEAN,
    KEY_DEVIATION,
    KEY_ENTROPY,
    KEY_TOTAL_ENTROPY,
    KEY_IP,
    KEY_TCP,
    KEY_DEBUG,
    KEY_EXPIRE_TYPE,
    N_KEYS
};

static const struct json_key record_keys[N_KEYS] = {
    [KEY_SA] = JSON_KEY("sa", read_source),
    [KEY_DA] = JSON_KEY("da", read_destination),
    [KEY_PR] = JSON_KEY_UNSIGNED("pr", struct record, protocol),
    [KEY_SP] = JSON_KEY_FIELD("sp", read_port, struct record, source_port),
    [KEY_DP] = JSON_KEY_FIELD("dp", read_port, struct record, destination_port),
    [KEY_BYTES_OUT] = JSON_KEY_UNSIGNED("bytes_out", struct record, out.bytes),
    [KEY_PACKETS_OUT] = JSON_KEY_UNSIGNED("num_pkts_out", struct record, out.packets),
    [KEY_BYTES_IN] = JSON_KEY_UNSIGNED("bytes_in", struct record, in.bytes),
    [KEY_PACKETS_IN] = JSON_KEY_UNSIGNED("num_pkts_in", struct record, in.packets),
    [KEY_TIME_START] = JSON_KEY_FIELD("time_start", read_time, struct record, time_start),
    [KEY_TIME_END] = JSON_KEY_FIELD("time_end", read_time, struct record, time_end),
    [KEY_PACKETS] = JSON_KEY("packets", read_packets),
    [KEY_BYTE_DIST] = JSON_KEY("byte_dist", read_byte_dist),
    [KEY_MEAN] = JSON_KEY_FIELD("byte_dist_mean", read_decimal, struct record, byte_dist.mean),
    [KEY_DEVIATION] = JSON_KEY_FIELD("byte_dist_std", read_decimal, struct record, byte_dist.deviation),
    [KEY_ENTROPY] = JSON_KEY_FIELD("entropy", read_decimal, struct record, byte_dist.entropy),
    [KEY_TOTAL_ENTROPY] =
        JSON_KEY_FIELD("total_entropy", read_decimal, struct record, byte_dist.total_entropy),
    [KEY_IP] = JSON_KEY("ip", read_ip),
    [KEY_TCP] = JSON_KEY("tcp", read_tcp),
    [KEY_DEBUG] = JSON_KEY("debug", read_debug),
    [KEY_EXPIRE_TYPE] = JSON_KEY("expire_type", read_expire_type),
};

/* Keys without which an object is no record. */
static const uint32_t keys_wanted = 1U << KEY_SA | 1U << KEY_DA | 1U << KEY_PR | 1U << KEY_BYTES_OUT |
                                    1U << KEY_PACKETS_OUT | 1U << KEY_TIME_START | 1U << KEY_TIME_END |
                                    1U << KEY_PACKETS;

/* Everything up to the packet list; what lies beyond is written before it is counted. */
static void clear(struct record *record)
{
    memset(record, 0, offsetof(struct record, packets));
}

static bool has(uint32_t seen, unsigned key)
{
    return (seen >> key & 1) != 0;
}

/* What the keys say only together. */
static bool settle(struct json_scan *scan, struct record *record, uint32_t seen)
{
    struct record_byte_dist *dist = &record->byte_dist;

    if ((seen & keys_wanted) != keys_wanted) {
        unsigned missing = (unsigned)__builtin_ctz(keys_wanted & ~seen);

        json_scan_place(scan, record_keys[missing].name);
        return json_scan_fail(scan, "key is missing");
    }
    record->out.present = true;
    record->in.present = has(seen, KEY_BYTES_IN) || has(seen, KEY_PACKETS_IN);
    if (!record->in.present)
        memset(&record->in, 0, sizeof record->in);
    record->has_tcp = has(seen, KEY_TCP);
    record->has_byte_dist = has(seen, KEY_BYTE_DIST);
    record->has_entropy = has(seen, KEY_ENTROPY);
    if (!has(seen, KEY_MEAN))
        dist->mean = 0;
    if (!has(seen, KEY_DEVIATION))
        dist->deviation = 0;
    if (!has(seen, KEY_TOTAL_ENTROPY))
        dist->total_entropy = 0;
    record->reason = record_reason_of_mark(record->expire_type);
    return true;
}

/* Return: enum record_json_kind, -1 with the reason in the scanner. */
static int read_line(struct json_scan *scan, struct record *record)
{
    uint32_t seen;

    clear(record);
    if (!json_read_object(scan, record_keys, N_KEYS, record, &seen) || !json_scan_finish(scan))
        return -1;
    if (!has(seen, KEY_SA))
        return RECORD_JSON_HEADER;
    return settle(scan, record, seen) ? RECORD_JSON_RECORD : -1;
}

int record_json_read(struct record *record, const char *line, size_t length, unsigned *cutp,
                     struct error *err)
{
    struct json_scan strict, lenient;
    struct cuts cuts = {0};
    int kind;

    json_scan_init(&strict, line, length);
    strict.user = &cuts;
    kind = read_line(&strict, record);
    if (kind < 0 && memchr(line, '\\', length) != NULL) {
        cuts.entries = 0;
        json_scan_init(&lenient, line, length);
        lenient.plain_backslash = true;
        lenient.user = &cuts;
        kind = read_line(&lenient, record);
    }
    if (kind < 0)
        return json_scan_error(&strict, err);
    *cutp = cuts.entries;
    return kind;
}

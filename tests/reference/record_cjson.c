#include "tests/reference/record_cjson.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "flowtrack/tcp_option_json.h"

#define EXACT_MAX 0x1p53
#define SECONDS_MAX 9223372036853.0

struct reader {
    struct record *record;
    bool exact;
    bool wrong;
};

static void fail_unless(struct reader *reader, bool right)
{
    reader->wrong |= !right;
}

/* A member, NULL if it is not there. Twice there is wrong. */
static const cJSON *get(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *found = NULL, *item;

    if (object == NULL)
        return NULL;
    cJSON_ArrayForEach(item, object)
    {
        if (strcmp(item->string, key) != 0)
            continue;
        fail_unless(reader, found == NULL);
        found = item;
    }
    return found;
}

static const cJSON *get_object(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *item = get(reader, object, key);

    fail_unless(reader, item == NULL || cJSON_IsObject(item));
    return cJSON_IsObject(item) ? item : NULL;
}

static const cJSON *get_array(struct reader *reader, const cJSON *object, const char *key)
{
    const cJSON *item = get(reader, object, key);

    fail_unless(reader, item == NULL || cJSON_IsArray(item));
    return cJSON_IsArray(item) ? item : NULL;
}

static double number(struct reader *reader, const cJSON *item)
{
    fail_unless(reader, cJSON_IsNumber(item));
    if (!cJSON_IsNumber(item))
        return 0;
    reader->exact &= fabs(item->valuedouble) < EXACT_MAX;
    return fabs(item->valuedouble) < EXACT_MAX ? item->valuedouble : 0;
}

static uint64_t whole(struct reader *reader, const cJSON *item, uint64_t max)
{
    double value = item != NULL ? number(reader, item) : 0;

    fail_unless(reader, value > -1e-6 && trunc(value) <= (double)max);
    return reader->wrong ? 0 : (uint64_t)value;
}

static int64_t moment(struct reader *reader, const cJSON *item)
{
    double value = item != NULL ? number(reader, item) : 0, seconds;
    int64_t micro = (int64_t)rint(modf(fabs(value), &seconds) * 1e6);

    fail_unless(reader, seconds <= SECONDS_MAX);
    if (reader->wrong)
        return 0;
    return (value < 0 ? -(int64_t)seconds : (int64_t)seconds) * 1000000 + micro;
}

static void address(struct reader *reader, const cJSON *item, uint8_t octets[16], uint8_t *family)
{
    const char *text = cJSON_GetStringValue(item);

    if (item == NULL)
        return;
    fail_unless(reader, text != NULL && record_address_parse(octets, family, text, strlen(text)) == 0);
}

static void ports(struct reader *reader, const cJSON *line)
{
    struct record *record = reader->record;
    const cJSON *sp = get(reader, line, "sp"), *dp = get(reader, line, "dp");

    record->has_ports = (sp != NULL && !cJSON_IsNull(sp)) || (dp != NULL && !cJSON_IsNull(dp));
    if (sp != NULL && !cJSON_IsNull(sp))
        record->source_port = (uint16_t)whole(reader, sp, UINT16_MAX);
    if (dp != NULL && !cJSON_IsNull(dp))
        record->destination_port = (uint16_t)whole(reader, dp, UINT16_MAX);
}

static void packet(struct reader *reader, const cJSON *item, struct record_packet *packet)
{
    const cJSON *b = get(reader, item, "b"), *rep = get(reader, item, "rep");
    const char *direction = cJSON_GetStringValue(get(reader, item, "dir"));
    const cJSON *gap = get(reader, item, "ipt");
    double milliseconds = gap != NULL ? trunc(number(reader, gap)) : 0;

    fail_unless(reader, cJSON_IsObject(item) && (b == NULL) != (rep == NULL) && gap != NULL);
    fail_unless(reader, direction != NULL && (strcmp(direction, "<") == 0 || strcmp(direction, ">") == 0));
    fail_unless(reader, milliseconds >= INT32_MIN && milliseconds <= UINT32_MAX);
    fail_unless(reader, rep == NULL || whole(reader, rep, UINT16_MAX) > 0);
    if (reader->wrong)
        return;
    packet->bytes =
        (uint16_t)(b != NULL ? whole(reader, b, UINT16_MAX) : 65536 - whole(reader, rep, UINT16_MAX));
    packet->out = direction[0] == '>';
    packet->ipt_ms = (uint32_t)(int64_t)milliseconds;
}

static void packets(struct reader *reader, const cJSON *list)
{
    struct record *record = reader->record;
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        struct record_packet one = {0};

        packet(reader, item, &one);
        if (record->n_packets < RECORD_PACKETS_MAX)
            record->packets[record->n_packets++] = one;
    }
}

static void ip_side(struct reader *reader, const cJSON *item, struct record_side *side, uint16_t *ids)
{
    const cJSON *id;

    side->has_ip = item != NULL;
    side->ttl = (uint8_t)whole(reader, get(reader, item, "ttl"), UINT8_MAX);
    cJSON_ArrayForEach(id, get_array(reader, item, "id"))
    {
        uint64_t value = whole(reader, id, UINT16_MAX);

        if (side->n_ids < RECORD_IDS_MAX)
            ids[side->n_ids++] = (uint16_t)value;
    }
}

static void append(struct record_tcp_side *side, uint8_t kind, uint64_t value, unsigned octets)
{
    if (side->options_length + 2 + octets > RECORD_TCP_OPTIONS_MAX)
        return;
    side->options[side->options_length++] = kind;
    side->options[side->options_length++] = (uint8_t)(2 + octets);
    while (octets-- > 0)
        side->options[side->options_length++] = (uint8_t)(value >> 8 * octets);
}

/* The kinds that records.h makes other than by number. */
static void option(struct reader *reader, const cJSON *item, struct record_tcp_side *side)
{
    const cJSON *mss = get(reader, item, "mss"), *ws = get(reader, item, "ws");
    const cJSON *noop = get(reader, item, "noop"), *sackp = get(reader, item, "sackp");
    const cJSON *ts = get_object(reader, item, "ts");

    fail_unless(reader, noop == NULL || cJSON_IsNull(noop));
    fail_unless(reader, sackp == NULL || cJSON_IsNull(sackp));
    if (noop != NULL && side->options_length < RECORD_TCP_OPTIONS_MAX)
        side->options[side->options_length++] = 1;
    if (mss != NULL)
        append(side, 2, whole(reader, mss, UINT16_MAX), 2);
    if (ws != NULL)
        append(side, 3, whole(reader, ws, UINT8_MAX), 1);
    if (sackp != NULL)
        append(side, 4, 0, 0);
    if (ts != NULL)
        append(side, 8,
               whole(reader, get(reader, ts, "val"), UINT32_MAX) << 32 |
                   whole(reader, get(reader, ts, "ecr"), UINT32_MAX),
               8);
}

static void tcp_side(struct reader *reader, const cJSON *item, struct record_tcp_side *side)
{
    const cJSON *flags = get(reader, item, "flags"), *one;
    uint64_t length = whole(reader, get(reader, item, "opt_len"), RECORD_TCP_OPTIONS_MAX);

    side->present = item != NULL;
    fail_unless(reader, flags == NULL || cJSON_IsString(flags));
    if (cJSON_IsString(flags))
        side->flags = tcp_flags_parse(flags->valuestring, strlen(flags->valuestring));
    side->window = (uint16_t)whole(reader, get(reader, item, "first_window_size"), UINT16_MAX);
    cJSON_ArrayForEach(one, get_array(reader, item, "opts"))
    {
        fail_unless(reader, cJSON_IsObject(one));
        option(reader, one, side);
    }
    if (side->options_length < length)
        side->options_length = (uint8_t)length;
}

static void expire_type(struct reader *reader, const cJSON *line)
{
    const cJSON *item = get(reader, line, "expire_type");
    const char *text = cJSON_GetStringValue(item);

    if (item == NULL)
        return;
    fail_unless(reader, text != NULL && strlen(text) == 1 && *text >= 'a' && *text <= 'z');
    if (!reader->wrong)
        reader->record->expire_type = *text;
}

/* Without byte_dist and entropy. Return: whether the line has "sa", and so should be a record. */
static bool read_line(struct reader *reader, const cJSON *line)
{
    struct record *record = reader->record;
    const cJSON *ip = get_object(reader, line, "ip"), *tcp = get_object(reader, line, "tcp");
    const cJSON *debug = get_object(reader, line, "debug"), *list = get_array(reader, line, "packets");
    const cJSON *bytes_in = get(reader, line, "bytes_in"), *packets_in = get(reader, line, "num_pkts_in");
    const cJSON *bytes_out = get(reader, line, "bytes_out"), *packets_out = get(reader, line, "num_pkts_out");
    const cJSON *protocol = get(reader, line, "pr");
    const cJSON *source = get(reader, line, "sa"), *destination = get(reader, line, "da");
    const cJSON *start = get(reader, line, "time_start"), *end = get(reader, line, "time_end");
    uint8_t family;

    address(reader, source, record->source, &record->family);
    address(reader, destination, record->destination, &family);
    record->protocol = (uint8_t)whole(reader, protocol, UINT8_MAX);
    ports(reader, line);
    record->out.present = true;
    record->out.bytes = whole(reader, bytes_out, UINT64_MAX);
    record->out.packets = whole(reader, packets_out, UINT64_MAX);
    record->in.present = bytes_in != NULL || packets_in != NULL;
    record->in.bytes = whole(reader, bytes_in, UINT64_MAX);
    record->in.packets = whole(reader, packets_in, UINT64_MAX);
    record->time_start = moment(reader, start);
    record->time_end = moment(reader, end);
    packets(reader, list);
    ip_side(reader, get_object(reader, ip, "out"), &record->out, record->ids_out);
    ip_side(reader, get_object(reader, ip, "in"), &record->in, record->ids_in);
    record->has_tcp = tcp != NULL;
    record->tcp_first_seq = (uint32_t)whole(reader, get(reader, tcp, "first_seq"), UINT32_MAX);
    tcp_side(reader, get_object(reader, tcp, "out"), &record->tcp_out);
    tcp_side(reader, get_object(reader, tcp, "in"), &record->tcp_in);
    record->tcp_retrans = (uint32_t)whole(reader, get(reader, debug, "tcp_retrans"), UINT32_MAX);
    record->invalid = (uint32_t)whole(reader, get(reader, debug, "invalid"), UINT32_MAX);
    expire_type(reader, line);
    if (source == NULL)
        return false;
    fail_unless(reader, destination != NULL && protocol != NULL && bytes_out != NULL && packets_out != NULL &&
                            start != NULL && end != NULL && list != NULL);
    return true;
}

enum record_cjson_kind record_cjson_read(struct record *record, const char *text, bool *exactp)
{
    struct reader reader = {.record = record, .exact = true};
    cJSON *line = cJSON_ParseWithOpts(text, NULL, true);
    enum record_cjson_kind kind;

    memset(record, 0, sizeof *record);
    if (line == NULL)
        return RECORD_CJSON_NO_JSON;
    if (!cJSON_IsObject(line))
        kind = RECORD_CJSON_NO_RECORD;
    else
        kind = read_line(&reader, line) ? RECORD_CJSON_RECORD : RECORD_CJSON_HEADER;
    if (reader.wrong)
        kind = RECORD_CJSON_NO_RECORD;
    cJSON_Delete(line);
    *exactp = reader.exact;
    return kind;
}

#include "flowtrack/json_put.h"
#include "flowtrack/record_json.h"
#include "flowtrack/tcp_option_json.h"

enum {
    MICROSECONDS = 1000000,
    REP_FROM = 32768, /* payload from which on Joy takes a length for a negative number */
};

static char *put_address(char *at, uint8_t family, const uint8_t address[16])
{
    *at++ = '"';
    at += record_address_text(at, family, address);
    *at++ = '"';
    return at;
}

static char *put_port(char *at, const struct record *record, uint16_t port)
{
    return record->has_ports ? json_put_unsigned(at, port) : JSON_PUT(at, "null");
}

/* Seconds rounded down, then the microseconds since: 0.25 s after second -7 is -7.250000. */
static char *put_time(char *at, int64_t time)
{
    int64_t seconds = time / MICROSECONDS;
    int64_t rest = time % MICROSECONDS;

    if (rest < 0) {
        rest += MICROSECONDS;
        seconds--;
    }
    if (seconds < 0)
        *at++ = '-';
    at = json_put_unsigned(at, seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds);
    *at++ = '.';
    return json_put_six(at, (uint32_t)rest);
}

static char *put_head(char *at, const struct record *record)
{
    at = JSON_PUT(at, "{\"sa\":");
    at = put_address(at, record->family, record->source);
    at = JSON_PUT(at, ",\"da\":");
    at = put_address(at, record->family, record->destination);
    at = JSON_PUT(at, ",\"pr\":");
    at = json_put_unsigned(at, record->protocol);
    at = JSON_PUT(at, ",\"sp\":");
    at = put_port(at, record, record->source_port);
    at = JSON_PUT(at, ",\"dp\":");
    at = put_port(at, record, record->destination_port);
    at = JSON_PUT(at, ",\"bytes_out\":");
    at = json_put_unsigned(at, record->out.bytes);
    at = JSON_PUT(at, ",\"num_pkts_out\":");
    at = json_put_unsigned(at, record->out.packets);
    if (record->in.present) {
        at = JSON_PUT(at, ",\"bytes_in\":");
        at = json_put_unsigned(at, record->in.bytes);
        at = JSON_PUT(at, ",\"num_pkts_in\":");
        at = json_put_unsigned(at, record->in.packets);
    }
    at = JSON_PUT(at, ",\"time_start\":");
    at = put_time(at, record->time_start);
    at = JSON_PUT(at, ",\"time_end\":");
    return put_time(at, record->time_end);
}

static char *put_packets(char *at, const struct record *record)
{
    at = JSON_PUT(at, ",\"packets\":[");
    for (unsigned i = 0; i < record->n_packets; i++) {
        const struct record_packet *packet = &record->packets[i];

        if (i > 0)
            *at++ = ',';
        if (packet->bytes < REP_FROM) {
            at = JSON_PUT(at, "{\"b\":");
            at = json_put_unsigned(at, packet->bytes);
        } else {
            at = JSON_PUT(at, "{\"rep\":");
            at = json_put_unsigned(at, UINT16_MAX + 1U - packet->bytes);
        }
        at = JSON_PUT(at, ",\"dir\":\"");
        *at++ = packet->out ? '>' : '<';
        at = JSON_PUT(at, "\",\"ipt\":");
        at = json_put_unsigned(at, packet->ipt_ms);
        *at++ = '}';
    }
    *at++ = ']';
    return at;
}

static char *put_byte_dist(char *at, const struct record *record)
{
    const struct record_byte_dist *dist = &record->byte_dist;
    bool has_payload = record->out.bytes + (record->in.present ? record->in.bytes : 0) > 0;

    if (record->has_byte_dist) {
        at = JSON_PUT(at, ",\"byte_dist\":[");
        for (unsigned i = 0; i < 256; i++) {
            if (i > 0)
                *at++ = ',';
            at = json_put_unsigned(at, dist->counts[i]);
        }
        *at++ = ']';
    }
    if (record->has_byte_dist && has_payload) {
        at = JSON_PUT(at, ",\"byte_dist_mean\":");
        at = json_put_decimal(at, dist->mean);
        at = JSON_PUT(at, ",\"byte_dist_std\":");
        at = json_put_decimal(at, dist->deviation);
    }
    if (record->has_entropy && has_payload) {
        at = JSON_PUT(at, ",\"entropy\":");
        at = json_put_decimal(at, dist->entropy);
        at = JSON_PUT(at, ",\"total_entropy\":");
        at = json_put_decimal(at, dist->total_entropy);
    }
    return at;
}

static char *put_ip_side(char *at, const struct record_side *side, const uint16_t *ids)
{
    at = JSON_PUT(at, "{\"ttl\":");
    at = json_put_unsigned(at, side->ttl);
    if (side->n_ids > 0) {
        at = JSON_PUT(at, ",\"id\":[");
        for (unsigned i = 0; i < side->n_ids; i++) {
            if (i > 0)
                *at++ = ',';
            at = json_put_unsigned(at, ids[i]);
        }
        *at++ = ']';
    }
    *at++ = '}';
    return at;
}

static char *put_ip(char *at, const struct record *record)
{
    bool in = record->in.present && record->in.has_ip;

    if (!record->out.has_ip && !in)
        return at;
    at = JSON_PUT(at, ",\"ip\":{");
    if (record->out.has_ip) {
        at = JSON_PUT(at, "\"out\":");
        at = put_ip_side(at, &record->out, record->ids_out);
    }
    if (in) {
        at = record->out.has_ip ? JSON_PUT(at, ",\"in\":") : JSON_PUT(at, "\"in\":");
        at = put_ip_side(at, &record->in, record->ids_in);
    }
    *at++ = '}';
    return at;
}

static char *put_tcp_side(char *at, const struct record_tcp_side *side)
{
    char *first = at;

    if (side->flags != 0) {
        at = JSON_PUT(at, ",\"flags\":\"");
        at = tcp_flags_put(at, side->flags);
        *at++ = '"';
    }
    if (side->window != 0) {
        at = JSON_PUT(at, ",\"first_window_size\":");
        at = json_put_unsigned(at, side->window);
    }
    if (side->options_length > 0) {
        at = JSON_PUT(at, ",\"opt_len\":");
        at = json_put_unsigned(at, side->options_length);
        at = JSON_PUT(at, ",\"opts\":[");
        at = tcp_options_put(at, side->options, side->options_length);
        *at++ = ']';
    }
    if (at == first)
        *at++ = '{';
    else
        *first = '{';
    *at++ = '}';
    return at;
}

static char *put_tcp(char *at, const struct record *record)
{
    char *first;

    if (!record->has_tcp)
        return at;
    at = JSON_PUT(at, ",\"tcp\":");
    first = at;
    if (record->tcp_first_seq != 0) {
        at = JSON_PUT(at, ",\"first_seq\":");
        at = json_put_unsigned(at, record->tcp_first_seq);
    }
    if (record->tcp_out.present) {
        at = JSON_PUT(at, ",\"out\":");
        at = put_tcp_side(at, &record->tcp_out);
    }
    if (record->tcp_in.present) {
        at = JSON_PUT(at, ",\"in\":");
        at = put_tcp_side(at, &record->tcp_in);
    }
    if (at == first)
        *at++ = '{';
    else
        *first = '{';
    *at++ = '}';
    return at;
}

static char *put_debug(char *at, const struct record *record)
{
    if (record->tcp_retrans == 0 && record->invalid == 0)
        return at;
    at = JSON_PUT(at, ",\"debug\":{");
    if (record->tcp_retrans != 0) {
        at = JSON_PUT(at, "\"tcp_retrans\":");
        at = json_put_unsigned(at, record->tcp_retrans);
    }
    if (record->invalid != 0) {
        at = record->tcp_retrans != 0 ? JSON_PUT(at, ",\"invalid\":") : JSON_PUT(at, "\"invalid\":");
        at = json_put_unsigned(at, record->invalid);
    }
    *at++ = '}';
    return at;
}

static char *put_expire_type(char *at, const struct record *record)
{
    if (record->expire_type == 0)
        return at;
    at = JSON_PUT(at, ",\"expire_type\":\"");
    *at++ = record->expire_type;
    *at++ = '"';
    return at;
}

size_t record_json_write(char line[RECORD_JSON_MAX], const struct record *record)
{
    char *at = line;

    at = put_head(at, record);
    at = put_packets(at, record);
    at = put_byte_dist(at, record);
    at = put_ip(at, record);
    at = put_tcp(at, record);
    at = put_debug(at, record);
    at = put_expire_type(at, record);
    at = JSON_PUT(at, "}\n");
    return (size_t)(at - line);
}

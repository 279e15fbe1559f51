#include "daemon/verdict_log.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "daemon/community_id.h"
#include "flowtrack/json_put.h"

/* IP protocols by the names that EVE readers know; others appear as their number. */
static const struct {
    uint8_t number;
    const char *name;
} protocols[] = {
    {IPPROTO_TCP, "TCP"}, {IPPROTO_UDP, "UDP"},          {IPPROTO_ICMP, "ICMP"},
    {IPPROTO_ESP, "ESP"}, {IPPROTO_ICMPV6, "IPv6-ICMP"}, {IPPROTO_SCTP, "SCTP"},
    {IPPROTO_GRE, "GRE"}, {IPPROTO_IGMP, "IGMP"},        {IPPROTO_AH, "AH"},
};

static char *put_string(char *at, const char *text)
{
    return json_put_string(at, text, strlen(text));
}

#define PUT_KEY(at, key) JSON_PUT(at, ",\"" key "\":")

static char *put_time(char *at, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000;
    int64_t rest = microseconds % 1000000;
    struct tm civil;
    time_t whole;

    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    whole = (time_t)seconds;
    if (gmtime_r(&whole, &civil) == NULL || civil.tm_year < -1900 || civil.tm_year > 9999 - 1900)
        return JSON_PUT(at, "null");
    at += strftime(at, 32, "\"%Y-%m-%dT%H:%M:%S.", &civil);
    at = json_put_six(at, (uint32_t)rest);
    return JSON_PUT(at, "+00:00\"");
}

static char *put_protocol(char *at, uint8_t number)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (protocols[i].number == number)
            return put_string(at, protocols[i].name);
    }
    *at++ = '"';
    at = json_put_unsigned(at, number);
    *at++ = '"';
    return at;
}

static char *put_end(char *at, const char *key, uint8_t family, const uint8_t address[16])
{
    at = json_put_text(at, key, strlen(key));
    at += record_address_text(at, family, address);
    *at++ = '"';
    return at;
}

static char *put_ends(char *at, const struct record *record)
{
    at = put_end(at, ",\"src_ip\":\"", record->family, record->source);
    if (record->has_ports)
        at = json_put_unsigned(PUT_KEY(at, "src_port"), record->source_port);
    at = put_end(at, ",\"dest_ip\":\"", record->family, record->destination);
    if (record->has_ports)
        at = json_put_unsigned(PUT_KEY(at, "dest_port"), record->destination_port);
    return put_protocol(PUT_KEY(at, "proto"), record->protocol);
}

static char *put_community_id(char *at, const struct record *record, bool icmp_unknown)
{
    bool icmp = record->protocol == IPPROTO_ICMP || record->protocol == IPPROTO_ICMPV6;
    char text[COMMUNITY_ID_SIZE];

    if ((icmp && icmp_unknown) || !community_id_v1(text, record, 0))
        return at;
    return put_string(PUT_KEY(at, "community_id"), text);
}

static char *put_flow(char *at, const struct record *record)
{
    at = json_put_unsigned(JSON_PUT(at, ",\"flow\":{\"pkts_toserver\":"), record->out.packets);
    at = json_put_unsigned(PUT_KEY(at, "pkts_toclient"), record->in.packets);
    at = json_put_unsigned(PUT_KEY(at, "bytes_toserver"), record->out.bytes);
    at = json_put_unsigned(PUT_KEY(at, "bytes_toclient"), record->in.bytes);
    at = put_time(PUT_KEY(at, "start"), record->time_start);
    at = put_time(PUT_KEY(at, "end"), record->time_end);
    if (record->reason != RECORD_REASON_NONE)
        at = put_string(PUT_KEY(at, "reason"), record_reason_name(record->reason));
    *at++ = '}';
    return at;
}

static char *put_scores(char *at, const struct tree *tree, const struct verdict *verdict)
{
    at = JSON_PUT(at, ",\"scores\":{");
    for (size_t i = 0; i < tree->n_labels; i++) {
        if (i > 0)
            *at++ = ',';
        at = put_string(at, tree->labels[i]);
        *at++ = ':';
        at = json_put_decimal(at, (double)verdict->scores[i]);
    }
    *at++ = '}';
    return at;
}

static char *put_no_verdict(char *at, enum flow_cause cause)
{
    at = JSON_PUT(at, ",\"flowclass\":{\"state\":\"not_classified\",\"label\":\"unknown\",\"cause\":");
    at = put_string(at, flow_cause_name(cause));
    *at++ = '}';
    return at;
}

static char *put_verdict(char *at, const struct flow_batch *batch, const struct verdict *verdict)
{
    const struct model *model = batch->model->model;
    bool classified = verdict->state == VERDICT_CLASSIFIED;

    at = JSON_PUT(at, ",\"flowclass\":{\"state\":");
    at = put_string(at, verdict_state_name(verdict->state));
    at = put_string(PUT_KEY(at, "label"), classified ? model->tree->labels[verdict->label] : "unknown");
    at = json_put_decimal(PUT_KEY(at, "confidence"), (double)verdict->confidence);
    at = put_scores(at, model->tree, verdict);
    at = put_string(PUT_KEY(at, "model"), model->id);
    at = put_string(PUT_KEY(at, "engine"), batch->engine);
    *at++ = '}';
    return at;
}

static char *put_flowclass(char *at, const struct flow_batch *batch, size_t flow)
{
    if (!batch->classified)
        return put_no_verdict(at, batch->cause);
    if (batch->verdict[flow].state == VERDICT_NOT_CLASSIFIED)
        return put_no_verdict(at, FLOW_CAUSE_scores);
    return put_verdict(at, batch, &batch->verdict[flow]);
}

size_t verdict_log_line(char *line, const struct verdict_context *context, const struct flow_batch *batch,
                        size_t flow)
{
    const struct record *record = batch->record[flow];
    char *at = line;

    at = put_time(JSON_PUT(at, "{\"timestamp\":"), record->time_end);
    at = JSON_PUT(at, ",\"event_type\":\"flowclass\",\"flow_id\":");
    at = json_put_unsigned(at, record->flow_id);
    if (record->interface < context->n_interfaces)
        at = put_string(PUT_KEY(at, "in_iface"), context->interfaces[record->interface]);
    at = put_ends(at, record);
    at = put_community_id(at, record, context->icmp_unknown);
    at = put_flow(at, record);
    at = put_flowclass(at, batch, flow);
    at = JSON_PUT(at, "}\n");
    return (size_t)(at - line);
}

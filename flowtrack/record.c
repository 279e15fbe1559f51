#include "flowtrack/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "flowtrack/json_put.h"

static const struct {
    const char *name;
    char mark;
} reasons[RECORD_REASONS] = {
    [RECORD_REASON_NONE] = {"none", 0},       [RECORD_REASON_IDLE] = {"idle", 'i'},
    [RECORD_REASON_ACTIVE] = {"active", 'a'}, [RECORD_REASON_END] = {"end", 'e'},
    [RECORD_REASON_FORCED] = {"forced", 'f'}, [RECORD_REASON_RESOURCES] = {"resources", 'r'},
};

size_t record_size(const struct record *record)
{
    if (record->has_byte_dist || record->has_entropy)
        return sizeof *record;
    return offsetof(struct record, packets) + record->n_packets * sizeof record->packets[0];
}

void record_copy(struct record *to, const struct record *from)
{
    memcpy(to, from, record_size(from));
}

static bool side_equal(const struct record_side *a, const uint16_t *ids_a, const struct record_side *b,
                       const uint16_t *ids_b)
{
    if (a->present != b->present)
        return false;
    if (!a->present)
        return true;
    if (a->bytes != b->bytes || a->packets != b->packets || a->has_ip != b->has_ip)
        return false;
    return !a->has_ip || (a->ttl == b->ttl && a->n_ids == b->n_ids &&
                          memcmp(ids_a, ids_b, a->n_ids * sizeof ids_a[0]) == 0);
}

static bool tcp_side_equal(const struct record_tcp_side *a, const struct record_tcp_side *b)
{
    if (a->present != b->present)
        return false;
    return !a->present ||
           (a->flags == b->flags && a->window == b->window && a->options_length == b->options_length &&
            memcmp(a->options, b->options, a->options_length) == 0);
}

static bool tcp_equal(const struct record *a, const struct record *b)
{
    if (a->has_tcp != b->has_tcp)
        return false;
    return !a->has_tcp || (a->tcp_first_seq == b->tcp_first_seq && tcp_side_equal(&a->tcp_out, &b->tcp_out) &&
                           tcp_side_equal(&a->tcp_in, &b->tcp_in));
}

static bool packets_equal(const struct record *a, const struct record *b)
{
    if (a->n_packets != b->n_packets)
        return false;
    for (unsigned i = 0; i < a->n_packets; i++) {
        const struct record_packet *p = &a->packets[i], *q = &b->packets[i];

        if (p->ipt_ms != q->ipt_ms || p->bytes != q->bytes || p->out != q->out)
            return false;
    }
    return true;
}

static bool byte_dist_equal(const struct record *a, const struct record *b)
{
    const struct record_byte_dist *p = &a->byte_dist, *q = &b->byte_dist;

    if (a->has_byte_dist != b->has_byte_dist || a->has_entropy != b->has_entropy)
        return false;
    if (a->has_byte_dist && (memcmp(p->counts, q->counts, sizeof p->counts) != 0 || p->mean != q->mean ||
                             p->deviation != q->deviation))
        return false;
    return !a->has_entropy || (p->entropy == q->entropy && p->total_entropy == q->total_entropy);
}

static bool head_equal(const struct record *a, const struct record *b)
{
    return memcmp(a->source, b->source, sizeof a->source) == 0 &&
           memcmp(a->destination, b->destination, sizeof a->destination) == 0 && a->family == b->family &&
           a->protocol == b->protocol && a->has_ports == b->has_ports &&
           (!a->has_ports ||
            (a->source_port == b->source_port && a->destination_port == b->destination_port)) &&
           a->expire_type == b->expire_type && a->tcp_retrans == b->tcp_retrans && a->invalid == b->invalid &&
           a->time_start == b->time_start && a->time_end == b->time_end;
}

bool record_equal(const struct record *a, const struct record *b)
{
    return head_equal(a, b) && side_equal(&a->out, a->ids_out, &b->out, b->ids_out) &&
           side_equal(&a->in, a->ids_in, &b->in, b->ids_in) && tcp_equal(a, b) && packets_equal(a, b) &&
           byte_dist_equal(a, b);
}

const char *record_reason_name(enum record_reason reason)
{
    return reasons[reason < RECORD_REASONS ? reason : RECORD_REASON_NONE].name;
}

char record_reason_mark(enum record_reason reason)
{
    return reasons[reason < RECORD_REASONS ? reason : RECORD_REASON_NONE].mark;
}

enum record_reason record_reason_of_mark(char mark)
{
    for (enum record_reason reason = RECORD_REASON_IDLE; reason < RECORD_REASONS; reason++)
        if (reasons[reason].mark == mark)
            return reason;
    return RECORD_REASON_NONE;
}

size_t record_address_text(char text[RECORD_ADDRESS_MAX], uint8_t family, const uint8_t address[16])
{
    char *at = text;

    if (family == 6) {
        (void)inet_ntop(AF_INET6, address, text, RECORD_ADDRESS_MAX);
        return strlen(text);
    }
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = json_put_unsigned(at, address[i]);
    }
    *at = '\0';
    return (size_t)(at - text);
}

int record_address_parse(uint8_t address[16], uint8_t *familyp, const char *text, size_t length)
{
    char copy[RECORD_ADDRESS_MAX];
    uint8_t octets[16] = {0};
    uint8_t family;

    if (length >= sizeof copy || memchr(text, '\0', length) != NULL)
        return -EINVAL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (inet_pton(AF_INET, copy, octets) == 1)
        family = 4;
    else if (inet_pton(AF_INET6, copy, octets) == 1 ||
             (length == 2 * sizeof octets && json_hex_octets(octets, copy, sizeof octets)))
        family = 6;
    else
        return -EINVAL;
    memcpy(address, octets, sizeof octets);
    *familyp = family;
    return 0;
}

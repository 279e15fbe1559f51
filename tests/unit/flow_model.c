/* flow_model.c - the record rules done the slow and obvious way. */
#include "flow_model.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct model *model_new(const struct rules *rules, int64_t idle, int64_t active, int64_t linger)
{
    struct model *model = calloc(1, sizeof(*model));

    model->rules = rules;
    model->idle = idle;
    model->active = active;
    model->linger = linger;
    model->clock = rules->expire_in_batches ? 0 : INT64_MIN / 4;
    return model;
}

void model_free(struct model *model)
{
    free(model->records);
    free(model);
}

static bool same_ends(const struct flow_key *a, const struct flow_key *b, bool turned)
{
    if (a->protocol != b->protocol || a->family != b->family)
        return false;
    if (!turned)
        return memcmp(a->source, b->source, 16) == 0 && memcmp(a->destination, b->destination, 16) == 0 &&
               a->source_port == b->source_port && a->destination_port == b->destination_port;
    return memcmp(a->source, b->destination, 16) == 0 && memcmp(a->destination, b->source, 16) == 0 &&
           a->source_port == b->destination_port && a->destination_port == b->source_port;
}

static struct model_half *find(struct model *model, const struct flow_key *key, bool turned)
{
    for (int i = 0; i < MODEL_HALVES; i++)
        if (model->halves[i].used && same_ends(key, &model->halves[i].key, turned))
            return &model->halves[i];
    return NULL;
}

/* Whether a half stands in the open list: it is the one of its record that was seen first. */
static bool is_listed(const struct model_half *half)
{
    return half->used && !(half->twin && half->twin->order < half->order);
}

/* ---- records ---- */

static int undecided_or_out(const struct model_half *r, const struct model_half *w)
{
    if (r->keyword == KEYWORD_CLIENT)
        return 0;
    if (w->keyword == KEYWORD_CLIENT)
        return 1;
    if (r->keyword == KEYWORD_SERVER)
        return 1;
    if (w->keyword == KEYWORD_SERVER)
        return 0;
    if (!r->handshake && !w->handshake)
        return -1;
    if (r->handshake == 2 && w->handshake == 2)
        return -1;
    if (r->handshake == 2)
        return 0;
    if (w->handshake == 2)
        return 1;
    if (r->handshake == 18 && w->handshake == 18)
        return -1;
    return r->handshake == 18 ? 1 : 0;
}

static uint32_t gap(const struct model *model, int64_t from, int64_t to)
{
    int64_t d = to - from;

    if (d < 0 && !model->rules->ipt_wraps)
        return 0;
    return (uint32_t)(d >= 0 ? d / 1000 : -((-d + 999) / 1000));
}

static void put_packet(const struct model *model, struct record *record, const struct model_half *half,
                       unsigned i, bool out, int64_t *before, bool first_is_zero)
{
    unsigned n = record->n_packets++;

    record->packets[n].bytes = half->list[i].length;
    record->packets[n].out = out;
    record->packets[n].ipt_ms = n == 0 && first_is_zero ? 0 : gap(model, *before, half->list[i].time);
    *before = half->list[i].time;
}

static unsigned kept(const struct model_half *half)
{
    return half->n_list < RECORD_SIDE_PACKETS_MAX ? half->n_list : RECORD_SIDE_PACKETS_MAX;
}

static void merge_packets(const struct model *model, struct record *record, const struct model_half *out,
                          const struct model_half *in)
{
    int64_t before = record->time_start;
    unsigned i = 0, j = 0;

    if (!in) {
        while (i < kept(out))
            put_packet(model, record, out, i++, !model->rules->one_way_points_in, &before, true);
        return;
    }
    while (i < kept(out) || j < kept(in)) {
        bool take_out = j == kept(in) || (i < kept(out) && out->list[i].time < in->list[j].time);

        if (take_out)
            put_packet(model, record, out, i++, true, &before, false);
        else
            put_packet(model, record, in, j++, false, &before, false);
    }
}

static void put_side(struct record_side *side, uint16_t *ids, const struct model_half *half)
{
    side->present = side->has_ip = half != NULL;
    if (!half)
        return;
    side->bytes = half->bytes < 0 ? (uint32_t)half->bytes : (uint64_t)half->bytes;
    side->packets = half->packets;
    side->ttl = half->ttl;
    side->n_ids = (uint8_t)half->n_ids;
    memcpy(ids, half->ids, sizeof(half->ids));
}

static struct record *next_record(struct model *model)
{
    if (model->n_records == model->max_records) {
        model->max_records = model->max_records * 2 + 16;
        model->records = realloc(model->records, model->max_records * sizeof(struct record));
    }
    memset(&model->records[model->n_records], 0, sizeof(struct record));
    return &model->records[model->n_records++];
}

static void end(struct model *model, struct model_half *r, enum record_reason reason, char mark)
{
    struct record *record = next_record(model);
    struct model_half *w = r->twin;
    struct model_half *out = r;
    int decided = w ? undecided_or_out(r, w) : 0;

    if (w && decided < 0)
        out = r->start < w->start ? r : w;
    else if (w && decided == 1)
        out = w;
    record->time_start = out->start;
    record->time_end = r->end;
    if (w && w->end > r->end && (decided < 0 || !model->rules->end_of_first_half))
        record->time_end = w->end;
    memcpy(record->source, out->key.source, 16);
    memcpy(record->destination, out->key.destination, 16);
    record->source_port = out->key.source_port;
    record->destination_port = out->key.destination_port;
    record->protocol = out->key.protocol;
    record->family = out->family;
    record->has_ports = out->key.protocol == IPPROTO_TCP || out->key.protocol == IPPROTO_UDP;
    record->reason = (uint8_t)reason;
    record->expire_type = model->rules->expire_type_may_lack && out != r ? 0 : mark;
    put_side(&record->out, record->ids_out, out);
    put_side(&record->in, record->ids_in, out->twin);
    merge_packets(model, record, out, out->twin);
    record->tcp_retrans = r->retrans + (w ? w->retrans : 0);
    record->invalid = r->invalid + (w && w->invalid);
    if (w)
        w->used = false;
    r->used = false;
}

/* ---- ending ---- */

static bool joy_expired(const struct model *model, const struct model_half *r, char *mark)
{
    int64_t c = model->clock - model->idle;
    int64_t d = model->clock - model->active;
    const struct model_half *w = r->twin;

    if (r->start < d && (!w || w->start < d)) {
        *mark = 'a';
        return true;
    }
    *mark = 'i';
    return r->end < c && (!w || w->end < c);
}

/* The entry of the open list behind one made at `order`, NULL at its end. */
static struct model_half *next_listed(struct model *model, uint64_t order)
{
    struct model_half *next = NULL;

    for (int i = 0; i < MODEL_HALVES; i++) {
        struct model_half *half = &model->halves[i];

        if (is_listed(half) && half->order > order && (!next || half->order < next->order))
            next = half;
    }
    return next;
}

static void joy_walk(struct model *model)
{
    uint64_t order = 0;
    struct model_half *half;
    char mark;

    while ((half = next_listed(model, order)) != NULL) {
        order = half->order;
        if (joy_expired(model, half, &mark))
            end(model, half, mark == 'a' ? RECORD_REASON_ACTIVE : RECORD_REASON_IDLE, mark);
    }
}

static int64_t due_of(const struct model *model, const struct model_half *r, enum record_reason *reason)
{
    const struct model_half *w = r->twin;
    int64_t start = w && w->start < r->start ? w->start : r->start;
    int64_t last = w && w->last > r->last ? w->last : r->last;
    int64_t idle = last + model->idle;
    int64_t due = start + model->active;

    *reason = RECORD_REASON_ACTIVE;
    if (r->close_due != INT64_MAX) { /* silence counted until it closed */
        if (r->close_due < due) {
            due = r->close_due;
            *reason = RECORD_REASON_END;
        }
    } else if (idle < due) {
        due = idle;
        *reason = RECORD_REASON_IDLE;
    }
    return due;
}

static void timed_walk(struct model *model)
{
    for (;;) {
        struct model_half *best = NULL;
        enum record_reason best_reason = RECORD_REASON_NONE;
        int64_t best_due = model->clock;

        for (int i = 0; i < MODEL_HALVES; i++) {
            struct model_half *half = &model->halves[i];
            enum record_reason reason;
            int64_t due;

            if (!is_listed(half))
                continue;
            due = due_of(model, half, &reason);
            if (due < best_due || (best && due == best_due && half->order < best->order)) {
                best = half;
                best_due = due;
                best_reason = reason;
            }
        }
        if (!best)
            return;
        end(model, best, best_reason, record_reason_mark(best_reason));
    }
}

void model_walk(struct model *model)
{
    if (model->rules->expire_in_batches)
        joy_walk(model);
    else
        timed_walk(model);
}

static void end_rest(struct model *model)
{
    char mark = model->rules->expire_type_may_lack ? 0 : 'f';
    struct model_half *half;

    while ((half = next_listed(model, 0)) != NULL)
        end(model, half, RECORD_REASON_FORCED, mark);
}

void model_finish(struct model *model)
{
    model_walk(model);
    end_rest(model);
    model->clock = model->rules->expire_in_batches ? 0 : INT64_MIN / 4;
}

void model_advance(struct model *model, int64_t now)
{
    if (now <= model->clock)
        return;
    model->clock = now;
    timed_walk(model);
}

/* ---- packets ---- */

static struct model_half *make(struct model *model, const struct packet *packet)
{
    struct model_half *twin = find(model, &packet->key, true);
    struct model_half *half = model->halves;

    while (half->used)
        half++; /* there are more than a test has flows */
    memset(half, 0, sizeof(*half));
    half->used = true;
    half->key = packet->key;
    half->order = ++model->n_made;
    half->ttl = 255;
    half->close_due = INT64_MAX;
    if (twin && !twin->twin) {
        twin->twin = half;
        half->twin = twin;
    }
    return half;
}

static struct model_half *first_of(struct model_half *half)
{
    return half->twin && half->twin->order < half->order ? half->twin : half;
}

/* Return: payload that counts, 0: a retransmission. */
static int32_t judge_segment(const struct model *model, struct model_half *half, const struct packet *packet)
{
    uint32_t begin = packet->tcp_seq + ((packet->tcp_flags & TCP_SYN) != 0);
    int32_t n_new = 0;

    if (model->rules->ring_retransmissions) {
        for (int i = 0; packet->payload_length > 0 && i < 10; i++)
            if (half->ring[i] == packet->tcp_seq)
                return 0;
        return packet->payload_length;
    }
    if (!half->has_base && (packet->payload_length > 0 || packet->tcp_flags & TCP_SYN)) {
        half->has_base = true;
        half->base = begin;
    }
    for (int32_t i = 0; i < packet->payload_length; i++) {
        uint32_t at = begin - half->base + (uint32_t)i;

        if (at >= sizeof(half->seen) || half->seen[at])
            continue; /* before the base, or seen */
        half->seen[at] = 1;
        n_new++;
    }
    return n_new;
}

static void close_flow(const struct model *model, struct model_half *half, const struct packet *packet)
{
    struct model_half *r = first_of(half);
    int64_t last = r->twin && r->twin->last > r->last ? r->twin->last : r->last;

    if (!model->rules->tcp_end_detected || packet->malformed || packet->key.protocol != IPPROTO_TCP)
        return;
    if (packet->tcp_flags & TCP_FIN)
        half->fin = true;
    if (r->close_due != INT64_MAX)
        return;
    if (packet->tcp_flags & TCP_RST || (half->fin && half->twin && half->twin->fin)) {
        r->close_due = packet->time + model->linger;
        if (last + model->idle < r->close_due)
            r->close_due = last + model->idle;
    }
}

static void count(const struct model *model, struct model_half *half, const struct packet *packet,
                  int32_t payload)
{
    bool tcp = packet->key.protocol == IPPROTO_TCP;

    half->bytes += payload;
    if (payload != 0 && half->n_list < (tcp ? 199 : 200)) {
        half->list[half->n_list].time = packet->time;
        half->list[half->n_list].length = (uint16_t)payload;
        half->n_list++;
        if (tcp && !packet->malformed) {
            half->ring[half->ring_at] = packet->tcp_seq;
            half->ring_at = (half->ring_at + 1) % 10;
        }
    }
    if (tcp && !packet->malformed && !half->handshake && (packet->tcp_flags == 2 || packet->tcp_flags == 18))
        half->handshake = packet->tcp_flags;
    if (!half->keyword && half->n_list <= 2)
        half->keyword = packet->keyword;
    if (packet->ttl < half->ttl)
        half->ttl = packet->ttl;
    if (packet->family == 4 && half->n_ids < RECORD_IDS_MAX)
        half->ids[half->n_ids++] = packet->ip_id;
    half->packets++;
    if (model->rules->end_may_go_back) {
        half->end = packet->time;
        if (half->start == 0)
            half->start = packet->time;
    } else if (half->packets == 1) {
        half->start = half->end = packet->time;
    } else if (packet->time > half->end) {
        half->end = packet->time;
    }
}

static void add_to_half(struct model *model, struct model_half *half, const struct packet *packet, bool made)
{
    int32_t payload = packet->payload_length;

    half->family = packet->family;
    if (made || packet->time > half->last)
        half->last = packet->time;
    if (packet->malformed && packet->key.protocol == IPPROTO_TCP && !made &&
        model->rules->malformed_tcp_once) {
        if (!half->last_retrans)
            count(model, half, packet, 0);
        return;
    }
    if (packet->malformed)
        half->invalid = true;
    if (packet->key.protocol == IPPROTO_TCP && !packet->malformed) {
        payload = judge_segment(model, half, packet);
        if (packet->payload_length > 0) {
            half->retrans += payload < packet->payload_length;
            half->last_retrans = payload == 0;
            if (payload == 0)
                return;
        }
    }
    count(model, half, packet, payload);
}

void model_add(struct model *model, const struct packet *packet)
{
    struct model_half *half;
    bool made;

    if (model->rules->expire_in_batches) {
        if (packet->time > model->clock)
            model->clock = packet->time;
    } else {
        if (model->clock - packet->time > model->idle) {
            timed_walk(model);
            end_rest(model);
            model->clock = packet->time;
        }
        if (packet->time > model->clock)
            model->clock = packet->time;
        timed_walk(model); /* also for late packets: what they made may be over already */
    }
    half = find(model, &packet->key, false);
    if (!model->rules->expire_in_batches) {
        struct model_half *other = half ? half : find(model, &packet->key, true);

        if (other && first_of(other)->close_due != INT64_MAX && !packet->malformed &&
            (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
            end(model, first_of(other), RECORD_REASON_END, 'e');
            half = NULL;
        }
    }
    made = !half;
    if (!half)
        half = make(model, packet);
    add_to_half(model, half, packet, made);
    close_flow(model, half, packet);
}

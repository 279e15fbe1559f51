/* flow_model.h - the record rules done the slow and obvious way, to hold the flow table against.
 *
 * Every half is a struct of its own with a pointer to its twin, all open records stand in one list in order
 * of creation, and every question is answered by walking that list. No sizes are saved, nothing is lazy.
 * Written from joy-records.md sections 3 to 9 and design section 5, not from flow.c.
 */
#ifndef TESTS_UNIT_FLOW_MODEL_H
#define TESTS_UNIT_FLOW_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/packet.h"
#include "flowtrack/record.h"
#include "flowtrack/rules.h"

enum { MODEL_HALVES = 512, MODEL_LIST = 200 };

struct model_half {
    bool used;
    struct flow_key key; /* as sent */
    struct model_half *twin;
    uint64_t order; /* of creation */
    int64_t start, end, bytes;
    int64_t last; /* of all packets, retransmissions too */
    uint64_t packets;
    struct {
        int64_t time;
        uint16_t length;
    } list[MODEL_LIST];
    unsigned n_list;
    uint16_t ids[RECORD_IDS_MAX];
    unsigned n_ids;
    uint32_t ring[10];
    unsigned ring_at;
    bool has_base;
    uint32_t base;         /* sequence space: of the first octet */
    uint8_t seen[1 << 16]; /* of the octets from there on; a half has fewer */
    uint32_t retrans;
    bool last_retrans, invalid, fin;
    uint8_t handshake, keyword, ttl, family;
    int64_t close_due; /* on the half seen first; INT64_MAX: not closing */
};

struct model {
    const struct rules *rules;
    int64_t idle, active, linger, clock;
    uint64_t n_made;
    struct model_half halves[MODEL_HALVES];
    struct record *records; /* (n_records), what came out */
    unsigned n_records, max_records;
};

struct model *model_new(const struct rules *rules, int64_t idle, int64_t active, int64_t linger);
void model_free(struct model *model);

/* Add a packet; its key as sent. */
void model_add(struct model *model, const struct packet *packet);

/* Joy: the end of a batch. Else: everything due by the clock, which model_add() does itself. */
void model_walk(struct model *model);

/* A tick: the clock moves on without a packet. */
void model_advance(struct model *model, int64_t now);

void model_finish(struct model *model);

#endif

/* fanout_words.h - the words in which the program of fanout.h is written, each a few instructions, and its
 * parts, one file each.
 *
 * Classic BPF jumps forward only, so what is a loop in packet.c stands here once for each round: a round
 * takes one tag off, or goes through one IP header and the head of one tunnel. Between rounds memory holds
 * all there is to know (enum slot). A is the accumulator.
 *
 * Every load is preceded by a look at END, since a load from behind the end would end the program, with the
 * first capture as result, where what has been found so far should count.
 */
#ifndef FLOWTRACK_FANOUT_WORDS_H
#define FLOWTRACK_FANOUT_WORDS_H

#include <stdint.h>

#include "flowtrack/bpf.h"
#include "flowtrack/fanout.h"
#include "flowtrack/layer.h"

/* Words of the program's memory. */
enum slot {
    AT,   /* where the header in hand begins */
    END,  /* where the packet ends */
    TYPE, /* EtherType of the next header (layer.h) */
    HASH, /* of the addresses of the last IP header, the result */
    PROTOCOL,
    FLAGS,
    SUM
};

struct fanout_program {
    const struct fanout_options *options;
    struct bpf_code *code;
    uint16_t done; /* label: the result is HASH */
    uint16_t next; /* label: of the next round */
};

static inline void put(struct fanout_program *program, uint16_t operation, uint32_t k)
{
    bpf_put(program->code, operation, k);
}

static inline uint16_t label(struct fanout_program *program)
{
    return bpf_label(program->code);
}

static inline void here(struct fanout_program *program, uint16_t name)
{
    bpf_here(program->code, name);
}

static inline void jump(struct fanout_program *program, uint16_t to)
{
    bpf_jump(program->code, to);
}

static inline void jump_if(struct fanout_program *program, uint16_t comparison, uint32_t k, uint16_t to)
{
    bpf_jump_if(program->code, comparison, k, to);
}

static inline void jump_unless(struct fanout_program *program, uint16_t comparison, uint32_t k, uint16_t to)
{
    bpf_jump_unless(program->code, comparison, k, to);
}

/* A from the packet. size: BPF_B, BPF_H, BPF_W; offset: from AT on. */
static inline void load(struct fanout_program *program, uint16_t size, uint32_t offset)
{
    put(program, (uint16_t)(BPF_LD | BPF_IND | size), offset);
}

static inline void recall(struct fanout_program *program, enum slot slot)
{
    put(program, BPF_LD | BPF_MEM, slot);
}

static inline void store(struct fanout_program *program, enum slot slot)
{
    put(program, BPF_ST, slot);
}

static inline void calculate(struct fanout_program *program, uint16_t operation, uint32_t k)
{
    put(program, (uint16_t)(BPF_ALU | operation | BPF_K), k);
}

/* AT = A. */
static inline void go_to(struct fanout_program *program)
{
    put(program, BPF_MISC | BPF_TAX, 0);
}

static inline void go_on(struct fanout_program *program, uint32_t octets)
{
    put(program, BPF_MISC | BPF_TXA, 0);
    calculate(program, BPF_ADD, octets);
    go_to(program);
}

/* Done unless there are so many octets more. */
static inline void need(struct fanout_program *program, uint32_t octets)
{
    recall(program, END);
    put(program, BPF_ALU | BPF_SUB | BPF_X, 0);
    jump_unless(program, BPF_JGE, octets, program->done);
}

/* Done if AT has got behind the end. */
static inline void check_end(struct fanout_program *program)
{
    enum { NEGATIVE = 1u << 31 };

    recall(program, END);
    put(program, BPF_ALU | BPF_SUB | BPF_X, 0);
    jump_if(program, BPF_JSET, NEGATIVE, program->done);
}

/* AT += A */
static inline void go_on_by_length(struct fanout_program *program)
{
    put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
    go_to(program);
    check_end(program);
}

static inline void next_is(struct fanout_program *program, uint16_t type)
{
    put(program, BPF_LD | BPF_IMM, type);
    store(program, TYPE);
    jump(program, program->next);
}

static inline void next_is_either(struct fanout_program *program, uint16_t four, uint16_t six)
{
    here(program, four);
    next_is(program, LAYER_IPV4);
    here(program, six);
    next_is(program, LAYER_IPV6);
}

/* The next header is an IP packet, or something else, by its first octet. otherwise: where to go then. */
static inline void next_is_ip(struct fanout_program *program, uint16_t otherwise)
{
    uint16_t four = label(program), six = label(program);

    need(program, 1);
    load(program, BPF_B, 0);
    calculate(program, BPF_RSH, 4);
    jump_if(program, BPF_JEQ, 4, four);
    jump_if(program, BPF_JEQ, 6, six);
    jump(program, otherwise);
    next_is_either(program, four, six);
}

/* Take off the tag that TYPE, which is in A, says. Source: tunnel_skip_tags(). */
void fanout_tag(struct fanout_program *program);

/* Go to what is in the tunnel whose header is at AT, by PROTOCOL. Source: tunnel_enter(). */
void fanout_tunnel(struct fanout_program *program);

#endif

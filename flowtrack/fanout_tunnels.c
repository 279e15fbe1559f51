/* Tunnels: what tunnel_enter() does. */
#include <netinet/in.h>

#include "flowtrack/fanout_words.h"
#include "flowtrack/tunnel.h"

/* The field is there if the flag is: go on by its length. */
static void pass_optional(struct fanout_program *program, uint32_t flag)
{
    uint16_t behind = label(program);

    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, flag, behind);
    go_on(program, 4);
    here(program, behind);
}

static void gre(struct fanout_program *program)
{
    uint16_t standard = label(program);

    need(program, 4);
    load(program, BPF_H, 2);
    store(program, TYPE);
    load(program, BPF_H, 0);
    store(program, FLAGS);
    jump_if(program, BPF_JSET, TUNNEL_GRE_ROUTING, program->done);
    calculate(program, BPF_AND, TUNNEL_GRE_VERSION);
    jump_if(program, BPF_JGT, 1, program->done);
    go_on(program, 4);
    pass_optional(program, TUNNEL_GRE_CHECKSUM);
    pass_optional(program, TUNNEL_GRE_KEY);
    pass_optional(program, TUNNEL_GRE_SEQUENCE);
    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, TUNNEL_GRE_VERSION, standard);
    pass_optional(program, TUNNEL_GRE_ACKNOWLEDGEMENT);
    here(program, standard);
    check_end(program);
    jump(program, program->next);
}

static void vxlan(struct fanout_program *program)
{
    enum { NETWORK_VALID = 0x08 };

    need(program, 8);
    load(program, BPF_B, 0);
    jump_unless(program, BPF_JSET, NETWORK_VALID, program->done);
    go_on(program, 8);
    next_is(program, LAYER_ETHERNET);
}

/* One extension header: its length stands in its first octet, the type of the next in its last one. */
static void gtp_extension(struct fanout_program *program, uint16_t last)
{
    need(program, 1);
    load(program, BPF_B, 0);
    jump_if(program, BPF_JEQ, 0, program->done);
    calculate(program, BPF_LSH, 2);
    go_on_by_length(program);
    load(program, BPF_B, (uint32_t)-1);
    jump_if(program, BPF_JEQ, 0, last);
}

static void gtp(struct fanout_program *program)
{
    enum { VERSION_1_GTP = 0x30, USER_PACKET = 0xff, EXTENSION = 0x04, ANY_OPTION = 0x07 };
    uint16_t inner = label(program);

    need(program, 8);
    load(program, BPF_H, 0);
    store(program, FLAGS);
    calculate(program, BPF_AND, 0xf0ff);
    jump_unless(program, BPF_JEQ, VERSION_1_GTP << 8 | USER_PACKET, program->done);
    go_on(program, 8);
    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, ANY_OPTION << 8, inner);
    need(program, 4);
    go_on(program, 4);
    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, EXTENSION << 8, inner);
    load(program, BPF_B, (uint32_t)-1);
    jump_if(program, BPF_JEQ, 0, inner);
    for (int i = 0; i < FANOUT_GTP_EXTENSIONS_MAX; i++)
        gtp_extension(program, inner);
    jump(program, program->done);
    here(program, inner);
    next_is_ip(program, program->done);
}

static void udp(struct fanout_program *program)
{
    enum { UDP_HEADER = 8 };
    uint16_t to_vxlan = label(program);

    need(program, UDP_HEADER);
    load(program, BPF_H, 2);
    jump_if(program, BPF_JEQ, TUNNEL_PORT_VXLAN, to_vxlan);
    jump_unless(program, BPF_JEQ, TUNNEL_PORT_GTP_U, program->done);
    go_on(program, UDP_HEADER);
    gtp(program);
    here(program, to_vxlan);
    go_on(program, UDP_HEADER);
    vxlan(program);
}

void fanout_tunnel(struct fanout_program *program)
{
    uint16_t datagram = label(program), four = label(program), six = label(program);

    recall(program, PROTOCOL);
    jump_if(program, BPF_JEQ, IPPROTO_UDP, datagram);
    jump_if(program, BPF_JEQ, IPPROTO_IPIP, four);
    jump_if(program, BPF_JEQ, IPPROTO_IPV6, six);
    jump_unless(program, BPF_JEQ, IPPROTO_GRE, program->done);
    gre(program);
    next_is_either(program, four, six);
    here(program, datagram);
    udp(program);
}

/* Tags: what tunnel_skip_tags() does. */
#include "flowtrack/fanout_words.h"

/* A header that ends in the type of what follows. */
static void pass_typed(struct fanout_program *program, uint32_t octets)
{
    need(program, octets);
    load(program, BPF_H, octets - 2);
    store(program, TYPE);
    go_on(program, octets);
    jump(program, program->next);
}

static void mpls(struct fanout_program *program)
{
    enum { BOTTOM_OF_STACK = 0x100, CONTROL_WORD = 4 };
    uint16_t pseudowire = label(program);

    need(program, 5);
    load(program, BPF_W, 0);
    store(program, FLAGS);
    go_on(program, 4);
    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, BOTTOM_OF_STACK, program->next);
    next_is_ip(program, pseudowire);
    here(program, pseudowire);
    jump_unless(program, BPF_JEQ, 0, program->done);
    go_on(program, CONTROL_WORD);
    check_end(program);
    next_is(program, LAYER_ETHERNET);
}

static void pppoe(struct fanout_program *program)
{
    enum { VERSION_1_TYPE_1_SESSION = 0x1100 };

    need(program, 6);
    load(program, BPF_H, 0);
    jump_unless(program, BPF_JEQ, VERSION_1_TYPE_1_SESSION, program->done);
    go_on(program, 6);
    next_is(program, LAYER_PPP);
}

static void ppp(struct fanout_program *program)
{
    enum { ADDRESS_CONTROL = 0xff03, PPP_IPV4 = 0x21, PPP_IPV6 = 0x57, PPP_MPLS = 0x281 };
    uint16_t protocol = label(program), octet = label(program), known = label(program);
    uint16_t four = label(program), six = label(program);

    need(program, 4);
    load(program, BPF_H, 0);
    jump_unless(program, BPF_JEQ, ADDRESS_CONTROL, protocol);
    go_on(program, 2);
    here(program, protocol);
    load(program, BPF_B, 0);
    jump_if(program, BPF_JSET, 1, octet);
    load(program, BPF_H, 0);
    store(program, FLAGS);
    go_on(program, 2);
    jump(program, known);
    here(program, octet);
    store(program, FLAGS);
    go_on(program, 1);
    here(program, known);
    recall(program, FLAGS);
    jump_if(program, BPF_JEQ, PPP_IPV4, four);
    jump_if(program, BPF_JEQ, PPP_IPV6, six);
    jump_unless(program, BPF_JEQ, PPP_MPLS, program->done);
    next_is(program, LAYER_MPLS);
    next_is_either(program, four, six);
}

static void llc(struct fanout_program *program)
{
    enum { SNAP = 0xaaaa03, ETHERNET = 0x000000, BRIDGE_TUNNEL = 0x0000f8 };
    uint16_t known = label(program);

    need(program, 8);
    load(program, BPF_W, 0);
    calculate(program, BPF_RSH, 8);
    jump_unless(program, BPF_JEQ, SNAP, program->done);
    load(program, BPF_W, 2);
    calculate(program, BPF_AND, 0xffffff);
    jump_if(program, BPF_JEQ, ETHERNET, known);
    jump_unless(program, BPF_JEQ, BRIDGE_TUNNEL, program->done);
    here(program, known);
    load(program, BPF_H, 6);
    jump_unless(program, BPF_JGT, LAYER_LENGTH_MAX, program->done);
    pass_typed(program, 8);
}

void fanout_tag(struct fanout_program *program)
{
    enum { VLAN_TAG = 4 };
    static const struct {
        uint16_t types[4];                            /* 0: none */
        uint32_t typed;                               /* octets, if its end says what follows */
        void (*pass)(struct fanout_program *program); /* else */
    } tags[] = {
        {{LAYER_VLAN, LAYER_VLAN_SERVICE, LAYER_VLAN_OLD, LAYER_VLAN_OLDER}, VLAN_TAG, NULL},
        {{LAYER_ETHERNET}, LAYER_ETHERNET_HEADER, NULL},
        {{LAYER_MPLS, LAYER_MPLS_UPSTREAM}, 0, mpls},
        {{LAYER_PPPOE_SESSION}, 0, pppoe},
        {{LAYER_PPP}, 0, ppp},
    };

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        uint16_t this = label(program), another = label(program);

        for (size_t j = 0; j < 4 && tags[i].types[j] != 0; j++)
            jump_if(program, BPF_JEQ, tags[i].types[j], this);
        jump(program, another);
        here(program, this);
        if (tags[i].pass != NULL)
            tags[i].pass(program);
        else
            pass_typed(program, tags[i].typed);
        here(program, another);
    }
    jump_if(program, BPF_JEQ, LAYER_OTHER, program->done);
    jump_if(program, BPF_JGT, LAYER_LENGTH_MAX, program->done);
    llc(program);
}

/* fanout.c - the program of fanout.h, put together instruction by instruction.
 *
 * Classic BPF jumps forward only, so what is a loop in packet.c stands here once for each round: a round
 * takes one tag off, or goes through one IP header and the head of one tunnel. Between rounds memory holds
 * all there is to know:
 *
 *     END       where the packet ends
 *     TYPE      EtherType of the next header (layer.h)
 *     HASH      of the addresses of the last IP header, the result
 *
 * Every load is preceded by a look at END, since a load from behind the end would end the program, with the
 * first capture as result, where what has been found so far should count.
 */
#include "flowtrack/fanout.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include "flowtrack/bpf.h"
#include "flowtrack/layer.h"
#include "flowtrack/tunnel.h"

enum slot { AT, END, TYPE, HASH, PROTOCOL, FLAGS, SUM };

enum { ROUNDS = LAYER_DEPTH_MAX + 1 };

struct program {
    const struct fanout_options *options;
    struct bpf_code *code;
    uint16_t done; /* label: the result is HASH */
    uint16_t next; /* label: of the next round */
};

/* ---- what the program is made of ---- */

static void put(struct program *program, uint16_t operation, uint32_t k)
{
    bpf_put(program->code, operation, k);
}

static uint16_t label(struct program *program)
{
    return bpf_label(program->code);
}

static void here(struct program *program, uint16_t name)
{
    bpf_here(program->code, name);
}

static void jump(struct program *program, uint16_t to)
{
    bpf_jump(program->code, to);
}

static void jump_if(struct program *program, uint16_t comparison, uint32_t k, uint16_t to)
{
    bpf_jump_if(program->code, comparison, k, to);
}

static void jump_unless(struct program *program, uint16_t comparison, uint32_t k, uint16_t to)
{
    bpf_jump_unless(program->code, comparison, k, to);
}

/* A from the packet. size: BPF_B, BPF_H, BPF_W; offset: from AT on. */
static void load(struct program *program, uint16_t size, uint32_t offset)
{
    put(program, (uint16_t)(BPF_LD | BPF_IND | size), offset);
}

static void recall(struct program *program, enum slot slot)
{
    put(program, BPF_LD | BPF_MEM, slot);
}

static void store(struct program *program, enum slot slot)
{
    put(program, BPF_ST, slot);
}

static void calculate(struct program *program, uint16_t operation, uint32_t k)
{
    put(program, (uint16_t)(BPF_ALU | operation | BPF_K), k);
}

/* AT = A. */
static void go_to(struct program *program)
{
    put(program, BPF_MISC | BPF_TAX, 0);
}

static void go_on(struct program *program, uint32_t octets)
{
    put(program, BPF_MISC | BPF_TXA, 0);
    calculate(program, BPF_ADD, octets);
    go_to(program);
}

/* Done unless there are so many octets more. */
static void need(struct program *program, uint32_t octets)
{
    recall(program, END);
    put(program, BPF_ALU | BPF_SUB | BPF_X, 0);
    jump_unless(program, BPF_JGE, octets, program->done);
}

/* Done if AT has got behind the end. */
static void check_end(struct program *program)
{
    enum { NEGATIVE = 1u << 31 };

    recall(program, END);
    put(program, BPF_ALU | BPF_SUB | BPF_X, 0);
    jump_if(program, BPF_JSET, NEGATIVE, program->done);
}

/* AT += A */
static void go_on_by_length(struct program *program)
{
    put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
    go_to(program);
    check_end(program);
}

static void next_is(struct program *program, uint16_t type)
{
    put(program, BPF_LD | BPF_IMM, type);
    store(program, TYPE);
    jump(program, program->next);
}

static void next_is_either(struct program *program, uint16_t four, uint16_t six)
{
    here(program, four);
    next_is(program, LAYER_IPV4);
    here(program, six);
    next_is(program, LAYER_IPV6);
}

/* The next header is an IP packet, or something else, by its first octet. otherwise: where to go then. */
static void next_is_ip(struct program *program, uint16_t otherwise)
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

/* ---- tags: what tunnel_skip_tags() does ---- */

/* A header that ends in the type of what follows. */
static void pass_typed(struct program *program, uint32_t octets)
{
    need(program, octets);
    load(program, BPF_H, octets - 2);
    store(program, TYPE);
    go_on(program, octets);
    jump(program, program->next);
}

static void mpls(struct program *program)
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

static void pppoe(struct program *program)
{
    enum { VERSION_1_TYPE_1_SESSION = 0x1100 };

    need(program, 6);
    load(program, BPF_H, 0);
    jump_unless(program, BPF_JEQ, VERSION_1_TYPE_1_SESSION, program->done);
    go_on(program, 6);
    next_is(program, LAYER_PPP);
}

static void ppp(struct program *program)
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

static void llc(struct program *program)
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

/* ---- tunnels: what tunnel_enter() does ---- */

/* The field is there if the flag is: go on by its length. */
static void pass_optional(struct program *program, uint32_t flag)
{
    uint16_t behind = label(program);

    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, flag, behind);
    go_on(program, 4);
    here(program, behind);
}

static void gre(struct program *program)
{
    enum {
        CHECKSUM = 0x8000,
        ROUTING = 0x4000,
        KEY = 0x2000,
        SEQUENCE = 0x1000,
        ACKNOWLEDGEMENT = 0x0080,
        VERSION = 0x0007,
    };
    uint16_t standard = label(program);

    need(program, 4);
    load(program, BPF_H, 2);
    store(program, TYPE);
    load(program, BPF_H, 0);
    store(program, FLAGS);
    jump_if(program, BPF_JSET, ROUTING, program->done);
    calculate(program, BPF_AND, VERSION);
    jump_if(program, BPF_JGT, 1, program->done);
    go_on(program, 4);
    pass_optional(program, CHECKSUM);
    pass_optional(program, KEY);
    pass_optional(program, SEQUENCE);
    recall(program, FLAGS);
    jump_unless(program, BPF_JSET, VERSION, standard);
    pass_optional(program, ACKNOWLEDGEMENT);
    here(program, standard);
    check_end(program);
    jump(program, program->next);
}

static void vxlan(struct program *program)
{
    enum { NETWORK_VALID = 0x08 };

    need(program, 8);
    load(program, BPF_B, 0);
    jump_unless(program, BPF_JSET, NETWORK_VALID, program->done);
    go_on(program, 8);
    next_is(program, LAYER_ETHERNET);
}

/* One extension header: its length stands in its first octet, the type of the next in its last one. */
static void gtp_extension(struct program *program, uint16_t last)
{
    need(program, 1);
    load(program, BPF_B, 0);
    jump_if(program, BPF_JEQ, 0, program->done);
    calculate(program, BPF_LSH, 2);
    go_on_by_length(program);
    load(program, BPF_B, (uint32_t)-1);
    jump_if(program, BPF_JEQ, 0, last);
}

static void gtp(struct program *program)
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

static void udp(struct program *program)
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

/* AT is where the header of PROTOCOL begins. */
static void tunnel(struct program *program)
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

/* ---- IP: what ip_decode() does ---- */

/* A = the sum of two words, which is the same in both directions. X is lost. */
static void words_add(struct program *program, uint32_t source, uint32_t destination)
{
    load(program, BPF_W, source);
    store(program, FLAGS);
    load(program, BPF_W, destination);
    put(program, BPF_LDX | BPF_MEM, FLAGS);
    put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
}

/* HASH = A times a secret. The upper half of a product is the one in which all octets count. */
static void hash(struct program *program)
{
    calculate(program, BPF_MUL, program->options->secret[0] | 1);
    calculate(program, BPF_RSH, 16);
    store(program, HASH);
    put(program, BPF_LDX | BPF_MEM, AT);
}

static void version_is(struct program *program, uint32_t version)
{
    load(program, BPF_B, 0);
    calculate(program, BPF_RSH, 4);
    jump_unless(program, BPF_JEQ, version, program->done);
}

/* Addresses whose last twelve octets are 0 have the hash of an IPv4 address (rules.families_share_keys). */
static void ip6_hash(struct program *program)
{
    put(program, BPF_STX, AT);
    words_add(program, 8, 24);
    for (uint32_t i = 1; i < 4; i++) {
        store(program, SUM);
        put(program, BPF_LDX | BPF_MEM, AT);
        words_add(program, 8 + 4 * i, 24 + 4 * i);
        calculate(program, BPF_MUL, program->options->secret[i] | 1);
        put(program, BPF_LDX | BPF_MEM, SUM);
        put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
    }
    hash(program);
}

/* Go past one extension header, or to the transport header if there is none. The fragment header says its
 * length, 8, in the same form as the others, since 0 stands in its second octet. */
static void extension(struct program *program, uint16_t transport)
{
    uint16_t eights = label(program), fours = label(program), past = label(program);

    need(program, 8);
    recall(program, PROTOCOL);
    jump_if(program, BPF_JEQ, IPPROTO_HOPOPTS, eights);
    jump_if(program, BPF_JEQ, IPPROTO_ROUTING, eights);
    jump_if(program, BPF_JEQ, IPPROTO_DSTOPTS, eights);
    jump_if(program, BPF_JEQ, IPPROTO_AH, fours);
    jump_unless(program, BPF_JEQ, IPPROTO_FRAGMENT, transport);
    load(program, BPF_H, 2);
    jump_if(program, BPF_JSET, 0xfff9, program->done);
    here(program, eights);
    load(program, BPF_B, 0);
    store(program, PROTOCOL);
    load(program, BPF_B, 1);
    calculate(program, BPF_ADD, 1);
    calculate(program, BPF_LSH, 3);
    jump(program, past);
    here(program, fours);
    load(program, BPF_B, 0);
    store(program, PROTOCOL);
    load(program, BPF_B, 1);
    calculate(program, BPF_ADD, 2);
    calculate(program, BPF_LSH, 2);
    here(program, past);
    go_on_by_length(program);
}

/* The hash of an IPv4 header, and where it leads to. transport, authenticated: labels. */
static void ip4(struct program *program, uint16_t transport, uint16_t authenticated)
{
    enum { HEADER = 20, MORE_OR_OFFSET = 0x3fff };

    need(program, HEADER);
    version_is(program, 4);
    put(program, BPF_STX, AT);
    words_add(program, 12, 16);
    hash(program);
    load(program, BPF_H, 6);
    jump_if(program, BPF_JSET, MORE_OR_OFFSET, program->done);
    load(program, BPF_B, 9);
    store(program, PROTOCOL);
    load(program, BPF_B, 0);
    calculate(program, BPF_AND, 0x0f);
    calculate(program, BPF_LSH, 2);
    go_on_by_length(program);
    recall(program, PROTOCOL);
    jump_if(program, BPF_JEQ, IPPROTO_AH, authenticated);
    jump(program, transport);
}

static void ip6(struct program *program)
{
    enum { HEADER = 40 };

    need(program, HEADER);
    version_is(program, 6);
    ip6_hash(program);
    load(program, BPF_B, 6);
    store(program, PROTOCOL);
    go_on(program, HEADER);
}

/* ---- the whole ---- */

/* One tag. A is TYPE. */
static void tag(struct program *program)
{
    enum { VLAN_TAG = 4 };
    static const struct {
        uint16_t types[4];                     /* 0: none */
        uint32_t typed;                        /* octets, if its end says what follows */
        void (*pass)(struct program *program); /* else */
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

/* One round: a tag, or an IP header and the tunnel behind it. last: nothing may follow any more. */
static void take_header(struct program *program, bool last)
{
    uint16_t four = label(program), six = label(program);
    uint16_t transport = label(program), authenticated = label(program);

    program->next = label(program);
    recall(program, TYPE);
    jump_if(program, BPF_JEQ, LAYER_IPV4, four);
    jump_if(program, BPF_JEQ, LAYER_IPV6, six);
    if (last)
        jump(program, program->done);
    else
        tag(program);
    here(program, four);
    ip4(program, transport, authenticated);
    here(program, six);
    ip6(program);
    here(program, authenticated);
    for (int i = 0; i < FANOUT_EXTENSIONS_MAX && !last && program->options->look_through; i++)
        extension(program, transport);
    here(program, transport);
    if (!last && program->options->look_through)
        tunnel(program);
    else
        jump(program, program->done);
    here(program, program->next);
}

/* Where the first header is. What this machine sends still has its link header in front, what it receives has
 * not, and there VLAN tags may be gone already. In a cooked capture interfaces of all kinds come together, so
 * that only the kernel knows where the header of a sent packet is. */
static void begin(struct program *program)
{
    uint16_t sent = label(program), ready = label(program);

    put(program, BPF_LD | BPF_IMM, 0);
    store(program, HASH);
    put(program, BPF_LD | BPF_W | BPF_LEN, 0);
    store(program, END);
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    store(program, TYPE);
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
    jump_if(program, BPF_JEQ, PACKET_OUTGOING, sent);
    put(program, BPF_LD | BPF_IMM, 0);
    go_to(program);
    jump(program, ready);

    here(program, sent);
    if (program->options->ethernet) {
        put(program, BPF_LD | BPF_IMM, LAYER_ETHERNET_HEADER);
        go_to(program);
        check_end(program);
        load(program, BPF_H, (uint32_t)-2);
        store(program, TYPE);
    } else {
        put(program, BPF_LD | BPF_IMM, UINT32_MAX);
        store(program, END);
        put(program, BPF_LD | BPF_IMM, (uint32_t)SKF_NET_OFF);
        go_to(program);
    }
    here(program, ready);
}

int fanout_program(struct sock_filter *instructions, const struct fanout_options *options)
{
    struct program program = {.options = options, .code = bpf_new()};
    int n;

    if (program.code == NULL)
        return -ENOMEM;
    program.done = label(&program);
    begin(&program);
    for (int i = 0; i < ROUNDS; i++)
        take_header(&program, i == LAYER_DEPTH_MAX);
    here(&program, program.done);
    recall(&program, HASH);
    put(&program, BPF_RET | BPF_A, 0);
    n = bpf_write(program.code, instructions);
    bpf_free(program.code);
    return n;
}

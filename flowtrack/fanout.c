/* IP headers, what ip_decode() does, and the rounds of the program. */
#include "flowtrack/fanout.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include "flowtrack/fanout_words.h"

enum { ROUNDS = LAYER_DEPTH_MAX + 1 };

/* A = the sum of two words, which is the same in both directions. X is lost. */
static void words_add(struct fanout_program *program, uint32_t source, uint32_t destination)
{
    load(program, BPF_W, source);
    store(program, FLAGS);
    load(program, BPF_W, destination);
    put(program, BPF_LDX | BPF_MEM, FLAGS);
    put(program, BPF_ALU | BPF_ADD | BPF_X, 0);
}

/* HASH = A times a secret. The upper half of a product is the one in which all octets count. */
static void hash(struct fanout_program *program)
{
    calculate(program, BPF_MUL, program->options->secret[0] | 1);
    calculate(program, BPF_RSH, 16);
    store(program, HASH);
    put(program, BPF_LDX | BPF_MEM, AT);
}

static void version_is(struct fanout_program *program, uint32_t version)
{
    load(program, BPF_B, 0);
    calculate(program, BPF_RSH, 4);
    jump_unless(program, BPF_JEQ, version, program->done);
}

/* Addresses whose last twelve octets are 0 have the hash of an IPv4 address (rules.families_share_keys). */
static void ip6_hash(struct fanout_program *program)
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
static void extension(struct fanout_program *program, uint16_t transport)
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
static void ip4(struct fanout_program *program, uint16_t transport, uint16_t authenticated)
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

static void ip6(struct fanout_program *program)
{
    enum { HEADER = 40 };

    need(program, HEADER);
    version_is(program, 6);
    ip6_hash(program);
    load(program, BPF_B, 6);
    store(program, PROTOCOL);
    go_on(program, HEADER);
}

/* One round: a tag, or an IP header and the tunnel behind it. last: nothing may follow any more. */
static void take_header(struct fanout_program *program, bool last)
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
        fanout_tag(program);
    here(program, four);
    ip4(program, transport, authenticated);
    here(program, six);
    ip6(program);
    here(program, authenticated);
    for (int i = 0; i < FANOUT_EXTENSIONS_MAX && !last && program->options->look_through; i++)
        extension(program, transport);
    here(program, transport);
    if (!last && program->options->look_through)
        fanout_tunnel(program);
    else
        jump(program, program->done);
    here(program, program->next);
}

/* Where the first header is. What this machine sends still has its link header in front, what it receives has
 * not, and there VLAN tags may be gone already. In a cooked capture interfaces of all kinds come together, so
 * that only the kernel knows where the header of a sent packet is. */
static void begin(struct fanout_program *program)
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
    struct fanout_program program = {.options = options, .code = bpf_new()};
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

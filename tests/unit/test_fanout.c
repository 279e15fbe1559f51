/* The program that deals packets out, on a machine for classic BPF of our own, against the decoder: whatever
 * is around them, the two directions of a flow have one hash, that of the addresses which the decoder finds.
 */
#include "flowtrack/fanout.h"

#include <linux/if_packet.h>
#include <netinet/in.h>

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

static const struct fanout_options sent_options = {
    .ethernet = true, .look_through = true, .secret = {0x12345679, 0x9abcdef1, 0x0f1e2d3d, 0xdeadbeef}};

/* ---- a machine ---- */

struct machine {
    const uint8_t *bytes; /* (size) */
    size_t size;
    size_t network; /* where the kernel knows the network header to be */
    uint16_t protocol;
    bool sent;
    bool overrun; /* something behind the end was loaded */
    uint32_t a, x, memory[BPF_MEMWORDS];
};

static uint32_t machine_load(struct machine *machine, uint32_t at, unsigned size)
{
    uint32_t value = 0;

    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
        return machine->protocol;
    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
        return machine->sent ? PACKET_OUTGOING : PACKET_HOST;
    if ((int32_t)at < 0)
        at = at - (uint32_t)SKF_NET_OFF + (uint32_t)machine->network;
    if (at + size > machine->size) {
        machine->overrun = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | machine->bytes[at + i];
    return value;
}

static uint32_t machine_calculate(const struct machine *machine, const struct sock_filter *instruction)
{
    uint32_t operand = BPF_SRC(instruction->code) == BPF_X ? machine->x : instruction->k;

    switch (BPF_OP(instruction->code)) {
    case BPF_ADD:
        return machine->a + operand;
    case BPF_SUB:
        return machine->a - operand;
    case BPF_MUL:
        return machine->a * operand;
    case BPF_AND:
        return machine->a & operand;
    case BPF_LSH:
        return machine->a << operand;
    case BPF_RSH:
        return machine->a >> operand;
    default:
        ck_abort();
    }
}

/* Return: how many instructions to pass over. */
static uint32_t machine_jump(const struct machine *machine, const struct sock_filter *instruction)
{
    uint32_t operand = BPF_SRC(instruction->code) == BPF_X ? machine->x : instruction->k;
    bool holds = false;

    switch (BPF_OP(instruction->code)) {
    case BPF_JA:
        return instruction->k;
    case BPF_JEQ:
        holds = machine->a == operand;
        break;
    case BPF_JGT:
        holds = machine->a > operand;
        break;
    case BPF_JGE:
        holds = machine->a >= operand;
        break;
    case BPF_JSET:
        holds = (machine->a & operand) != 0;
        break;
    default:
        ck_abort();
    }
    return holds ? instruction->jt : instruction->jf;
}

static void machine_ld(struct machine *machine, const struct sock_filter *instruction)
{
    unsigned size = BPF_SIZE(instruction->code) == BPF_W ? 4 : BPF_SIZE(instruction->code) == BPF_H ? 2 : 1;

    switch (BPF_MODE(instruction->code)) {
    case BPF_IMM:
        machine->a = instruction->k;
        break;
    case BPF_MEM:
        machine->a = machine->memory[instruction->k];
        break;
    case BPF_LEN:
        machine->a = (uint32_t)machine->size;
        break;
    case BPF_ABS:
        machine->a = machine_load(machine, instruction->k, size);
        break;
    case BPF_IND:
        machine->a = machine_load(machine, instruction->k + machine->x, size);
        break;
    default:
        ck_abort();
    }
}

static uint32_t machine_run(struct machine *machine, const struct sock_filter *program, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct sock_filter *instruction = &program[i];

        switch (BPF_CLASS(instruction->code)) {
        case BPF_LD:
            machine_ld(machine, instruction);
            break;
        case BPF_LDX:
            ck_assert_uint_eq(BPF_MODE(instruction->code), BPF_MEM);
            machine->x = machine->memory[instruction->k];
            break;
        case BPF_ST:
            machine->memory[instruction->k] = machine->a;
            break;
        case BPF_STX:
            machine->memory[instruction->k] = machine->x;
            break;
        case BPF_ALU:
            machine->a = machine_calculate(machine, instruction);
            break;
        case BPF_JMP:
            i += machine_jump(machine, instruction);
            break;
        case BPF_MISC:
            if (BPF_MISCOP(instruction->code) == BPF_TAX)
                machine->x = machine->a;
            else
                machine->a = machine->x;
            break;
        case BPF_RET:
            return machine->a;
        default:
            ck_abort();
        }
    }
    ck_abort_msg("the program has no end");
}

/* ---- what the kernel makes of a frame ---- */

static uint32_t run(const struct fanout_options *options, struct machine machine)
{
    static struct sock_filter program[BPF_MAXINSNS];
    int n = fanout_program(program, options);
    uint32_t hash;

    ck_assert_int_gt(n, 0);
    hash = machine_run(&machine, program, (size_t)n);
    ck_assert(!machine.overrun || (machine.sent && !options->ethernet));
    return hash;
}

static uint16_t u16_at(const struct octets *frame, size_t at)
{
    return (uint16_t)(frame->bytes[at] << 8 | frame->bytes[at + 1]);
}

/* Sent by this machine: the frame begins with its link header. */
static uint32_t run_sent(const struct octets *frame)
{
    return run(&sent_options, (struct machine){.bytes = frame->bytes, .size = frame->length, .sent = true});
}

/* Received: the link header has been taken off, and so has one VLAN tag. */
static uint32_t run_received(const struct octets *frame)
{
    size_t at = 14;
    uint16_t type = u16_at(frame, 12);

    if (frame->length >= 18 && (type == 0x8100 || type == 0x88a8)) {
        type = u16_at(frame, 16);
        at = 18;
    }
    return run(&sent_options,
               (struct machine){.bytes = frame->bytes + at, .size = frame->length - at, .protocol = type});
}

/* Sent, of a cooked capture. */
static uint32_t run_cooked(const struct octets *frame)
{
    struct fanout_options options = sent_options;
    uint16_t type = u16_at(frame, 12);

    options.ethernet = false;
    return run(
        &options,
        (struct machine){
            .bytes = frame->bytes, .size = frame->length, .network = 14, .protocol = type, .sent = true});
}

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The hash of the addresses that the decoder finds; 0 if it finds no packet. */
static uint32_t expected(const struct rules *rules, const struct octets *frame)
{
    struct tracker_stats stats = {0};
    struct decoder *decoder = NULL;
    struct packet packet;
    enum packet_result result;
    uint32_t sum = 0;

    ck_assert_int_eq(decoder_new(&decoder, rules, &stats), 0);
    result = frame_decode(decoder, &packet, 0, frame, (uint32_t)frame->length);
    if (result == PACKET_HELD) {
        decoder_expire(decoder, INT64_MAX);
        ck_assert(packet_held(decoder, &packet));
    }
    decoder_free(decoder);
    if (result == PACKET_IGNORED || result == PACKET_FILTERED)
        return 0;
    for (size_t i = 0; i < 4; i++)
        sum += (word(packet.key.source + 4 * i) + word(packet.key.destination + 4 * i)) *
               (i == 0 ? 1 : sent_options.secret[i] | 1);
    return (sum * (sent_options.secret[0] | 1)) >> 16;
}

/* ---- frames ---- */

/* A frame is a word, a letter a header, the outermost first:
 *
 *     v q o     VLAN tags (802.1Q, 802.1ad, before)      4 6       UDP, the packet itself
 *     m b       MPLS label, the last one                 i j       IPv4, IPv6 around an IP packet
 *     w         the last label and a control word        h         IPv6 with extension headers around one
 *     p         PPPoE                                    g k t     GRE, with every option, PPTP
 *     s         LLC and SNAP                             V W       VXLAN over IPv4, IPv6
 *     E         Ethernet                                 G X       GTP-U, with options and extension
 *     a         IPv4 with AH around an IP packet         e         ESP
 *     f F       first fragments of IPv4, IPv6            l L       later fragments
 */
struct builder {
    struct octets *frame;
    bool back;     /* the other direction */
    unsigned flow; /* below 256 */
    unsigned n_ip;
    size_t ip[16]; /* where IP headers are, to close them */
    bool six[16];
};

static uint16_t type_of(char letter)
{
    switch (letter) {
    case 'v':
        return 0x8100;
    case 'q':
        return 0x88a8;
    case 'o':
        return 0x9100;
    case 'm':
    case 'b':
    case 'w':
        return 0x8847;
    case 'p':
        return 0x8864;
    case 's':
        return 100;
    case 'E':
        return 0x6558;
    case '6':
    case 'j':
    case 'h':
    case 'W':
    case 'F':
    case 'L':
        return 0x86dd;
    default:
        return 0x0800;
    }
}

static uint8_t protocol_of(char letter)
{
    return type_of(letter) == 0x86dd ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* Addresses tell the depth and the flow. */
static void put_ip(struct builder *builder, bool six, uint8_t protocol)
{
    size_t at = (six ? frame_ip6 : frame_ip4)(builder->frame, protocol);
    size_t first = at + (six ? 8 : 12);
    size_t size = six ? 16 : 4;
    size_t near = first + (builder->back ? size : 0);
    size_t far = first + (builder->back ? 0 : size);

    octets_set(builder->frame, near + size - 4, 0x0a010011 + 0x100 * builder->n_ip, 4);
    octets_set(builder->frame, far + size - 4, 0x0a020000 + 0x100 * builder->n_ip + builder->flow, 4);
    if (six)
        octets_set(builder->frame, near + 4, builder->flow * 7919, 4);
    builder->ip[builder->n_ip] = at;
    builder->six[builder->n_ip++] = six;
}

/* VXLAN senders choose a port for each flow, the receiver's is fixed. */
static void put_udp(struct builder *builder, uint16_t port)
{
    frame_udp(builder->frame, (uint16_t)(40000 + builder->flow * 2 + builder->back), port);
}

static void put_packet(struct builder *builder)
{
    frame_udp(builder->frame, builder->back ? 2000 : 1000, builder->back ? 1000 : 2000);
    octets_fill(builder->frame, 'x', 24);
}

static void put_ip_letter(struct builder *builder, char letter, char next)
{
    struct octets *frame = builder->frame;

    switch (letter) {
    case '4':
    case '6':
        put_ip(builder, letter == '6', IPPROTO_UDP);
        put_packet(builder);
        break;
    case 'i':
    case 'j':
        put_ip(builder, letter == 'j', protocol_of(next));
        break;
    case 'h':
        put_ip(builder, true, IPPROTO_HOPOPTS);
        frame_extension(frame, IPPROTO_DSTOPTS, 1);
        frame_extension(frame, protocol_of(next), 0);
        break;
    case 'a':
        put_ip(builder, false, IPPROTO_AH);
        octets_u8(frame, protocol_of(next));
        octets_u8(frame, 4);
        octets_fill(frame, 7, 22);
        break;
    case 'e':
        put_ip(builder, false, IPPROTO_ESP);
        octets_u32(frame, builder->back ? 0x1111 : 0x7777);
        octets_fill(frame, 0x41, 40);
        break;
    case 'f':
    case 'l':
        put_ip(builder, false, IPPROTO_UDP);
        octets_set(frame, frame->length - 14, letter == 'f' ? 0x2000 : 100, 2);
        put_packet(builder);
        break;
    case 'F':
    case 'L':
        put_ip(builder, true, IPPROTO_FRAGMENT);
        frame_fragment(frame, IPPROTO_UDP, letter == 'F' ? 1 : 800, 77);
        put_packet(builder);
        break;
    default:
        ck_abort();
    }
}

static void put_tunnel(struct builder *builder, char letter, char next)
{
    struct octets *frame = builder->frame;

    put_ip(builder, letter == 'W', strchr("gkt", letter) ? IPPROTO_GRE : IPPROTO_UDP);
    switch (letter) {
    case 'g':
        octets_u16(frame, 0);
        octets_u16(frame, type_of(next));
        break;
    case 'k':
        octets_u16(frame, 0xb000);
        octets_u16(frame, type_of(next));
        octets_fill(frame, 9, 12);
        break;
    case 't':
        octets_u16(frame, 0x3081);
        octets_u16(frame, 0x880b);
        octets_fill(frame, 0, 12);
        octets_u16(frame, 0xff03);
        octets_u8(frame, 0x21); /* compressed */
        break;
    case 'V':
    case 'W':
        put_udp(builder, 4789);
        octets_u32(frame, 0x08000000);
        octets_u32(frame, 0x700);
        frame_ethernet(frame, type_of(next));
        break;
    case 'G':
        put_udp(builder, 2152);
        octets_u32(frame, 0x30ff0000);
        octets_u32(frame, 1);
        break;
    case 'X':
        put_udp(builder, 2152);
        octets_u32(frame, 0x34ff0000);
        octets_u32(frame, 1);
        octets_u32(frame, 0x85);
        octets_u32(frame, 0x01000085);
        octets_u32(frame, 0x01000000);
        break;
    default:
        ck_abort();
    }
}

static void put_tag(struct builder *builder, char letter, char next)
{
    struct octets *frame = builder->frame;

    switch (letter) {
    case 'v':
    case 'q':
    case 'o':
        frame_vlan(frame, type_of(next));
        break;
    case 'm':
        octets_u32(frame, 0x12040);
        break;
    case 'b':
        octets_u32(frame, 0x12140);
        break;
    case 'w':
        octets_u32(frame, 0x12140);
        octets_u32(frame, 0);
        frame_ethernet(frame, type_of(next));
        break;
    case 'p':
        octets_u32(frame, 0x11000001);
        octets_u16(frame, 1500);
        octets_u16(frame, type_of(next) == 0x86dd ? 0x57 : 0x21);
        break;
    case 's':
        octets_u32(frame, 0xaaaa0300);
        octets_u16(frame, 0);
        octets_u16(frame, type_of(next));
        break;
    case 'E':
        frame_ethernet(frame, type_of(next));
        break;
    default:
        ck_abort();
    }
}

static void build(struct octets *frame, const char *letters, unsigned flow, bool back)
{
    struct builder builder = {.frame = frame, .flow = flow, .back = back};

    frame->length = 0;
    frame_ethernet(frame, type_of(letters[0]));
    for (const char *letter = letters; *letter; letter++) {
        if (strchr("vqombwpsE", *letter))
            put_tag(&builder, *letter, letter[1]);
        else if (strchr("gktVWGX", *letter))
            put_tunnel(&builder, *letter, letter[1]);
        else
            put_ip_letter(&builder, *letter, letter[1]);
    }
    while (builder.n_ip-- > 0)
        (builder.six[builder.n_ip] ? frame_ip6_end : frame_ip4_end)(frame, builder.ip[builder.n_ip]);
}

static const char *const words[] = {
    "4",         "6",        "v4", "v6",        "qv4",  "qvv6", "ov4", "b4",  "mmb6",  "w4",
    "wv6",       "p4",       "p6", "vp6",       "s4",   "s6",   "i4",  "i6",  "j4",    "j6",
    "h6",        "h4",       "a4", "a6",        "g4",   "g6",   "k4",  "k6",  "gE4",   "gEv6",
    "kEqv4",     "t4",       "V4", "V6",        "Vv4",  "W4",   "W6",  "G4",  "G6",    "X4",
    "X6",        "e",        "f",  "F",         "l",    "L",    "if",  "VL",  "Gl",    "iiiiii4",
    "iiiiiiii4", "VEEEEEE4", "je", "mmmmmmmb4", "gmb4", "iVf",  "Vg6", "gV6", "vmbV4",
};

START_TEST(both_directions_have_the_hash_of_the_flow)
{
    static struct octets frame;
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (unsigned flow = 0; flow < 6; flow++) {
            uint32_t hash[2][4];

            for (unsigned back = 0; back < 2; back++) {
                build(&frame, words[i], flow * 41, back);
                hash[back][0] = expected(&rules_flowclassd, &frame);
                hash[back][1] = run_sent(&frame);
                hash[back][2] = run_received(&frame);
                hash[back][3] = run_cooked(&frame);
            }
            ck_assert_uint_ne(hash[0][0], 0);
            for (unsigned j = 0; j < 8; j++)
                if (hash[j / 4][j % 4] != hash[0][0]) {
                    printf("%s, flow %u, back %u, way %u: %#x, not %#x\n", words[i], flow, j / 4, j % 4,
                           hash[j / 4][j % 4], hash[0][0]);
                    wrong++;
                }
        }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Beyond what is looked through, the last packet found counts. */
START_TEST(what_is_too_deep_counts_as_what_carries_it)
{
    static struct octets frame;

    build(&frame, "iiiiiiiii4", 5, false);
    ck_assert_uint_eq(run_sent(&frame), expected(&rules_flowclassd, &frame));
    build(&frame, "mmmmmmmmb4", 5, false);
    ck_assert_uint_eq(run_sent(&frame), 0);
}
END_TEST

/* What only looks like a tunnel counts as itself, and so does a tunnel whose content is cut. */
START_TEST(nothing_behind_the_end_is_loaded)
{
    static struct octets frame;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        build(&frame, words[i], 3, false);
        for (frame.length = frame.length - 1; frame.length > 13; frame.length--) {
            (void)run_sent(&frame);
            (void)run_received(&frame);
        }
        frame.length = 5;
        ck_assert_uint_eq(run_sent(&frame), 0);
    }
    build(&frame, "4", 3, false);
    for (uint16_t port = 2152; port <= 4789; port += 4789 - 2152) {
        octets_set(&frame, 36, port, 2);
        for (frame.length = 42; frame.length < 66; frame.length++)
            ck_assert_uint_eq(run_sent(&frame), run_received(&frame));
        ck_assert_uint_eq(run_sent(&frame), expected(&rules_flowclassd, &frame));
    }
}
END_TEST

START_TEST(tunnels_count_as_themselves_if_the_rules_say_so)
{
    static const char *const carried[] = {"4",  "6",  "v4", "qv6", "i4", "j4",
                                          "k6", "V4", "G6", "h6",  "l",  "F"};
    struct fanout_options options = sent_options;
    static struct octets frame;

    options.look_through = false;
    for (size_t i = 0; i < sizeof carried / sizeof carried[0]; i++) {
        build(&frame, carried[i], 9, i % 2);
        ck_assert_uint_eq(
            run(&options, (struct machine){.bytes = frame.bytes, .size = frame.length, .sent = true}),
            expected(&rules_joy, &frame));
    }
}
END_TEST

/* A share is a fair one if it is not far from the mean. */
START_TEST(flows_are_spread)
{
    enum { CAPTURES = 7, FLOWS = 256 * 8 };
    static const char *const kinds[] = {"4", "6", "V4", "i6", "f", "mb4", "g6", "h6"};
    unsigned shares[CAPTURES] = {0};
    static struct octets frame;

    for (unsigned flow = 0; flow < FLOWS; flow++) {
        build(&frame, kinds[flow / 256], flow % 256, false);
        shares[run_sent(&frame) % CAPTURES]++;
    }
    for (unsigned i = 0; i < CAPTURES; i++) {
        ck_assert_uint_gt(shares[i], FLOWS / CAPTURES / 2);
        ck_assert_uint_lt(shares[i], FLOWS / CAPTURES * 2);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("fanout", both_directions_have_the_hash_of_the_flow,
                    what_is_too_deep_counts_as_what_carries_it, nothing_behind_the_end_is_loaded,
                    tunnels_count_as_themselves_if_the_rules_say_so, flows_are_spread);
}

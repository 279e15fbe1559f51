#include "flowtrack/bpf.h"

#include <errno.h>
#include <pcap/pcap.h>

#include "tests/unit/unit.h"

/* `if A (compares so) with 5, return 1, else 2`, with so many instructions between. Run by libpcap's machine
 * on a packet of one octet, which is A. */
static unsigned answer(bool unless, uint16_t comparison, unsigned between, uint8_t octet)
{
    static struct sock_filter instructions[BPF_MAXINSNS];
    struct bpf_code *code = bpf_new();
    uint16_t label;
    int n;

    ck_assert_ptr_nonnull(code);
    label = bpf_label(code);
    bpf_put(code, BPF_LD | BPF_B | BPF_ABS, 0);
    (unless ? bpf_jump_unless : bpf_jump_if)(code, comparison, 5, label);
    for (unsigned i = 0; i < between; i++)
        bpf_put(code, BPF_MISC | BPF_TAX, 0);
    bpf_put(code, BPF_RET | BPF_K, 2);
    bpf_here(code, label);
    bpf_put(code, BPF_RET | BPF_K, 1);
    n = bpf_write(code, instructions);
    bpf_free(code);
    ck_assert_int_eq(n, (int)between + (between < UINT8_MAX ? 4 : 5));
    ck_assert(bpf_validate((const struct bpf_insn *)instructions, n));
    return bpf_filter((const struct bpf_insn *)instructions, &octet, 1, 1);
}

START_TEST(jumps_reach_their_labels)
{
    static const unsigned distances[] = {0, 1, 253, 254, 255, 256, 4000};

    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        ck_assert_uint_eq(answer(false, BPF_JEQ, distances[i], 5), 1);
        ck_assert_uint_eq(answer(false, BPF_JEQ, distances[i], 6), 2);
        ck_assert_uint_eq(answer(true, BPF_JEQ, distances[i], 5), 2);
        ck_assert_uint_eq(answer(true, BPF_JEQ, distances[i], 6), 1);
        ck_assert_uint_eq(answer(false, BPF_JGT, distances[i], 6), 1);
        ck_assert_uint_eq(answer(true, BPF_JGE, distances[i], 4), 1);
        ck_assert_uint_eq(answer(false, BPF_JSET, distances[i], 8), 2);
    }
}
END_TEST

/* Jumps that are made long push others beyond what a short one reaches. */
START_TEST(one_long_jump_makes_another_one_long)
{
    static struct sock_filter instructions[BPF_MAXINSNS];
    struct bpf_code *code = bpf_new();
    uint16_t near = bpf_label(code), far = bpf_label(code);

    bpf_jump_if(code, BPF_JEQ, 1, near); /* 255 instructions to its label, were the next one short */
    bpf_jump_if(code, BPF_JEQ, 2, far);
    for (unsigned i = 0; i < 254; i++)
        bpf_put(code, BPF_MISC | BPF_TAX, 0);
    bpf_here(code, near);
    for (unsigned i = 0; i < 10; i++)
        bpf_put(code, BPF_MISC | BPF_TAX, 0);
    bpf_here(code, far);
    bpf_put(code, BPF_RET | BPF_K, 0);
    ck_assert_int_eq(bpf_write(code, instructions), 2 + 2 + 254 + 10 + 1);
    ck_assert_uint_eq(instructions[1].k, 2 + 254);
    ck_assert_uint_eq(instructions[3].k, 254 + 10);
    bpf_free(code);
}
END_TEST

START_TEST(too_long_a_program_is_refused)
{
    static struct sock_filter instructions[BPF_MAXINSNS];

    for (unsigned size = BPF_MAXINSNS; size < 4 * BPF_MAXINSNS; size = 2 * size + 1) {
        struct bpf_code *code = bpf_new();

        for (unsigned i = 1; i < size; i++)
            bpf_put(code, BPF_MISC | BPF_TAX, 0);
        bpf_put(code, BPF_RET | BPF_K, 0);
        ck_assert_int_eq(bpf_write(code, instructions), size > BPF_MAXINSNS ? -E2BIG : BPF_MAXINSNS);
        bpf_free(code);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("bpf", jumps_reach_their_labels, one_long_jump_makes_another_one_long,
                    too_long_a_program_is_refused);
}

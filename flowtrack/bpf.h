/* bpf.h - a classic BPF program, put together instruction by instruction.
 *
 * Jumps go to labels, which stand where they are put. Classic BPF jumps forward only, and a conditional jump
 * reaches no farther than 255 instructions; where that is not enough it is made of two.
 */
#ifndef FLOWTRACK_BPF_H
#define FLOWTRACK_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_code;

/* Begin a program. Return: NULL: no memory. */
struct bpf_code *bpf_new(void);

/* NULL is fine. */
void bpf_free(struct bpf_code *code);

/* Append an instruction that does not jump. */
void bpf_put(struct bpf_code *code, uint16_t operation, uint32_t k);

/* A label to jump to. It has to be put before the program ends, behind every jump to it. */
uint16_t bpf_label(struct bpf_code *code);

/* The label means the next instruction. */
void bpf_here(struct bpf_code *code, uint16_t label);

void bpf_jump(struct bpf_code *code, uint16_t label);

/* Jump if A compares so with k.
 *
 * comparison: BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET.
 */
void bpf_jump_if(struct bpf_code *code, uint16_t comparison, uint32_t k, uint16_t label);

/* Jump if it does not. */
void bpf_jump_unless(struct bpf_code *code, uint16_t comparison, uint32_t k, uint16_t label);

/* Write the program as the kernel takes it.
 *
 * instructions: (BPF_MAXINSNS)
 *
 * Return: how many there are; -E2BIG: more than the kernel takes.
 */
int bpf_write(struct bpf_code *code, struct sock_filter *instructions);

#endif

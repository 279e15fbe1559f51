/* bpf.c - first every conditional jump is taken for a short one; those that turn out to be too far are made
 * long, which moves what is behind them, until none is left. Jumps only ever become longer, so that ends.
 */
#include "flowtrack/bpf.h"

#include <errno.h>
#include <stdlib.h>

enum { STEPS_MAX = 2 * BPF_MAXINSNS, LABELS_MAX = BPF_MAXINSNS, NO_LABEL = UINT16_MAX };

/* An instruction whose distances are not known yet. */
struct step {
    struct sock_filter instruction;
    uint16_t to;   /* label to jump to; NO_LABEL: it does not jump */
    bool jumps_if; /* a conditional jump does so if its condition holds; else if it does not hold */
    bool far;      /* farther than a conditional jump can: by way of another one */
};

struct bpf_code {
    size_t n;
    struct step steps[STEPS_MAX]; /* (n) */
    size_t at[STEPS_MAX + 1];     /* (n + 1) where the instructions of each step are */
    size_t n_labels;
    size_t label_at[LABELS_MAX]; /* (n_labels) steps */
    bool full;
};

struct bpf_code *bpf_new(void)
{
    return calloc(1, sizeof(struct bpf_code));
}

void bpf_free(struct bpf_code *code)
{
    free(code);
}

static void step_put(struct bpf_code *code, struct step step)
{
    if (code->n == STEPS_MAX)
        code->full = true;
    else
        code->steps[code->n++] = step;
}

void bpf_put(struct bpf_code *code, uint16_t operation, uint32_t k)
{
    step_put(code, (struct step){.instruction = {.code = operation, .k = k}, .to = NO_LABEL});
}

uint16_t bpf_label(struct bpf_code *code)
{
    if (code->n_labels == LABELS_MAX) {
        code->full = true;
        return 0;
    }
    return (uint16_t)code->n_labels++;
}

void bpf_here(struct bpf_code *code, uint16_t label)
{
    code->label_at[label] = code->n;
}

void bpf_jump(struct bpf_code *code, uint16_t label)
{
    step_put(code, (struct step){.instruction = {.code = BPF_JMP | BPF_JA}, .to = label});
}

void bpf_jump_if(struct bpf_code *code, uint16_t comparison, uint32_t k, uint16_t label)
{
    uint16_t operation = (uint16_t)(BPF_JMP | BPF_K | comparison);

    step_put(code, (struct step){.instruction = {.code = operation, .k = k}, .to = label, .jumps_if = true});
}

void bpf_jump_unless(struct bpf_code *code, uint16_t comparison, uint32_t k, uint16_t label)
{
    uint16_t operation = (uint16_t)(BPF_JMP | BPF_K | comparison);

    step_put(code, (struct step){.instruction = {.code = operation, .k = k}, .to = label});
}

/* ---- distances ---- */

static bool is_conditional(const struct step *step)
{
    return step->to != NO_LABEL && step->instruction.code != (BPF_JMP | BPF_JA);
}

/* Instructions between a step's first one and its label. */
static size_t distance(const struct bpf_code *code, size_t step)
{
    return code->at[code->label_at[code->steps[step].to]] - code->at[step] - 1;
}

/* Give every step its place. Return: whether a jump has been found that is too far for that. */
static bool lay_out(struct bpf_code *code)
{
    bool changed = false;
    size_t at = 0;

    for (size_t i = 0; i < code->n; i++) {
        code->at[i] = at;
        at += code->steps[i].far ? 2 : 1;
    }
    code->at[code->n] = at;
    for (size_t i = 0; i < code->n; i++) {
        struct step *step = &code->steps[i];

        if (is_conditional(step) && !step->far && distance(code, i) > UINT8_MAX)
            step->far = changed = true;
    }
    return changed;
}

static void step_write(const struct bpf_code *code, size_t i, struct sock_filter *to)
{
    const struct step *step = &code->steps[i];

    *to = step->instruction;
    if (step->to == NO_LABEL)
        return;
    if (!is_conditional(step)) {
        to->k = (uint32_t)distance(code, i);
    } else if (step->far) {
        *(step->jumps_if ? &to->jf : &to->jt) = 1;
        to[1] = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = (uint32_t)distance(code, i) - 1};
    } else {
        *(step->jumps_if ? &to->jt : &to->jf) = (uint8_t)distance(code, i);
    }
}

int bpf_write(struct bpf_code *code, struct sock_filter *instructions)
{
    while (lay_out(code))
        ;
    if (code->full || code->at[code->n] > BPF_MAXINSNS)
        return -E2BIG;
    for (size_t i = 0; i < code->n; i++)
        step_write(code, i, &instructions[code->at[i]]);
    return (int)code->at[code->n];
}

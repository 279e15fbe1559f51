/* verdict.c - from logits to a label, or "unknown". */
#include "core/verdict.h"

#include <math.h>
#include <string.h>

struct verdict_rule verdict_rule_of(const struct model *model)
{
    return (struct verdict_rule){.n_labels = model->tree->n_labels,
                                 .other = model_other(model),
                                 .temperature = model->temperature,
                                 .thresholds = model->thresholds};
}

/* Index of the largest logit, leaving out one label; -1: none left. Of equals the first. */
static int winner(const float *logits, size_t n, int leave_out)
{
    int best = -1;

    for (size_t i = 0; i < n; i++) {
        if ((int)i != leave_out && (best < 0 || logits[i] > logits[best]))
            best = (int)i;
    }
    return best;
}

/* softmax(logits / temperature), the largest taken off first so that nothing overflows. */
static void softmax(float *scores, const float *logits, size_t n, double temperature)
{
    double highest = logits[winner(logits, n, -1)], sum = 0;
    double exponentials[TREE_LABELS_MAX];

    for (size_t i = 0; i < n; i++)
        sum += exponentials[i] = exp(((double)logits[i] - highest) / temperature);
    for (size_t i = 0; i < n; i++)
        scores[i] = (float)(exponentials[i] / sum);
}

void verdict_decide(struct verdict *verdict, const struct verdict_rule *rule, const float *logits)
{
    int first, label;

    memset(verdict, 0, sizeof(*verdict));
    verdict->state = VERDICT_NOT_CLASSIFIED;
    verdict->label = -1;
    for (size_t i = 0; i < rule->n_labels; i++) {
        if (!isfinite(logits[i]))
            return;
    }
    first = winner(logits, rule->n_labels, -1);
    label = winner(logits, rule->n_labels, rule->other);
    if (label < 0)
        return;
    softmax(verdict->scores, logits, rule->n_labels, rule->temperature);
    verdict->label = label;
    verdict->confidence = verdict->scores[label];
    verdict->state =
        first == label && (rule->thresholds == NULL || (double)verdict->confidence >= rule->thresholds[label])
            ? VERDICT_CLASSIFIED
            : VERDICT_UNKNOWN;
}

const char *verdict_state_name(enum verdict_state state)
{
    static const char *const names[] = {[VERDICT_CLASSIFIED] = "classified",
                                        [VERDICT_UNKNOWN] = "unknown",
                                        [VERDICT_NOT_CLASSIFIED] = "not_classified"};

    return names[state];
}

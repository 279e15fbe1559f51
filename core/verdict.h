/* verdict.h - from logits to a label, or an honest "unknown".
 *
 * Scores are softmax(logits / temperature). A flow is unknown if "other" (traffic of no class, where the
 * model has learnt one) has the highest score, or if the winner is under its own threshold.
 */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include "core/tree/model.h"

enum verdict_state { VERDICT_CLASSIFIED, VERDICT_UNKNOWN, VERDICT_NOT_CLASSIFIED };

struct verdict {
    enum verdict_state state;
    int label;        /* the winner among the classes, index into tree->labels; -1 when not classified */
    float confidence; /* score of the winner */
    float scores[TREE_LABELS_MAX]; /* softmax(logits / temperature) */
};

/* What decides besides the logits; a model carries one, learning tries others. */
struct verdict_rule {
    size_t n_labels;
    int other;                /* index of "other", -1: none */
    double temperature;       /* > 0 */
    const double *thresholds; /* (n_labels); NULL: none */
};

/* The rule of a model; valid as long as the model. */
struct verdict_rule verdict_rule_of(const struct model *model);

/* Decide.
 *
 * logits: (n_labels). Where one is not finite the state is VERDICT_NOT_CLASSIFIED and all scores are 0.
 */
void verdict_decide(struct verdict *verdict, const struct verdict_rule *rule, const float *logits);

/* "classified", "unknown", "not_classified". */
const char *verdict_state_name(enum verdict_state state);

#endif

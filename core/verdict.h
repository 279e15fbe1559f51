/* verdict.h - from logits to a label, or an honest "unknown". */
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

/* Decide. Unknown: "other" has the highest score, or the winner is under its threshold.
 *
 * logits: (n_labels).
 */
void verdict_decide(struct verdict *verdict, const struct model *model, const float *logits);

#endif

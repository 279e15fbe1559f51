/* gate.h - may a candidate take the place of the current model? Both are judged on the same held-out
 * captures, which the candidate has not learnt from. (The current model may have learnt from some of them:
 * the comparison then favours what is in use, which is the side to err on.)
 *
 * A candidate is better if its macro-F1 over all labels of the data set is higher; at equal macro-F1, if the
 * current model gets more flows wrong. A label that one of the two does not know counts as wrong for it. The
 * training process judges and writes the answer into the candidate's training record; whoever promotes reads
 * it there.
 */
#ifndef CORE_LEARN_GATE_H
#define CORE_LEARN_GATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/engine.h"
#include "core/learn/split.h"

enum { GATE_WHY_MAX = 160, GATE_FLOWS_MIN = 20 /* held out; fewer tell nothing */ };

struct gate_side {
    double accuracy;
    double macro_f1;
};

struct gate {
    char current_id[MODEL_ID_LENGTH + 1]; /* "" when there is no current model */
    uint64_t flows;                       /* held out */
    struct gate_side candidate, current;  /* current: NAN without a current model */
    bool better;
    char why[GATE_WHY_MAX]; /* one phrase: "macro-F1 0.712 against 0.698 on 120 flows held out" */
};

/* Judge.
 *
 * current: NULL: there is none, then any candidate is better that was judged on enough flows.
 * held_out: captures that the candidate has not learnt from.
 *
 * Return: 0; -ENOTSUP, -ENODEV, -ENOMEM with err filled.
 */
int gate_judge(struct gate *gate, const struct model *candidate, const struct model *current,
               const struct dataset *dataset, const struct subset *held_out, const struct engine_ops *engine,
               const struct engine_options *engine_options, struct error *err);

/* As a JSON object, for the training record under "gate". Return: it, owned by the caller; NULL: no memory.
 */
cJSON *gate_json(const struct gate *gate);

/* Read it back.
 *
 * training: text of the training record, NULL: none.
 *
 * Return: 0; -EBADMSG: there is no gate in it, err says so.
 */
int gate_read(struct gate *gate, const char *training, struct error *err);

#endif

/* scorer.h - a model loaded into the CPU engine, with the memory that scoring a batch of flows takes.
 *
 * Made ready on one thread, then used by the classifier's: whatever can go wrong with a new model goes wrong
 * before anything is exchanged. Another engine that has loaded the model can score in the CPU's place; when
 * it fails, the CPU engine needs nothing but the time to do it again.
 */
#ifndef DAEMON_SCORER_H
#define DAEMON_SCORER_H

#include "core/engine.h"
#include "daemon/flow_batch.h"
#include "daemon/served_model.h"
#include "flowtrack/error.h"

struct scorer;

/* Load a model.
 *
 * served: the scorer takes a reference of its own.
 * capacity: flows of the largest batch.
 *
 * Return: 0; -ENODEV (no such instruction set), -ENOMEM, -EAGAIN (no threads) with err filled.
 */
int scorer_new(struct scorer **scorerp, const struct engine_options *options, struct served_model *served,
               size_t capacity, struct error *err);

/* Close the engine and let the model go. NULL is fine. */
void scorer_free(struct scorer *scorer);

/* Give every flow of a batch its verdict.
 *
 * engine: scorer_cpu(), or another that has loaded the model.
 *
 * Return: 0; -ENODEV, -ENOMEM; -EBADMSG: the other engine gave a score that is not finite; err is filled and
 * the batch has no verdicts.
 */
int scorer_score(struct scorer *scorer, struct engine *engine, struct flow_batch *batch, struct error *err);

const struct model *scorer_model(const struct scorer *scorer);
struct engine *scorer_cpu(const struct scorer *scorer);

#endif

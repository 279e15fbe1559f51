/* scorer.h - a model loaded into an engine, with the memory that scoring a batch of flows takes.
 *
 * Made ready on one thread, then used by the classifier's: whatever can go wrong with a new model goes wrong
 * before anything is exchanged.
 */
#ifndef DAEMON_SCORER_H
#define DAEMON_SCORER_H

#include "core/engine.h"
#include "daemon/flow_batch.h"
#include "daemon/served_model.h"
#include "flowtrack/error.h"

struct scorer;

/* Load a model into a new engine.
 *
 * served: the scorer takes a reference of its own.
 * capacity: flows of the largest batch.
 *
 * Return: 0; -ENODEV (the engine cannot run here), -ENOTSUP (not this tree), -ENOMEM with err filled.
 */
int scorer_new(struct scorer **scorerp, const struct engine_ops *ops, const struct engine_options *options,
               struct served_model *served, size_t capacity, struct error *err);

/* Close the engine and let the model go. NULL is fine. */
void scorer_free(struct scorer *scorer);

/* Give every flow of a batch its verdict.
 *
 * Return: 0; -ENODEV, -ENOMEM with err filled: the batch has no verdicts.
 */
int scorer_score(struct scorer *scorer, struct flow_batch *batch, struct error *err);

struct served_model *scorer_model(const struct scorer *scorer);
const char *scorer_engine(const struct scorer *scorer);

#endif

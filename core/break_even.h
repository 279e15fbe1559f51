/* break_even.h - from which batch on is an engine faster than another, and is it in training? A device has a
 * price for every call and little for a flow; a processor the other way round.
 *
 * Two engines take turns at the same batch, so that what else the machine does meets both; what counts is
 * the shortest of a few turns each, after one that does not: an engine may get ready for a size on first
 * sight. Encoding is not part of it.
 */
#ifndef CORE_BREAK_EVEN_H
#define CORE_BREAK_EVEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/engine.h"

/* What it is when there is no such batch. */
#define BREAK_EVEN_NEVER SIZE_MAX

/* Measure forward passes of batches of 1, 2, 4, ... flows. A batch counts only if the next larger one, where
 * it was measured, was won too.
 *
 * engine, other: both have loaded the model.
 * capacity: flows of the largest batch.
 * budget: microseconds after which no larger batch is tried, and the one in hand gets no more than a timed
 * pass.
 * flows: of the smallest batch from which `engine` is faster than `other`; BREAK_EVEN_NEVER: there is none up
 * to the capacity, or as far as the budget went. Set on success only.
 *
 * Return: 0; what forward() returns of either, -ENOMEM, err filled.
 */
int break_even_measure(size_t *flows, struct engine *engine, struct engine *other, const struct model *model,
                       size_t capacity, int64_t budget, struct error *err);

/* Measure steps of training, backward() and step(), with batches of one size.
 *
 * share: of the time that `other` takes, how much `engine` does: below 1 it is the faster one. Set on success
 * only.
 * engine, other: both have loaded the model, and have to load it again: their optimisers have been used.
 * flows: of a batch.
 * budget: microseconds after which no further turn is taken, once there was one that counts.
 *
 * Return: 0; what the engines return, -ENOMEM, err filled.
 */
int break_even_learning(double *share, struct engine *engine, struct engine *other, const struct model *model,
                        size_t flows, int64_t budget, struct error *err);

#endif

/* break_even.h - from which batch on is an engine faster than another? A device has a price for every call
 * and little for a flow; a processor the other way round.
 */
#ifndef CORE_BREAK_EVEN_H
#define CORE_BREAK_EVEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/engine.h"

/* What it is when there is no such batch. */
#define BREAK_EVEN_NEVER SIZE_MAX

/* Measure forward passes (encoding is not part of them) of batches of 1, 2, 4, ... flows: the shortest of a
 * few passes each, and a batch counts only if the next larger one, where it was measured, was won too.
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

#endif

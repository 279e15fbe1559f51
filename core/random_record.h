/* random_record.h - flow records drawn at random: to try engines with, and for tests that hold for every
 * record.
 */
#ifndef CORE_RANDOM_RECORD_H
#define CORE_RANDOM_RECORD_H

#include <stddef.h>

#include "core/random.h"
#include "flowtrack/record.h"

/* A record of 0 to `packets` listed packets and as many ids, some without ids, some with one side. */
void random_record(struct random *random, struct record *record, unsigned packets);

/* Records for an engine to be tried with, the same every time: the first has empty lists, the second lists as
 * long as they can be, the others are of every length between.
 *
 * records: (n).
 */
void random_records_trial(struct record *records, size_t n);

#endif

/* random_record.h - flow records, and inputs of elements, drawn at random: to try engines with, and for tests
 * that hold for every record.
 */
#ifndef CORE_RANDOM_RECORD_H
#define CORE_RANDOM_RECORD_H

#include <stddef.h>

#include "core/batch.h"
#include "core/random.h"
#include "flowtrack/record.h"

/* A record of 0 to `packets` listed packets and as many ids, some without ids, some with one side. */
void random_record(struct random *random, struct record *record, unsigned packets);

/* A record of two sides whose lists have exactly so many packets (up to RECORD_PACKETS_MAX) and ids (up to
 * RECORD_IDS_MAX). */
void random_record_even(struct random *random, struct record *record, unsigned packets, unsigned ids);

/* Records for an engine to be tried with, the same every time: the first has empty lists, the second lists as
 * long as they can be, the others are of every length between.
 *
 * records: (n).
 */
void random_records_trial(struct record *records, size_t n);

/* Put values of -1 to 1 into a batch in place of the encoded ones (where an embedding needs it, any row of
 * its table and the one behind): sums of them are of a size that float32 is at its best with. */
void random_values(struct random *random, struct batch *batch);

#endif

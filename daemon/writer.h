/* writer.h - the thread that writes: records to the archive, verdicts to the log.
 *
 * Batches come through a bounded queue and go back to the pool. What a file cannot take is lost, counted, and
 * said once for as long as it lasts.
 */
#ifndef DAEMON_WRITER_H
#define DAEMON_WRITER_H

#include <stdbool.h>

#include "daemon/flow_batch.h"
#include "daemon/line_file.h"
#include "daemon/stats.h"
#include "daemon/verdict_log.h"
#include "flowtrack/archive.h"

struct writer_config {
    struct flow_batch_pool *pool; /* where batches go afterwards; borrowed, as all here */
    struct stats *stats;
    struct line_file *verdicts;     /* NULL: no log */
    struct verdict_context context; /* of the log's lines */
    struct archive_writer *records; /* NULL: no archive */
    size_t queue;                   /* batches that may wait */
};

struct writer;

/* Start the thread. Return: 0, -ENOMEM, -EAGAIN with err filled. */
int writer_start(struct writer **writerp, const struct writer_config *config, struct error *err);

/* Give a batch to be written.
 *
 * batch: the writer's from now on.
 * wait: true: wait for room; false: if there is none its lines are lost and counted.
 */
void writer_take(struct writer *writer, struct flow_batch *batch, bool wait);

/* Write everything that was given, end the thread, and free. NULL is fine.
 *
 * Return: 0, or the code of the first failure to write, err says which.
 */
int writer_stop(struct writer *writer, struct error *err);

#endif

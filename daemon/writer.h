/* writer.h - the thread that writes: records to the archive, verdicts to the log.
 *
 * Batches come through a bounded queue and go back to the pool. What a file cannot take is lost, counted, and
 * said once for as long as it lasts. Between batches, and about once a second without any, the files are
 * looked after: flushed, rotated, kept within their quotas.
 */
#ifndef DAEMON_WRITER_H
#define DAEMON_WRITER_H

#include <stdbool.h>

#include "daemon/flow_batch.h"
#include "daemon/log_sink.h"
#include "daemon/recent.h"
#include "daemon/stats.h"
#include "daemon/verdict_log.h"
#include "flowtrack/archive.h"
#include "flowtrack/archive_rotate.h"

struct writer_config {
    struct flow_batch_pool *pool; /* where batches go afterwards; borrowed, as all here */
    struct stats *stats;
    struct log_sink *verdicts;      /* NULL: no log */
    struct recent *recent;          /* gets every verdict line too; NULL: nobody asks */
    struct verdict_context context; /* of the lines */
    struct archive_writer *records; /* one archive; NULL: none */
    struct archive_rotate *archive; /* archives without end; NULL: none */
    size_t queue;                   /* batches that may wait */
    bool endless;                   /* a failure that is over does not count at the end */
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

enum writer_request {
    WRITER_ROTATE, /* finish the files and begin new ones */
    WRITER_REOPEN, /* open the log anew if it was moved away */
    WRITER_REQUESTS
};

/* Ask for something to be done within about a second. */
void writer_ask(struct writer *writer, enum writer_request request);

/* Give a line for the verdict log, written within about a second; a line that waits is replaced.
 *
 * line: from malloc(), ends in a newline; the writer's from now on.
 */
void writer_say(struct writer *writer, char *line);

/* Write everything that was given, end the thread, and free. NULL is fine.
 *
 * Return: 0, or the code of the first failure to write, which has been said; of a run without end, of one
 * that lasts.
 */
int writer_stop(struct writer *writer);

#endif

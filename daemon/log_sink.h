/* log_sink.h - where the lines of the verdict log go: into files (log_file.h), or into the journal
 * (log_journal.h).
 *
 * A sink takes every line and never fails at once: what it could not pass on it counts, by cause, and says at
 * the next flush. One thread uses it.
 */
#ifndef DAEMON_LOG_SINK_H
#define DAEMON_LOG_SINK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/stats.h"
#include "flowtrack/error.h"

enum { LOG_SINK_LINE_MAX = 1 << 18 }; /* octets of a line */

struct log_sink;

/* What a kind of sink does; times are microseconds since 1970 UTC. */
struct log_sink_ops {
    /* line: (size) at most LOG_SINK_LINE_MAX octets, its newline at the end. */
    void (*put)(struct log_sink *sink, const char *line, size_t size, int64_t now);
    int (*flush)(struct log_sink *sink, int64_t now, struct stats_output *counts, struct error *err);
    int (*rotate)(struct log_sink *sink, int64_t now, struct error *err);
    int (*reopen)(struct log_sink *sink, int64_t now, struct error *err);
    int (*close)(struct log_sink *sink, struct error *err);
};

/* The beginning of every sink. */
struct log_sink {
    const struct log_sink_ops *ops;
    atomic_int_least64_t deadline; /* CLOCK_MONOTONIC, microseconds: nobody is waited for any longer */
};

/* Make the beginning of one. */
static inline void log_sink_init(struct log_sink *sink, const struct log_sink_ops *ops)
{
    sink->ops = ops;
    atomic_init(&sink->deadline, INT64_MAX);
}

/* Take a line. */
static inline void log_sink_put(struct log_sink *sink, const char *line, size_t size, int64_t now)
{
    sink->ops->put(sink, line, size, now);
}

/* Pass on what was gathered.
 *
 * counts: lines since the last call are added.
 *
 * Return: 0; -EIO, -ENOSPC, -EAGAIN and others: lines were lost or something could not be finished, err says
 * which.
 */
static inline int log_sink_flush(struct log_sink *sink, int64_t now, struct stats_output *counts,
                                 struct error *err)
{
    return sink->ops->flush(sink, now, counts, err);
}

/* Finish what is being written now and begin anew, where there is such a thing. */
static inline int log_sink_rotate(struct log_sink *sink, int64_t now, struct error *err)
{
    return sink->ops->rotate(sink, now, err);
}

/* Open it anew if it was moved away (logrotate). */
static inline int log_sink_reopen(struct log_sink *sink, int64_t now, struct error *err)
{
    return sink->ops->reopen(sink, now, err);
}

/* Wait no longer than to a deadline (CLOCK_MONOTONIC, microseconds) for whoever takes the lines: what he has
 * not taken by then is lost. Any thread. */
static inline void log_sink_hurry(struct log_sink *sink, int64_t deadline)
{
    atomic_store(&sink->deadline, deadline);
}

/* Close and free; what was not flushed is gone. NULL is fine. Return: 0, -EIO. */
static inline int log_sink_close(struct log_sink *sink, struct error *err)
{
    return sink != NULL ? sink->ops->close(sink, err) : 0;
}

#endif

/* log_file.h - the verdict log: lines into a file, or without end into files that follow one another within a
 * quota of octets.
 *
 *     DIR/verdicts.json                    being written; reopened when somebody has moved it away
 *     DIR/verdicts-20261123T050133Z.json   finished (flowtrack/rotation.h)
 *
 * One thread uses it.
 */
#ifndef DAEMON_LOG_FILE_H
#define DAEMON_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/error.h"

struct log_file_options {
    const char *path; /* "-" is standard output; needed during the call only */
    bool endless;     /* false: one file, emptied first; true: appended to, and rotated: */
    uint64_t size;    /* octets at which a file is finished; 0: no limit but the quota's */
    int64_t period;   /* microseconds after which it is; 0: no limit */
    uint64_t quota;   /* octets of all files together; 0: no limit */
};

struct log_file;

/* Open it.
 *
 * now: microseconds since 1970 UTC, here and below.
 *
 * Return: 0; -EACCES, -ENOENT, -EISDIR, -EIO, -ENOMEM and others with err filled.
 */
int log_file_open(struct log_file **filep, const struct log_file_options *options, int64_t now,
                  struct error *err);

/* Room for the next line, and that it has been put there: as line_file_room() and line_file_added(). */
char *log_file_room(struct log_file *file, size_t size);
void log_file_added(struct log_file *file, size_t size);

/* Whether a flush is due before more is added, since the file reaches its size with what was gathered. */
bool log_file_is_full(const struct log_file *file, int64_t now);

/* Write what was gathered; finish the file if that is due.
 *
 * written, lost: lines since the last call.
 *
 * Return: 0; -EIO, -ENOSPC and others: lines were lost or a file could not be finished, err says which.
 */
int log_file_flush(struct log_file *file, int64_t now, uint64_t *written, uint64_t *lost, struct error *err);

/* Finish the file now and begin the next one. Does nothing to a file that is not rotated. */
int log_file_rotate(struct log_file *file, int64_t now, struct error *err);

/* Open the file anew if its path leads elsewhere by now (logrotate moved it). */
int log_file_reopen(struct log_file *file, int64_t now, struct error *err);

/* Close and free. NULL is fine. Return: 0, -EIO. */
int log_file_close(struct log_file *file, struct error *err);

#endif

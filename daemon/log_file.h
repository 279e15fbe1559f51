/* log_file.h - the verdict log in files: in one, or without end in files that follow one another within a
 * quota of octets.
 *
 *     DIR/verdicts.json                    being written; reopened when somebody has moved it away
 *     DIR/verdicts-20261123T050133Z.json   finished (flowtrack/rotation.h)
 */
#ifndef DAEMON_LOG_FILE_H
#define DAEMON_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/log_sink.h"

struct log_file_options {
    const char *path; /* "-" is standard output; needed during the call only */
    bool endless;     /* false: one file, emptied first; true: appended to, and rotated: */
    uint64_t size;    /* octets at which a file is finished; 0: no limit but the quota's */
    int64_t period;   /* microseconds after which it is; 0: no limit */
    uint64_t quota;   /* octets of all files together; 0: no limit */
};

/* Open it.
 *
 * now: microseconds since 1970 UTC.
 *
 * Return: 0; -EACCES, -ENOENT, -EISDIR, -EIO, -ENOMEM and others with err filled.
 */
int log_file_open(struct log_sink **sinkp, const struct log_file_options *options, int64_t now,
                  struct error *err);

#endif

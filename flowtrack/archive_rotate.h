/* archive_rotate.h - an archive without end: files of records in a folder, within a quota.
 *
 * Joins archive_writer (what a file holds) and rotation (which files there are). Every record lands whole in
 * exactly one file; a file bears its final name once it is complete and synced. A disk that is full or broken
 * costs the records that come in the meantime, and they are counted; writing goes on when it works again.
 */
#ifndef FLOWTRACK_ARCHIVE_ROTATE_H
#define FLOWTRACK_ARCHIVE_ROTATE_H

#include <stdint.h>

#include "flowtrack/archive.h"
#include "flowtrack/error.h"
#include "flowtrack/record.h"

struct archive_rotate_options {
    const char *directory; /* holds flows-STAMP.json.gz; made if it is missing */
    uint64_t size;         /* as in struct rotation_options: octets, microseconds, octets; 0: no limit */
    int64_t period;
    uint64_t quota;
    int64_t flush_interval;               /* microseconds after which lines are written at the latest */
    struct archive_writer_options writer; /* its strings must outlive the archive */
};

/* Records given = in_files + waiting + lost. */
struct archive_rotate_stats {
    uint64_t in_files;
    uint64_t waiting; /* in memory */
    uint64_t lost;    /* could not be written */
    uint64_t files;   /* finished */
    uint64_t removed; /* finished files removed because of the quota */
    uint64_t octets;  /* written */
};

struct archive_rotate;

/* Prepare the folder and begin a file. A full disk is no reason not to start: it may get room later.
 *
 * now: microseconds since 1970 UTC, here and below.
 *
 * Return: 0; as rotation_open() and archive_writer_open(), but for -ENOSPC, which the next tick tells.
 */
int archive_rotate_open(struct archive_rotate **rotatep, const struct archive_rotate_options *options,
                        int64_t now, struct error *err);

/* Append one record.
 *
 * Return: 0; -EIO, -ENOSPC and others: the record is lost and counted; err names the file.
 */
int archive_rotate_put(struct archive_rotate *rotate, const struct record *record, int64_t now,
                       struct error *err);

/* Do what time asks for: flush, finish the file. To be called about once a second.
 *
 * Return: 0; -EIO, -ENOSPC and others: to be tried again.
 */
int archive_rotate_tick(struct archive_rotate *rotate, int64_t now, struct error *err);

/* Finish the file now, unless it has no records, and begin the next one. Return: as archive_rotate_tick(). */
int archive_rotate_now(struct archive_rotate *rotate, int64_t now, struct error *err);

void archive_rotate_stats(const struct archive_rotate *rotate, struct archive_rotate_stats *stats);

/* Write out, finish the file and free. NULL is fine. Return: 0; -EIO, -ENOSPC and others: records were lost.
 * stats: the final figures; may be NULL. */
int archive_rotate_close(struct archive_rotate *rotate, struct archive_rotate_stats *stats,
                         struct error *err);

#endif

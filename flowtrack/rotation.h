/* rotation.h - a folder of files that follow one another: one is being written, the others are finished.
 *
 *     NAME<active_end>                   the file being written
 *     NAME-20261123T050133Z<end>         a finished one; the stamp is when it was begun, UTC
 *
 * A file is finished by rename(2), so whoever follows it by inode loses nothing and whoever reads the folder
 * meets whole files only. Finished files are removed, oldest first, so that all files together stay within a
 * quota. Other files in the folder are left alone. The writer of the content is the caller; time is given by
 * the caller.
 */
#ifndef FLOWTRACK_ROTATION_H
#define FLOWTRACK_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "flowtrack/error.h"

struct rotation_options {
    const char *directory; /* made if it is missing; its parent has to be there */
    const char *name;
    const char *active_end; /* different from end, ".json.gz.part" */
    const char *end;        /* ".json.gz" */
    bool resume;    /* the caller appends to an active file that was left behind; else it is finished */
    uint64_t size;  /* octets at which a file is finished; 0: no limit but the quota's */
    int64_t period; /* microseconds after which a file is finished; 0: no limit */
    uint64_t quota; /* octets of all files together; 0: no limit. Makes size a quarter of it at most */
};

struct rotation_stats {
    uint64_t finished;
    uint64_t removed; /* finished files removed because of the quota */
    uint64_t removed_octets;
};

struct rotation;

/* Prepare a folder: finish what an earlier process left behind, and enforce the quota.
 *
 * options: the strings are copied.
 * now: microseconds since 1970 UTC, here and below.
 *
 * Return: 0; -ENOENT, -EACCES, -ENOTDIR, -EINVAL, -EIO, -ENOMEM with err filled.
 */
int rotation_open(struct rotation **rotationp, const struct rotation_options *options, int64_t now,
                  struct error *err);

/* Path of the file being written: to be opened by the caller, before rotation_begin(). */
const char *rotation_path(const struct rotation *rotation);

/* A new active file was begun. */
void rotation_begin(struct rotation *rotation, int64_t now);

/* The active file has to be finished: it is large, or `now` is a period away from when it was begun (behind
 * it if the clock was set back). octets: its size. */
bool rotation_is_due(const struct rotation *rotation, int64_t now, uint64_t octets);

/* Finish the active file, which the caller has written out: give it its final name.
 *
 * Return: 0; -EACCES, -ENOSPC and others of rename(2): it is still the active file.
 */
int rotation_finish(struct rotation *rotation, struct error *err);

/* Make renames durable and remove what exceeds the quota. To be called after rotation_finish(); may be
 * repeated.
 *
 * Return: 0; -EIO, -EACCES and others: err says which file.
 */
int rotation_enforce(struct rotation *rotation, struct error *err);

const struct rotation_stats *rotation_stats(const struct rotation *rotation);

/* Free; the files stay as they are. NULL is fine. */
void rotation_close(struct rotation *rotation);

#endif

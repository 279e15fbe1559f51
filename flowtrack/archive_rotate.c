/* archive_rotate.c
 *
 * Beginning, writing and finishing a file can each fail for a while, so the state says what is to be done
 * next; advance() does it, and is tried again by every tick. A file is never opened anew (and so emptied)
 * before the one in its place has its final name.
 */
#include "flowtrack/archive_rotate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowtrack/rotation.h"

enum state {
    STATE_BEGIN,   /* there is no active file */
    STATE_WRITE,   /* `writer` is open */
    STATE_FINISH,  /* the active file is written out and wants its final name */
    STATE_ENFORCE, /* renamed; the quota is to be enforced */
};

struct archive_rotate {
    struct rotation *rotation;
    struct archive_writer *writer; /* in STATE_WRITE */
    struct archive_writer_options writer_options;
    enum state state;
    int64_t flush_interval;
    int64_t flushed;   /* when */
    uint64_t in_files; /* of the files before the active one */
    uint64_t octets;
    uint64_t lost; /* without what the writer refused */
    struct error
        trouble; /* of a change of files during archive_rotate_put(), for the next tick; code 0: none */
};

/* Take the steps between two files, until one is open. */
static int advance(struct archive_rotate *rotate, int64_t now, struct error *err)
{
    int rc = 0;

    if (rotate->state == STATE_FINISH) {
        rc = rotation_finish(rotate->rotation, err);
        if (rc != 0 && rc != -ENOENT) /* if somebody has taken the file away, there is nothing to wait for */
            return rc;
        rotate->state = STATE_ENFORCE;
    }
    if (rotate->state == STATE_ENFORCE) {
        int rc_enforce = rotation_enforce(rotate->rotation, rc == 0 ? err : NULL);

        rc = rc != 0 ? rc : rc_enforce;
        rotate->state = STATE_BEGIN;
    }
    if (rotate->state == STATE_BEGIN) {
        int rc_open = archive_writer_open(&rotate->writer, rotation_path(rotate->rotation),
                                          &rotate->writer_options, err);

        if (rc_open != 0)
            return rc_open;
        rotation_begin(rotate->rotation, now);
        rotate->flushed = now;
        rotate->state = STATE_WRITE;
    }
    return rc;
}

/* Close the writer, and count what it has done. */
static int close_writer(struct archive_rotate *rotate, struct error *err)
{
    const struct archive_writer_stats *stats = archive_writer_stats(rotate->writer);
    int rc = archive_writer_flush(rotate->writer, err), rc_close;

    rotate->in_files += stats->records - stats->waiting;
    rotate->lost += stats->refused + stats->waiting;
    rotate->octets += stats->octets;
    rc_close = archive_writer_close(rotate->writer, rc == 0 ? err : NULL);
    rotate->writer = NULL;
    rotate->state = STATE_FINISH;
    return rc != 0 ? rc : rc_close;
}

/* Return: the code of trouble that is to be reported, 0: none. */
static int take_trouble(struct archive_rotate *rotate, struct error *err)
{
    int rc = rotate->trouble.code;

    if (rc != 0 && err != NULL)
        *err = rotate->trouble;
    rotate->trouble.code = 0;
    return rc;
}

int archive_rotate_open(struct archive_rotate **rotatep, const struct archive_rotate_options *options,
                        int64_t now, struct error *err)
{
    const struct rotation_options rotation_options = {
        .directory = options->directory,
        .name = "flows",
        .active_end = ".json.gz.part",
        .end = ".json.gz",
        .size = options->size,
        .period = options->period,
        .quota = options->quota,
    };
    struct archive_rotate *rotate = calloc(1, sizeof *rotate);
    int rc;

    if (rotate == NULL)
        return error_set(err, -ENOMEM, "%s: no memory", options->directory);
    rotate->writer_options = options->writer;
    rotate->flush_interval = options->flush_interval;
    rotate->state = STATE_BEGIN;
    rc = rotation_open(&rotate->rotation, &rotation_options, now, err);
    if (rc == 0) {
        rc = advance(rotate, now, &rotate->trouble);
        if (rc == -ENOSPC)
            rc = 0;
        if (rc != 0)
            (void)take_trouble(rotate, err);
    }
    if (rc != 0) {
        rotation_close(rotate->rotation);
        free(rotate);
        return rc;
    }
    *rotatep = rotate;
    return 0;
}

int archive_rotate_now(struct archive_rotate *rotate, int64_t now, struct error *err)
{
    int rc = 0, rc_advance;

    if (rotate->state == STATE_WRITE) {
        rc = archive_writer_flush(rotate->writer, err);
        if (rc != 0)
            return rc;
        rotate->flushed = now;
        if (archive_writer_stats(rotate->writer)->records == 0) {
            rotation_begin(rotate->rotation, now);
            return 0;
        }
        rc = close_writer(rotate, err);
    }
    rc_advance = advance(rotate, now, rc == 0 ? err : NULL);
    return rc != 0 ? rc : rc_advance;
}

static bool is_due(const struct archive_rotate *rotate, int64_t now)
{
    return rotate->state != STATE_WRITE ||
           rotation_is_due(rotate->rotation, now, archive_writer_stats(rotate->writer)->octets);
}

int archive_rotate_tick(struct archive_rotate *rotate, int64_t now, struct error *err)
{
    int rc;

    if (is_due(rotate, now)) {
        rotate->trouble.code = 0; /* if it lasts, it comes again */
        return archive_rotate_now(rotate, now, err);
    }
    rc = take_trouble(rotate, err);
    if (llabs(now - rotate->flushed) >= rotate->flush_interval) { /* the clock may be set back */
        int rc_flush = archive_writer_flush(rotate->writer, rc == 0 ? err : NULL);

        if (rc_flush == 0)
            rotate->flushed = now;
        rc = rc != 0 ? rc : rc_flush;
    }
    return rc;
}

int archive_rotate_put(struct archive_rotate *rotate, const struct record *record, int64_t now,
                       struct error *err)
{
    if (is_due(rotate, now))
        (void)archive_rotate_now(rotate, now, &rotate->trouble);
    if (rotate->state == STATE_WRITE)
        return archive_writer_put(rotate->writer, record, err);
    rotate->lost++;
    return take_trouble(rotate, err);
}

void archive_rotate_stats(const struct archive_rotate *rotate, struct archive_rotate_stats *stats)
{
    const struct rotation_stats *files = rotation_stats(rotate->rotation);

    *stats = (struct archive_rotate_stats){
        .in_files = rotate->in_files,
        .lost = rotate->lost,
        .octets = rotate->octets,
        .files = files->finished,
        .removed = files->removed,
    };
    if (rotate->state == STATE_WRITE) {
        const struct archive_writer_stats *active = archive_writer_stats(rotate->writer);

        stats->in_files += active->records - active->waiting;
        stats->waiting = active->waiting;
        stats->lost += active->refused;
        stats->octets += active->octets;
    }
}

/* The last file: without records it is not worth a name. */
static int finish_last(struct archive_rotate *rotate, struct error *err)
{
    bool empty = rotate->state == STATE_WRITE && archive_writer_stats(rotate->writer)->records == 0;
    int rc = 0, rc_finish = 0;

    if (rotate->state == STATE_WRITE)
        rc = close_writer(rotate, err);
    if (empty) {
        (void)unlink(rotation_path(rotate->rotation));
        return rc;
    }
    if (rotate->state == STATE_FINISH)
        rc_finish = rotation_finish(rotate->rotation, rc == 0 ? err : NULL);
    if (rc == 0 && rc_finish == 0)
        rc = rotation_enforce(rotate->rotation, err);
    return rc != 0 ? rc : rc_finish;
}

int archive_rotate_close(struct archive_rotate *rotate, struct archive_rotate_stats *stats, struct error *err)
{
    int rc;

    if (rotate == NULL)
        return 0;
    rc = finish_last(rotate, err);
    if (stats != NULL)
        archive_rotate_stats(rotate, stats);
    rotation_close(rotate->rotation);
    free(rotate);
    return rc;
}

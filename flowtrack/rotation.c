/* rotation.c
 *
 * Stamps have a width and an order that are those of time, so sorting names sorts files by age. Two files
 * begun in the same second get stamps one second apart.
 *
 * The quota leaves room for the active file: finished files may hold quota - size octets.
 */
#include "flowtrack/rotation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MICROSECONDS = 1000000,
    PATH_OCTETS = 4096,
    STAMP_LENGTH = sizeof "20261123T050133Z" - 1,
    QUOTA_SHARE = 4, /* one file takes at most this part of the quota */
};

struct rotation {
    struct rotation_options options;
    struct rotation_stats stats;
    char *active_path;
    int64_t begun;      /* of the active file */
    int64_t last_stamp; /* seconds */
};

/* What a look at the folder finds. */
struct finished {
    uint64_t octets; /* of all finished files */
    uint64_t n;      /* of them */
    uint64_t oldest_octets;
    char oldest[PATH_OCTETS];
};

static int failed(const char *path, int code, struct error *err)
{
    return error_set(err, -code, "%s: %s", path, strerror(code));
}

/* NAME-STAMP<end> */
static bool is_finished_name(const struct rotation *rotation, const char *name)
{
    size_t n_name = strlen(rotation->options.name), n_end = strlen(rotation->options.end);
    const char *stamp = name + n_name + 1;

    if (strlen(name) != n_name + 1 + STAMP_LENGTH + n_end ||
        strncmp(name, rotation->options.name, n_name) != 0 || name[n_name] != '-' ||
        strcmp(stamp + STAMP_LENGTH, rotation->options.end) != 0)
        return false;
    return strspn(stamp, "0123456789") == 8 && stamp[8] == 'T' && strspn(stamp + 9, "0123456789") == 6 &&
           stamp[15] == 'Z';
}

static void add_finished(const struct rotation *rotation, struct finished *finished, const char *name,
                         uint64_t octets)
{
    char path[PATH_OCTETS];

    (void)snprintf(path, sizeof path, "%s/%s", rotation->options.directory, name);
    finished->octets += octets;
    if (finished->n++ > 0 && strcmp(path, finished->oldest) > 0)
        return;
    memcpy(finished->oldest, path, sizeof path);
    finished->oldest_octets = octets;
}

static int find_finished(const struct rotation *rotation, struct finished *finished, struct error *err)
{
    DIR *stream = opendir(rotation->options.directory);

    if (stream == NULL)
        return failed(rotation->options.directory, errno, err);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        struct stat status;

        if (is_finished_name(rotation, entry->d_name) &&
            fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            add_finished(rotation, finished, entry->d_name, (uint64_t)status.st_size);
    }
    (void)closedir(stream);
    return 0;
}

/* Make the names in the folder durable. */
static int sync_directory(const struct rotation *rotation, struct error *err)
{
    int fd = open(rotation->options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd < 0 || (fsync(fd) != 0 && errno != EINVAL) ? errno : 0;

    if (fd >= 0)
        (void)close(fd);
    return code == 0 ? 0 : failed(rotation->options.directory, code, err);
}

/* One look for each file removed: mostly there is one to remove, and no list is kept that could be out of
 * date. */
int rotation_enforce(struct rotation *rotation, struct error *err)
{
    const struct rotation_options *options = &rotation->options;
    int rc = sync_directory(rotation, err);

    while (rc == 0 && options->quota > 0) {
        struct finished finished = {0};

        rc = find_finished(rotation, &finished, err);
        if (rc != 0 || finished.octets <= options->quota - options->size)
            break;
        if (unlink(finished.oldest) == 0) {
            rotation->stats.removed++;
            rotation->stats.removed_octets += finished.oldest_octets;
        } else if (errno != ENOENT) {
            rc = failed(finished.oldest, errno, err);
        }
    }
    return rc;
}

/* Return: false if the time cannot be said or the path is too long. */
static bool finished_path(const struct rotation *rotation, int64_t seconds, char path[PATH_OCTETS])
{
    const struct rotation_options *options = &rotation->options;
    char stamp[STAMP_LENGTH + 1];
    time_t when = (time_t)seconds;
    struct tm utc;

    return gmtime_r(&when, &utc) != NULL &&
           strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) == STAMP_LENGTH &&
           snprintf(path, PATH_OCTETS, "%s/%s-%s%s", options->directory, options->name, stamp, options->end) <
               PATH_OCTETS;
}

/* Rename the active file to the first stamp from `seconds` on that is free. */
static int rename_active(struct rotation *rotation, int64_t seconds, struct error *err)
{
    char path[PATH_OCTETS];
    struct stat status;

    if (seconds <= rotation->last_stamp)
        seconds = rotation->last_stamp + 1;
    do {
        if (!finished_path(rotation, seconds++, path))
            return failed(rotation->active_path, EINVAL, err);
    } while (lstat(path, &status) == 0);
    if (rename(rotation->active_path, path) != 0)
        return failed(rotation->active_path, errno, err);
    rotation->last_stamp = seconds - 1;
    rotation->stats.finished++;
    return 0;
}

int rotation_finish(struct rotation *rotation, struct error *err)
{
    return rename_active(rotation, rotation->begun / MICROSECONDS, err);
}

/* An active file that an earlier process left behind. */
static int take_over(struct rotation *rotation, struct error *err)
{
    struct stat status;

    if (lstat(rotation->active_path, &status) != 0)
        return errno == ENOENT ? 0 : failed(rotation->active_path, errno, err);
    if (rotation->options.resume)
        return 0;
    if (status.st_size > 0)
        return rename_active(rotation, status.st_mtime, err);
    return unlink(rotation->active_path) == 0 ? 0 : failed(rotation->active_path, errno, err);
}

static int make_directory(const struct rotation *rotation, struct error *err)
{
    const char *path = rotation->options.directory;
    struct stat status;

    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return failed(path, errno, err);
    if (stat(path, &status) != 0)
        return failed(path, errno, err);
    return S_ISDIR(status.st_mode) ? 0 : failed(path, ENOTDIR, err);
}

static int copy_options(struct rotation *rotation, const struct rotation_options *options)
{
    struct rotation_options *own = &rotation->options;

    *own = *options;
    own->directory = strdup(options->directory);
    own->name = strdup(options->name);
    own->active_end = strdup(options->active_end);
    own->end = strdup(options->end);
    if (asprintf(&rotation->active_path, "%s/%s%s", options->directory, options->name, options->active_end) <
        0)
        rotation->active_path = NULL;
    if (own->quota > 0 && (own->size == 0 || own->size > own->quota / QUOTA_SHARE))
        own->size = own->quota / QUOTA_SHARE;
    return own->directory != NULL && own->name != NULL && own->active_end != NULL && own->end != NULL &&
                   rotation->active_path != NULL
               ? 0
               : -ENOMEM;
}

int rotation_open(struct rotation **rotationp, const struct rotation_options *options, int64_t now,
                  struct error *err)
{
    struct rotation *rotation = calloc(1, sizeof *rotation);
    int rc;

    if (rotation == NULL)
        return error_set(err, -ENOMEM, "%s: no memory", options->directory);
    rotation->begun = now;
    rc = copy_options(rotation, options);
    if (rc != 0)
        (void)error_set(err, rc, "%s: no memory", options->directory);
    if (rc == 0)
        rc = make_directory(rotation, err);
    if (rc == 0)
        rc = take_over(rotation, err);
    if (rc == 0)
        rc = rotation_enforce(rotation, err);
    if (rc != 0) {
        rotation_close(rotation);
        return rc;
    }
    *rotationp = rotation;
    return 0;
}

void rotation_close(struct rotation *rotation)
{
    if (rotation == NULL)
        return;
    free((char *)rotation->options.directory);
    free((char *)rotation->options.name);
    free((char *)rotation->options.active_end);
    free((char *)rotation->options.end);
    free(rotation->active_path);
    free(rotation);
}

const char *rotation_path(const struct rotation *rotation)
{
    return rotation->active_path;
}

void rotation_begin(struct rotation *rotation, int64_t now)
{
    rotation->begun = now;
}

bool rotation_is_due(const struct rotation *rotation, int64_t now, uint64_t octets)
{
    const struct rotation_options *options = &rotation->options;

    return (options->size > 0 && octets >= options->size) ||
           (options->period > 0 && llabs(now - rotation->begun) >= options->period);
}

const struct rotation_stats *rotation_stats(const struct rotation *rotation)
{
    return &rotation->stats;
}

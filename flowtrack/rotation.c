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
    STAMP_LENGTH = sizeof "20261123T050133Z" - 1,
    QUOTA_SHARE = 4, /* one file takes at most this part of the quota */
};

struct rotation {
    struct rotation_options options;
    struct rotation_stats stats;
    int directory;     /* descriptor */
    char *active_name; /* in the directory */
    char *active_path;
    int64_t begun;      /* of the active file */
    int64_t last_stamp; /* seconds */
};

/* A finished file. */
struct entry {
    char *name;
    uint64_t octets;
};

struct listing {
    struct entry *entries; /* (n), oldest first */
    size_t n, capacity;
    uint64_t octets;
};

static int failed(const struct rotation *rotation, const char *name, int code, struct error *err)
{
    return error_set(err, -code, "%s/%s: %s", rotation->options.directory, name, strerror(code));
}

static void listing_free(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        free(listing->entries[i].name);
    free(listing->entries);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
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

static int listing_add(struct listing *listing, const char *name, uint64_t octets)
{
    if (listing->n == listing->capacity) {
        size_t capacity = listing->capacity > 0 ? 2 * listing->capacity : 64;
        struct entry *entries = realloc(listing->entries, capacity * sizeof *entries);

        if (entries == NULL)
            return -ENOMEM;
        listing->entries = entries;
        listing->capacity = capacity;
    }
    listing->entries[listing->n].octets = octets;
    listing->entries[listing->n].name = strdup(name);
    if (listing->entries[listing->n].name == NULL)
        return -ENOMEM;
    listing->n++;
    listing->octets += octets;
    return 0;
}

static int list_directory(const struct rotation *rotation, DIR *stream, struct listing *listing)
{
    struct dirent *entry;
    int rc = 0;

    while (rc == 0 && (entry = readdir(stream)) != NULL) {
        struct stat status;

        if (is_finished_name(rotation, entry->d_name) &&
            fstatat(rotation->directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            rc = listing_add(listing, entry->d_name, (uint64_t)status.st_size);
    }
    if (listing->n > 0)
        qsort(listing->entries, listing->n, sizeof listing->entries[0], compare_names);
    return rc;
}

/* The finished files, oldest first. */
static int list_finished(const struct rotation *rotation, struct listing *listing, struct error *err)
{
    int fd = openat(rotation->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    int rc;

    if (stream == NULL) {
        int code = errno;

        if (fd >= 0)
            (void)close(fd);
        return failed(rotation, "", code, err);
    }
    rc = list_directory(rotation, stream, listing);
    (void)closedir(stream);
    return rc == 0 ? 0 : failed(rotation, "", -rc, err);
}

static int remove_oldest(struct rotation *rotation, struct listing *listing, uint64_t limit,
                         struct error *err)
{
    int rc = 0;

    for (size_t i = 0; i < listing->n && listing->octets > limit; i++) {
        const struct entry *entry = &listing->entries[i];

        listing->octets -= entry->octets;
        if (unlinkat(rotation->directory, entry->name, 0) == 0) {
            rotation->stats.removed++;
            rotation->stats.removed_octets += entry->octets;
        } else if (errno != ENOENT) {
            listing->octets += entry->octets;
            rc = failed(rotation, entry->name, errno, err);
        }
    }
    return rc;
}

int rotation_enforce(struct rotation *rotation, struct error *err)
{
    struct listing listing = {0};
    int rc;

    if (fsync(rotation->directory) != 0 && errno != EINVAL)
        return failed(rotation, "", errno, err);
    if (rotation->options.quota == 0)
        return 0;
    rc = list_finished(rotation, &listing, err);
    if (rc == 0)
        rc = remove_oldest(rotation, &listing, rotation->options.quota - rotation->options.size, err);
    listing_free(&listing);
    return rc;
}

static char *finished_name(const struct rotation *rotation, int64_t seconds)
{
    char stamp[STAMP_LENGTH + 1];
    time_t when = (time_t)seconds;
    struct tm utc;
    char *name;

    if (gmtime_r(&when, &utc) == NULL ||
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) != STAMP_LENGTH)
        return NULL;
    if (asprintf(&name, "%s-%s%s", rotation->options.name, stamp, rotation->options.end) < 0)
        return NULL;
    return name;
}

/* Rename the active file to the first stamp from `seconds` on that is free. */
static int rename_active(struct rotation *rotation, int64_t seconds, struct error *err)
{
    struct stat status;
    int code;

    if (seconds <= rotation->last_stamp)
        seconds = rotation->last_stamp + 1;
    for (;; seconds++) {
        char *name = finished_name(rotation, seconds);

        if (name == NULL)
            return failed(rotation, rotation->active_name, ENOMEM, err);
        if (fstatat(rotation->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            free(name);
            continue;
        }
        code =
            renameat(rotation->directory, rotation->active_name, rotation->directory, name) == 0 ? 0 : errno;
        free(name);
        if (code != 0)
            return failed(rotation, rotation->active_name, code, err);
        rotation->last_stamp = seconds;
        rotation->stats.finished++;
        return 0;
    }
}

int rotation_finish(struct rotation *rotation, struct error *err)
{
    return rename_active(rotation, rotation->begun / MICROSECONDS, err);
}

/* An active file that an earlier process left behind. */
static int take_over(struct rotation *rotation, struct error *err)
{
    struct stat status;

    if (fstatat(rotation->directory, rotation->active_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : failed(rotation, rotation->active_name, errno, err);
    if (rotation->options.resume)
        return 0;
    if (status.st_size > 0)
        return rename_active(rotation, status.st_mtime, err);
    if (unlinkat(rotation->directory, rotation->active_name, 0) != 0)
        return failed(rotation, rotation->active_name, errno, err);
    return 0;
}

static int open_directory(struct rotation *rotation, struct error *err)
{
    const char *path = rotation->options.directory;

    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        rotation->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rotation->directory < 0) {
        int code = errno;

        return error_set(err, -code, "%s: %s", path, strerror(code));
    }
    return 0;
}

static int copy_options(struct rotation *rotation, const struct rotation_options *options)
{
    struct rotation_options *own = &rotation->options;

    *own = *options;
    own->directory = strdup(options->directory);
    own->name = strdup(options->name);
    own->active_end = strdup(options->active_end);
    own->end = strdup(options->end);
    if (asprintf(&rotation->active_name, "%s%s", options->name, options->active_end) < 0)
        rotation->active_name = NULL;
    if (asprintf(&rotation->active_path, "%s/%s%s", options->directory, options->name, options->active_end) <
        0)
        rotation->active_path = NULL;
    if (own->quota > 0 && (own->size == 0 || own->size > own->quota / QUOTA_SHARE))
        own->size = own->quota / QUOTA_SHARE;
    return own->directory != NULL && own->name != NULL && own->active_end != NULL && own->end != NULL &&
                   rotation->active_name != NULL && rotation->active_path != NULL
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
    rotation->directory = -1;
    rotation->begun = now;
    rc = copy_options(rotation, options);
    if (rc != 0)
        (void)error_set(err, rc, "%s: no memory", options->directory);
    if (rc == 0)
        rc = open_directory(rotation, err);
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
    if (rotation->directory >= 0)
        (void)close(rotation->directory);
    free((char *)rotation->options.directory);
    free((char *)rotation->options.name);
    free((char *)rotation->options.active_end);
    free((char *)rotation->options.end);
    free(rotation->active_name);
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
           (options->period > 0 && now - rotation->begun >= options->period);
}

const struct rotation_stats *rotation_stats(const struct rotation *rotation)
{
    return &rotation->stats;
}

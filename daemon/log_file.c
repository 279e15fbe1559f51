#include "daemon/log_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/line_file.h"
#include "flowtrack/rotation.h"

struct log_file {
    char *path;
    struct line_file *lines;
    struct rotation *rotation; /* NULL: one file */
    uint64_t size;             /* octets of the file, with those that were gathered since it was flushed */
};

/* DIR/NAME.END into its parts; the log must have a folder of its own to rotate in. */
static int rotation_make(struct log_file *file, const struct log_file_options *options, int64_t now,
                         struct error *err)
{
    char *directory = strdup(file->path);
    char *slash = directory != NULL ? strrchr(directory, '/') : NULL;
    char *name, *end;
    struct rotation_options rotation = {
        .resume = true, .size = options->size, .period = options->period, .quota = options->quota};
    char suffix[32] = "";
    int r;

    if (directory == NULL)
        return error_set(err, -ENOMEM, "%s: out of memory", file->path);
    if (slash == NULL || slash == directory || slash[1] == '\0') {
        free(directory);
        return error_set(err, -EINVAL, "%s: not a path of the form /FOLDER/NAME", options->path);
    }
    *slash = '\0';
    name = slash + 1;
    end = strrchr(name, '.');
    if (end != NULL && end != name && strlen(end) < sizeof suffix) {
        strcpy(suffix, end);
        *end = '\0';
    }
    rotation.directory = directory;
    rotation.name = name;
    rotation.active_end = suffix;
    rotation.end = suffix;
    r = rotation_open(&file->rotation, &rotation, now, err);
    free(directory);
    return r;
}

static int lines_open(struct log_file *file, bool append, int64_t now, struct error *err)
{
    struct line_file *lines;
    int r = line_file_open(&lines, file->path, append, err);

    if (r < 0)
        return r;
    file->lines = lines;
    file->size = line_file_size(lines);
    if (file->rotation != NULL)
        rotation_begin(file->rotation, now);
    return 0;
}

int log_file_open(struct log_file **filep, const struct log_file_options *options, int64_t now,
                  struct error *err)
{
    struct log_file *file = calloc(1, sizeof *file);
    int r = 0;

    if (file == NULL || (file->path = strdup(options->path)) == NULL) {
        free(file);
        return error_set(err, -ENOMEM, "%s: out of memory", options->path);
    }
    if (options->endless && strcmp(options->path, "-") != 0)
        r = rotation_make(file, options, now, err);
    if (r == 0)
        r = lines_open(file, options->endless, now, err);
    if (r < 0) {
        (void)log_file_close(file, NULL);
        return r;
    }
    *filep = file;
    return 0;
}

char *log_file_room(struct log_file *file, size_t size)
{
    return line_file_room(file->lines, size);
}

void log_file_added(struct log_file *file, size_t size)
{
    line_file_added(file->lines, size);
    file->size += size;
}

bool log_file_is_full(const struct log_file *file, int64_t now)
{
    return file->rotation != NULL && rotation_is_due(file->rotation, now, file->size);
}

int log_file_rotate(struct log_file *file, int64_t now, struct error *err)
{
    struct line_file *before = file->lines;
    struct stat there;
    int r = 0;

    if (file->rotation == NULL)
        return 0;
    /* Where a new file could not be begun the last time, lines have gone on into the finished one. */
    if (stat(file->path, &there) == 0)
        r = rotation_finish(file->rotation, err);
    if (r == 0)
        r = lines_open(file, true, now, err);
    if (r < 0)
        return r;
    r = line_file_close(before, err);
    return r < 0 ? r : rotation_enforce(file->rotation, err);
}

int log_file_flush(struct log_file *file, int64_t now, uint64_t *written, uint64_t *lost, struct error *err)
{
    int r = line_file_flush(file->lines, written, lost, err);

    file->size = line_file_size(file->lines);
    if (r == 0 && log_file_is_full(file, now))
        r = log_file_rotate(file, now, err);
    return r;
}

int log_file_reopen(struct log_file *file, int64_t now, struct error *err)
{
    struct line_file *before = file->lines;
    struct stat there;
    int r;

    if (file->rotation == NULL || (stat(file->path, &there) == 0 && line_file_is(before, &there)))
        return 0;
    r = lines_open(file, true, now, err);
    return r < 0 ? r : line_file_close(before, err);
}

int log_file_close(struct log_file *file, struct error *err)
{
    int r;

    if (file == NULL)
        return 0;
    r = line_file_close(file->lines, err);
    rotation_close(file->rotation);
    free(file->path);
    free(file);
    return r;
}

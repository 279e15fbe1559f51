#include "daemon/log_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/line_file.h"
#include "flowtrack/rotation.h"

struct log_file {
    struct log_sink sink;
    char *path;
    struct line_file *lines;
    struct rotation *rotation;  /* NULL: one file */
    uint64_t size;              /* octets of the file, with those that were gathered since it was flushed */
    struct stats_output counts; /* since the last file_flush() */
    struct error failure;       /* the first since then; code 0: none */
};

_Static_assert((int)LOG_SINK_LINE_MAX <= (int)LINE_FILE_BUFFER, "a line is gathered whole");

static struct log_file *file_of(struct log_sink *sink)
{
    return (struct log_file *)sink;
}

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
    line_file_wait_until(lines, &file->sink.deadline);
    file->lines = lines;
    file->size = line_file_size(lines);
    if (file->rotation != NULL)
        rotation_begin(file->rotation, now);
    return 0;
}

/* Whether the file is due to be finished, with what was gathered. */
static bool is_full(const struct log_file *file, int64_t now)
{
    return file->rotation != NULL && rotation_is_due(file->rotation, now, file->size);
}

static int file_rotate(struct log_sink *sink, int64_t now, struct error *err)
{
    struct log_file *file = file_of(sink);
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

/* Write what was gathered; finish the file if that is due. */
static void write_out(struct log_file *file, int64_t now)
{
    uint64_t written, lost;
    struct error why;
    int r = line_file_flush(file->lines, &written, &lost, &why);

    file->counts.written += written;
    file->counts.lost[STATS_LOSS_file] += lost;
    file->size = line_file_size(file->lines);
    if (r == 0 && is_full(file, now))
        r = file_rotate(&file->sink, now, &why);
    if (r < 0 && file->failure.code == 0)
        file->failure = why;
}

static void file_put(struct log_sink *sink, const char *line, size_t size, int64_t now)
{
    struct log_file *file = file_of(sink);

    memcpy(line_file_room(file->lines, size), line, size);
    line_file_added(file->lines, size);
    file->size += size;
    if (is_full(file, now))
        write_out(file, now);
}

static int file_flush(struct log_sink *sink, int64_t now, struct stats_output *counts, struct error *err)
{
    struct log_file *file = file_of(sink);
    struct error failure;

    write_out(file, now);
    failure = file->failure;
    stats_output_add(counts, &file->counts);
    file->counts = (struct stats_output){0};
    file->failure.code = 0;
    return failure.code == 0 ? 0 : error_set(err, failure.code, "%s", failure.text);
}

static int file_reopen(struct log_sink *sink, int64_t now, struct error *err)
{
    struct log_file *file = file_of(sink);
    struct line_file *before = file->lines;
    struct stat there;
    int r;

    if (file->rotation == NULL || (stat(file->path, &there) == 0 && line_file_is(before, &there)))
        return 0;
    r = lines_open(file, true, now, err);
    return r < 0 ? r : line_file_close(before, err);
}

static int file_close(struct log_sink *sink, struct error *err)
{
    struct log_file *file = file_of(sink);
    int r = line_file_close(file->lines, err);

    rotation_close(file->rotation);
    free(file->path);
    free(file);
    return r;
}

int log_file_open(struct log_sink **sinkp, const struct log_file_options *options, int64_t now,
                  struct error *err)
{
    static const struct log_sink_ops ops = {file_put, file_flush, file_rotate, file_reopen, file_close};
    struct log_file *file = calloc(1, sizeof *file);
    int r = 0;

    if (file == NULL || (file->path = strdup(options->path)) == NULL) {
        free(file);
        return error_set(err, -ENOMEM, "%s: out of memory", options->path);
    }
    log_sink_init(&file->sink, &ops);
    if (options->endless && strcmp(options->path, "-") != 0)
        r = rotation_make(file, options, now, err);
    if (r == 0)
        r = lines_open(file, options->endless, now, err);
    if (r < 0) {
        (void)file_close(&file->sink, NULL);
        return r;
    }
    *sinkp = &file->sink;
    return 0;
}

/* Reading is libinih's; strictness is ours. libinih asks for lines one at a time, so `struct source` knows
 * the number of the line in hand, and looks at each line before libinih does: it takes indentation away
 * (libinih would read an indented key as more of the value above), refuses lines that libinih would cut, and
 * refuses unknown sections even when they are empty. The first error stands; later ones are not reported.
 */
#include "daemon/config.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/config_schema.h"
#include "daemon/log.h"

/* Less of a ring than this for one worker has hardly a block. */
enum { WORKER_BUFFER_MIN = 1 << 20 };

struct source {
    struct config *config;
    const char *name;
    FILE *file;       /* one of the two */
    const char *text; /* what is left of a text in memory */
    unsigned line;
    unsigned given[CONFIG_KEYS_MAX]; /* line on which each key was set, 0: not yet */
    struct error *err;
    int result; /* 0, or the code of the first error */
};

static void *key_value(const struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

int config_init(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        int r = config_value_parse(key_value(config, key), &key->domain, key->standard, NULL);

        if (r < 0) {
            config_deinit(config);
            return r;
        }
    }
    return 0;
}

int config_copy(struct config *config, const struct config *from)
{
    struct config copy = *from;
    int r = 0;

    for (size_t i = 0; i < config_n_keys; i++) {
        char **text = key_value(&copy, &config_keys[i]);

        if (config_keys[i].domain.type != CONFIG_TEXT)
            continue;
        *text = strdup(*text);
        if (*text == NULL)
            r = -ENOMEM;
    }
    if (r < 0) {
        config_deinit(&copy);
        return r;
    }
    *config = copy;
    return 0;
}

void config_deinit(struct config *config)
{
    for (size_t i = 0; i < config_n_keys; i++) {
        if (config_keys[i].domain.type == CONFIG_TEXT)
            free(*(char **)key_value(config, &config_keys[i]));
    }
    *config = (struct config){0};
}

static bool section_known(const char *section, size_t length)
{
    for (size_t i = 0; i < config_n_keys; i++) {
        if (strlen(config_keys[i].section) == length && memcmp(config_keys[i].section, section, length) == 0)
            return true;
    }
    return false;
}

static const struct config_key *key_find(const char *section, size_t section_length, const char *name,
                                         size_t name_length)
{
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];

        if (strlen(key->section) == section_length && memcmp(key->section, section, section_length) == 0 &&
            strlen(key->name) == name_length && memcmp(key->name, name, name_length) == 0)
            return key;
    }
    return NULL;
}

/* Keep an error of the line in hand, unless there was one before. */
#define source_fail(source, code, ...)                                                                       \
    do {                                                                                                     \
        if ((source)->result == 0) {                                                                         \
            (source)->result = error_set((source)->err, (code), __VA_ARGS__);                                \
            (void)error_prefix((source)->err, "%s:%u: ", (source)->name, (source)->line);                    \
        }                                                                                                    \
    } while (0)

/* fgets() on either kind of source. */
static char *source_gets(struct source *source, char *line, int size)
{
    const char *end;
    size_t length;

    if (source->file != NULL)
        return fgets(line, size, source->file);
    if (*source->text == '\0')
        return NULL;
    end = strchrnul(source->text, '\n');
    length = (size_t)(end - source->text) + (*end == '\n');
    if (length > (size_t)size - 1)
        length = (size_t)size - 1;
    memcpy(line, source->text, length);
    line[length] = '\0';
    source->text += length;
    return line;
}

/* Give libinih its next line (an ini_reader). */
static char *source_line(char *line, int size, void *context)
{
    struct source *source = context;
    size_t length, indent;
    char *end;

    if (source->result < 0 || source_gets(source, line, size) == NULL)
        return NULL;
    source->line++;
    length = strlen(line);
    if (length == (size_t)size - 1 && line[length - 1] != '\n') {
        source_fail(source, -EINVAL, "the line is longer than %d characters", size - 2);
        return NULL;
    }
    indent = strspn(line, " \t");
    memmove(line, line + indent, length - indent + 1);
    end = strchr(line, ']');
    if (line[0] == '[' && end == NULL)
        source_fail(source, -EINVAL, "the section has no closing ']'");
    else if (line[0] == '[' && !section_known(line + 1, (size_t)(end - line) - 1))
        source_fail(source, -EINVAL, "there is no section [%.*s]", (int)(end - line) - 1, line + 1);
    return line;
}

/* Take one key (an ini_handler). */
static int source_key(void *context, const char *section, const char *name, const char *text)
{
    struct source *source = context;
    const struct config_key *key = key_find(section, strlen(section), name, strlen(name));
    struct error why;
    unsigned *given;
    int r;

    if (source->result < 0)
        return 0;
    if (key == NULL) {
        source_fail(source, -EINVAL,
                    section[0] == '\0' ? "%s'%s' stands before any [section]" : "[%s] has no key '%s'",
                    section, name);
        return 0;
    }
    given = &source->given[key - config_keys];
    if (*given != 0) {
        source_fail(source, -EINVAL, "'%s' was given on line %u already", name, *given);
        return 0;
    }
    *given = source->line;
    r = config_value_parse(key_value(source->config, key), &key->domain, text, &why);
    if (r < 0)
        source_fail(source, r, "%s: %s", name, why.text);
    return r == 0;
}

static int source_read(struct source *source)
{
    int line = ini_parse_stream(source_line, source, source_key, source);

    if (source->result == 0 && line > 0) {
        source->line = (unsigned)line;
        source_fail(source, -EINVAL, "neither [section] nor key = value");
    }
    return source->result;
}

int config_parse(struct config *config, const char *name, const char *text, struct error *err)
{
    struct error ignored;
    struct source source = {
        .config = config, .name = name, .text = text, .err = err != NULL ? err : &ignored};

    return source_read(&source);
}

static int file_load(struct config *config, const char *path, struct error *err)
{
    struct source source = {.config = config, .name = path, .err = err};
    struct stat status;
    int r;

    source.file = fopen(path, "re");
    if (source.file == NULL)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (fstat(fileno(source.file), &status) == 0 && S_ISDIR(status.st_mode))
        r = error_set(err, -EISDIR, "%s: it is a directory", path);
    else
        r = source_read(&source);
    if (r == 0 && ferror(source.file))
        r = error_set(err, -EIO, "%s: cannot be read", path);
    (void)fclose(source.file);
    if (r == 0)
        log_info("%s: configuration read", path);
    return r;
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int drop_ins_load(struct config *config, const char *path, struct error *err)
{
    struct dirent **entries = NULL;
    char folder[4096];
    char file[4096 + 256];
    int r = 0;
    int n;

    (void)snprintf(folder, sizeof folder, "%s.d", path);
    n = scandir(folder, &entries, is_drop_in, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : error_set(err, -errno, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", folder, entries[i]->d_name);
        if (r == 0)
            r = file_load(config, file, err);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int config_load(struct config *config, const char *path, bool required, struct error *err)
{
    struct error why;
    int r = file_load(config, path, &why);

    if (r == -ENOENT && !required)
        r = 0;
    if (r == 0)
        r = drop_ins_load(config, path, &why);
    if (r < 0 && err != NULL)
        *err = why;
    return r;
}

int config_set(struct config *config, const char *assignment, struct error *err)
{
    const char *dot = strchr(assignment, '.');
    const char *equals = strchr(assignment, '=');
    const struct config_key *key;
    struct error why;
    int r;

    if (dot == NULL || equals == NULL || dot > equals)
        return error_set(err, -EINVAL, "'%s' is not of the form section.key=value", assignment);
    key = key_find(assignment, (size_t)(dot - assignment), dot + 1, (size_t)(equals - dot) - 1);
    if (key == NULL)
        return error_set(err, -EINVAL, "there is no key '%.*s'", (int)(equals - assignment), assignment);
    r = config_value_parse(key_value(config, key), &key->domain, equals + 1, &why);
    return r < 0 ? error_set(err, r, "%s.%s: %s", key->section, key->name, why.text) : 0;
}

int config_check(const struct config *config, struct error *err)
{
    if (config->flows.active_timeout < config->flows.idle_timeout)
        return error_set(err, -EINVAL, "flows.active_timeout is shorter than flows.idle_timeout");
    if (config->classify.model[0] != '\0' && config->retrain.directories[0] != '\0')
        return error_set(
            err, -EINVAL,
            "classify.model says which model is used, so retrain.directories can have no effect");
    if (config->capture.buffer / config->capture.workers < WORKER_BUFFER_MIN)
        return error_set(
            err, -EINVAL,
            "capture.buffer is shared out among capture.workers, and leaves less than 1M for each");
    return 0;
}

const char *config_fixed_change(const struct config *before, const struct config *after)
{
    char a[CONFIG_VALUE_TEXT_MAX], b[CONFIG_VALUE_TEXT_MAX];

    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];

        config_value_print(a, &key->domain, key_value(before, key));
        config_value_print(b, &key->domain, key_value(after, key));
        if (!key->reload && strcmp(a, b) != 0)
            return key->full;
    }
    return NULL;
}

void config_exchange(struct config *config, struct config *other)
{
    static const size_t sizes[CONFIG_TYPES] = {
        [CONFIG_TEXT] = sizeof(char *),   [CONFIG_FLAG] = sizeof(bool),    [CONFIG_COUNT] = sizeof(uint32_t),
        [CONFIG_SIZE] = sizeof(uint64_t), [CONFIG_TIME] = sizeof(int64_t), [CONFIG_SHARE] = sizeof(double),
        [CONFIG_CHOICE] = sizeof(int),
    };
    unsigned char kept[sizeof(uint64_t)];

    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        size_t size = sizes[key->domain.type];

        if (!key->reload)
            continue;
        memcpy(kept, key_value(config, key), size);
        memcpy(key_value(config, key), key_value(other, key), size);
        memcpy(key_value(other, key), kept, size);
    }
}

void config_walk(const struct config *config,
                 void (*visit)(void *context, const char *section, const char *key, const char *value,
                               const char *meaning),
                 void *context)
{
    char text[CONFIG_VALUE_TEXT_MAX];

    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];

        config_value_print(text, &key->domain, key_value(config, key));
        visit(context, key->section, key->name, text, key->meaning);
    }
}

struct dump {
    FILE *to;
    const char *section; /* the one in hand */
};

static void dump_key(void *context, const char *section, const char *key, const char *value,
                     const char *meaning)
{
    struct dump *dump = context;

    if (dump->section == NULL || strcmp(dump->section, section) != 0)
        (void)fprintf(dump->to, "%s[%s]\n", dump->section == NULL ? "" : "\n", section);
    dump->section = section;
    (void)fprintf(dump->to, "# %s\n%s = %s\n", meaning, key, value);
}

int config_dump(const struct config *config, FILE *to)
{
    struct dump dump = {.to = to};

    config_walk(config, dump_key, &dump);
    return fflush(to) != 0 || ferror(to) ? -EIO : 0;
}

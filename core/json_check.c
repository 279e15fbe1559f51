#include "core/json_check.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/utf8.h"

void json_path(const struct json_at *at, char *text, size_t size)
{
    size_t used;

    text[0] = '\0';
    if (at->above == NULL)
        return;
    json_path(at->above, text, size);
    used = strlen(text);
    if (at->key == NULL)
        (void)snprintf(text + used, size - used, "[%zu]", at->index);
    else
        (void)snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "", at->key);
}

int json_refuse(const struct json_at *at, const char *format, ...)
{
    const struct json_at *document = at;
    char path[ERROR_TEXT_MAX / 2], reason[ERROR_TEXT_MAX / 2];
    va_list arguments;

    while (document->above != NULL)
        document = document->above;
    json_path(at, path, sizeof path);
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return error_set(at->err, -EBADMSG, "%s: %s%s%s", document->key, path, path[0] != '\0' ? ": " : "",
                     reason);
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

int json_parse(cJSON **valuep, const char *name, const char *text, size_t length, struct error *err)
{
    const char *end = text;
    cJSON *value = cJSON_ParseWithLengthOpts(text, length, &end, false);

    if (value == NULL) {
        if (end == NULL || end < text || end > text + length)
            end = text;
        return error_set(err, -EBADMSG, "%s:%zu: not valid JSON", name, line_of(text, end));
    }
    while (end < text + length && strchr(" \t\r\n", *end) != NULL && *end != '\0')
        end++;
    if (end < text + length) {
        cJSON_Delete(value);
        return error_set(err, -EBADMSG, "%s:%zu: something follows the JSON value", name, line_of(text, end));
    }
    *valuep = value;
    return 0;
}

static bool key_listed(const char *key, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

int json_object(const struct json_at *at, const cJSON *value, const char *const *keys)
{
    if (!cJSON_IsObject(value))
        return json_refuse(at, value == NULL ? "missing" : "not an object");
    if (cJSON_GetArraySize(value) > JSON_KEYS_MAX)
        return json_refuse(at, "more than %d keys", JSON_KEYS_MAX);
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        if (keys != NULL && !key_listed(member->string, keys))
            return json_refuse(at, "unknown key \"%.64s\"", member->string);
        for (const cJSON *other = value->child; other != member; other = other->next)
            if (strcmp(other->string, member->string) == 0)
                return json_refuse(at, "key \"%.64s\" twice", member->string);
    }
    return 0;
}

const cJSON *json_member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

int json_whole(const struct json_at *at, const cJSON *value, size_t min, size_t max, size_t *number)
{
    if (!cJSON_IsNumber(value) || value->valuedouble != floor(value->valuedouble))
        return json_refuse(at, value == NULL ? "missing" : "not a whole number");
    if (value->valuedouble < (double)min || value->valuedouble > (double)max)
        return json_refuse(at, "%.17g is not within %zu..%zu", value->valuedouble, min, max);
    *number = (size_t)value->valuedouble;
    return 0;
}

int json_name(const struct json_at *at, const cJSON *value, char *name, size_t size)
{
    size_t length;

    if (!cJSON_IsString(value))
        return json_refuse(at, value == NULL ? "missing" : "not a string");
    length = strlen(value->valuestring);
    if (length == 0 || length >= size)
        return json_refuse(at, "a name has 1 to %zu octets", size - 1);
    if (strchr(value->valuestring, '/') != NULL || !utf8_is_plain(value->valuestring))
        return json_refuse(at, "a name is UTF-8 without '/' and control characters");
    memcpy(name, value->valuestring, length + 1);
    return 0;
}

int json_bool(const struct json_at *at, const cJSON *value, bool *truth)
{
    if (!cJSON_IsBool(value))
        return json_refuse(at, "not true or false");
    *truth = cJSON_IsTrue(value) != 0;
    return 0;
}

int json_float(const struct json_at *at, const cJSON *value, float *number)
{
    if (!cJSON_IsNumber(value) || !isfinite((float)value->valuedouble))
        return json_refuse(at, "not a number");
    *number = (float)value->valuedouble;
    return 0;
}

static int read_stream(FILE *file, const char *path, size_t max, char **textp, size_t *length,
                       struct error *err)
{
    size_t size = 0, capacity = 0;
    char *text = NULL;

    do {
        char *larger = realloc(text, capacity + 65536);

        if (larger == NULL) {
            free(text);
            return error_set(err, -ENOMEM, "%s: out of memory", path);
        }
        text = larger;
        capacity += 65536;
        size += fread(text + size, 1, capacity - size, file);
    } while (size == capacity && size <= max);
    if (ferror(file) != 0 || size > max) {
        free(text);
        return ferror(file) != 0 ? error_set(err, -EIO, "%s: cannot be read: %s", path, strerror(errno))
                                 : error_set(err, -EBADMSG, "%s: longer than %zu octets", path, max);
    }
    *textp = text;
    *length = size;
    return 0;
}

int json_read_file(const char *path, size_t max, char **textp, size_t *length, struct error *err)
{
    FILE *file = fopen(path, "rbe");
    struct stat status;
    int r;

    if (file == NULL)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode))
        r = error_set(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
    else
        r = read_stream(file, path, max, textp, length, err);
    (void)fclose(file);
    return r;
}

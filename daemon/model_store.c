/* See model_store.h for the folder and the order of steps. Every step is a system call on a name inside the
 * folder, and the folder is synced after each rename, so that what a crash leaves is one of the states
 * between two steps. tests/unit/test_model_store.c kills a promotion at each of its system calls. */
#include "daemon/model_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/tree/model_file.h"

static const char link_name[] = "current";
static const char link_new_name[] = "current.new";
static const char candidate_name[] = "candidate";
static const char suffix[] = ".safetensors";

enum { SERIAL_DIGITS = 8, NAME_LENGTH = SERIAL_DIGITS + 1 + MODEL_ID_LENGTH + sizeof suffix - 1 };

static void entry_name(const struct model_store_entry *entry, char name[NAME_LENGTH + 1])
{
    (void)snprintf(name, NAME_LENGTH + 1, "%0*" PRIu32 "-%s%s", SERIAL_DIGITS, entry->serial, entry->id,
                   suffix);
}

/* Read an entry from a file name. Return: false: some other file. */
static bool entry_parse(struct model_store_entry *entry, const char *name)
{
    if (strlen(name) != NAME_LENGTH || strspn(name, "0123456789") != SERIAL_DIGITS ||
        name[SERIAL_DIGITS] != '-' ||
        strspn(name + SERIAL_DIGITS + 1, "0123456789abcdef") != MODEL_ID_LENGTH ||
        strcmp(name + SERIAL_DIGITS + 1 + MODEL_ID_LENGTH, suffix) != 0)
        return false;
    entry->serial = (uint32_t)strtoul(name, NULL, 10);
    memcpy(entry->id, name + SERIAL_DIGITS + 1, MODEL_ID_LENGTH);
    entry->id[MODEL_ID_LENGTH] = '\0';
    entry->current = false;
    return true;
}

static int entry_compare(const void *a, const void *b)
{
    const struct model_store_entry *left = a;
    const struct model_store_entry *right = b;

    return (left->serial > right->serial) - (left->serial < right->serial);
}

static int folder_open(const struct model_store *store, struct error *err)
{
    int fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, -errno, "%s: %s", store->directory, strerror(errno));
    return fd;
}

/* Close the folder after an operation whose result is `result`. */
static int folder_close(int folder, int result)
{
    (void)close(folder);
    return result;
}

static int folder_failed(const struct model_store *store, const char *name, const char *what,
                         struct error *err)
{
    return error_set(err, -errno, "%s/%s: %s: %s", store->directory, name, what, strerror(errno));
}

/* Name of the file that `current` points to. Return: 0, -ENOENT, -EBADMSG, -EIO. */
static int link_read(const struct model_store *store, int folder, char name[NAME_LENGTH + 1],
                     struct error *err)
{
    struct model_store_entry entry;
    char target[NAME_LENGTH + 2];
    ssize_t length = readlinkat(folder, link_name, target, sizeof target);

    if (length < 0 && errno == ENOENT)
        return error_set(err, -ENOENT, "%s/%s: no model has been promoted yet", store->directory, link_name);
    if (length < 0 && errno != EINVAL)
        return folder_failed(store, link_name, "reading the link failed", err);
    if (length < 0 || length > NAME_LENGTH)
        return error_set(err, -EBADMSG, "%s/%s: no link to a model of this folder", store->directory,
                         link_name);
    target[length] = '\0';
    if (!entry_parse(&entry, target))
        return error_set(err, -EBADMSG, "%s/%s: points to \"%s\", which is no model of this folder",
                         store->directory, link_name, target);
    memcpy(name, target, (size_t)length + 1);
    return 0;
}

/* Point `current` to a model: the one step that changes what is served. */
static int link_write(const struct model_store *store, int folder, const char *name, struct error *err)
{
    if (unlinkat(folder, link_new_name, 0) < 0 && errno != ENOENT)
        return folder_failed(store, link_new_name, "removing failed", err);
    if (symlinkat(name, folder, link_new_name) < 0)
        return folder_failed(store, link_new_name, "making the link failed", err);
    if (renameat(folder, link_new_name, folder, link_name) < 0)
        return folder_failed(store, link_name, "replacing the link failed", err);
    if (fsync(folder) < 0)
        return folder_failed(store, ".", "syncing failed", err);
    return 0;
}

/* Remove what an interrupted training run or promotion left: the names this module and model_save() use on
 * the way. */
static int leftovers_remove(const struct model_store *store, struct error *err)
{
    DIR *stream = opendir(store->directory);
    struct dirent *found;
    int result = 0;

    if (stream == NULL)
        return error_set(err, -errno, "%s: %s", store->directory, strerror(errno));
    while (result == 0 && (found = readdir(stream)) != NULL) {
        if (strncmp(found->d_name, candidate_name, strlen(candidate_name)) != 0 &&
            strcmp(found->d_name, link_new_name) != 0)
            continue;
        if (unlinkat(dirfd(stream), found->d_name, 0) < 0 && errno != ENOENT)
            result = folder_failed(store, found->d_name, "removing failed", err);
    }
    (void)closedir(stream);
    return result;
}

int model_store_open(struct model_store *store, const char *directory, unsigned keep, struct error *err)
{
    struct model_store opened = {.keep = keep};
    size_t length = strlen(directory);

    if (keep > MODEL_STORE_LIST_MAX - 2)
        return error_set(err, -EINVAL, "%s: %u earlier models are more than the %d that can be kept",
                         directory, keep, MODEL_STORE_LIST_MAX - 2);
    if (length >= sizeof opened.directory)
        return error_set(err, -EINVAL, "%.64s...: the path is too long", directory);
    memcpy(opened.directory, directory, length + 1);
    if (access(directory, W_OK | X_OK) < 0)
        return error_set(err, -errno, "%s: %s", directory, strerror(errno));
    int result = leftovers_remove(&opened, err);
    if (result == 0)
        *store = opened;
    return result;
}

int model_store_current(const struct model_store *store, char *path, struct error *err)
{
    char name[NAME_LENGTH + 1];
    int folder = folder_open(store, err);

    if (folder < 0)
        return folder;
    int result = link_read(store, folder, name, err);
    if (result == 0 && faccessat(folder, name, R_OK, 0) < 0)
        result = folder_failed(store, name, "the current model cannot be read", err);
    if (result == 0)
        (void)snprintf(path, MODEL_STORE_PATH_MAX, "%s/%s", store->directory, name);
    return folder_close(folder, result);
}

void model_store_candidate(const struct model_store *store, char *path)
{
    (void)snprintf(path, MODEL_STORE_PATH_MAX, "%s/%s", store->directory, candidate_name);
}

int model_store_list(const struct model_store *store, struct model_store_entry *entries, struct error *err)
{
    char current[NAME_LENGTH + 1] = "";
    char name[NAME_LENGTH + 1];
    struct dirent *found;
    DIR *stream = opendir(store->directory);
    int n = 0;

    if (stream == NULL)
        return error_set(err, -errno, "%s: %s", store->directory, strerror(errno));
    (void)link_read(store, dirfd(stream), current, NULL);
    while (n < MODEL_STORE_LIST_MAX && (found = readdir(stream)) != NULL)
        if (entry_parse(&entries[n], found->d_name))
            n++;
    (void)closedir(stream);
    qsort(entries, (size_t)n, sizeof *entries, entry_compare);
    for (int i = 0; i < n; i++) {
        entry_name(&entries[i], name);
        entries[i].current = strcmp(name, current) == 0;
    }
    return n;
}

/* Remove the oldest models beyond the current one and `keep` others. What cannot be removed stays: the next
 * promotion tries again. */
static void prune(const struct model_store *store, int folder)
{
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    char name[NAME_LENGTH + 1];
    int n = model_store_list(store, entries, NULL);
    int surplus = n - 1 - (int)store->keep;

    for (int i = 0; i < n && surplus > 0; i++) {
        if (entries[i].current)
            continue;
        entry_name(&entries[i], name);
        (void)unlinkat(folder, name, 0);
        surplus--;
    }
}

/* Check a candidate, make sure that its contents are on disk, and describe the entry it will become. */
static int candidate_check(const struct model_store *store, const char *candidate,
                           struct model_store_entry *entry, struct error *err)
{
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    struct model *model;
    int result = model_load(&model, candidate, err);

    if (result < 0)
        return result;
    memcpy(entry->id, model->id, sizeof entry->id);
    model_free(model);
    int fd = open(candidate, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        result = error_set(err, -errno, "%s: syncing failed: %s", candidate, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    int n = model_store_list(store, entries, err);
    if (n < 0)
        return n;
    entry->serial = n > 0 ? entries[n - 1].serial + 1 : 1;
    entry->current = true;
    return result;
}

int model_store_promote(struct model_store *store, const char *candidate, struct model_store_entry *entry,
                        struct error *err)
{
    struct model_store_entry promoted;
    char name[NAME_LENGTH + 1];
    int result = candidate_check(store, candidate, &promoted, err);

    if (result < 0)
        return result;
    int folder = folder_open(store, err);
    if (folder < 0)
        return folder;
    entry_name(&promoted, name);
    if (renameat(AT_FDCWD, candidate, folder, name) < 0)
        result = folder_failed(store, name, "moving the candidate here failed", err);
    else
        result = link_write(store, folder, name, err);
    if (result == 0) {
        prune(store, folder);
        if (entry != NULL)
            *entry = promoted;
    }
    return folder_close(folder, result);
}

int model_store_rollback(struct model_store *store, struct model_store_entry *entry, struct error *err)
{
    struct model_store_entry entries[MODEL_STORE_LIST_MAX];
    char name[NAME_LENGTH + 1];
    int n = model_store_list(store, entries, err);
    int current = 0;

    if (n < 0)
        return n;
    while (current < n && !entries[current].current)
        current++;
    if (current == 0 || current == n)
        return error_set(err, -ENOENT, "%s: there is no model older than the current one", store->directory);
    int folder = folder_open(store, err);
    if (folder < 0)
        return folder;
    entry_name(&entries[current - 1], name);
    int result = link_write(store, folder, name, err);
    if (result == 0 && entry != NULL) {
        *entry = entries[current - 1];
        entry->current = true;
    }
    return folder_close(folder, result);
}

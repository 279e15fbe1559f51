/* model_store.h - the folder of trained models: which one is current, which came before, and the way back.
 *
 *     DIR/<serial>-<id>.safetensors   every model kept; serial counts promotions, 8 digits, so that names
 * sort by age DIR/current                     symbolic link to one of them: what the daemon serves
 *     DIR/candidate                   what a training run is writing; never served, removed at the next start
 *
 * The only step that changes what is served is one rename(2) of a symbolic link over `current`; everything
 * before it can be interrupted at any moment and leaves the old model in place, everything after it is
 * tidying up that the next start repeats. So a daemon that is killed at any point starts again with a valid
 * model.
 */
#ifndef DAEMON_MODEL_STORE_H
#define DAEMON_MODEL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tree/model.h"
#include "flowtrack/error.h"

enum {
    MODEL_STORE_PATH_MAX = 4096,
    MODEL_STORE_DIRECTORY_MAX = 4032, /* leaves room for the longest name in it */
    MODEL_STORE_LIST_MAX = 256,
};

struct model_store {
    char directory[MODEL_STORE_DIRECTORY_MAX];
    unsigned keep; /* earlier models that stay beside the current one */
};

struct model_store_entry {
    uint32_t serial;
    char id[MODEL_ID_LENGTH + 1];
    bool current;
};

/* Take a folder into use: it must exist and be writable; left-overs of an interrupted promotion are removed.
 *
 * keep: earlier models that promotions leave in place, at most MODEL_STORE_LIST_MAX - 2.
 *
 * Return: 0; -ENOENT, -ENOTDIR, -EACCES, -EINVAL (keep, or a path too long), -EIO with err filled.
 */
int model_store_open(struct model_store *store, const char *directory, unsigned keep, struct error *err);

/* Path of the current model.
 *
 * path: MODEL_STORE_PATH_MAX octets.
 *
 * Return: 0; -ENOENT: no model has been promoted yet; -EBADMSG: `current` is no link into this folder; -EIO.
 */
int model_store_current(const struct model_store *store, char *path, struct error *err);

/* Path where a training run has to write its candidate. path: MODEL_STORE_PATH_MAX octets. */
void model_store_candidate(const struct model_store *store, char *path);

/* Make a model file the current one, then remove the oldest beyond `keep`.
 *
 * candidate: file in the same file system (model_store_candidate()); it is checked to be a readable model,
 * and moved into the store on success. entry: what it has become; may be NULL.
 *
 * Return: 0; -EBADMSG (no model), -ENOSPC, -EIO, -EACCES: the current model is what it was.
 */
int model_store_promote(struct model_store *store, const char *candidate, struct model_store_entry *entry,
                        struct error *err);

/* Make the newest model older than the current one current again. Nothing is removed, so that a second
 * roll-back goes one further, and the next promotion gets a serial above all others.
 *
 * Return: 0; -ENOENT: there is no earlier one; -EIO.
 */
int model_store_rollback(struct model_store *store, struct model_store_entry *entry, struct error *err);

/* What is in the store, oldest first.
 *
 * entries: room for MODEL_STORE_LIST_MAX.
 *
 * Return: number of entries, or -EIO, -ENOENT with err filled.
 */
int model_store_list(const struct model_store *store, struct model_store_entry *entries, struct error *err);

#endif

/* dataset.h - labelled archives in memory: DIR/<label>/<capture>.json[.gz].
 *
 * One file is one class of one capture. The same file stem under two labels is the same capture, and a
 * capture is never split between training and hold-out: it is the unit of every split (group).
 */
#ifndef CORE_LEARN_DATASET_H
#define CORE_LEARN_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tree/tree.h"
#include "flowtrack/error.h"
#include "flowtrack/record.h"

struct dataset_file {
    char *path;
    uint32_t label;
    uint32_t group; /* index of its capture */
    uint32_t records;
    uint32_t damaged; /* lines skipped */
};

struct dataset {
    size_t n_labels;
    char labels[TREE_LABELS_MAX][TREE_NAME_MAX]; /* folder names, sorted; "other" last if there is one */
    size_t n_files;
    struct dataset_file *files;
    uint32_t n_groups;
    size_t n;
    struct record **records; /* (n) record_size() octets each */
    uint32_t *label;         /* (n) */
    uint32_t *file;          /* (n) index into files */
    char hash[65];           /* SHA-256 over the contents of the files, in order of label and name */
};

/* Told of every file or line that was skipped, so that the caller can say it. */
typedef void dataset_warning_fn(void *context, const struct error *what);

/* Read all archives below some directories.
 *
 * directories: (n_directories); each holds one folder a label. Folders of the same name in several join.
 * warn: may be NULL.
 *
 * Return: 0; -ENOENT (no directory, or no archives in it), -EBADMSG (nothing readable), -ENOMEM, err says
 * which.
 */
int dataset_load(struct dataset **datasetp, const char *const *directories, size_t n_directories,
                 dataset_warning_fn *warn, void *context, struct error *err);

void dataset_free(struct dataset *dataset);

/* Records of a dataset by index: what training and evaluation walk over. */
struct subset {
    size_t n;
    uint32_t *index; /* (n) owned */
};

void subset_free(struct subset *subset);

/* Split by capture into training and hold-out, so that each label's share is near `share` (stratified by
 * label, decided by seed).
 *
 * Return: 0; -EINVAL: too few captures for both sides (err names the label), -ENOMEM.
 */
int dataset_holdout(const struct dataset *dataset, double share, uint64_t seed, struct subset *train,
                    struct subset *held_out, struct error *err);

/* The same for cross-validation: fold k of n, every capture held out exactly once over the folds of one seed.
 */
int dataset_fold(const struct dataset *dataset, unsigned n_folds, unsigned fold, uint64_t seed,
                 struct subset *train, struct subset *held_out, struct error *err);

#endif

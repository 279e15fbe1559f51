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

#define DATASET_OTHER "other" /* the label of traffic of no class */

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
    struct dataset_file *files; /* in order of label, then path */
    uint32_t n_groups;
    char **groups; /* (n_groups) names of the captures: the file stems, sorted */
    size_t n;
    struct record **records; /* (n) record_size() octets each */
    uint32_t *label;         /* (n) */
    uint32_t *file;          /* (n) index into files */
    char hash[65];           /* SHA-256 over the contents of the files, in order of label and path */
};

/* Told of every file or line that was skipped, so that the caller can say it. */
typedef void dataset_warning_fn(void *context, const struct error *what);

/* Read all archives below some directories. Damaged lines and files are skipped, counted and told.
 *
 * directories: (n_directories); each holds one folder a label. Folders of the same name in several join.
 * warn: may be NULL.
 *
 * Return: 0; -ENOENT (a directory, or no archives in it), -ENOTDIR, -EACCES, -EBADMSG (nothing readable in
 * them, a label that is too long, too many labels), -EINVAL (no directory named), -ENOMEM; err says which.
 */
int dataset_load(struct dataset **datasetp, const char *const *directories, size_t n_directories,
                 dataset_warning_fn *warn, void *context, struct error *err);

/* Free it. NULL is fine. */
void dataset_free(struct dataset *dataset);

/* Index of the label "other" (traffic of no class), -1 if there is none. */
int dataset_other(const struct dataset *dataset);

/* Where each label of a data set is in a tree.
 *
 * map: (dataset->n_labels) filled with indices into tree->labels; -1 for "other" where the tree has none:
 * such flows are not learnt, but serve to measure how unknown traffic is noticed.
 *
 * Return: 0; -EINVAL: a folder is no label of the tree (err names it).
 */
int dataset_map_labels(const struct dataset *dataset, const struct tree *tree, int *map, struct error *err);

#endif

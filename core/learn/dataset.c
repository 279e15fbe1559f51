/* dataset.c - labelled archives into memory.
 *
 * Three passes: the folders give the labels, their files the captures, the files' lines the records. All
 * names are sorted by octet value, so that the same archives give the same data set whatever order the file
 * system has.
 */
#include "core/learn/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/utf8.h"
#include "flowtrack/archive.h"

/* One folder of one label. */
struct folder {
    char *path;
    char label[TREE_NAME_MAX];
};

struct loading {
    struct dataset *dataset;
    size_t n_folders;
    struct folder *folders;
    size_t file_capacity, record_capacity;
    dataset_warning_fn *warn;
    void *context;
    struct error *err;
};

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "no memory for the labelled archives");
}

/* Room for one more element of an array that grows by doubling. */
static int grow(void *arrayp, size_t n, size_t *capacity, size_t size)
{
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown;

    if (n < *capacity)
        return 0;
    if ((grown = reallocarray(*(void **)arrayp, wanted, size)) == NULL)
        return -ENOMEM;
    *(void **)arrayp = grown;
    *capacity = wanted;
    return 0;
}

static int join(char **pathp, const char *directory, const char *name)
{
    return asprintf(pathp, "%s/%s", directory, name) < 0 ? -ENOMEM : 0;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);

    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int is_archive(const struct dirent *entry)
{
    return visible(entry) && (ends_with(entry->d_name, ".gz") || ends_with(entry->d_name, ".json"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct dataset_file *)a)->path, ((const struct dataset_file *)b)->path);
}

/* "other" comes after every label. */
static int by_label(const void *a, const void *b)
{
    bool other_a = strcmp(a, DATASET_OTHER) == 0, other_b = strcmp(b, DATASET_OTHER) == 0;

    return other_a != other_b ? other_a - other_b : strcmp(a, b);
}

static int list_directory(const char *path, int (*filter)(const struct dirent *), struct dirent ***entriesp,
                          struct error *err)
{
    int n = scandir(path, entriesp, filter, by_name);

    return n < 0 ? error_set(err, -errno, "%s: %s", path, strerror(errno)) : n;
}

static void free_entries(struct dirent **entries, int n)
{
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* A label stands in model files and logs: it has to fit, and to be text. */
static int check_label(const char *path, const char *name, struct error *err)
{
    if (strlen(name) >= TREE_NAME_MAX)
        return error_set(err, -EBADMSG, "%s: a label has at most %d characters", path, TREE_NAME_MAX - 1);
    if (!utf8_is_plain(name))
        return error_set(err, -EBADMSG, "%s: a label is UTF-8 without control characters", path);
    if (strcmp(name, TREE_LABEL_UNKNOWN) == 0)
        return error_set(err, -EBADMSG, "%s: \"%s\" is what flows without a label are called", path, name);
    return 0;
}

static int add_folder(struct loading *loading, const char *directory, const char *name)
{
    struct folder folder = {0};
    struct folder *grown;
    int r = 0;

    if (join(&folder.path, directory, name) < 0)
        return no_memory(loading->err);
    if (!is_directory(folder.path) || (r = check_label(folder.path, name, loading->err)) < 0) {
        free(folder.path);
        return r;
    }
    grown = reallocarray(loading->folders, loading->n_folders + 1, sizeof(*grown));
    if (grown == NULL) {
        free(folder.path);
        return no_memory(loading->err);
    }
    strcpy(folder.label, name);
    loading->folders = grown;
    loading->folders[loading->n_folders++] = folder;
    return 0;
}

static int find_folders(struct loading *loading, const char *directory)
{
    struct dirent **entries;
    int n = list_directory(directory, visible, &entries, loading->err);
    int r = 0;

    for (int i = 0; i < n && r == 0; i++)
        r = add_folder(loading, directory, entries[i]->d_name);
    if (n >= 0)
        free_entries(entries, n);
    return n < 0 ? n : r;
}

/* The distinct labels of the folders, sorted. */
static int gather_labels(struct loading *loading)
{
    struct dataset *dataset = loading->dataset;

    for (size_t i = 0; i < loading->n_folders; i++) {
        const char *label = loading->folders[i].label;
        size_t at = 0;

        while (at < dataset->n_labels && strcmp(dataset->labels[at], label) != 0)
            at++;
        if (at < dataset->n_labels)
            continue;
        if (at == TREE_LABELS_MAX)
            return error_set(loading->err, -EBADMSG, "%s: more than %d labels", loading->folders[i].path,
                             TREE_LABELS_MAX);
        strcpy(dataset->labels[dataset->n_labels++], label);
    }
    qsort(dataset->labels, dataset->n_labels, sizeof(dataset->labels[0]), by_label);
    return 0;
}

static int add_file(struct loading *loading, const char *directory, const char *name, uint32_t label)
{
    struct dataset *dataset = loading->dataset;
    struct dataset_file file = {.label = label};

    if (grow(&dataset->files, dataset->n_files, &loading->file_capacity, sizeof(file)) < 0 ||
        join(&file.path, directory, name) < 0)
        return no_memory(loading->err);
    dataset->files[dataset->n_files++] = file;
    return 0;
}

static int find_files(struct loading *loading, uint32_t label)
{
    struct dataset *dataset = loading->dataset;
    size_t begin = dataset->n_files;
    int r = 0;

    for (size_t i = 0; i < loading->n_folders && r == 0; i++) {
        struct dirent **entries;
        int n;

        if (strcmp(loading->folders[i].label, dataset->labels[label]) != 0)
            continue;
        if ((n = list_directory(loading->folders[i].path, is_archive, &entries, loading->err)) < 0)
            return n;
        for (int e = 0; e < n && r == 0; e++)
            r = add_file(loading, loading->folders[i].path, entries[e]->d_name, label);
        free_entries(entries, n);
    }
    if (r == 0 && dataset->n_files > begin)
        qsort(dataset->files + begin, dataset->n_files - begin, sizeof(dataset->files[0]), by_path);
    return r;
}

/* File name without folder, ".gz" and ".json": the name of its capture. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *stem = strdup(slash != NULL ? slash + 1 : path);

    if (stem == NULL)
        return NULL;
    if (ends_with(stem, ".gz"))
        stem[strlen(stem) - strlen(".gz")] = '\0';
    if (ends_with(stem, ".json"))
        stem[strlen(stem) - strlen(".json")] = '\0';
    return stem;
}

/* A file and the capture it is of. */
struct stem {
    char *name;
    size_t file;
};

static int by_stem(const void *a, const void *b)
{
    return strcmp(((const struct stem *)a)->name, ((const struct stem *)b)->name);
}

/* Name the captures and say which file is of which. */
static int gather_groups(struct loading *loading)
{
    struct dataset *dataset = loading->dataset;
    struct stem *stems = calloc(dataset->n_files, sizeof(*stems));

    dataset->groups = calloc(dataset->n_files, sizeof(*dataset->groups));
    for (size_t i = 0; i < dataset->n_files; i++) {
        if (stems == NULL || dataset->groups == NULL ||
            (stems[i].name = stem_of(dataset->files[i].path)) == NULL) {
            for (size_t done = 0; stems != NULL && done < i; done++)
                free(stems[done].name);
            free(stems);
            return no_memory(loading->err);
        }
        stems[i].file = i;
    }
    qsort(stems, dataset->n_files, sizeof(*stems), by_stem);
    for (size_t i = 0; i < dataset->n_files; i++) {
        uint32_t n = dataset->n_groups;

        if (n > 0 && strcmp(dataset->groups[n - 1], stems[i].name) == 0)
            free(stems[i].name);
        else
            dataset->groups[dataset->n_groups++] = stems[i].name;
        dataset->files[stems[i].file].group = dataset->n_groups - 1;
    }
    free(stems);
    return 0;
}

static int keep_record(struct loading *loading, const struct record *record, uint32_t file)
{
    struct dataset *dataset = loading->dataset;
    size_t n = dataset->n, capacity = loading->record_capacity;
    struct record *kept;

    if (n >= UINT32_MAX)
        return error_set(loading->err, -EBADMSG, "%s: more than %u records", dataset->files[file].path,
                         UINT32_MAX);
    /* Three arrays of one length: the capacity is noted once the last of them has grown. */
    if (grow(&dataset->label, n, &(size_t){capacity}, sizeof(*dataset->label)) < 0 ||
        grow(&dataset->file, n, &(size_t){capacity}, sizeof(*dataset->file)) < 0 ||
        grow(&dataset->records, n, &loading->record_capacity, sizeof(struct record *)) < 0 ||
        (kept = malloc(record_size(record))) == NULL)
        return no_memory(loading->err);
    record_copy(kept, record);
    dataset->records[n] = kept;
    dataset->label[n] = dataset->files[file].label;
    dataset->file[n] = file;
    dataset->files[file].records++;
    dataset->n++;
    return 0;
}

static void warn(const struct loading *loading, const struct error *what)
{
    if (loading->warn != NULL)
        loading->warn(loading->context, what);
}

/* A file that cannot be read any further is told and left; only memory ends the loading. */
static int read_records(struct loading *loading, uint32_t file, struct record *record)
{
    struct archive_reader *reader;
    struct error problem;
    int r = archive_reader_open(&reader, loading->dataset->files[file].path, &problem);

    if (r < 0) {
        warn(loading, &problem);
        return r == -ENOMEM ? no_memory(loading->err) : 0;
    }
    while ((r = archive_reader_next(reader, record, &problem)) != 0) {
        if (r == 1 && (r = keep_record(loading, record, file)) < 0)
            break;
        if (r >= 0)
            continue;
        warn(loading, &problem);
        if (r != -EBADMSG)
            break;
        loading->dataset->files[file].damaged++;
    }
    archive_reader_close(reader);
    if (r == -ENOMEM)
        return no_memory(loading->err);
    return r == -EIO ? 0 : r;
}

static int hash_file(SHA2_CTX *sha, const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t octets[65536];
    size_t n;

    if (file == NULL)
        return -errno;
    while ((n = fread(octets, 1, sizeof(octets), file)) > 0)
        SHA256Update(sha, octets, n);
    return fclose(file) < 0 ? -EIO : 0;
}

static int read_files(struct loading *loading)
{
    struct dataset *dataset = loading->dataset;
    struct record *record = malloc(sizeof(*record));
    SHA2_CTX sha;
    int r = 0;

    if (record == NULL)
        return no_memory(loading->err);
    SHA256Init(&sha);
    for (size_t i = 0; i < dataset->n_files && r == 0; i++) {
        r = read_records(loading, (uint32_t)i, record);
        if (r == 0)
            (void)hash_file(&sha, dataset->files[i].path); /* unreadable: told already */
    }
    SHA256End(&sha, dataset->hash);
    free(record);
    return r;
}

/* Labels without a record cannot be learnt: take them out, and say so. */
static void drop_empty_labels(struct loading *loading)
{
    struct dataset *dataset = loading->dataset;
    uint64_t counts[TREE_LABELS_MAX] = {0};
    uint32_t moved[TREE_LABELS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < dataset->n; i++)
        counts[dataset->label[i]]++;
    for (size_t l = 0; l < dataset->n_labels; l++) {
        struct error empty;

        moved[l] = (uint32_t)n;
        if (counts[l] > 0) {
            memmove(dataset->labels[n++], dataset->labels[l], TREE_NAME_MAX);
            continue;
        }
        error_set(&empty, -EBADMSG, "label \"%s\": no flow records in its folder, it is left out",
                  dataset->labels[l]);
        warn(loading, &empty);
    }
    dataset->n_labels = n;
    for (size_t i = 0; i < dataset->n; i++)
        dataset->label[i] = moved[dataset->label[i]];
    for (size_t i = 0; i < dataset->n_files; i++)
        dataset->files[i].label = moved[dataset->files[i].label];
}

static int load(struct loading *loading, const char *const *directories, size_t n_directories)
{
    struct dataset *dataset = loading->dataset;
    int r = 0;

    for (size_t i = 0; i < n_directories && r == 0; i++)
        r = find_folders(loading, directories[i]);
    if (r == 0)
        r = gather_labels(loading);
    for (size_t l = 0; l < dataset->n_labels && r == 0; l++)
        r = find_files(loading, (uint32_t)l);
    if (r < 0)
        return r;
    if (dataset->n_files == 0)
        return error_set(loading->err, -ENOENT,
                         "%s%s: no archives there; wanted is DIR/LABEL/CAPTURE.json[.gz]", directories[0],
                         n_directories > 1 ? " and the others" : "");
    if ((r = gather_groups(loading)) < 0 || (r = read_files(loading)) < 0)
        return r;
    if (dataset->n == 0)
        return error_set(loading->err, -EBADMSG, "%s%s: no flow records in %zu archives", directories[0],
                         n_directories > 1 ? " and the others" : "", dataset->n_files);
    drop_empty_labels(loading);
    return 0;
}

int dataset_load(struct dataset **datasetp, const char *const *directories, size_t n_directories,
                 dataset_warning_fn *warn_fn, void *context, struct error *err)
{
    struct loading loading = {
        .dataset = calloc(1, sizeof(struct dataset)), .warn = warn_fn, .context = context, .err = err};
    int r;

    if (n_directories == 0) {
        free(loading.dataset);
        return error_set(err, -EINVAL, "no directory of labelled archives is named");
    }
    if (loading.dataset == NULL)
        return no_memory(err);
    r = load(&loading, directories, n_directories);
    for (size_t i = 0; i < loading.n_folders; i++)
        free(loading.folders[i].path);
    free(loading.folders);
    if (r < 0) {
        dataset_free(loading.dataset);
        return r;
    }
    *datasetp = loading.dataset;
    return 0;
}

void dataset_free(struct dataset *dataset)
{
    if (dataset == NULL)
        return;
    for (size_t i = 0; i < dataset->n_files; i++)
        free(dataset->files[i].path);
    for (uint32_t i = 0; i < dataset->n_groups; i++)
        free(dataset->groups[i]);
    for (size_t i = 0; i < dataset->n; i++)
        free(dataset->records[i]);
    free(dataset->files);
    free(dataset->groups);
    free(dataset->records);
    free(dataset->label);
    free(dataset->file);
    free(dataset);
}

int dataset_other(const struct dataset *dataset)
{
    /* Sorted last. */
    size_t n = dataset->n_labels;

    return n > 0 && strcmp(dataset->labels[n - 1], DATASET_OTHER) == 0 ? (int)n - 1 : -1;
}

static int find_label(const char (*labels)[TREE_NAME_MAX], size_t n, const char *label)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(labels[i], label) == 0)
            return (int)i;
    }
    return -1;
}

int dataset_map_labels(const struct dataset *dataset, const struct tree *tree, int *map, struct error *err)
{
    int found[TREE_LABELS_MAX];

    for (size_t l = 0; l < dataset->n_labels; l++) {
        found[l] = find_label(tree->labels, tree->n_labels, dataset->labels[l]);
        if (found[l] < 0 && (int)l != dataset_other(dataset))
            return error_set(err, -EINVAL, "folder \"%s\" is no label of tree \"%s\"", dataset->labels[l],
                             tree->name);
    }
    memcpy(map, found, dataset->n_labels * sizeof(*map));
    return 0;
}

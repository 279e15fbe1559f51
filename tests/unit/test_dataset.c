/* Labelled archives on disk: folders, files, captures, damage. */
#include "core/learn/dataset.h"

#include <errno.h>
#include <sha2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flowtrack/archive.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void make_folder(const char *name)
{
    ck_assert_int_eq(mkdir(path_of(name), 0700), 0);
}

/* An archive with n records of a label; damage: append a line that is no record. */
static void make_archive(const char *name, unsigned n, uint32_t label)
{
    struct archive_writer *writer;

    ck_assert_int_eq(archive_writer_open(&writer, path_of(name), 0, NULL), 0);
    for (unsigned i = 0; i < n; i++) {
        struct record *record = flows_record(label, i);

        ck_assert_int_eq(archive_writer_put(writer, record, NULL), 0);
        free(record);
    }
    ck_assert_int_eq(archive_writer_close(writer, NULL), 0);
}

static void append(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "a");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    strcpy(directory, "/tmp/flowclassd-dataset-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

static void count_warning(void *context, const struct error *what)
{
    (*(unsigned *)context)++;
    ck_assert_str_ne(what->text, "");
}

static struct dataset *load(unsigned *warnings)
{
    const char *directories[] = {directory};
    struct dataset *dataset;
    struct error err = {0};
    int r = dataset_load(&dataset, directories, 1, count_warning, warnings, &err);

    ck_assert_msg(r == 0, "%s", err.text);
    return dataset;
}

START_TEST(folders_are_labels_and_stems_are_captures)
{
    struct dataset *dataset;
    unsigned warnings = 0;

    setup();
    make_folder("video");
    make_folder("other");
    make_folder("news");
    make_archive("video/b.json.gz", 3, 0);
    make_archive("video/a.json", 2, 0);
    make_archive("news/b.gz", 4, 1);
    make_archive("other/c.json", 1, 2);
    append("labels.tsv", "not an archive\n");
    append("news/.hidden.json", "not read\n");
    append("news/README.md", "not read\n");
    dataset = load(&warnings);
    ck_assert_uint_eq(warnings, 0);
    ck_assert_uint_eq(dataset->n_labels, 3);
    ck_assert_str_eq(dataset->labels[0], "news");
    ck_assert_str_eq(dataset->labels[1], "video");
    ck_assert_str_eq(dataset->labels[2], "other");
    ck_assert_int_eq(dataset_other(dataset), 2);
    ck_assert_uint_eq(dataset->n, 10);
    ck_assert_uint_eq(dataset->n_files, 4);
    ck_assert_uint_eq(dataset->n_groups, 3);
    ck_assert_str_eq(dataset->groups[dataset->files[dataset->file[0]].group], "b");
    ck_assert_uint_eq(dataset->label[0], 0);
    ck_assert_str_eq(dataset->groups[dataset->files[dataset->file[4]].group], "a");
    ck_assert_uint_eq(dataset->label[4], 1);
    ck_assert_uint_eq(dataset->files[0].group, dataset->files[2].group);
    ck_assert_uint_eq(dataset->files[2].records, 3);
    dataset_free(dataset);
    teardown();
}
END_TEST

START_TEST(damage_is_counted_and_told)
{
    struct dataset *dataset;
    unsigned warnings = 0;

    setup();
    make_folder("news");
    make_archive("news/a.json", 2, 0);
    append("news/a.json", "{\"sa\": 17\nrubbish\n");
    make_archive("news/b.json.gz", 40, 0);
    ck_assert_int_eq(truncate(path_of("news/b.json.gz"), 1500), 0);
    append("news/c.json", "");
    dataset = load(&warnings);
    ck_assert_uint_eq(dataset->files[0].damaged, 2);
    ck_assert_uint_ge(dataset->files[1].damaged, 1);
    ck_assert_uint_ge(warnings, 3);
    ck_assert_uint_eq(dataset->files[0].records, 2);
    ck_assert_uint_lt(dataset->files[1].records, 40);
    dataset_free(dataset);
    teardown();
}
END_TEST

START_TEST(a_label_without_records_is_left_out)
{
    struct dataset *dataset;
    unsigned warnings = 0;

    setup();
    make_folder("aardvark");
    make_folder("news");
    append("aardvark/a.json", "{\"version\":\"4.5.0\",\"end-config\":1}\n");
    make_archive("news/a.json", 2, 0);
    dataset = load(&warnings);
    ck_assert_uint_eq(warnings, 1);
    ck_assert_uint_eq(dataset->n_labels, 1);
    ck_assert_str_eq(dataset->labels[0], "news");
    ck_assert_uint_eq(dataset->label[0], 0);
    ck_assert_int_eq(dataset_other(dataset), -1);
    dataset_free(dataset);
    teardown();
}
END_TEST

START_TEST(hash_is_of_the_contents_in_order)
{
    struct dataset *dataset;
    unsigned warnings = 0;
    char expected[65], first[65];
    SHA2_CTX sha;

    setup();
    make_folder("news");
    make_folder("video");
    append("video/a.json", "xyz\n");
    make_archive("news/a.json", 1, 0);
    dataset = load(&warnings);
    strcpy(first, dataset->hash);
    dataset_free(dataset);

    SHA256Init(&sha);
    for (int i = 0; i < 2; i++) {
        char contents[16384];
        FILE *file = fopen(path_of(i == 0 ? "news/a.json" : "video/a.json"), "rb");
        size_t n = fread(contents, 1, sizeof(contents), file);

        fclose(file);
        SHA256Update(&sha, (const uint8_t *)contents, n);
    }
    SHA256End(&sha, expected);
    ck_assert_str_eq(first, expected);

    append("video/a.json", "\n");
    dataset = load(&warnings);
    ck_assert_str_ne(dataset->hash, first);
    dataset_free(dataset);
    teardown();
}
END_TEST

START_TEST(nothing_to_read_is_said)
{
    const char *directories[1] = {directory};
    struct dataset *dataset = NULL;
    struct error err;

    setup();
    ck_assert_int_eq(dataset_load(&dataset, directories, 1, NULL, NULL, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, directory));
    make_folder("news");
    append("news/a.json", "rubbish\n");
    ck_assert_int_eq(dataset_load(&dataset, directories, 1, NULL, NULL, &err), -EBADMSG);
    directories[0] = "/nowhere/at/all";
    ck_assert_int_eq(dataset_load(&dataset, directories, 1, NULL, NULL, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
    ck_assert_int_eq(dataset_load(&dataset, directories, 0, NULL, NULL, &err), -EINVAL);
    ck_assert_ptr_null(dataset);
    teardown();
}
END_TEST

START_TEST(a_label_that_is_too_long_is_refused)
{
    const char *directories[1] = {directory};
    char name[TREE_NAME_MAX + 1];
    struct dataset *dataset = NULL;
    struct error err;

    setup();
    memset(name, 'x', TREE_NAME_MAX);
    name[TREE_NAME_MAX] = '\0';
    make_folder(name);
    ck_assert_int_eq(dataset_load(&dataset, directories, 1, NULL, NULL, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, name));
    teardown();
}
END_TEST

/* Labels go into logs, metrics and model files. */
START_TEST(a_label_that_is_no_name_is_refused)
{
    static const char *const names[] = {"unknown", "caf\xe9", "a\nb", "\x1b[2J", "c1\xc2\x9b"};
    const char *directories[1] = {directory};
    struct dataset *dataset = NULL;
    struct error err;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setup();
        make_folder(names[i]);
        ck_assert_int_eq(dataset_load(&dataset, directories, 1, NULL, NULL, &err), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(err.text, i == 0 ? "without a label" : "UTF-8"));
        teardown();
    }
}
END_TEST

START_TEST(labels_map_onto_a_tree)
{
    static const char *const labels[] = {"news", "video", "other"};
    struct dataset *dataset = flows_even(labels, 3, 1, 1);
    struct tree tree = {.name = "t", .n_labels = 2, .labels = {"video", "news"}};
    struct error err;
    int map[3];

    ck_assert_int_eq(dataset_map_labels(dataset, &tree, map, &err), 0);
    ck_assert_int_eq(map[0], 1);
    ck_assert_int_eq(map[1], 0);
    ck_assert_int_eq(map[2], -1);
    strcpy(tree.labels[0], "music");
    ck_assert_int_eq(dataset_map_labels(dataset, &tree, map, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "video"));
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN("dataset", folders_are_labels_and_stems_are_captures, damage_is_counted_and_told,
                    a_label_without_records_is_left_out, hash_is_of_the_contents_in_order,
                    nothing_to_read_is_said, a_label_that_is_too_long_is_refused,
                    a_label_that_is_no_name_is_refused, labels_map_onto_a_tree);
}

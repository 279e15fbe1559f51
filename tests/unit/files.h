/* files.h - what tests that write files share: a folder of their own, small files, their content. */
#ifndef TESTS_UNIT_FILES_H
#define TESTS_UNIT_FILES_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char files_directory[64];

/* Make an empty folder; before each test. */
static inline void files_setup(void)
{
    (void)snprintf(files_directory, sizeof files_directory, "/tmp/flowclassd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(files_directory));
}

/* Path of a file in the folder; good until the call after the next one. */
static inline const char *files_path(const char *name)
{
    static char paths[2][512];
    static unsigned turn;

    turn ^= 1;
    (void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", files_directory, name);
    return paths[turn];
}

/* How many files are in the folder. */
static inline unsigned files_count(void)
{
    DIR *stream = opendir(files_directory);
    unsigned n = 0;

    ck_assert_ptr_nonnull(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        n += entry->d_name[0] != '.';
    (void)closedir(stream);
    return n;
}

/* Remove the folder and the files in it; after each test. */
static inline void files_teardown(void)
{
    DIR *stream = opendir(files_directory);

    if (stream == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        (void)unlink(files_path(entry->d_name));
    (void)closedir(stream);
    (void)rmdir(files_directory);
}

static inline void files_write(const char *name, const void *octets, size_t length)
{
    FILE *file = fopen(files_path(name), "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(octets, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

/* Whole content, NUL-terminated; to be freed. */
static inline char *files_read(const char *name, size_t *lengthp)
{
    FILE *file = fopen(files_path(name), "rb");
    struct stat status;
    char *octets;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &status), 0);
    octets = malloc((size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(octets);
    *lengthp = fread(octets, 1, (size_t)status.st_size, file);
    octets[*lengthp] = '\0';
    (void)fclose(file);
    return octets;
}

#endif

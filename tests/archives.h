/* archives.h - every archive in a folder and those below it. */
#ifndef TESTS_ARCHIVES_H
#define TESTS_ARCHIVES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Call a function with the path of each *.json.gz; folders whose names begin with a dot are passed over. */
static inline void archives_each(const char *folder, void (*take)(const char *path))
{
    DIR *stream = opendir(folder);

    if (stream == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        const char *end = strstr(entry->d_name, ".json.gz");
        char *path;

        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            break;
        if (end != NULL && end[8] == '\0')
            take(path);
        else if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            archives_each(path, take);
        free(path);
    }
    (void)closedir(stream);
}

#endif

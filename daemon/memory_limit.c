#include "daemon/memory_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The group of version 2 has no controllers before its path: "0::/system.slice/flowclassd.service".
 *
 * group: (PATH_MAX) receives the path without a slash at its end. Return: whether there is one. */
static bool group_read(const char *groups, char *group)
{
    static const char prefix[] = "0::/";
    FILE *file = fopen(groups, "re");
    char line[PATH_MAX];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, prefix, sizeof prefix - 1) == 0;
    (void)fclose(file);
    if (found) {
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(group, PATH_MAX, "%s", line + sizeof prefix - 2);
        if (strcmp(group, "/") == 0)
            group[0] = '\0';
    }
    return found;
}

/* Return: the limit in a group's file; UINT64_MAX if it says "max" or is not there. */
static uint64_t limit_read(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t limit;

    if (file == NULL)
        return UINT64_MAX;
    if (fscanf(file, "%" SCNu64, &limit) != 1)
        limit = UINT64_MAX;
    (void)fclose(file);
    return limit;
}

int memory_limit_check(const char *groups, const char *root, const char *key, uint64_t octets,
                       struct error *err)
{
    char group[PATH_MAX], path[2 * PATH_MAX];
    char *end;

    if (!group_read(groups, group))
        return 0;
    do {
        uint64_t limit;

        (void)snprintf(path, sizeof path, "%s%s/memory.max", root, group);
        limit = limit_read(path);
        if (limit < octets)
            return error_set(err, -EINVAL,
                             "%s asks for %" PRIu64 " MiB, and %s allows %" PRIu64
                             " MiB: lower the one, or raise the other (MemoryMax= of the service)",
                             key, octets >> 20, path, limit >> 20);
        end = strrchr(group, '/');
        if (end != NULL)
            *end = '\0';
    } while (end != NULL);
    return 0;
}

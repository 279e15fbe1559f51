/* Landlock by the kernel's own calls (Debian 12's libc has no wrappers), see landlock(7). Rights that a
 * kernel does not know yet are left out by its ABI version, so that the fence is as tight as that kernel can
 * make it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/sandbox.h"

/* Debian 12's header knows ABI 2; the bit of ABI 3 is fixed by the kernel's interface. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define RIGHTS_READ ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define RIGHTS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define RIGHTS_OF_FILES                                                                                      \
    ((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE) | \
     LANDLOCK_ACCESS_FS_TRUNCATE)

static uint64_t rights_known(long abi)
{
    uint64_t rights = RIGHTS_ABI_1;

    if (abi >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

static uint64_t rights_of(enum sandbox_access access, uint64_t known)
{
    switch (access) {
    case SANDBOX_READ:
        return RIGHTS_READ;
    case SANDBOX_EXECUTE:
        return RIGHTS_READ | LANDLOCK_ACCESS_FS_EXECUTE;
    case SANDBOX_UPDATE:
        return RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | (known & LANDLOCK_ACCESS_FS_TRUNCATE);
    default:
        return known & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
    }
}

/* Whether a rule lasts only as long as its file is held. The kernel makes what /proc has of a process anew
 * when it was short of memory and forgot it, and for what is new there is no rule. */
static bool is_fleeting(int file)
{
    struct statfs status;

    return fstatfs(file, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

static int path_allow(int ruleset, const struct sandbox_path *path, uint64_t known, struct error *err)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights_of(path->access, known)};
    struct stat status;
    int result = 0;

    rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (rule.parent_fd < 0 || fstat(rule.parent_fd, &status) < 0) {
        result =
            error_set(err, -EIO, "%s: cannot be opened for the sandbox: %s", path->path, strerror(errno));
    } else {
        if (!S_ISDIR(status.st_mode))
            rule.allowed_access &= RIGHTS_OF_FILES;
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
            result = error_set(err, -EIO, "%s: Landlock refuses it: %s", path->path, strerror(errno));
    }
    /* What has to be held is so for good, as the fence stands for good. */
    if (rule.parent_fd >= 0 && (result < 0 || !is_fleeting(rule.parent_fd)))
        (void)close(rule.parent_fd);
    return result;
}

int sandbox_files(const struct sandbox_path *paths, size_t n, struct error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attributes = {.handled_access_fs = rights_known(abi)};
    int result = 0;

    if (abi < 1)
        return error_set(err, -ENOTSUP, "files cannot be fenced in: no Landlock here: %s", strerror(errno));
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0)
        return error_set(err, -EIO, "no Landlock rule set: %s", strerror(errno));
    for (size_t i = 0; i < n && result == 0; i++)
        result = path_allow(ruleset, &paths[i], attributes.handled_access_fs, err);
    if (result == 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0))
        result = error_set(err, -EIO, "Landlock cannot be entered: %s", strerror(errno));
    (void)close(ruleset);
    return result;
}

/* sandbox.h - what the process gives up once everything that needs privilege is open.
 *
 * Three fences, each independent of the unit file's, each with a level of its own in the configuration:
 * capabilities, files (Landlock) and system calls (seccomp). All three are inherited by threads and children
 * started later and cannot be taken back, so the order at start is: open capture, socket and logs; the
 * fences; then the threads.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "flowtrack/error.h"

/* What happens at a system call that is not on the list. */
enum sandbox_seccomp {
    SANDBOX_SECCOMP_OFF,
    SANDBOX_SECCOMP_LOG,  /* it goes through, and the kernel's audit log says so */
    SANDBOX_SECCOMP_KILL, /* the process dies of SIGSYS */
};

enum sandbox_access {
    SANDBOX_READ,    /* files and what is below folders: read, list */
    SANDBOX_EXECUTE, /* read, and run */
    SANDBOX_UPDATE,  /* read, and write to what is there */
    SANDBOX_WRITE,   /* everything: make, write, rename, remove */
};

/* A path that stays reachable. */
struct sandbox_path {
    const char *path;
    enum sandbox_access access;
};

/* Drop every capability except CAP_NET_RAW where it is kept, and forbid gaining any (no_new_privs).
 *
 * keep_net_raw: the capture has to be able to open an interface again that went away and came back.
 *
 * Return: 0, -EPERM, -EIO (the process holds something it should not), err says what.
 */
int sandbox_capabilities(bool keep_net_raw, struct error *err);

/* Make every file unreachable but those below some paths. A path that leads to a process by /proc/self is of
 * that process alone, not of its children.
 *
 * paths: (n); one that does not exist is passed over.
 *
 * Return: 0; -ENOTSUP: the kernel has no Landlock, nothing has changed; -EIO, err says what.
 */
int sandbox_files(const struct sandbox_path *paths, size_t n, struct error *err);

/* Allow only the system calls that the daemon and its libraries make. Those that
 * make device files, which the GPU's driver tries, fail with EPERM at either level.
 *
 * Return: 0 (also for SANDBOX_SECCOMP_OFF); -ENOTSUP: the kernel has no seccomp filters; -EIO, err says what.
 */
int sandbox_system_calls(enum sandbox_seccomp level, struct error *err);

#endif

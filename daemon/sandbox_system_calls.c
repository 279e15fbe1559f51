/* The list of system calls: what libc, libevent, libpcap, zlib, the CUDA driver and the threads of the
 * daemon make, and what a training child needs from fork to exit. A name that this architecture does not have
 * is passed over. Left out on purpose: ptrace, mount, module, keyring, bpf, perf, namespaces, reboot, time
 * setting, raw device I/O.
 *
 * A second list is of calls that fail. Where a device file of the GPU is missing, the driver's library tries
 * to make it, and can be told that it may not: a process without a GPU is better than one that has died. */
#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "daemon/sandbox.h"

static const char *const allowed[] = {
    /* files */
    "access",
    "chdir",
    "chmod",
    "chown",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents",
    "getdents64",
    "link",
    "linkat",
    "lseek",
    "lstat",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pread64",
    "preadv",
    "pwrite64",
    "pwritev",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
    /* sockets and events */
    "accept",
    "accept4",
    "bind",
    "connect",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "listen",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "pselect6",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "select",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "signalfd",
    "signalfd4",
    "socket",
    "socketpair",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    /* memory */
    "brk",
    "get_mempolicy",
    "madvise",
    "mbind",
    "membarrier",
    "memfd_create",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "set_mempolicy",
    /* threads, signals, time */
    "alarm",
    "arch_prctl",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "clone",
    "clone3",
    "execve",
    "exit",
    "exit_group",
    "fork",
    "futex",
    "futex_waitv",
    "get_robust_list",
    "getcpu",
    "getitimer",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "gettimeofday",
    "ioprio_get",
    "ioprio_set",
    "kill",
    "nanosleep",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setaffinity",
    "sched_setscheduler",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "setitimer",
    "setpgid",
    "setpriority",
    "setrlimit",
    "setsid",
    "sigaltstack",
    "sysinfo",
    "tgkill",
    "time",
    "times",
    "tkill",
    "uname",
    "vfork",
    "wait4",
    "waitid",
    /* who one is */
    "capget",
    "capset",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getresgid",
    "getresuid",
    "getuid",
};

static const char *const refused[] = {
    "mknod",
    "mknodat",
};

/* What becomes of the calls on a list. */
static int add_all(scmp_filter_ctx context, uint32_t action, const char *const *names, size_t n,
                   struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int result = number < 0 ? 0 : seccomp_rule_add(context, action, number, 0);

        if (result < 0)
            return error_set(err, -EIO, "no rule can be made for system call %s: %s", names[i],
                             strerror(-result));
    }
    return 0;
}

int sandbox_system_calls(enum sandbox_seccomp level, struct error *err)
{
    uint32_t otherwise = level == SANDBOX_SECCOMP_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
    scmp_filter_ctx context;

    if (level == SANDBOX_SECCOMP_OFF)
        return 0;
    context = seccomp_init(otherwise);
    if (context == NULL)
        return error_set(err, -ENOTSUP, "system calls cannot be fenced in: no seccomp here");
    int result = add_all(context, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed, err);
    if (result == 0)
        result = add_all(context, SCMP_ACT_ERRNO(EPERM), refused, sizeof refused / sizeof *refused, err);
    if (result == 0) {
        int loaded = seccomp_load(context);
        if (loaded < 0)
            result = error_set(err, loaded == -EINVAL || loaded == -ENOSYS ? -ENOTSUP : -EIO,
                               "the system call filter cannot be loaded: %s", strerror(-loaded));
    }
    seccomp_release(context);
    return result;
}

/* Each fence is entered in a child process of its own, which then tries what it must not do any more. */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* Statuses of the child. */
enum { CHILD_AS_EXPECTED = 0, CHILD_OTHERWISE = 1, CHILD_UNSUPPORTED = 77 };

/* Wait status of a child that runs a function and exits with what it returns. */
static int in_child(int (*body)(void))
{
    int status = -1;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(body());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The child did what was expected, or the kernel cannot do it here. */
static void check_child(int (*body)(void))
{
    int status = in_child(body);

    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_UNSUPPORTED)
        printf("not tested: the kernel lacks it\n");
    else
        ck_assert_int_eq(WEXITSTATUS(status), CHILD_AS_EXPECTED);
}

static int enter_system_calls(enum sandbox_seccomp level)
{
    int result = sandbox_system_calls(level, NULL);

    if (result == -ENOTSUP)
        _exit(CHILD_UNSUPPORTED);
    return result;
}

static int forbidden_call_under_kill(void)
{
    if (enter_system_calls(SANDBOX_SECCOMP_KILL) < 0)
        return CHILD_OTHERWISE;
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return CHILD_AS_EXPECTED; /* must not be reached */
}

START_TEST(seccomp_kill_bites)
{
    int status = in_child(forbidden_call_under_kill);

    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_UNSUPPORTED)
        return;
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

static int forbidden_call_under_log(void)
{
    if (enter_system_calls(SANDBOX_SECCOMP_LOG) < 0)
        return CHILD_OTHERWISE;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

START_TEST(seccomp_log_lets_through)
{
    check_child(forbidden_call_under_log);
}
END_TEST

static int allowed_calls_under_kill(void)
{
    char octet;
    int ends[2];

    if (enter_system_calls(SANDBOX_SECCOMP_KILL) < 0)
        return CHILD_OTHERWISE;
    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1 || read(ends[0], &octet, 1) != 1)
        return CHILD_OTHERWISE;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return waitpid(child, NULL, 0) == child ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

START_TEST(seccomp_leaves_the_daemon_its_calls)
{
    check_child(allowed_calls_under_kill);
}
END_TEST

/* What the GPU's driver tries where a device file is missing; and what control.group needs. */
static int device_files(enum sandbox_seccomp level)
{
    char path[] = "/tmp/test_sandbox_device.XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || unlink(path) < 0 || enter_system_calls(level) < 0)
        return CHILD_OTHERWISE;
    bool refused = mknod(path, S_IFIFO | 0600, 0) < 0 && errno == EPERM &&
                   mknodat(AT_FDCWD, path, S_IFIFO | 0600, 0) < 0 && errno == EPERM;
    bool own = chown("/nonexistent/path", (uid_t)-1, getegid()) < 0 && errno == ENOENT;
    return refused && own ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

static int device_files_under_kill(void)
{
    return device_files(SANDBOX_SECCOMP_KILL);
}

static int device_files_under_log(void)
{
    return device_files(SANDBOX_SECCOMP_LOG);
}

START_TEST(seccomp_refuses_device_files)
{
    check_child(device_files_under_kill);
    check_child(device_files_under_log);
}
END_TEST

static char folder[] = "/tmp/test_sandbox.XXXXXX";

static bool can_open(const char *name, int flags)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static int files_outside(void)
{
    char readable[64];
    char writable[64];
    char updatable[64];
    const struct sandbox_path paths[] = {{readable, SANDBOX_READ},
                                         {writable, SANDBOX_WRITE},
                                         {updatable, SANDBOX_UPDATE},
                                         {"/nonexistent/path", SANDBOX_READ}};

    (void)snprintf(readable, sizeof readable, "%s/read", folder);
    (void)snprintf(writable, sizeof writable, "%s/write", folder);
    (void)snprintf(updatable, sizeof updatable, "%s/update", folder);
    int result = sandbox_files(paths, sizeof paths / sizeof *paths, NULL);
    if (result == -ENOTSUP)
        return CHILD_UNSUPPORTED;
    if (result < 0)
        return CHILD_OTHERWISE;
    bool as_expected = can_open("read/file", O_RDONLY) && !can_open("read/file", O_WRONLY) &&
                       !can_open("read/new", O_WRONLY | O_CREAT) && can_open("write/new", O_RDWR | O_CREAT) &&
                       can_open("update/file", O_RDWR | O_TRUNC) &&
                       !can_open("update/new", O_WRONLY | O_CREAT) && !can_open("file", O_RDONLY) &&
                       open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0;
    return as_expected ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

START_TEST(landlock_bites)
{
    static const char *const folders[] = {"read", "write", "update"};
    static const char *const files[] = {"file", "read/file", "update/file"};
    char path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < 3; i++)
        ck_assert(can_open(files[i], O_WRONLY | O_CREAT));
    check_child(files_outside);
    (void)snprintf(path, sizeof path, "rm -r %s", folder);
    ck_assert_int_eq(system(path), 0);
}
END_TEST

static void *await_end(void *argument)
{
    (void)pause();
    return argument;
}

/* Whether one of this process's descriptors holds its folder of threads. */
static bool holds_threads(void)
{
    char wanted[32], name[32], path[64];

    (void)snprintf(wanted, sizeof wanted, "/proc/%d/task", (int)getpid());
    for (int fd = 0; fd < 64; fd++) {
        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
        if (strcmp(path, wanted) == 0)
            return true;
    }
    return false;
}

/* The driver of a GPU gives its threads names. The kernel forgets the rule when it forgets the folder. */
static int thread_with_a_name(void)
{
    const struct sandbox_path paths[] = {{"/proc", SANDBOX_READ}, {"/proc/self/task", SANDBOX_UPDATE}};
    pthread_t thread;
    int result;

    result = sandbox_files(paths, sizeof paths / sizeof *paths, NULL);
    if (result == -ENOTSUP)
        return CHILD_UNSUPPORTED;
    if (result < 0 || pthread_create(&thread, NULL, await_end, NULL) != 0)
        return CHILD_OTHERWISE;
    bool as_expected = pthread_setname_np(thread, "named") == 0 && holds_threads() &&
                       open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC) < 0;
    return as_expected ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

START_TEST(landlock_lets_a_thread_have_a_name)
{
    check_child(thread_with_a_name);
}
END_TEST

static int packet_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        (void)close(fd);
    return fd;
}

static int packet_socket_after_drop(void)
{
    if (sandbox_capabilities(false, NULL) < 0)
        return CHILD_OTHERWISE;
    return packet_socket() < 0 && errno == EPERM ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

static int packet_socket_when_kept(void)
{
    char path[] = "/tmp/test_sandbox_owner.XXXXXX";
    bool could = packet_socket() >= 0;
    int fd = mkstemp(path);

    if (fd < 0 || sandbox_capabilities(true, NULL) < 0)
        return CHILD_OTHERWISE;
    bool others_gone = fchown(fd, geteuid() + 1, (gid_t)-1) < 0; /* takes CAP_CHOWN */
    (void)unlink(path);
    return others_gone && (packet_socket() >= 0) == could ? CHILD_AS_EXPECTED : CHILD_OTHERWISE;
}

START_TEST(capabilities_are_gone)
{
    check_child(packet_socket_after_drop);
    check_child(packet_socket_when_kept);
}
END_TEST

int main(void)
{
    return UNIT_RUN("sandbox", seccomp_kill_bites, seccomp_log_lets_through,
                    seccomp_leaves_the_daemon_its_calls, seccomp_refuses_device_files, landlock_bites,
                    landlock_lets_a_thread_have_a_name, capabilities_are_gone);
}

/* The end of a child is seen through a pidfd, so that no SIGCHLD handler is shared with anybody. Two things
 * must have come before `end` is told: the pidfd is readable, and the pipe is at its end or there is no more
 * in it. */
#include "daemon/child.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    int pidfd;
    int pipe; /* reading end */
    struct evbuffer *text;
    struct event *readable;
    struct event *ended;
    struct child_events events;
};

static void child_free(struct child *child)
{
    if (child->readable != NULL)
        event_free(child->readable);
    if (child->ended != NULL)
        event_free(child->ended);
    if (child->text != NULL)
        evbuffer_free(child->text);
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    if (child->pipe >= 0)
        (void)close(child->pipe);
    free(child);
}

static void tell_line(const struct child *child, const char *text, size_t length)
{
    char line[CHILD_LINE_MAX];

    (void)snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), text);
    child->events.line(child->events.context, line);
}

/* Tell the complete lines; an endless one is told in pieces. */
static void tell_lines(struct child *child)
{
    size_t length;
    char *line;

    while ((line = evbuffer_readln(child->text, &length, EVBUFFER_EOL_ANY)) != NULL) {
        if (length > 0)
            tell_line(child, line, length);
        free(line);
    }
    while (evbuffer_get_length(child->text) >= CHILD_LINE_MAX) {
        char piece[CHILD_LINE_MAX];
        int n = evbuffer_remove(child->text, piece, sizeof piece - 1);

        tell_line(child, piece, n < 0 ? 0 : (size_t)n);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    struct child *child = argument;
    int n = evbuffer_read(child->text, fd, 4096);

    (void)what;
    if (n <= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
        (void)event_del(child->readable);
    tell_lines(child);
}

static void on_ended(evutil_socket_t fd, short what, void *argument)
{
    struct child *child = argument;
    int status = 0;

    (void)fd;
    (void)what;
    if (waitpid(child->pid, &status, WNOHANG) == 0)
        return;
    while (evbuffer_read(child->text, child->pipe, 4096) > 0)
        tell_lines(child);
    if (evbuffer_get_length(child->text) > 0 && evbuffer_add(child->text, "\n", 1) == 0)
        tell_lines(child);
    struct child_events events = child->events;
    child_free(child);
    events.end(events.context, status);
}

/* Between fork and exec: only calls that are safe there. A priority that is refused is no reason not to run.
 */
static void __attribute__((noreturn)) become(char *const arguments[], int output, pid_t parent)
{
    const struct sched_param idle = {0};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)sched_setscheduler(0, SCHED_IDLE, &idle);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127); /* the daemon died before the line above */
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(127);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)execv(arguments[0], arguments);
    _exit(127);
}

static int watch(struct child *child, struct event_base *base)
{
    child->text = evbuffer_new();
    child->readable = event_new(base, child->pipe, EV_READ | EV_PERSIST, on_readable, child);
    child->ended = event_new(base, child->pidfd, EV_READ | EV_PERSIST, on_ended, child);
    if (child->text == NULL || child->readable == NULL || child->ended == NULL ||
        event_add(child->readable, NULL) < 0 || event_add(child->ended, NULL) < 0)
        return -ENOMEM;
    return 0;
}

/* Fork and make the pidfd. Signals wait meanwhile: in the child they must not find the daemon's handlers.
 *
 * Return: 0 in the parent, negative errno value.
 */
static int launch(struct child *child, char *const arguments[])
{
    pid_t parent = getpid();
    sigset_t all;
    sigset_t before;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    child->pipe = ends[0];
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    child->pid = fork();
    if (child->pid == 0)
        become(arguments, ends[1], parent);
    int code = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(ends[1]);
    if (child->pid < 0)
        return -code;
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    return child->pidfd < 0 ? -errno : 0;
}

int child_start(struct child **childp, struct event_base *base, char *const arguments[],
                const struct child_events *events, struct error *err)
{
    struct child *child;
    int result;

    if (access(arguments[0], X_OK) < 0)
        return error_set(err, -errno, "%s: cannot be run: %s", arguments[0], strerror(errno));
    child = calloc(1, sizeof *child);
    if (child == NULL)
        return error_set(err, -ENOMEM, "%s: no memory to start it", arguments[0]);
    child->pidfd = -1;
    child->pipe = -1;
    child->events = *events;
    result = launch(child, arguments);
    if (result == 0)
        result = watch(child, base);
    if (result < 0) {
        child_kill(child);
        return error_set(err, result, "%s: cannot be started: %s", arguments[0], strerror(-result));
    }
    *childp = child;
    return 0;
}

void child_kill(struct child *child)
{
    if (child == NULL)
        return;
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
    }
    child_free(child);
}

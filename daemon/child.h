/* child.h - a child process at idle priority, watched from the event loop: its lines, and its end.
 *
 * The child gets what it is given and nothing else: standard input is empty, standard output and error come
 * here line by line, every other descriptor is closed, signals are as at the start of a process. It runs only
 * when nobody else wants the processor or the disk, and dies with the daemon.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/types.h>

#include "flowtrack/error.h"

enum { CHILD_LINE_MAX = 512 };

struct child;

struct child_events {
    /* A line that the child said, without newline, cut at CHILD_LINE_MAX. */
    void (*line)(void *context, const char *text);
    /* The child has ended and said everything; it frees itself after this. status: as from waitpid(2). */
    void (*end)(void *context, int status);
    void *context;
};

/* Start a program.
 *
 * arguments: NULL at the end; the first is the path of the program.
 *
 * Return: 0; -ENOENT, -EACCES (the program cannot be run), -EAGAIN, -ENOMEM with err filled.
 */
int child_start(struct child **childp, struct event_base *base, char *const arguments[],
                const struct child_events *events, struct error *err);

/* Kill it, wait for it, and free, without any further call. NULL is fine. */
void child_kill(struct child *child);

#endif

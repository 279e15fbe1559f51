/* control.h - the control socket: one line asks, one line answers.
 *
 *     stats                                              a bare verb, for people with socat
 *     {"command": "flows", "arguments": {"limit": 10}}   the same with arguments
 *     {"version": "0.2"}                                 Suricata's greeting: answered with OK, never needed
 *
 * The answer is exactly one JSON line, {"return": "OK", "message": ...} or {"return": "NOK", "message":
 * "why"}. A verb may answer with plain text instead (metrics), or turn the connection into a stream of lines
 * (watch).
 *
 * The socket knows nothing of what the verbs do: they are a table of functions. A client costs at most one
 * connection of CONTROL_CLIENTS_MAX, a line of CONTROL_LINE_MAX octets in, CONTROL_OUTPUT_MAX octets out, and
 * CONTROL_IDLE_SECONDS of patience; whoever takes more is cut off and counted. Everything happens on the
 * loop's thread.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/error.h"

enum {
    CONTROL_CLIENTS_MAX = 64,
    CONTROL_LINE_MAX = 4096,
    CONTROL_OUTPUT_MAX = 4 << 20,
    CONTROL_IDLE_SECONDS = 30, /* without a request, or with an answer that is not read */
};

struct control;

/* What a verb says. The message or the text becomes the socket's; at most one of the two is set. */
struct control_reply {
    cJSON *message;           /* NULL: an empty OK */
    char *text;               /* from malloc(): sent as it is instead of JSON */
    bool watch;               /* from now on the client gets what control_publish() sends */
    char why[ERROR_TEXT_MAX]; /* for a NOK */
};

struct control_verb {
    const char *name;
    const char *help; /* one line, for the verb `help` */
    bool changes;     /* only for the peer with uid 0 or the daemon's own */
    /* arguments: the object of the request, NULL if there is none. Return: 0; negative: NOK with reply->why.
     */
    int (*run)(void *context, const cJSON *arguments, struct control_reply *reply);
};

struct control_options {
    struct event_base *base;
    const char *path;                 /* where to make the socket; replaced if a dead one lies there */
    int inherited;                    /* listening socket from the service manager, -1: make one at path */
    const char *group;                /* of the socket file (mode 0660); NULL: as the process */
    const struct control_verb *verbs; /* (n_verbs) must outlive the socket; `help` is added */
    size_t n_verbs;
    void *context; /* for the verbs */
};

struct control_stats {
    uint64_t accepted;
    uint64_t refused;   /* more than CONTROL_CLIENTS_MAX */
    uint64_t requests;  /* lines */
    uint64_t failed;    /* answered with NOK */
    uint64_t timed_out; /* cut off: too slow */
    uint64_t overflown; /* cut off: line too long, or answers not read */
    uint64_t clients;   /* connected now */
    uint64_t watchers;  /* of them */
};

/* Open the socket and serve it on the loop; its folder is made if it is missing. The process must ignore
 * SIGPIPE: clients vanish.
 *
 * Return: 0; -EADDRINUSE (another daemon answers there), -EACCES, -EINVAL (no such group, path too long),
 * -EIO, -ENOMEM with err filled.
 */
int control_open(struct control **controlp, const struct control_options *options, struct error *err);

/* Close it, its connections, and remove the socket file unless it was inherited. NULL is fine. */
void control_close(struct control *control);

/* Send a line to everyone who watches. A watcher whose buffer is full is cut off.
 *
 * line: (length) octets, newline included.
 */
void control_publish(struct control *control, const char *line, size_t length);

const struct control_stats *control_stats(const struct control *control);

#endif

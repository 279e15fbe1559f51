/* The listening socket, its clients, and the publishing of lines. What a request means is control_request.c.
 */
#include "daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control_request.h"

/* Answers that wait to be read before the next request is looked at. */
enum { CONTROL_BACKLOG = 65536 };

struct client {
    struct control *control;
    struct bufferevent *stream;
    bool privileged;
    bool watching;
    bool closing; /* no more requests: the connection ends when the output is out */
    LIST_ENTRY(client) entries;
};

struct control {
    struct control_verbs verbs;
    struct evconnlistener *listener;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": inherited, nothing to remove */
    struct control_stats stats;
    LIST_HEAD(, client) clients;
};

static void client_free(struct client *client)
{
    client->control->stats.clients--;
    client->control->stats.watchers -= client->watching;
    LIST_REMOVE(client, entries);
    bufferevent_free(client->stream);
    free(client);
}

static size_t output_length(const struct client *client)
{
    return evbuffer_get_length(bufferevent_get_output(client->stream));
}

/* Send octets, unless that would keep more than a client may cost.
 *
 * Return: false: the client is gone.
 */
static bool client_send(struct client *client, const char *octets, size_t length)
{
    if (output_length(client) + length > CONTROL_OUTPUT_MAX ||
        bufferevent_write(client->stream, octets, length) < 0) {
        client->control->stats.overflown++;
        client_free(client);
        return false;
    }
    return true;
}

static bool client_answer(struct client *client, const char *line, size_t length)
{
    struct control *control = client->control;
    struct control_answer answer;

    control->stats.requests++;
    if (control_request(&control->verbs, client->privileged, line, length, &answer) < 0) {
        control->stats.overflown++;
        client_free(client);
        return false;
    }
    control->stats.failed += answer.failed;
    if (answer.watch && !client->watching) {
        struct timeval patience = {.tv_sec = CONTROL_IDLE_SECONDS};

        client->watching = true;
        control->stats.watchers++;
        (void)bufferevent_set_timeouts(client->stream, NULL, &patience);
    }
    bool alive = client_send(client, answer.text, answer.length);
    free(answer.text);
    return alive;
}

/* The next request at hand; the last one of a client that has finished needs no newline.
 *
 * Return: (length) octets for free(), NULL: none.
 */
static char *next_line(const struct client *client, size_t *length)
{
    struct evbuffer *input = bufferevent_get_input(client->stream);
    char *line = evbuffer_readln(input, length, EVBUFFER_EOL_LF);

    if (line != NULL || !client->closing || evbuffer_get_length(input) == 0)
        return line;
    *length = evbuffer_get_length(input);
    line = malloc(*length);
    if (line != NULL)
        (void)evbuffer_remove(input, line, *length);
    return line;
}

/* Answer the lines at hand, until answers wait to be read: a client that asks faster than it reads waits. */
static void on_readable(struct bufferevent *stream, void *argument)
{
    struct client *client = argument;
    size_t length;
    char *line;

    while (output_length(client) < CONTROL_BACKLOG && (line = next_line(client, &length)) != NULL) {
        bool alive = client_answer(client, line, length);

        free(line);
        if (!alive)
            return;
    }
    if (output_length(client) >= CONTROL_BACKLOG)
        return;
    if (evbuffer_get_length(bufferevent_get_input(stream)) >= CONTROL_LINE_MAX) {
        client->control->stats.overflown++;
        client_free(client);
    } else if (client->closing && output_length(client) == 0) {
        client_free(client);
    }
}

/* All answers are out: go on with what waits. */
static void on_drained(struct bufferevent *stream, void *argument)
{
    on_readable(stream, argument);
}

static void on_event(struct bufferevent *stream, short what, void *argument)
{
    struct client *client = argument;

    /* A client that has said all it wants (a shell pipe does that) still waits for the answers. */
    if ((what & BEV_EVENT_EOF) != 0 && !client->closing) {
        client->closing = true;
        (void)bufferevent_disable(stream, EV_READ);
        on_readable(stream, client);
        return;
    }
    client->control->stats.timed_out += (what & BEV_EVENT_TIMEOUT) != 0;
    client_free(client);
}

static bool peer_is_privileged(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static struct client *client_new(struct control *control, int fd)
{
    struct timeval patience = {.tv_sec = CONTROL_IDLE_SECONDS};
    struct client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return NULL;
    client->stream =
        bufferevent_socket_new(evconnlistener_get_base(control->listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->stream == NULL) {
        free(client);
        return NULL;
    }
    client->control = control;
    client->privileged = peer_is_privileged(fd);
    bufferevent_setcb(client->stream, on_readable, on_drained, on_event, client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_LINE_MAX);
    (void)bufferevent_set_timeouts(client->stream, &patience, &patience);
    LIST_INSERT_HEAD(&control->clients, client, entries);
    control->stats.accepted++;
    control->stats.clients++;
    return client;
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                          int length, void *argument)
{
    struct control *control = argument;
    struct client *client = NULL;

    (void)listener;
    (void)address;
    (void)length;
    if (control->stats.clients < CONTROL_CLIENTS_MAX)
        client = client_new(control, fd);
    if (client == NULL) {
        control->stats.refused++;
        (void)close(fd);
        return;
    }
    (void)bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Someone answers at a socket file: it is not a left-over. */
static bool socket_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

    if (fd >= 0)
        (void)close(fd);
    return alive;
}

static int socket_set_owner(const char *path, const char *group, struct error *err)
{
    const struct group *found;

    if (chmod(path, 0660) < 0)
        return error_set(err, -errno, "%s: its mode cannot be set: %s", path, strerror(errno));
    if (group == NULL)
        return 0;
    errno = 0;
    found = getgrnam(group);
    if (found == NULL)
        return error_set(err, -EINVAL, "%s: there is no group \"%s\"", path, group);
    if (chown(path, (uid_t)-1, found->gr_gid) < 0)
        return error_set(err, -errno, "%s: cannot be given to the group %s: %s", path, group,
                         strerror(errno));
    return 0;
}

/* A daemon that is started by hand, not by its unit, finds no folder for its socket. */
static int folder_make(const char *path, struct error *err)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char *end;

    (void)snprintf(folder, sizeof folder, "%s", path);
    end = strrchr(folder, '/');
    if (end == NULL || end == folder)
        return 0;
    *end = '\0';
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return error_set(err, -errno, "%s: its folder cannot be made: %s", path, strerror(errno));
    return 0;
}

/* Make a listening socket at options->path. Return: descriptor, or a negative errno value. */
static int socket_make(const struct control_options *options, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int result = 0;

    if (strlen(options->path) >= sizeof address.sun_path)
        return error_set(err, -EINVAL, "%s: longer than the %zu octets a socket path can have", options->path,
                         sizeof address.sun_path - 1);
    strcpy(address.sun_path, options->path);
    if (socket_alive(&address))
        return error_set(err, -EADDRINUSE, "%s: another daemon answers there", options->path);
    result = folder_make(options->path, err);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(err, -errno, "%s: %s", options->path, strerror(errno));
    if ((unlink(options->path) < 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0)
        result = error_set(err, -errno, "%s: %s", options->path, strerror(errno));
    else
        result = socket_set_owner(options->path, options->group, err);
    if (result < 0) {
        (void)close(fd);
        return result;
    }
    return fd;
}

int control_open(struct control **controlp, const struct control_options *options, struct error *err)
{
    struct control *control = calloc(1, sizeof *control);
    int fd = options->inherited;

    if (control == NULL)
        return error_set(err, -ENOMEM, "no memory for the control socket");
    control->verbs = (struct control_verbs){options->verbs, options->n_verbs, options->context};
    LIST_INIT(&control->clients);
    if (fd < 0) {
        fd = socket_make(options, err);
        if (fd < 0) {
            free(control);
            return fd;
        }
        (void)snprintf(control->path, sizeof control->path, "%s", options->path);
    } else if (evutil_make_socket_nonblocking(fd) < 0) {
        /* The listener accepts until there is nobody left: a blocking socket would hold the loop there. */
        free(control);
        return error_set(err, -EIO, "the inherited control socket cannot be made non-blocking: %s",
                         strerror(errno));
    }
    control->listener = evconnlistener_new(options->base, on_connection, control,
                                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (control->listener == NULL) {
        (void)close(fd);
        free(control);
        return error_set(err, -ENOMEM, "no memory for the control socket");
    }
    *controlp = control;
    return 0;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    while (!LIST_EMPTY(&control->clients))
        client_free(LIST_FIRST(&control->clients));
    evconnlistener_free(control->listener);
    if (control->path[0] != '\0')
        (void)unlink(control->path);
    free(control);
}

void control_publish(struct control *control, const char *line, size_t length)
{
    struct client *client = LIST_FIRST(&control->clients);

    while (client != NULL) {
        struct client *next = LIST_NEXT(client, entries);

        if (client->watching)
            (void)client_send(client, line, length);
        client = next;
    }
}

const struct control_stats *control_stats(const struct control *control)
{
    return &control->stats;
}

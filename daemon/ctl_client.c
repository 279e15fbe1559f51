#include "daemon/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SEND_SECONDS = 10, RECEIVE = 1 << 16, LINE_MAX_OCTETS = 64 << 20 };

struct ctl_client {
    int fd;
    const char *path; /* the caller's, for messages */
    char *buffer;     /* (capacity) */
    size_t capacity;
    size_t begin; /* of what has not been handed out */
    size_t end;
};

static int client_connect(struct ctl_client *client, struct error *err)
{
    const struct timeval patience = {.tv_sec = SEND_SECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(client->path) >= sizeof address.sun_path)
        return error_set(err, -EINVAL, "%s: longer than the %zu octets a socket path can have", client->path,
                         sizeof address.sun_path - 1);
    strcpy(address.sun_path, client->path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_set(err, -errno, "%s: %s%s", client->path, strerror(errno),
                         errno == ENOENT || errno == ECONNREFUSED ? "; is flowclassd running?" : "");
    return 0;
}

int ctl_client_open(struct ctl_client **clientp, const char *path, struct error *err)
{
    struct ctl_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return error_set(err, -ENOMEM, "no memory for a connection");
    client->fd = -1;
    client->path = path;
    int result = client_connect(client, err);
    if (result < 0) {
        ctl_client_close(client);
        return result;
    }
    *clientp = client;
    return 0;
}

void ctl_client_close(struct ctl_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        (void)close(client->fd);
    free(client->buffer);
    free(client);
}

static int send_all(const struct ctl_client *client, const char *text, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = send(client->fd, text, length, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return error_set(err, errno == EAGAIN ? -ETIMEDOUT : -errno, "%s: the request cannot be sent: %s",
                             client->path, strerror(errno));
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

int ctl_client_ask(struct ctl_client *client, const char *verb, const cJSON *arguments, struct error *err)
{
    cJSON *request = cJSON_CreateObject();
    cJSON *copy = arguments == NULL ? NULL : cJSON_Duplicate(arguments, true);
    char *text = NULL;
    int result;

    if (cJSON_AddStringToObject(request, "command", verb) != NULL &&
        (arguments == NULL || cJSON_AddItemToObject(request, "arguments", copy)))
        text = cJSON_PrintUnformatted(request);
    cJSON_Delete(request);
    if (text == NULL)
        return error_set(err, -ENOMEM, "no memory for a request");
    size_t length = strlen(text);
    text[length++] = '\n'; /* over the NUL */
    result = send_all(client, text, length, err);
    cJSON_free(text);
    return result;
}

/* Room for more octets behind those at hand. */
static int make_room(struct ctl_client *client, struct error *err)
{
    size_t held = client->end - client->begin;

    if (client->begin > 0) {
        memmove(client->buffer, client->buffer + client->begin, held);
        client->begin = 0;
        client->end = held;
    }
    if (client->capacity - held >= RECEIVE)
        return 0;
    if (held >= LINE_MAX_OCTETS)
        return error_set(err, -EMSGSIZE, "%s: an answer of more than %d octets", client->path,
                         LINE_MAX_OCTETS);
    char *larger = realloc(client->buffer, 2 * (held + RECEIVE));
    if (larger == NULL)
        return error_set(err, -ENOMEM, "%s: no memory for an answer", client->path);
    client->buffer = larger;
    client->capacity = 2 * (held + RECEIVE);
    return 0;
}

static int64_t milliseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for octets and take them. until: on the clock above, -1: for ever. */
static int receive(struct ctl_client *client, int64_t until, struct error *err)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    int64_t left = until < 0 ? -1 : until - milliseconds();
    int ready = poll(&wait, 1, until >= 0 && left < 0 ? 0 : (int)left);
    int result;

    if (ready == 0)
        return error_set(err, -ETIMEDOUT, "%s: no answer in time", client->path);
    if (ready < 0)
        return errno == EINTR ? 0 : error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    result = make_room(client, err);
    if (result < 0)
        return result;
    ssize_t n = recv(client->fd, client->buffer + client->end, client->capacity - client->end, 0);
    if (n == 0)
        return error_set(err, -EPIPE, "%s: the daemon has closed the connection", client->path);
    if (n < 0)
        return errno == EINTR ? 0 : error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    client->end += (size_t)n;
    return 0;
}

int ctl_client_line(struct ctl_client *client, int timeout, const char **line, size_t *length,
                    struct error *err)
{
    int64_t until = timeout < 0 ? -1 : milliseconds() + timeout;
    size_t looked = 0; /* octets at hand without a newline */

    for (;;) {
        size_t held = client->end - client->begin;
        char *begin = client->buffer + client->begin;
        char *newline = held > looked ? memchr(begin + looked, '\n', held - looked) : NULL;

        if (newline != NULL) {
            *newline = '\0';
            *line = begin;
            *length = (size_t)(newline - begin);
            client->begin += *length + 1;
            return 0;
        }
        looked = held;
        int result = receive(client, until, err);
        if (result < 0)
            return result;
    }
}

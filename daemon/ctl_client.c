#include "daemon/ctl_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

struct ctl_client {
    int fd;
    FILE *stream; /* of fd, for reading */
    char *line;
    size_t capacity;
    const char *path; /* the caller's, for messages */
};

static int set_timeout(int fd, unsigned seconds)
{
    struct timeval patience = {.tv_sec = seconds};

    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0
               ? -errno
               : 0;
}

static int client_connect(struct ctl_client *client, unsigned timeout, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(client->path) >= sizeof address.sun_path)
        return error_set(err, -EINVAL, "%s: longer than the %zu octets a socket path can have", client->path,
                         sizeof address.sun_path - 1);
    strcpy(address.sun_path, client->path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || set_timeout(client->fd, timeout) < 0)
        return error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_set(err, -errno, "%s: %s%s", client->path, strerror(errno),
                         errno == ENOENT || errno == ECONNREFUSED ? "; is flowclassd running?" : "");
    client->stream = fdopen(client->fd, "r");
    if (client->stream == NULL)
        return error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    return 0;
}

int ctl_client_open(struct ctl_client **clientp, const char *path, unsigned timeout, struct error *err)
{
    struct ctl_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return error_set(err, -ENOMEM, "no memory for a connection");
    client->fd = -1;
    client->path = path;
    int result = client_connect(client, timeout, err);
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
    if (client->stream != NULL)
        (void)fclose(client->stream);
    else if (client->fd >= 0)
        (void)close(client->fd);
    free(client->line);
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

int ctl_client_line(struct ctl_client *client, const char **line, size_t *length, struct error *err)
{
    ssize_t n;

    do {
        clearerr(client->stream);
        errno = 0;
        n = getline(&client->line, &client->capacity, client->stream);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return error_set(err, -ETIMEDOUT, "%s: no answer in time", client->path);
    if (n < 0 && errno != 0)
        return error_set(err, -errno, "%s: %s", client->path, strerror(errno));
    if (n < 0)
        return error_set(err, -EPIPE, "%s: the daemon has closed the connection", client->path);
    if (n > 0 && client->line[n - 1] == '\n')
        client->line[--n] = '\0';
    *line = client->line;
    *length = (size_t)n;
    return 0;
}

void ctl_client_wait_forever(struct ctl_client *client)
{
    (void)set_timeout(client->fd, 0);
}

/* ctl_client.h - the other end of the control socket: what flowclassctl uses. */
#ifndef DAEMON_CTL_CLIENT_H
#define DAEMON_CTL_CLIENT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "flowtrack/error.h"

struct ctl_client;

/* Connect to a daemon.
 *
 * path: kept by reference, to name it in messages.
 *
 * Return: 0; -ENOENT, -ECONNREFUSED (no daemon there), -EACCES, -EINVAL (path too long), -ENOMEM with err
 * filled.
 */
int ctl_client_open(struct ctl_client **clientp, const char *path, struct error *err);

void ctl_client_close(struct ctl_client *client);

/* Send a request.
 *
 * arguments: object, may be NULL; stays the caller's.
 *
 * Return: 0, -EPIPE, -ETIMEDOUT, -EIO, -ENOMEM with err filled.
 */
int ctl_client_ask(struct ctl_client *client, const char *verb, const cJSON *arguments, struct error *err);

/* Read the next line.
 *
 * timeout: milliseconds that the whole line may take; -1: no limit. What has come of it by then is kept for
 * the next call. line: without its newline, valid until the next call.
 *
 * Return: 0; -ETIMEDOUT; -EPIPE (the daemon has closed the connection), -EMSGSIZE, -EIO, -ENOMEM with err
 * filled.
 */
int ctl_client_line(struct ctl_client *client, int timeout, const char **line, size_t *length,
                    struct error *err);

#endif

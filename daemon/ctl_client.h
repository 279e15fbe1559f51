/* ctl_client.h - the other end of the control socket: what flowclassctl uses. */
#ifndef DAEMON_CTL_CLIENT_H
#define DAEMON_CTL_CLIENT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "flowtrack/error.h"

struct ctl_client;

/* Connect to a daemon.
 *
 * timeout: seconds that any single answer may take.
 *
 * Return: 0; -ENOENT, -ECONNREFUSED (no daemon there), -EACCES, -EINVAL (path too long), -ENOMEM with err
 * filled.
 */
int ctl_client_open(struct ctl_client **clientp, const char *path, unsigned timeout, struct error *err);

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
 * line: without its newline, valid until the next call.
 *
 * Return: 0; -EPIPE (the daemon has closed the connection), -ETIMEDOUT, -EIO, -ENOMEM with err filled.
 */
int ctl_client_line(struct ctl_client *client, const char **line, size_t *length, struct error *err);

/* From now on wait for lines without limit (a stream). */
void ctl_client_wait_forever(struct ctl_client *client);

#endif

#include "daemon/journal.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEND_BUFFER = 8 << 20 }; /* octets under way that are asked for; the system may grant fewer */

/* A value of several lines is preceded by its length, all others end at the line's end. */
bool journal_put(struct journal_entry *entry, const char *name, const char *value, size_t size)
{
    size_t length = strlen(name);
    bool lines = memchr(value, '\n', size) != NULL;
    uint64_t octets = htole64(size);
    char *at = entry->text + entry->size;

    if (length + size + sizeof octets + 2 > sizeof entry->text - entry->size)
        return false;
    at = mempcpy(at, name, length);
    *at++ = lines ? '\n' : '=';
    if (lines)
        at = mempcpy(at, &octets, sizeof octets);
    at = mempcpy(at, value, size);
    *at++ = '\n';
    entry->size = (size_t)(at - entry->text);
    return true;
}

bool journal_put_text(struct journal_entry *entry, const char *name, const char *value)
{
    return journal_put(entry, name, value, strlen(value));
}

/* Connected rather than addressed each time, so that poll() tells when the receiver has room. */
static int attach(struct journal *journal)
{
    int r = connect(journal->descriptor, (struct sockaddr *)&journal->address, sizeof journal->address);

    journal->connected = r == 0;
    return r < 0 ? -errno : 0;
}

int journal_open(struct journal *journal, const char *path, struct error *err)
{
    struct journal made = {.address.sun_family = AF_UNIX};
    int octets = SEND_BUFFER, r;

    if (strlen(path) >= sizeof made.address.sun_path)
        return error_set(err, -EIO, "%s: too long for the name of a socket", path);
    strcpy(made.address.sun_path, path);
    made.descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made.descriptor < 0)
        return error_set(err, -EIO, "%s: %s", path, strerror(errno));
    (void)setsockopt(made.descriptor, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    r = attach(&made);
    if (r < 0) {
        journal_close(&made);
        return error_set(err, -ENODEV, "%s: no journal listens there: %s", path, strerror(-r));
    }
    *journal = made;
    return 0;
}

static int send_now(struct journal *journal, const struct journal_entry *entry)
{
    if (!journal->connected && attach(journal) < 0)
        return -ENODEV;
    if (send(journal->descriptor, entry->text, entry->size, MSG_NOSIGNAL) >= 0)
        return 0;
    switch (errno) {
    case EAGAIN:
    case ENOBUFS:
        return -EAGAIN;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case EPIPE:
        journal->connected = false;
        return -ENODEV;
    default:
        return -EIO;
    }
}

int journal_send(struct journal *journal, const struct journal_entry *entry)
{
    bool was_connected = journal->connected;
    int r = send_now(journal, entry);

    /* A journal that was started anew listens at the same path. */
    return r == -ENODEV && was_connected ? send_now(journal, entry) : r;
}

void journal_wait(const struct journal *journal, int milliseconds)
{
    struct pollfd room = {.fd = journal->descriptor, .events = POLLOUT};

    (void)poll(&room, 1, milliseconds);
}

void journal_close(struct journal *journal)
{
    (void)close(journal->descriptor);
}

bool journal_is_stream(int descriptor, const char *stream)
{
    uintmax_t device, inode;
    struct stat status;
    int end = 0;

    return stream != NULL && sscanf(stream, "%ju:%ju%n", &device, &inode, &end) == 2 && stream[end] == '\0' &&
           fstat(descriptor, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

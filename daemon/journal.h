/* journal.h - entries with fields for the system's journal, by a sender that never stands still for it.
 *
 * An entry is one datagram of fields to the socket of journald. libsystemd's sd_journal_sendv() sends the
 * same datagram, but waits for as long as journald's queue is full, and says that all is well where nobody
 * listens. Neither will do here: a capture thread must not wait for a log, and every line that is lost
 * counts.
 *
 * Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "flowtrack/error.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { JOURNAL_ENTRY_MAX = 1 << 16 }; /* octets of an entry */

/* An entry in the making. Begin with size 0. */
struct journal_entry {
    size_t size;
    char text[JOURNAL_ENTRY_MAX];
};

/* Add a field.
 *
 * name: capitals, digits and underscores, a letter first.
 * value: (size) any octets.
 *
 * Return: true; false: no room, the entry is as it was.
 */
bool journal_put(struct journal_entry *entry, const char *name, const char *value, size_t size);

/* The same for a string. */
bool journal_put_text(struct journal_entry *entry, const char *name, const char *value);

/* The way to a journal. */
struct journal {
    int descriptor; /* does not block */
    bool connected;
    struct sockaddr_un address;
};

/* Connect.
 *
 * path: JOURNAL_SOCKET, except in tests.
 *
 * Return: 0; -ENODEV: no journal listens there; -EIO, err says why.
 */
int journal_open(struct journal *journal, const char *path, struct error *err);

/* Send an entry, at once or not at all. A journal that went away and came back is found again.
 *
 * Return: 0; -EAGAIN: its queue is full; -ENODEV: it is gone; -EIO: the system refuses the entry.
 */
int journal_send(struct journal *journal, const struct journal_entry *entry);

/* Wait until there is room for an entry.
 *
 * milliseconds: the longest to wait.
 */
void journal_wait(const struct journal *journal, int milliseconds);

void journal_close(struct journal *journal);

/* Whether a descriptor leads to the journal: the service manager says which one does, and the descriptor may
 * have been exchanged since.
 *
 * stream: JOURNAL_STREAM of the environment, "DEVICE:INODE" (systemd.exec(5)); NULL: not set.
 */
bool journal_is_stream(int descriptor, const char *stream);

#endif

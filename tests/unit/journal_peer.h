/* journal_peer.h - a socket that stands for journald's, and what came to it. */
#ifndef TESTS_UNIT_JOURNAL_PEER_H
#define TESTS_UNIT_JOURNAL_PEER_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char journal_peer_folder[] = "/tmp/flowclassd-journal.XXXXXX";
static char journal_peer_path[64];

/* The folder that the socket is in; once, before the tests. */
static inline bool journal_peer_begin(void)
{
    if (mkdtemp(journal_peer_folder) == NULL)
        return false;
    (void)snprintf(journal_peer_path, sizeof journal_peer_path, "%s/socket", journal_peer_folder);
    return true;
}

static inline void journal_peer_end(void)
{
    (void)unlink(journal_peer_path);
    (void)rmdir(journal_peer_folder);
}

/* Listen. Return: the socket, for close(). */
static inline int journal_peer_open(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, journal_peer_path);
    (void)unlink(journal_peer_path);
    ck_assert_int_eq(bind(peer, (struct sockaddr *)&address, sizeof address), 0);
    return peer;
}

/* Take one entry. Return: its octets, a NUL behind them; NULL: none has come. */
static inline char *journal_peer_take(int peer, size_t *sizep)
{
    static char text[1 << 17];
    ssize_t size = recv(peer, text, sizeof text - 1, 0);

    if (size < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        return NULL;
    }
    text[size] = '\0';
    if (sizep != NULL)
        *sizep = (size_t)size;
    return text;
}

/* Take what has come. Return: how many entries that was. */
static inline unsigned journal_peer_drain(int peer)
{
    unsigned n = 0;

    while (journal_peer_take(peer, NULL) != NULL)
        n++;
    return n;
}

/* Whether an entry has a field: "NAME=value". */
static inline bool journal_peer_has(const char *entry, const char *field)
{
    size_t length = strlen(field);

    for (const char *at = entry; (at = strstr(at, field)) != NULL; at++) {
        if ((at == entry || at[-1] == '\n') && at[length] == '\n')
            return true;
    }
    return false;
}

#endif

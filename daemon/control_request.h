/* control_request.h - one line of the control socket: which verb it names, with what arguments, and the
 * answer as text. No sockets here, so that tests and fuzzers need none. */
#ifndef DAEMON_CONTROL_REQUEST_H
#define DAEMON_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/control.h"

struct control_verbs {
    const struct control_verb *verbs;
    size_t n_verbs;
    void *context;
};

struct control_answer {
    char *text; /* (length) octets, the newline included; owned by the caller */
    size_t length;
    bool failed; /* a NOK */
    bool watch;
};

/* Answer a request.
 *
 * privileged: the peer may use verbs that change something.
 * line: (length) octets, without the newline; any octets.
 *
 * Return: 0 (answer filled, a NOK too), -ENOMEM.
 */
int control_request(const struct control_verbs *verbs, bool privileged, const char *line, size_t length,
                    struct control_answer *answer);

#endif

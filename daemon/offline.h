/* offline.h - runs over files: captures (-r) and archives (--classify) through the whole path, then an end.
 *
 * Nothing is ever dropped: the path waits. What is damaged or missing is said once with file and reason,
 * counted, and everything readable is processed all the same.
 */
#ifndef DAEMON_OFFLINE_H
#define DAEMON_OFFLINE_H

#include <signal.h>

#include "daemon/config.h"
#include "daemon/options.h"

/* Run COMMAND_READ or COMMAND_CLASSIFY; speaks for itself.
 *
 * stop: set to non-zero by a signal: what was read so far is finished and written.
 *
 * Return: 0, or the code of the first thing that went wrong.
 */
int offline_run(const struct options *options, const struct config *config,
                const volatile sig_atomic_t *stop);

#endif

/* service.h - the daemon: live traffic through the whole path, until told to stop.
 *
 * One loop on the main thread: interfaces, timers, signals, control socket, retraining. SIGTERM and SIGINT
 * end it in order (everything captured is judged and written), SIGHUP reads configuration and model again as
 * one transaction and reopens the log, SIGUSR1 says the counters.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <signal.h>

#include "daemon/config.h"
#include "daemon/options.h"

/* Run COMMAND_LIVE; speaks for itself.
 *
 * Return: 0 after an orderly end, or the code of what went wrong.
 */
int service_run(const struct options *options, const struct config *config,
                const volatile sig_atomic_t *stop);

#endif

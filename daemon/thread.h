/* thread.h - threads that have a name and leave signals to the main thread. */
#ifndef DAEMON_THREAD_H
#define DAEMON_THREAD_H

#include <pthread.h>

#include "flowtrack/error.h"

/* Start a thread.
 *
 * name: for those who look at the process (top -H) and for messages; at most 15 characters.
 *
 * Return: 0; -EAGAIN with err filled.
 */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context, struct error *err);

#endif

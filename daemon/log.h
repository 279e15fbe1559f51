/* log.h - what the program says about itself.
 *
 * Only daemon/ speaks; everything below returns errors. There are two kinds of saying:
 *
 *     message  a line for whoever is there: what is wrong with a command, how a training run fares
 *     event    something that happened to the daemon and that somebody may look for next month: of a kind
 *              (log_events.h), and about an interface, a model, ...
 *
 * Both go to standard error, behind the program's name. Where standard error leads to the journal (by
 * JOURNAL_STREAM, and only if it still does), messages are preceded by their priority instead, as
 * sd-daemon(3) says, and events become entries with fields. An entry that the journal has no room for goes
 * the way of messages: an event is never lost, and nobody waits to tell it. Why a start failed is a message:
 * journald files lines from standard error under their unit even if the process is gone by then.
 *
 * A transient status line (progress.h) gives way to either.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include "daemon/log_events.h"

/* Find out where standard error leads; once, before other threads are there. Without it: not to the journal.
 *
 * socket: of the journal, JOURNAL_SOCKET except in tests.
 */
void log_open(const char *socket);

/* Choose what is said.
 *
 * most: the least important level that is still said.
 */
void log_set_level(enum log_level most);

/* Say one line; any thread, here and below. */
void log_message(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)

/* Tell of an event.
 *
 * fields: what it is about; NULL: nothing in particular.
 * format: one sentence that says it all, for those who see no fields.
 */
void log_event(enum log_event_kind kind, const struct log_fields *fields, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Show a line on the terminal that the next one replaces; NULL takes it away. */
void log_status(const char *line);

#endif

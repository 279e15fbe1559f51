/* log.h - what the program says about itself, on standard error.
 *
 * Only daemon/ speaks; everything below returns errors. Under systemd (JOURNAL_STREAM is set) each line
 * begins with its priority as sd-daemon(3) says, else with the program's name. A transient status line
 * (progress.h) gives way to messages.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Choose what is said.
 *
 * most: the least important level that is still said.
 */
void log_set_level(enum log_level most);

/* Say one line; any thread. */
void log_message(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)

/* Show a line on the terminal that the next one replaces; NULL takes it away. */
void log_status(const char *line);

#endif

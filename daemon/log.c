#include "daemon/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 15 }; /* octets of a line; the journal cuts longer ones at 48 KiB */

/* All of it under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level level_most = LOG_LEVEL_NOTICE;
static bool status_shown;
static bool leads_to_journal; /* standard error */
static bool journal_opened;   /* for entries with fields */
static struct journal journal;
static char text[TEXT_MAX];
static struct journal_entry entry;

void log_open(const char *socket)
{
    pthread_mutex_lock(&lock);
    leads_to_journal = journal_is_stream(STDERR_FILENO, getenv("JOURNAL_STREAM"));
    journal_opened = leads_to_journal && journal_open(&journal, socket, NULL) == 0;
    pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level most)
{
    pthread_mutex_lock(&lock);
    level_most = most;
    pthread_mutex_unlock(&lock);
}

/* Erase the status line. */
static void status_erase(void)
{
    if (status_shown)
        (void)fputs("\r\033[K", stderr);
    status_shown = false;
}

/* Write the text as a line. */
static void line_put(enum log_level level)
{
    status_erase();
    if (leads_to_journal)
        (void)fprintf(stderr, "<%d>%s\n", (int)level, text);
    else
        (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
}

void log_message(enum log_level level, const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&lock);
    if (level <= level_most) {
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        line_put(level);
    }
    pthread_mutex_unlock(&lock);
}

/* Make an entry of the text and the fields. Return: whether the journal has it. */
static bool entry_send(enum log_event_kind kind, const struct log_fields *fields)
{
    entry.size = 0;
    log_event_put(&entry, kind, text, strlen(text));
#define PUT(name, field)                                                                                     \
    if (fields != NULL && fields->name != NULL)                                                              \
        (void)journal_put_text(&entry, field, fields->name);
    LOG_FIELDS(PUT)
#undef PUT
    return journal_send(&journal, &entry) == 0;
}

void log_event(enum log_event_kind kind, const struct log_fields *fields, const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&lock);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!journal_opened || !entry_send(kind, fields))
        line_put(log_events[kind].level);
    pthread_mutex_unlock(&lock);
}

void log_status(const char *line)
{
    pthread_mutex_lock(&lock);
    status_erase();
    if (line != NULL) {
        (void)fputs(line, stderr);
        status_shown = true;
    }
    (void)fflush(stderr);
    pthread_mutex_unlock(&lock);
}

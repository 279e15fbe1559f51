#include "daemon/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level level_most = LOG_LEVEL_NOTICE;
static bool status_shown;

void log_set_level(enum log_level most)
{
    level_most = most;
}

/* Erase the status line; the lock is held. */
static void status_erase(void)
{
    if (status_shown)
        (void)fputs("\r\033[K", stderr);
    status_shown = false;
}

void log_message(enum log_level level, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (level > level_most)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    pthread_mutex_lock(&lock);
    status_erase();
    if (getenv("JOURNAL_STREAM") != NULL)
        (void)fprintf(stderr, "<%d>%s\n", (int)level, text);
    else
        (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
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

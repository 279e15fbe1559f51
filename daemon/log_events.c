#include "daemon/log_events.h"

#include <errno.h>

#define ROW(name, id, level) [LOG_EVENT_##name] = {#name, id, LOG_LEVEL_##level},
const struct log_event_row log_events[LOG_EVENTS_N] = {LOG_EVENTS(ROW)};

void log_event_put(struct journal_entry *entry, enum log_event_kind kind, const char *text, size_t size)
{
    const struct log_event_row *row = &log_events[kind];
    const char priority = (char)('0' + row->level);

    (void)journal_put(entry, "MESSAGE", text, size);
    (void)journal_put_text(entry, "MESSAGE_ID", row->id);
    (void)journal_put(entry, "PRIORITY", &priority, 1);
    (void)journal_put_text(entry, "SYSLOG_IDENTIFIER", program_invocation_short_name);
    (void)journal_put_text(entry, "FLOWCLASSD_EVENT", row->name);
}

#include "daemon/log_events.h"

#define ROW(name, id, level) [LOG_EVENT_##name] = {#name, id, LOG_LEVEL_##level},
const struct log_event_row log_events[LOG_EVENTS_N] = {LOG_EVENTS(ROW)};

/* log_events.h - the kinds of events that the daemon tells of, one row each.
 *
 * A row has a name, the MESSAGE_ID by which journalctl(1) finds the entry's page of the message catalogue
 * (systemd/flowclassd.catalog has one page for each row), and how important it is. An id is for ever: a kind
 * that is no longer told keeps it to itself, a new one gets one of its own (`journalctl --new-id128`).
 *
 * What can last is told by two kinds, when it begins and when it is over; nothing is told twice in between.
 * The last two are no events of the daemon: they are the lines of the verdict log where that is the journal.
 */
#ifndef DAEMON_LOG_EVENTS_H
#define DAEMON_LOG_EVENTS_H

#include <stddef.h>

#include "daemon/journal.h"

/* As syslog(3) numbers them. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO };

/* clang-format off */
#define LOG_EVENTS(X)                                                    \
    X(started,           "22dfd118ebf14911a7e0b63411c856b0", NOTICE)     \
    X(stopping,          "a364a6731c95498b8da6ef5a6618f239", NOTICE)     \
    X(unbalanced,        "61c5affb212747e095cb31bf2712c8a3", ERROR)      \
    X(reloaded,          "09a4bfd458ef448483287d17d5efedf2", NOTICE)     \
    X(reload_failed,     "ec5ece0a912a4d21ab9d46e8a1c32c04", ERROR)      \
    X(model_served,      "5c20c3b1632f4b278cce2b673543cfbd", NOTICE)     \
    X(model_not_served,  "f3102daea7d54b279a83699c30199b34", ERROR)      \
    X(model_promoted,    "846e0c9289cc49e09c8919f6d66dbce4", NOTICE)     \
    X(model_refused,     "7dfe97b384dd4b929e0a06d50f8e3c61", NOTICE)     \
    X(model_rolled_back, "f7bcf2073d56432d9619acb4c58bd653", NOTICE)     \
    X(retrain_started,   "efe282819cb241e886ad1031207c889c", NOTICE)     \
    X(retrain_failed,    "ad281d82eac0434da8e649baff8100a5", ERROR)      \
    X(engine_failed,     "7aa18f231912417c94bb96e011096a29", ERROR)      \
    X(engine_works,      "be3d548e641c4a198319f9f80f213971", NOTICE)     \
    X(judging_failed,    "9197e885a081425c96d23e6e1f34cbd3", ERROR)      \
    X(judging_works,     "2c95fb933701483bb14551d3a1f649d8", NOTICE)     \
    X(interface_down,    "a8cedcf91b0346eba3de215bd479f6e2", WARNING)    \
    X(interface_up,      "926d9b19f8474fc395341d47aa06f47f", NOTICE)     \
    X(interface_gone,    "794be5e8cae643189fab4cea1fd24276", ERROR)      \
    X(interface_back,    "5e56718e7b09470487d3ff5e1ab97e21", NOTICE)     \
    X(drops_begin,       "df8f1682f411446c906960d2b56be162", WARNING)    \
    X(drops_end,         "4acf181c994e4b62a23c9536ed0a8f99", NOTICE)     \
    X(overload_begin,    "fcad192f85104f429ac661d208e4f262", WARNING)    \
    X(overload_end,      "fe0fb14045954b35b47496458ccc04cd", NOTICE)     \
    X(table_full,        "a2f9da69da1b44d1be599299b445158b", WARNING)    \
    X(table_fits,        "415eae0510e74ae3895b73d302962e14", NOTICE)     \
    X(writing_slow,      "77c8b73176154e3ea5e049ec032f9dd7", WARNING)    \
    X(writing_keeps_up,  "bd80c0ff550d46898e6ba9432e8968bf", NOTICE)     \
    X(stalled,           "c0b01514eae74869b04d5773286a4c9f", ERROR)      \
    X(moving,            "50904ed9ab164766a9760cd315d5cfa1", NOTICE)     \
    X(write_failed,      "f6f7bfaed6c2488fa95c7f93bfd7a595", ERROR)      \
    X(write_works,       "812b4a06a72749d0a8d21cd707aebb9e", NOTICE)     \
    X(sandbox_missing,   "47aad5e901744571b1c91e7d574d3282", WARNING)    \
    X(verdict,           "fe5a9f69aaf54f669475114ca163deab", INFO)       \
    X(stats,             "7f2ba0519562455f8ce34d45caa8723a", INFO)
/* clang-format on */

#define LOG_EVENT(name, id, level) LOG_EVENT_##name,
enum log_event_kind { LOG_EVENTS(LOG_EVENT) LOG_EVENTS_N };
#undef LOG_EVENT

struct log_event_row {
    const char *name;
    const char *id; /* MESSAGE_ID: 32 hexadecimal digits */
    enum log_level level;
};

extern const struct log_event_row log_events[LOG_EVENTS_N];

/* Put what every entry of a kind has: message, id, priority, names of program and kind.
 *
 * text: (size) the message.
 */
void log_event_put(struct journal_entry *entry, enum log_event_kind kind, const char *text, size_t size);

/* What an event is about: X(name, field of the journal's entry). */
#define LOG_FIELDS(X)                                                                                        \
    X(interface, "FLOWCLASSD_INTERFACE")                                                                     \
    X(model, "FLOWCLASSD_MODEL")                                                                             \
    X(model_before, "FLOWCLASSD_MODEL_BEFORE")                                                               \
    X(engine, "FLOWCLASSD_ENGINE")                                                                           \
    X(output, "FLOWCLASSD_OUTPUT")                                                                           \
    X(reason, "FLOWCLASSD_REASON")                                                                           \
    X(count, "FLOWCLASSD_COUNT")

#define LOG_FIELD(name, field) const char *name;
struct log_fields {
    LOG_FIELDS(LOG_FIELD) /* NULL: not about any */
};
#undef LOG_FIELD

#endif

/* log_journal.h - the verdict log in the system's journal: one entry for each line.
 *
 *     MESSAGE=news 0.93: TCP 192.0.2.1:50000 > 198.51.100.2:443, 17 packets, 21000 octets
 *     FLOWCLASSD_EVENT=verdict
 *     FLOWCLASS_STATE=classified
 *     FLOWCLASS_LABEL=news
 *     FLOWCLASS_COMMUNITY_ID=1:...
 *
 * Fields are made of the line: a key of its object, or of an object in it, becomes FLOWCLASS_ and the key in
 * capitals, so that what verdict_log.h has under a name the journal has under the same name. Lines of other
 * kinds than verdicts are entries with the line as their message.
 *
 * An entry that journald has no room for is waited for, but not for more than a fifth of the time in all;
 * then entries are lost, and counted, until there is room.
 */
#ifndef DAEMON_LOG_JOURNAL_H
#define DAEMON_LOG_JOURNAL_H

#include "daemon/log_sink.h"

/* Open it.
 *
 * socket: of the journal, JOURNAL_SOCKET except in tests.
 *
 * Return: 0; -ENODEV: there is no journal; -EIO, -ENOMEM, err says why.
 */
int log_journal_open(struct log_sink **sinkp, const char *socket, struct error *err);

#endif

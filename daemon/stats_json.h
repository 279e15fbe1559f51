/* stats_json.h - counters as JSON: what `stats` answers and what stands in the log every minute. */
#ifndef DAEMON_STATS_JSON_H
#define DAEMON_STATS_JSON_H

#include <cjson/cJSON.h>

#include "daemon/stats.h"

/* An object with packets, flows, verdicts, records, delay, and whether the sums balance.
 *
 * Return: it, owned by the caller; NULL: no memory.
 */
cJSON *stats_json(const struct stats_snapshot *snapshot);

#endif

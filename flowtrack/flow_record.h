/* flow_record.h - a finished flow becomes a record: which side is "out", both packet lists merged. */
#ifndef FLOWTRACK_FLOW_RECORD_H
#define FLOWTRACK_FLOW_RECORD_H

#include "flowtrack/flow.h"
#include "flowtrack/record.h"

/* Write the record of a flow.
 *
 * record: filled; of its lists only the entries that their counts name.
 * reason: why the flow ends.
 *
 * record->flow_id is the flow's serial, record->interface is left to the caller.
 * Source: joy-records sections 7 and 9.
 */
void flow_record(const struct flow_context *context, const struct flow *flow, enum record_reason reason,
                 struct record *record);

#endif

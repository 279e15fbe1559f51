/* flow_expiry.h - when the flows of a table end, and in which order.
 *
 * Part of the flow table (flow_table.h). Two timing wheels hold every open flow, one by silence and one by
 * age; a flow is in both except while it is being ended.
 */
#ifndef FLOWTRACK_FLOW_EXPIRY_H
#define FLOWTRACK_FLOW_EXPIRY_H

#include "flowtrack/flow_table.h"

/* Return: 0, -ENOMEM; then flow_expiry_deinit() is still to be called. */
int flow_expiry_init(struct flow_table *table);
void flow_expiry_deinit(struct flow_table *table);

/* Set the clock of an empty table. */
void flow_expiry_set_clock(struct flow_table *table, int64_t time);

/* Where the clock stands before the first packet. */
int64_t flow_expiry_first_clock(const struct rules *rules);

/* Put a flow into the wheels, or move it where its due times belong. */
void flow_expiry_schedule(struct flow_table *table, uint32_t number);

/* Whether a flow is due though nobody has looked yet. Never under the joy rules, where only batches end
 * flows. */
bool flow_expiry_is_over(const struct flow_table *table, uint32_t number);

/* End what is due before something else ends a flow, so that the order of ends is that of due times however
 * packets are grouped. Does nothing under the joy rules. */
void flow_expiry_catch_up(struct flow_table *table);

/* End one flow. */
void flow_expiry_end(struct flow_table *table, uint32_t number, enum record_reason reason);

/* End the flow idle longest, but not the one whose packet is being added. Return: false if there is none. */
bool flow_expiry_evict(struct flow_table *table);

/* End every flow, in order of creation. */
void flow_expiry_end_all(struct flow_table *table);

#endif

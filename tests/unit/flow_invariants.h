/* flow_invariants.h - what must hold for a flow table at any moment between two operations. */
#ifndef TESTS_UNIT_FLOW_INVARIANTS_H
#define TESTS_UNIT_FLOW_INVARIANTS_H

#include "flowtrack/flow_table.h"

/* Look at every flow, block, link and slot. Return: NULL, or the first thing that is wrong. */
const char *flow_invariants(const struct flow_table *table);

#endif

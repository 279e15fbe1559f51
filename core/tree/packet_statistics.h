/* packet_statistics.h - what the packet list of a record is like, in a few numbers.
 *
 * Source: the tree "v1" of the reference data (its features 11 to 29).
 */
#ifndef CORE_TREE_PACKET_STATISTICS_H
#define CORE_TREE_PACKET_STATISTICS_H

#include "flowtrack/record.h"

/* Payload sizes of one direction; all 0 when nothing goes that way. */
struct packet_sizes {
    float count;
    float mean;      /* octets */
    float deviation; /* population */
    float max;
    float min;
    float large; /* share of at least 1200 octets */
    float small; /* share of less than 100 octets */
};

/* Times between packets as log1p(milliseconds, at most 1e6); all 0 for an empty list. */
struct packet_times {
    float log_mean;
    float log_deviation; /* population */
    float log_max;
    float zeros; /* share of packets that follow at once */
};

/* sizes: [0] of the packets that go out, [1] of those that come in. */
void packet_statistics_sizes(const struct record *record, struct packet_sizes sizes[2]);

void packet_statistics_times(const struct record *record, struct packet_times *times);

/* Share of neighbouring packets that differ in direction; 0 for fewer than two. */
float packet_statistics_turns(const struct record *record);

#endif

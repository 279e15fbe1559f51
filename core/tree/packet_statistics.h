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

/* All 0 for an empty list. Times are log1p(milliseconds since the packet before, at most 1e6). */
struct packet_statistics {
    struct packet_sizes out, in;
    float log_mean;
    float log_deviation; /* population */
    float log_max;
    float zeros; /* share of packets that follow at once */
    float turns; /* share of neighbouring packets that differ in direction */
};

void packet_statistics(struct packet_statistics *statistics, const struct record *record);

#endif

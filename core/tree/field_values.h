/* field_values.h - the values of fields, many rows at once.
 *
 * Between the record and the columns of an element. A struct field_rows says which records, packets or ids
 * the rows of an element are; field_values() computes what is asked for a block of them, one plane (array
 * over the rows) a field, so that the maps after it are plain loops over arrays.
 *
 * Fields that come from the same walk over a record (the statistics of its packet list, say) form a group: it
 * is computed once, however many of them are selected.
 */
#ifndef CORE_TREE_FIELD_VALUES_H
#define CORE_TREE_FIELD_VALUES_H

#include "core/tree/field.h"

/* Rows of the field table. Those of a side stand three times in the same order: for the record's out side,
 * for its in side, and for "the" side below each "sides"; the same holds for FIELD_SIZES_*. */
enum field {
    FIELD_BYTES_IN,
    FIELD_BYTES_OUT,
    FIELD_NUM_PKTS_IN,
    FIELD_NUM_PKTS_OUT,
    FIELD_DURATION,
    FIELD_PROTOCOL,
    FIELD_UDP,
    FIELD_BYTES_BALANCE,
    FIELD_NUM_PKTS_BALANCE,
    FIELD_BYTES_PER_PACKET,
    FIELD_BYTES_PER_SECOND,
    FIELD_LISTED,
    FIELD_SIZES_OUT,
    FIELD_SIZES_IN = FIELD_SIZES_OUT + 7,
    FIELD_IPT_LOG_MEAN = FIELD_SIZES_IN + 7,
    FIELD_IPT_LOG_DEVIATION,
    FIELD_IPT_LOG_MAX,
    FIELD_IPT_ZEROS,
    FIELD_TURNS,
    FIELD_TTL_OUT,
    FIELD_IDS_OUT = FIELD_TTL_OUT + 6,
    FIELD_TTL_IN = FIELD_IDS_OUT + 4,
    FIELD_IDS_IN = FIELD_TTL_IN + 6,
    FIELD_SIDE_TTL = FIELD_IDS_IN + 4,
    FIELD_SIDE_IDS = FIELD_SIDE_TTL + 6,
    FIELD_SIDE_OUT = FIELD_SIDE_IDS + 4,
    FIELD_SIDE_BYTES,
    FIELD_SIDE_NUM_PKTS,
    FIELD_PACKET_B,
    FIELD_PACKET_OUT,
    FIELD_PACKET_IPT,
    FIELD_PACKET_DIRECTION,
    FIELD_ID,
    FIELDS
};

/* What is computed together: bits of a set. */
enum field_group {
    GROUP_TOTALS = 1 << 0,
    GROUP_PACKET_LIST = 1 << 1,
    GROUP_TTL_OUT = 1 << 2,
    GROUP_TTL_IN = 1 << 3,
    GROUP_IDS_OUT = 1 << 4,
    GROUP_IDS_IN = 1 << 5,
    GROUP_SIDE = 1 << 6,
    GROUP_SIDE_TTL = 1 << 7,
    GROUP_SIDE_IDS = 1 << 8,
    GROUP_PACKET = 1 << 9,
    GROUP_ID = 1 << 10,
};

/* Rows of a block: no list is longer, so that a block can hold whole lists. */
enum { FIELD_BLOCK = 256 };

/* Packets are loaded in whole vectors. */
enum { FIELD_PACKETS_BEYOND = 16 };

/* What the rows of an element are; by scope. All arrays are borrowed. */
struct field_rows {
    const struct record *const *records; /* (n) record and side scope */
    const uint8_t *incoming;             /* (n) side scope: 1 for the record's in side */
    const struct record_packet *packets; /* (n) packet scope; readable up to FIELD_PACKETS_BEYOND more */
    const uint16_t *ids;                 /* (n) id scope */
};

typedef float field_plane[FIELD_BLOCK];

/* The group that a field belongs to. */
enum field_group field_group(unsigned field);

/* Compute groups of fields for rows begin..begin+n-1.
 *
 * groups: set of enum field_group, all of the scope of the rows.
 * n: at most FIELD_BLOCK.
 * planes: (FIELDS); those of the groups are filled at 0..n-1.
 */
void field_values(const struct field_rows *rows, unsigned groups, size_t begin, size_t n,
                  field_plane *planes);

#endif

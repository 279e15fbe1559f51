/* field.h - what an element can select from a record, and how the values are mapped.
 *
 * Fields belong to a scope: the whole record, one packet list entry, one side, one id. An element
 * without `each` stays in the scope it is in; `each` enters the scope of the list's items. A column is one
 * selected field and the maps it goes through, in order. Fields and maps are tables in field.c: a new one is
 * a row and its function.
 */
#ifndef CORE_TREE_FIELD_H
#define CORE_TREE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "flowtrack/record.h"

enum field_scope { SCOPE_RECORD, SCOPE_SIDE, SCOPE_PACKET, SCOPE_ID, FIELD_SCOPES };

/* Lists, as `each` names them. */
enum field_list {
    LIST_PACKETS, /* "packets", in the record: both sides merged */
    LIST_IDS_OUT, /* "ip.out.id", in the record */
    LIST_IDS_IN,  /* "ip.in.id", in the record */
    LIST_SIDES,   /* "sides", in the record: out, then in */
    LIST_IDS,     /* "id", in a side */
    FIELD_LISTS
};

enum { COLUMN_MAPS_MAX = 6 };

/* One step of a map; x is the value so far. */
enum map_kind {
    MAP_LOG1P, /* log(1 + max(x, 0)), natural */
    MAP_SCALE, /* x * argument */
    MAP_MIN,   /* min(x, argument) */
    MAP_MAX,   /* max(x, argument) */
    MAP_SIGN,  /* x where the packet goes out, -x where it comes in; packet scope only */
    MAP_DELTA, /* x minus the x of the item before, 0 for the first; in a list only */
    MAP_KINDS
};

struct map {
    enum map_kind kind;
    float argument;
};

struct column {
    uint16_t field; /* row of the field table */
    uint8_t n_maps;
    struct map maps[COLUMN_MAPS_MAX];
};

#endif

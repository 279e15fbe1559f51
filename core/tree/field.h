/* field.h - what an element can select from a record, and how the values are mapped.
 *
 * Fields belong to a scope: the whole record, one side, one packet list entry, one id. An element without
 * `each` stays in the scope it is in; `each` enters the scope of the list's items. A column is one selected
 * field and the maps it goes through, in order.
 *
 * Fields, lists and maps are tables (field.c): a new field is an enumerator, a row, and the line that
 * computes it in field_values.c; a new map is a row and its loop in encode_map.c.
 */
#ifndef CORE_TREE_FIELD_H
#define CORE_TREE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtrack/record.h"

enum field_scope { SCOPE_RECORD, SCOPE_SIDE, SCOPE_PACKET, SCOPE_ID, FIELD_SCOPES };

/* Lists, as `each` names them. */
enum field_list {
    LIST_PACKETS, /* "packets", in the record: both sides merged */
    LIST_IDS_OUT, /* "ip.out.id", in the record */
    LIST_IDS_IN,  /* "ip.in.id", in the record */
    LIST_SIDES,   /* "sides", in the record: out, then in if there is one */
    LIST_IDS,     /* "ip.id", in a side */
    FIELD_LISTS
};

enum { COLUMN_MAPS_MAX = 6 };

/* One step of a map; x is the value so far. */
enum map_kind {
    MAP_LOG1P,  /* log(1 + max(x, 0)), natural */
    MAP_SCALE,  /* x * argument */
    MAP_DIVIDE, /* x / argument */
    MAP_MIN,    /* min(x, argument) */
    MAP_MAX,    /* max(x, argument) */
    MAP_SIGN,   /* x where the packet goes out, -x where it comes in; packet scope only */
    MAP_DELTA,  /* x minus the x of the item before in its list, 0 for the first; not in the record scope */
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

/* Row of the field with a name in a scope. Return: it, -1 if there is none. */
int field_find(enum field_scope scope, const char *name);

/* Name of a field ("ip.out.ttl"). */
const char *field_name(unsigned field);

/* "record", "side", "packet", "id" */
const char *field_scope_name(enum field_scope scope);

/* The list that `each` means in a scope. Return: it, -1 if there is none. */
int field_list_find(enum field_scope scope, const char *name);

const char *field_list_name(enum field_list list);

/* Scope of the items of a list. */
enum field_scope field_list_items(enum field_list list);

/* Items that a list can have at most. */
size_t field_list_max(enum field_list list);

/* The column that a list of plain numbers has when none is selected (an id). Return: row, -1: it has none. */
int field_list_number(enum field_list list);

/* Map by its name in JSON ("log1p"). Return: it, -1 if there is none. */
int map_find(const char *name);

/* Whether it is written {"name": number} rather than "name". */
bool map_takes_argument(enum map_kind kind);

/* Whether a map means something in a scope. */
bool map_allowed(enum map_kind kind, enum field_scope scope);

#endif

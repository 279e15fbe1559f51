#include "core/tree/field.h"

#include <string.h>

#include "core/tree/field_values.h"

struct field_row {
    const char *name;
    enum field_scope scope;
    enum field_group group;
    const char *meaning; /* for the reader of the table below */
};

/* Rows of one direction's packet sizes, and of one side's ttl and ids, in the order of enum field. */
#define SIZES_ROWS(base, side, side_name)                                                                    \
    [(base)] = {"packets." side ".count", SCOPE_RECORD, GROUP_PACKET_LIST, "listed packets " side_name},     \
    [(base) + 1] = {"packets." side ".mean", SCOPE_RECORD, GROUP_PACKET_LIST,                                \
                    "mean payload of a listed packet"},                                                      \
    [(base) + 2] = {"packets." side ".deviation", SCOPE_RECORD, GROUP_PACKET_LIST,                           \
                    "standard deviation of it"},                                                             \
    [(base) + 3] = {"packets." side ".max", SCOPE_RECORD, GROUP_PACKET_LIST, "largest payload"},             \
    [(base) + 4] = {"packets." side ".min", SCOPE_RECORD, GROUP_PACKET_LIST, "smallest payload"},            \
    [(base) + 5] = {"packets." side ".large", SCOPE_RECORD, GROUP_PACKET_LIST,                               \
                    "share of at least 1200 octets"},                                                        \
    [(base) + 6] = {"packets." side ".small", SCOPE_RECORD, GROUP_PACKET_LIST,                               \
                    "share of less than 100 octets"}

#define TTL_ROWS(base, side, scope_, group_)                                                                 \
    [(base)] = {side "ttl", scope_, group_, "lowest time to live, 0 if unknown"},                            \
    [(base) + 1] = {side "ttl.absent", scope_, group_, "1 if the time to live is unknown"},                  \
    [(base) + 2] = {side "ttl.from_64", scope_, group_, "1 if it started at 64, as it seems"},               \
    [(base) + 3] = {side "ttl.from_128", scope_, group_, "1 if it started at 128"},                          \
    [(base) + 4] = {side "ttl.from_255", scope_, group_, "1 if it started at 255"},                          \
    [(base) + 5] = {side "hops", scope_, group_, "how far the time to live has fallen"}

#define IDS_ROWS(base, side, scope_, group_)                                                                 \
    [(base)] = {side "id.zeros", scope_, group_, "share of ids that are 0"},                                 \
    [(base) + 1] = {side "id.ones", scope_, group_, "share of ids that are the one before plus 1"},          \
    [(base) + 2] = {side "id.step", scope_, group_, "median step from id to id, modulo 65536"},              \
    [(base) + 3] = {side "id.few", scope_, group_, "1 if there are fewer than two ids"}

static const struct field_row fields[FIELDS] = {
    [FIELD_BYTES_IN] = {"bytes_in", SCOPE_RECORD, GROUP_TOTALS, "payload octets, in"},
    [FIELD_BYTES_OUT] = {"bytes_out", SCOPE_RECORD, GROUP_TOTALS, "payload octets, out"},
    [FIELD_NUM_PKTS_IN] = {"num_pkts_in", SCOPE_RECORD, GROUP_TOTALS, "packets, in"},
    [FIELD_NUM_PKTS_OUT] = {"num_pkts_out", SCOPE_RECORD, GROUP_TOTALS, "packets, out"},
    [FIELD_DURATION] = {"duration", SCOPE_RECORD, GROUP_TOTALS, "time_end - time_start, seconds"},
    [FIELD_PROTOCOL] = {"protocol", SCOPE_RECORD, GROUP_TOTALS, "IP protocol number"},
    [FIELD_UDP] = {"udp", SCOPE_RECORD, GROUP_TOTALS, "1 if the protocol is UDP"},
    [FIELD_BYTES_BALANCE] = {"bytes_balance", SCOPE_RECORD, GROUP_TOTALS, "(in - out) / (in + out + 1)"},
    [FIELD_NUM_PKTS_BALANCE] = {"num_pkts_balance", SCOPE_RECORD, GROUP_TOTALS, "the same of packets"},
    [FIELD_BYTES_PER_PACKET] = {"bytes_per_packet", SCOPE_RECORD, GROUP_TOTALS, "bytes / (packets + 1)"},
    [FIELD_BYTES_PER_SECOND] = {"bytes_per_second", SCOPE_RECORD, GROUP_TOTALS,
                                "bytes / (duration + 0.01), duration limited to 0..1e6"},
    [FIELD_LISTED] = {"packets.listed", SCOPE_RECORD, GROUP_TOTALS, "entries of the packet list"},
    SIZES_ROWS(FIELD_SIZES_OUT, "out", "that go out"),
    SIZES_ROWS(FIELD_SIZES_IN, "in", "that come in"),
    [FIELD_IPT_LOG_MEAN] = {"packets.ipt.log_mean", SCOPE_RECORD, GROUP_PACKET_LIST,
                            "mean of log1p(ipt), ipt limited to 1e6 milliseconds"},
    [FIELD_IPT_LOG_DEVIATION] = {"packets.ipt.log_deviation", SCOPE_RECORD, GROUP_PACKET_LIST,
                                 "standard deviation of it"},
    [FIELD_IPT_LOG_MAX] = {"packets.ipt.log_max", SCOPE_RECORD, GROUP_PACKET_LIST, "its maximum"},
    [FIELD_IPT_ZEROS] = {"packets.ipt.zeros", SCOPE_RECORD, GROUP_PACKET_LIST,
                         "share of listed packets with ipt 0"},
    [FIELD_TURNS] = {"packets.turns", SCOPE_RECORD, GROUP_PACKET_LIST,
                     "share of neighbouring packets that differ in direction"},
    TTL_ROWS(FIELD_TTL_OUT, "ip.out.", SCOPE_RECORD, GROUP_TTL_OUT),
    IDS_ROWS(FIELD_IDS_OUT, "ip.out.", SCOPE_RECORD, GROUP_IDS_OUT),
    TTL_ROWS(FIELD_TTL_IN, "ip.in.", SCOPE_RECORD, GROUP_TTL_IN),
    IDS_ROWS(FIELD_IDS_IN, "ip.in.", SCOPE_RECORD, GROUP_IDS_IN),
    TTL_ROWS(FIELD_SIDE_TTL, "ip.", SCOPE_SIDE, GROUP_SIDE_TTL),
    IDS_ROWS(FIELD_SIDE_IDS, "ip.", SCOPE_SIDE, GROUP_SIDE_IDS),
    [FIELD_SIDE_OUT] = {"out", SCOPE_SIDE, GROUP_SIDE, "1 for the out side, 0 for the in side"},
    [FIELD_SIDE_BYTES] = {"bytes", SCOPE_SIDE, GROUP_SIDE, "payload octets"},
    [FIELD_SIDE_NUM_PKTS] = {"num_pkts", SCOPE_SIDE, GROUP_SIDE, "packets"},
    [FIELD_PACKET_B] = {"b", SCOPE_PACKET, GROUP_PACKET, "payload octets"},
    [FIELD_PACKET_OUT] = {"out", SCOPE_PACKET, GROUP_PACKET, "1 if the packet goes out"},
    [FIELD_PACKET_IPT] = {"ipt", SCOPE_PACKET, GROUP_PACKET, "time since the packet before, milliseconds"},
    [FIELD_PACKET_DIRECTION] = {"direction", SCOPE_PACKET, GROUP_PACKET, "1 out, -1 in"},
    [FIELD_ID] = {"id", SCOPE_ID, GROUP_ID, "IP identification"},
};

static const char *const scopes[FIELD_SCOPES] = {
    [SCOPE_RECORD] = "record",
    [SCOPE_SIDE] = "side",
    [SCOPE_PACKET] = "packet",
    [SCOPE_ID] = "id",
};

static const struct list_row {
    const char *name;
    enum field_scope scope;
    enum field_scope items;
    size_t max;
    int number; /* field that the item is, -1: an item is more than a number */
} lists[FIELD_LISTS] = {
    [LIST_PACKETS] = {"packets", SCOPE_RECORD, SCOPE_PACKET, RECORD_PACKETS_MAX, -1},
    [LIST_IDS_OUT] = {"ip.out.id", SCOPE_RECORD, SCOPE_ID, RECORD_IDS_MAX, FIELD_ID},
    [LIST_IDS_IN] = {"ip.in.id", SCOPE_RECORD, SCOPE_ID, RECORD_IDS_MAX, FIELD_ID},
    [LIST_SIDES] = {"sides", SCOPE_RECORD, SCOPE_SIDE, 2, -1},
    [LIST_IDS] = {"ip.id", SCOPE_SIDE, SCOPE_ID, RECORD_IDS_MAX, FIELD_ID},
};

#define SCOPE_ANY ((1U << FIELD_SCOPES) - 1)

static const struct map_row {
    const char *name;
    bool takes_argument;
    unsigned scopes; /* set of 1 << scope */
} maps[MAP_KINDS] = {
    [MAP_LOG1P] = {"log1p", false, SCOPE_ANY},
    [MAP_SCALE] = {"scale", true, SCOPE_ANY},
    [MAP_DIVIDE] = {"divide", true, SCOPE_ANY},
    [MAP_MIN] = {"min", true, SCOPE_ANY},
    [MAP_MAX] = {"max", true, SCOPE_ANY},
    [MAP_SIGN] = {"sign", false, 1U << SCOPE_PACKET},
    [MAP_DELTA] = {"delta", false, SCOPE_ANY & ~(1U << SCOPE_RECORD)},
};

int field_find(enum field_scope scope, const char *name)
{
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].scope == scope && strcmp(fields[i].name, name) == 0)
            return i;
    return -1;
}

const char *field_name(unsigned field)
{
    return fields[field].name;
}

enum field_group field_group(unsigned field)
{
    return fields[field].group;
}

const char *field_scope_name(enum field_scope scope)
{
    return scopes[scope];
}

int field_list_find(enum field_scope scope, const char *name)
{
    for (int i = 0; i < FIELD_LISTS; i++)
        if (lists[i].scope == scope && strcmp(lists[i].name, name) == 0)
            return i;
    return -1;
}

const char *field_list_name(enum field_list list)
{
    return lists[list].name;
}

enum field_scope field_list_items(enum field_list list)
{
    return lists[list].items;
}

size_t field_list_max(enum field_list list)
{
    return lists[list].max;
}

int field_list_number(enum field_list list)
{
    return lists[list].number;
}

int map_find(const char *name)
{
    for (int i = 0; i < MAP_KINDS; i++)
        if (strcmp(maps[i].name, name) == 0)
            return i;
    return -1;
}

bool map_takes_argument(enum map_kind kind)
{
    return maps[kind].takes_argument;
}

bool map_allowed(enum map_kind kind, enum field_scope scope)
{
    return (maps[kind].scopes >> scope & 1) != 0;
}

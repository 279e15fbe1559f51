/* One function a group. Rows of one record's statistics are computed record by record into the planes. */
#include "core/tree/field_values.h"

#include "core/tree/id_statistics.h"
#include "core/tree/packet_lanes.h"
#include "core/tree/packet_statistics.h"

typedef void group_fn(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes);

static inline float limit(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

static void totals(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *record = rows->records[begin + i];
        float bytes_in = (float)record->in.bytes, bytes_out = (float)record->out.bytes;
        float packets_in = (float)record->in.packets, packets_out = (float)record->out.packets;
        /* An archive may say any two times; as whole numbers their difference might not exist. */
        float duration = (float)(1e-6 * ((double)record->time_end - (double)record->time_start));

        planes[FIELD_BYTES_IN][i] = bytes_in;
        planes[FIELD_BYTES_OUT][i] = bytes_out;
        planes[FIELD_NUM_PKTS_IN][i] = packets_in;
        planes[FIELD_NUM_PKTS_OUT][i] = packets_out;
        planes[FIELD_DURATION][i] = duration;
        planes[FIELD_PROTOCOL][i] = record->protocol;
        planes[FIELD_UDP][i] = record->protocol == 17 ? 1.0F : 0.0F;
        planes[FIELD_LISTED][i] = record->n_packets;
        planes[FIELD_BYTES_BALANCE][i] = (bytes_in - bytes_out) / (bytes_in + bytes_out + 1);
        planes[FIELD_NUM_PKTS_BALANCE][i] = (packets_in - packets_out) / (packets_in + packets_out + 1);
        planes[FIELD_BYTES_PER_PACKET][i] = (bytes_in + bytes_out) / (packets_in + packets_out + 1);
        planes[FIELD_BYTES_PER_SECOND][i] = (bytes_in + bytes_out) / (limit(duration, 0, 1e6F) + 0.01F);
    }
}

static inline void sizes_of(const struct packet_sizes *sizes, size_t i, field_plane *plane)
{
    plane[0][i] = sizes->count;
    plane[1][i] = sizes->mean;
    plane[2][i] = sizes->deviation;
    plane[3][i] = sizes->max;
    plane[4][i] = sizes->min;
    plane[5][i] = sizes->large;
    plane[6][i] = sizes->small;
}

static void packet_list(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    struct packet_statistics of;

    for (size_t i = 0; i < n; i++) {
        packet_statistics(&of, rows->records[begin + i]);
        sizes_of(&of.out, i, planes + FIELD_SIZES_OUT);
        sizes_of(&of.in, i, planes + FIELD_SIZES_IN);
        planes[FIELD_IPT_LOG_MEAN][i] = of.log_mean;
        planes[FIELD_IPT_LOG_DEVIATION][i] = of.log_deviation;
        planes[FIELD_IPT_LOG_MAX][i] = of.log_max;
        planes[FIELD_IPT_ZEROS][i] = of.zeros;
        planes[FIELD_TURNS][i] = of.turns;
    }
}

/* The time to live and what it was when it was sent: the smallest usual start that is not below it. */
static inline void ttl_of(const struct record_side *side, size_t i, field_plane *plane)
{
    unsigned ttl = side->has_ip ? side->ttl : 0;
    unsigned start = ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;

    plane[0][i] = (float)ttl;
    plane[1][i] = ttl == 0 ? 1.0F : 0.0F;
    plane[2][i] = start == 64 ? 1.0F : 0.0F;
    plane[3][i] = start == 128 ? 1.0F : 0.0F;
    plane[4][i] = start == 255 ? 1.0F : 0.0F;
    plane[5][i] = ttl == 0 ? 0.0F : (float)(start - ttl);
}

static void ttl_out(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++)
        ttl_of(&rows->records[begin + i]->out, i, planes + FIELD_TTL_OUT);
}

static void ttl_in(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++)
        ttl_of(&rows->records[begin + i]->in, i, planes + FIELD_TTL_IN);
}

static inline void ids_of(const uint16_t *ids, size_t n_ids, size_t i, field_plane *plane)
{
    struct id_statistics of;

    id_statistics(&of, ids, n_ids);
    plane[0][i] = of.zeros;
    plane[1][i] = of.ones;
    plane[2][i] = of.step;
    plane[3][i] = of.few;
}

static inline size_t side_ids(const struct record_side *side)
{
    return side->has_ip ? side->n_ids : 0;
}

static void ids_out(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *record = rows->records[begin + i];

        ids_of(record->ids_out, side_ids(&record->out), i, planes + FIELD_IDS_OUT);
    }
}

static void ids_in(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *record = rows->records[begin + i];

        ids_of(record->ids_in, side_ids(&record->in), i, planes + FIELD_IDS_IN);
    }
}

static inline const struct record_side *row_side(const struct field_rows *rows, size_t row)
{
    return rows->incoming[row] != 0 ? &rows->records[row]->in : &rows->records[row]->out;
}

static void side(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++) {
        const struct record_side *of = row_side(rows, begin + i);

        planes[FIELD_SIDE_OUT][i] = rows->incoming[begin + i] != 0 ? 0.0F : 1.0F;
        planes[FIELD_SIDE_BYTES][i] = (float)of->bytes;
        planes[FIELD_SIDE_NUM_PKTS][i] = (float)of->packets;
    }
}

static void side_ttl(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++)
        ttl_of(row_side(rows, begin + i), i, planes + FIELD_SIDE_TTL);
}

static void side_id_run(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *record = rows->records[begin + i];
        bool incoming = rows->incoming[begin + i] != 0;

        ids_of(incoming ? record->ids_in : record->ids_out, side_ids(row_side(rows, begin + i)), i,
               planes + FIELD_SIDE_IDS);
    }
}

VECTOR_CLONES
static void packet(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        struct packet_lanes lanes;

        packet_lanes_load(&lanes, rows->packets + begin + i);
        *(vector_float *)&planes[FIELD_PACKET_B][i] = lanes.bytes;
        *(vector_float *)&planes[FIELD_PACKET_OUT][i] = lanes.out;
        *(vector_float *)&planes[FIELD_PACKET_IPT][i] = lanes.ipt;
        *(vector_float *)&planes[FIELD_PACKET_DIRECTION][i] = 2 * lanes.out - 1;
    }
}

static void id(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < n; i++)
        planes[FIELD_ID][i] = rows->ids[begin + i];
}

static const struct {
    enum field_group group;
    group_fn *compute;
} groups_table[] = {
    {GROUP_TOTALS, totals},
    {GROUP_PACKET_LIST, packet_list},
    {GROUP_TTL_OUT, ttl_out},
    {GROUP_TTL_IN, ttl_in},
    {GROUP_IDS_OUT, ids_out},
    {GROUP_IDS_IN, ids_in},
    {GROUP_SIDE, side},
    {GROUP_SIDE_TTL, side_ttl},
    {GROUP_SIDE_IDS, side_id_run},
    {GROUP_PACKET, packet},
    {GROUP_ID, id},
};

void field_values(const struct field_rows *rows, unsigned groups, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < sizeof groups_table / sizeof groups_table[0]; i++)
        if ((groups & groups_table[i].group) != 0)
            groups_table[i].compute(rows, begin, n, planes);
}

/* One function a group. Rows of one record's statistics are computed record by record into the planes. */
#include "core/tree/field_values.h"

#include "core/tree/packet_statistics.h"
#include "core/vector.h"

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
        float duration = (float)(1e-6 * (double)(record->time_end - record->time_start));

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

static void sizes(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    struct packet_sizes both[2];

    for (size_t i = 0; i < n; i++) {
        packet_statistics_sizes(rows->records[begin + i], both);
        for (size_t side = 0; side < 2; side++) {
            field_plane *plane = planes + (side == 0 ? FIELD_SIZES_OUT : FIELD_SIZES_IN);

            plane[0][i] = both[side].count;
            plane[1][i] = both[side].mean;
            plane[2][i] = both[side].deviation;
            plane[3][i] = both[side].max;
            plane[4][i] = both[side].min;
            plane[5][i] = both[side].large;
            plane[6][i] = both[side].small;
        }
    }
}

static void times(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    struct packet_times of;

    for (size_t i = 0; i < n; i++) {
        const struct record *record = rows->records[begin + i];

        packet_statistics_times(record, &of);
        planes[FIELD_IPT_LOG_MEAN][i] = of.log_mean;
        planes[FIELD_IPT_LOG_DEVIATION][i] = of.log_deviation;
        planes[FIELD_IPT_LOG_MAX][i] = of.log_max;
        planes[FIELD_IPT_ZEROS][i] = of.zeros;
        planes[FIELD_TURNS][i] = packet_statistics_turns(record);
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

/* Median of n >= 1 values, of an even number the mean of the two in the middle; sorts them. */
static float median(uint16_t *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint16_t value = values[i];
        size_t k = i;

        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
    return 0.5F * (float)(values[(n - 1) / 2] + values[n / 2]);
}

/* How the ids of one side run. An empty list counts as the one id 0, a list without steps as the one step 0.
 */
static void ids_of(const uint16_t *ids, size_t n_ids, size_t i, field_plane *plane)
{
    uint16_t steps[RECORD_IDS_MAX];
    size_t n_steps = n_ids > 1 ? n_ids - 1 : 0;
    unsigned zeros = 0, ones = 0;

    for (size_t k = 0; k < n_ids; k++)
        zeros += ids[k] == 0;
    for (size_t k = 0; k < n_steps; k++) {
        steps[k] = (uint16_t)(ids[k + 1] - ids[k]);
        ones += steps[k] == 1;
    }
    plane[0][i] = n_ids == 0 ? 1.0F : (float)zeros / (float)n_ids;
    plane[1][i] = n_steps == 0 ? 0.0F : (float)ones / (float)n_steps;
    plane[2][i] = n_steps == 0 ? 0.0F : median(steps, n_steps);
    plane[3][i] = n_ids < 2 ? 1.0F : 0.0F;
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

static void packet(const struct field_rows *rows, size_t begin, size_t n, field_plane *planes)
{
    const struct record_packet *packets = rows->packets + begin;

    for (size_t i = 0; i < n; i++) {
        float out = packets[i].out != 0 ? 1.0F : 0.0F;

        planes[FIELD_PACKET_B][i] = packets[i].bytes;
        planes[FIELD_PACKET_OUT][i] = out;
        planes[FIELD_PACKET_IPT][i] = (float)packets[i].ipt_ms;
        planes[FIELD_PACKET_DIRECTION][i] = 2 * out - 1;
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
    {GROUP_TOTALS, totals},        {GROUP_SIZES, sizes},   {GROUP_TIMES, times},
    {GROUP_TTL_OUT, ttl_out},      {GROUP_TTL_IN, ttl_in}, {GROUP_IDS_OUT, ids_out},
    {GROUP_IDS_IN, ids_in},        {GROUP_SIDE, side},     {GROUP_SIDE_TTL, side_ttl},
    {GROUP_SIDE_IDS, side_id_run}, {GROUP_PACKET, packet}, {GROUP_ID, id},
};

void field_values(const struct field_rows *rows, unsigned groups, size_t begin, size_t n, field_plane *planes)
{
    for (size_t i = 0; i < sizeof groups_table / sizeof groups_table[0]; i++)
        if ((groups & groups_table[i].group) != 0)
            groups_table[i].compute(rows, begin, n, planes);
}

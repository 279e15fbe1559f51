/* A portion as it is written down for the device: read back, everything is what the batch says, and a column
 * takes no more octets than it or the portion before needed. */
#include "core/cuda/fused_fill.h"

#include <math.h>
#include <string.h>

#include "tests/unit/fused_trial.h"
#include "tests/unit/unit.h"

enum { FLOWS = 3000, COLUMNS_MAX = 64, GUARD = 0x5a };

static const char tree_text[] =
    "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\", "
    "\"bytes_in\", \"bytes_out\", \"udp\", \"udp\", \"udp\", \"udp\", \"udp\", \"udp\", \"udp\"]}, "
    "\"children\": ["
    "{\"name\": \"list\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", \"out\", \"ipt\"]}, "
    "\"layers\": [{\"lstm\": 8}]}, "
    "{\"name\": \"ids\", \"input\": {\"each\": \"ip.in.id\"}, \"layers\": [{\"gru\": 20}]}, "
    "{\"name\": \"ttl\", \"input\": {\"select\": [\"ip.out.ttl\"]}, \"layers\": [{\"embedding\": [9, 4]}]}, "
    "{\"name\": \"head\", \"input\": {\"each\": \"packets\", \"first\": 3, \"flatten\": true, "
    "\"select\": [\"b\", \"ipt\", \"b\", \"b\", \"b\", \"b\", \"b\", \"b\", \"b\"]}, "
    "\"layers\": [{\"dense\": 5}]}], "
    "\"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";

/* A batch, and what a portion of it is written to; the device reads the same memory. */
struct filling {
    struct fused_trial trial;
    struct fused_fill fill;
    struct fused_fill_column columns[COLUMNS_MAX];
    size_t octets;
};

static void filling_init(struct filling *filling, unsigned packets, bool full, uint64_t seed)
{
    struct fused_inputs inputs = {.n = FLOWS, .packets = packets, .full = full, .purpose = ENCODE_SERVING};
    struct random random = {.state = seed};
    struct fused_fill *fill = &filling->fill;

    *filling = (struct filling){0};
    fused_trial_init(&filling->trial, &random, fused_trial_tree_text(tree_text), 1, &inputs);
    fill->batch = filling->trial.batch;
    fill->n = FLOWS;
    filling->octets = fused_fill_octets(fill);
    fill->host = aligned_alloc(256, filling->octets + 256);
    fill->device = fill->host;
    fill->counts = calloc(fused_fill_counts(fill->batch), sizeof *fill->counts);
    fill->columns = filling->columns;
    ck_assert(fill->host != NULL && fill->counts != NULL);
    ck_assert_uint_le(fused_fill_columns(fill->batch->tree), COLUMNS_MAX);
    ck_assert_int_eq(pool_new(&fill->pool, 3, NULL), 0);
}

static void filling_deinit(struct filling *filling)
{
    pool_free(filling->fill.pool);
    free(filling->fill.counts);
    free(filling->fill.host);
    fused_trial_deinit(&filling->trial);
}

static uint32_t row_of(const struct batch_input *input, uint32_t flow)
{
    return input->first_row != NULL ? input->first_row[flow] : flow;
}

/* Rows of an element in the portion, and the value of a column there. */
static uint32_t n_rows(const struct fused_fill *fill, size_t element)
{
    const struct batch_input *input = &fill->batch->inputs[element];

    return row_of(input, fill->first + fill->n) - row_of(input, fill->first);
}

static float *value_at(const struct fused_fill *fill, size_t element, size_t column, uint32_t row)
{
    const struct batch_input *input = &fill->batch->inputs[element];

    return &input
                ->values[(row_of(input, fill->first) + row) * fill->batch->tree->elements[element].n_columns +
                         column];
}

static float read_back(const struct fused_column *column, uint32_t row)
{
    float value;

    memcpy(&value, (const float *)column->words + row, sizeof value * (column->octets == 4));
    return column->octets == 1   ? ((const uint8_t *)column->words)[row]
           : column->octets == 2 ? ((const uint16_t *)column->words)[row]
                                 : value;
}

/* widths: (columns of all elements) that they take. */
static void check_columns(const struct fused_fill *fill, const uint8_t *widths)
{
    for (size_t e = 0; e < fill->batch->tree->n_elements; e++)
        for (size_t k = 0; k < fill->batch->tree->elements[e].n_columns; k++, widths++) {
            const struct fused_column *column = &fill->elements[e].columns[k];

            ck_assert_uint_eq(column->octets, *widths);
            for (uint32_t row = 0; row < n_rows(fill, e); row++) {
                float value = read_back(column, row);

                if (memcmp(&value, value_at(fill, e, k, row), sizeof value) != 0)
                    ck_abort_msg("element %zu, column %zu, row %u of %u: %a, not %a", e, k, row,
                                 n_rows(fill, e), (double)value, (double)*value_at(fill, e, k, row));
            }
        }
}

static uint32_t steps_of(const struct fused_fill_element *at, uint32_t flow)
{
    return at->first_row[flow + 1] - at->first_row[flow];
}

/* Return: whether any list has an order of its own. */
static bool check_lists(const struct fused_fill *fill)
{
    bool any = false;

    for (size_t e = 0; e < fill->batch->tree->n_elements; e++) {
        const struct batch_input *input = &fill->batch->inputs[e];
        const struct fused_fill_element *at = &fill->elements[e];
        bool seen[FLOWS] = {false};
        bool is_sequence = element_is_sequence(&fill->batch->tree->elements[e]);
        uint64_t steps = 0;
        uint32_t last = 0;

        if (input->first_row == NULL)
            continue;
        for (uint32_t i = 0; i <= fill->n; i++)
            if (at->first_row[i] != input->first_row[fill->first + i] - input->first_row[fill->first])
                ck_abort_msg("element %zu: flow %u begins at row %u", e, i, at->first_row[i]);
        for (uint32_t i = 0; i < fill->n; i++) {
            uint32_t flow = at->order != NULL ? at->order[i] : i;

            if (flow >= fill->n || seen[flow])
                ck_abort_msg("element %zu: flow %u is the %u-th, again or beyond the end", e, flow, i);
            seen[flow] = true;
            steps += steps_of(at, flow);
            if (is_sequence && i > 0 && steps_of(at, last) < steps_of(at, flow))
                ck_abort_msg("element %zu: flow %u is longer than %u before it", e, flow, last);
            last = flow;
        }
        if (is_sequence)
            ck_assert_uint_eq(at->steps, steps);
        any = any || at->order != NULL;
    }
    return any;
}

/* Write a portion down. Return: octets. */
static size_t write_portion(struct filling *filling, uint32_t first, uint32_t n)
{
    struct fused_fill *fill = &filling->fill;
    size_t octets;

    fill->first = first;
    fill->n = n;
    fill->taken = 0;
    memset(fill->elements, 0, sizeof fill->elements);
    octets = fused_fill_octets(fill);
    memset(fill->host, GUARD, filling->octets + 256);
    fused_fill_elements(fill);
    ck_assert_uint_le(fill->taken, octets);
    for (size_t i = octets; i < octets + 256; i++)
        ck_assert_uint_eq((unsigned char)fill->host[i], GUARD);
    return fill->taken;
}

/* Give a column of the portion values that need so many octets, one of them alone, at a random place. */
static void draw_column(const struct fused_fill *fill, struct random *random, size_t element, size_t column,
                        uint8_t octets)
{
    static const float others[] = {65536, -1, 0.5F, -0.0F, NAN, 1e9F};
    uint32_t rows = n_rows(fill, element);

    for (uint32_t row = 0; row < rows; row++)
        *value_at(fill, element, column, row) = (float)random_below(random, 256);
    *value_at(fill, element, column, (uint32_t)random_below(random, rows)) =
        octets == 1   ? 255
        : octets == 2 ? (float)(256 + random_below(random, 65280))
                      : others[random_below(random, 6)];
}

/* What a column should go over in: as much as it needs, at once; less after some portions of less. */
struct expected {
    uint8_t octets;
    unsigned spare;
};

static void expect(struct expected *column, uint8_t needs)
{
    column->octets = needs > column->octets ? needs : column->octets;
    column->spare = needs < column->octets ? column->spare + 1 : 0;
}

static void expect_less(struct expected *column, uint8_t needs)
{
    if (column->spare == FUSED_FILL_SPARE_MAX)
        *column = (struct expected){needs, 0};
}

/* Portions whose columns are now wide, now narrow. */
START_TEST(widths_follow_the_columns)
{
    enum { ROUNDS = 200 };
    struct expected expected[COLUMNS_MAX];
    uint8_t needs[COLUMNS_MAX] = {0}, want[COLUMNS_MAX];
    struct random random = {.state = 2};
    struct filling filling;
    unsigned narrower = 0;
    size_t n_columns;

    filling_init(&filling, 12, false, 1);
    n_columns = fused_fill_columns(filling.fill.batch->tree);
    for (size_t i = 0; i < n_columns; i++)
        expected[i] = (struct expected){1, 0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t n = round % 40 == 0 ? FLOWS : 1 + (uint32_t)random_below(&random, 400);
        size_t at = 0;

        filling.fill.first = (uint32_t)random_below(&random, FLOWS - n + 1);
        filling.fill.n = n;
        for (size_t e = 0; e < filling.fill.batch->tree->n_elements; e++)
            for (size_t k = 0; k < filling.fill.batch->tree->elements[e].n_columns; k++, at++) {
                if (round == 0 || random_below(&random, 20) == 0)
                    needs[at] = (uint8_t)(1U << random_below(&random, 3));
                draw_column(&filling.fill, &random, e, k, needs[at]);
                expect(&expected[at], needs[at]);
                want[at] = expected[at].octets;
            }
        (void)write_portion(&filling, filling.fill.first, n);
        check_columns(&filling.fill, want);
        ck_assert(check_lists(&filling.fill) || n < FLOWS);
        for (size_t i = 0; i < n_columns; i++) {
            expect_less(&expected[i], needs[i]);
            narrower += expected[i].octets < want[i];
        }
    }
    ck_assert_uint_gt(narrower, 10);
    filling_deinit(&filling);
}
END_TEST

/* A flow of 100 packets and 50 ids, all whole numbers. */
START_TEST(equal_lists_have_no_order)
{
    struct random random = {.state = 3};
    struct filling filling;
    size_t octets, values = 3 * RECORD_PACKETS_MAX + RECORD_IDS_MAX + 1 + 10 + 3 * 9;

    filling_init(&filling, 1, true, 1);
    for (size_t e = 0; e < filling.fill.batch->tree->n_elements; e++)
        for (size_t k = 0; k < filling.fill.batch->tree->elements[e].n_columns; k++)
            draw_column(&filling.fill, &random, e, k, 1);
    octets = write_portion(&filling, 0, FLOWS);
    ck_assert(!check_lists(&filling.fill));
    ck_assert_uint_ge(octets, FLOWS * (values + 3 * sizeof(uint32_t)));
    ck_assert_uint_lt(octets, FLOWS * (values + 3 * sizeof(uint32_t)) +
                                  (fused_fill_columns(filling.fill.batch->tree) + 3) * 256 +
                                  fused_fill_section(COLUMNS_MAX * sizeof(struct fused_column)));
    filling_deinit(&filling);
}
END_TEST

int main(void)
{
    return UNIT_RUN("fused_fill", widths_follow_the_columns, equal_lists_have_no_order);
}

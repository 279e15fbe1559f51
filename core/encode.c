/* Flows go through in chunks. Within a chunk elements come root first, so that the rows of a list are found
 * below the rows of the element above. The values of an element are then computed block by block: the planes
 * of its fields, each column's maps over its plane, and a few columns at a time a store row by row. A block
 * holds whole lists, so that a map can look at the item before.
 */
#include "core/encode.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode_map.h"
#include "core/encode_plan.h"
#include "core/vector.h"

/* Keeps columns that hardly vary from being blown up. */
static const double SCALE_FLOOR = 0.05;

enum {
    FETCH_AHEAD = 8,    /* records */
    FETCH_LINE = 64,    /* octets of a line of the processor's cache */
    FETCH_PACKETS = 32, /* of the list, asked for whether they are there or not */
};

/* Append the items of one list to rows; at most `first`. above, row: the row of the element above.
 * Return: how many. */
typedef size_t list_fn(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first);

static inline size_t at_most(size_t n, size_t first)
{
    return n < first ? n : first;
}

static size_t list_packets(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first)
{
    const struct record *record = above->records[row];
    size_t n = at_most(record->n_packets, first);

    memcpy(rows->packets + rows->n, record->packets, n * sizeof *rows->packets);
    return n;
}

static size_t ids_append(struct encode_rows *rows, const struct record *record, bool incoming, size_t first)
{
    const struct record_side *side = incoming ? &record->in : &record->out;
    size_t n = side->has_ip ? at_most(side->n_ids, first) : 0;

    memcpy(rows->ids + rows->n, incoming ? record->ids_in : record->ids_out, n * sizeof *rows->ids);
    return n;
}

static size_t list_ids_out(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first)
{
    return ids_append(rows, above->records[row], false, first);
}

static size_t list_ids_in(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first)
{
    return ids_append(rows, above->records[row], true, first);
}

static size_t list_ids(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first)
{
    return ids_append(rows, above->records[row], above->incoming[row] != 0, first);
}

static size_t list_sides(struct encode_rows *rows, const struct field_rows *above, size_t row, size_t first)
{
    const struct record *record = above->records[row];
    size_t n = at_most(record->in.present ? 2 : 1, first);

    for (size_t i = 0; i < n; i++) {
        rows->records[rows->n + i] = record;
        rows->incoming[rows->n + i] = (uint8_t)i;
    }
    return n;
}

static list_fn *const list_table[FIELD_LISTS] = {
    [LIST_PACKETS] = list_packets, [LIST_IDS_OUT] = list_ids_out, [LIST_IDS_IN] = list_ids_in,
    [LIST_SIDES] = list_sides,     [LIST_IDS] = list_ids,
};

/* One row for an empty list, so that it is a list of one item; its values become zeros. */
static void absent_append(struct encode_rows *rows)
{
    if (rows->packets != NULL)
        rows->packets[rows->n] = (struct record_packet){0};
    if (rows->ids != NULL)
        rows->ids[rows->n] = 0;
    rows->absent[rows->n_absent++] = rows->n;
    rows->n++;
}

/* Find the rows of a list below each row of the element above. */
static void rows_expand(struct encode_rows *rows, const struct element *element,
                        const struct encode_rows *above)
{
    list_fn *append = list_table[element->list];

    rows->n = 0;
    rows->n_absent = 0;
    rows->n_lists = above->n;
    for (size_t i = 0; i < above->n; i++) {
        size_t n = append(rows, &above->of, i, element->first);

        rows->first_row[i] = rows->n;
        rows->n += (uint32_t)n;
        if (n == 0)
            absent_append(rows);
    }
    rows->first_row[above->n] = rows->n;
}

/* One column of a block. constants: of the model; NULL: not normalised (to fit them). work: (FIELD_BLOCK).
 * Return: its values, in work or, where nothing is done to them, in the plane of its field. */
static const float *column_values(const struct encode_plan *plan, const struct element *element,
                                  const float *constants, size_t column,
                                  const struct encode_map_context *context, size_t n, float *work)
{
    const struct column *of = &element->columns[column];
    const float *x = plan->planes[of->field];

    for (size_t m = 0; m < of->n_maps; m++) {
        encode_map(&of->maps[m], context, x, work, n);
        x = work;
    }
    if (element->normalise != SIZE_MAX && constants != NULL) {
        const float *mean = constants + plan->tree->constants[element->normalise].offset;
        const float *scale = constants + plan->tree->constants[element->normalise + 1].offset;

        encode_normalise(x, work, n, mean[column], scale[column], element->normalise_clip);
        x = work;
    }
    return x;
}

/* Put the columns of a block where they belong, VECTOR_COLUMNS at a time; the last ones may overlap with
 * those before. */
static void block_store(const struct encode_plan *plan, const struct element *element, const float *constants,
                        const struct encode_map_context *context, size_t n, float *values)
{
    size_t width = element->n_columns, side = at_most(width, VECTOR_COLUMNS);
    const float *columns[VECTOR_COLUMNS];

    for (size_t done = 0; done < width; done += VECTOR_COLUMNS) {
        size_t first = at_most(done, width - side);

        for (size_t c = 0; c < side; c++)
            columns[c] = column_values(plan, element, constants, first + c, context, n, plan->work[c]);
        if (side == VECTOR_COLUMNS)
            vector_interleave(columns, values + first, width, n);
        else
            for (size_t i = 0; i < n; i++)
                for (size_t c = 0; c < side; c++)
                    values[i * width + c] = columns[c][i];
    }
}

/* Rows of the block that begins at `begin`: whole lists, or in the record scope as many as fit. */
static size_t block_rows(const struct encode_rows *rows, size_t begin, size_t first_list, size_t *n_lists)
{
    size_t list = first_list;

    if (rows->first_row == NULL) {
        *n_lists = 0;
        return at_most(rows->n - begin, FIELD_BLOCK);
    }
    while (list < rows->n_lists && rows->first_row[list + 1] - begin <= FIELD_BLOCK)
        list++;
    *n_lists = list - first_list;
    return rows->first_row[list] - begin;
}

/* Compute all columns of an element for the rows of the chunk. values: of the first of them. */
static void element_values(const struct encode_plan *plan, size_t index, const float *constants,
                           float *values)
{
    const struct element *element = &plan->tree->elements[index];
    const struct encode_rows *rows = plan->elements[index].rows;
    uint32_t starts[FIELD_BLOCK + 1];
    struct encode_map_context context = {plan->planes[FIELD_PACKET_DIRECTION], starts, 0};
    size_t list = 0, n;

    for (size_t begin = 0; begin < rows->n; begin += n) {
        n = block_rows(rows, begin, list, &context.n_lists);
        for (size_t i = 0; context.n_lists > 0 && i <= context.n_lists; i++)
            starts[i] = rows->first_row[list + i] - (uint32_t)begin;
        list += context.n_lists;
        field_values(&rows->of, plan->elements[index].groups, begin, n, plan->planes);
        block_store(plan, element, constants, &context, n, values + begin * element->n_columns);
    }
    for (size_t i = 0; i < rows->n_absent; i++)
        memset(values + rows->absent[i] * element->n_columns, 0, element->n_columns * sizeof *values);
}

/* Where the lists of a chunk begin in the batch. */
static void append_lists(struct batch_input *input, const struct encode_rows *rows)
{
    for (size_t i = 0; i <= rows->n_lists; i++)
        input->first_row[input->n_instances + i] = input->n_rows + rows->first_row[i];
}

/* Records lie scattered in memory, cold, and are walked through field by field. So fetch those of a chunk in
 * one go: ask for the cache lines of a record some way ahead, then touch those of this one, which keeps the
 * number of requests in flight within what the processor can follow. */
static void fetch_records(const struct record *const *records, size_t n)
{
    const size_t ahead = offsetof(struct record, packets) + FETCH_PACKETS * sizeof(struct record_packet);

    for (size_t i = 0; i < n; i++) {
        const char *next = (const char *)records[at_most(i + FETCH_AHEAD, n - 1)];
        const volatile char *record = (const volatile char *)records[i];
        size_t end = offsetof(struct record, packets) + records[i]->n_packets * sizeof(struct record_packet);

        for (size_t at = 0; at < ahead; at += FETCH_LINE)
            __builtin_prefetch(next + at);
        for (size_t at = 0; at < end; at += FETCH_LINE)
            (void)record[at];
    }
}

static int encode_chunk(struct batch *batch, const float *constants, const struct record *const *records,
                        size_t n)
{
    struct encode_plan *plan = batch->plan;

    fetch_records(records, n);
    plan->flows.n = (uint32_t)n;
    plan->flows.of.records = records;
    for (size_t i = batch->tree->n_elements; i-- > 0;) {
        const struct element *element = &batch->tree->elements[i];
        struct batch_input *input = &batch->inputs[i];
        struct encode_rows *rows = plan->elements[i].rows;
        uint32_t instances;

        if (element->is_list)
            rows_expand(rows, element,
                        i + 1 == batch->tree->n_elements ? &plan->flows
                                                         : plan->elements[element->parent].rows);
        instances = element->is_list ? rows->n_lists : rows->n;
        if (rows->n > UINT32_MAX / 2 - input->n_rows ||
            batch_reserve(batch, i, input->n_instances + instances, input->n_rows + rows->n) < 0)
            return -ENOMEM;
        if (element->is_list)
            append_lists(input, rows);
        if (element->n_columns > 0)
            element_values(plan, i, constants, input->values + input->n_rows * element->n_columns);
        input->n_instances += instances;
        input->n_rows += rows->n;
    }
    return 0;
}

static void batch_clear(struct batch *batch)
{
    batch->n_flows = 0;
    for (size_t i = 0; i < batch->tree->n_elements; i++) {
        batch->inputs[i].n_instances = 0;
        batch->inputs[i].n_rows = 0;
        batch->inputs[i].padded_rows = 0;
        if (batch->inputs[i].first_row != NULL)
            batch->inputs[i].first_row[0] = 0;
    }
}

static uint32_t longest_list(const struct batch_input *input)
{
    uint32_t longest = 0;

    for (size_t i = 0; i < input->n_instances; i++)
        if (input->first_row[i + 1] - input->first_row[i] > longest)
            longest = input->first_row[i + 1] - input->first_row[i];
    return longest;
}

static void set_padding(struct batch *batch, enum encode_purpose purpose)
{
    if (batch->tree->padding != TREE_PADDING_BATCH)
        return;
    for (size_t i = 0; i < batch->tree->n_elements; i++)
        if (element_is_sequence(&batch->tree->elements[i]))
            batch->inputs[i].padded_rows = purpose == ENCODE_SERVING
                                               ? (uint32_t)batch->tree->elements[i].first
                                               : longest_list(&batch->inputs[i]);
}

static int encode(struct batch *batch, const float *constants, const struct record *const *records, size_t n,
                  enum encode_purpose purpose)
{
    batch_clear(batch);
    for (size_t done = 0; done < n; done += ENCODE_CHUNK) {
        int r = encode_chunk(batch, constants, records + done, at_most(n - done, ENCODE_CHUNK));

        if (r < 0) {
            batch_clear(batch);
            return r;
        }
    }
    batch->n_flows = (uint32_t)n;
    set_padding(batch, purpose);
    return 0;
}

int encode_records(struct batch *batch, const struct model *model, const struct record *const *records,
                   size_t n, enum encode_purpose purpose)
{
    return encode(batch, model->constants, records, n, purpose);
}

/* Mean and spread of one column so far. Source: Welford, Technometrics 4, 1962. */
struct moments {
    double n, mean, squares;
};

static void moments_add(struct moments *moments, double x)
{
    double before = x - moments->mean;

    moments->n++;
    moments->mean += before / moments->n;
    moments->squares += before * (x - moments->mean);
}

/* Add the rows of a batch of one chunk; those that stand for an empty list say nothing. */
static void element_moments(const struct batch *batch, size_t index, struct moments *moments)
{
    const struct encode_rows *rows = batch->plan->elements[index].rows;
    size_t n_columns = batch->tree->elements[index].n_columns;
    size_t absent = 0;

    for (size_t row = 0; row < rows->n; row++) {
        if (absent < rows->n_absent && rows->absent[absent] == row) {
            absent++;
            continue;
        }
        for (size_t c = 0; c < n_columns; c++)
            moments_add(&moments[c], batch->inputs[index].values[row * n_columns + c]);
    }
}

static void set_constants(struct model *model, const struct moments *moments)
{
    const struct tree *tree = model->tree;

    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct element *element = &tree->elements[i];

        if (element->normalise == SIZE_MAX)
            continue;
        for (size_t c = 0; c < element->n_columns; c++) {
            size_t mean = tree->constants[element->normalise].offset + c;
            size_t scale = tree->constants[element->normalise + 1].offset + c;
            const struct moments *of = &moments[mean];

            model->constants[mean] = (float)of->mean;
            model->constants[scale] = (float)(of->n > 0 ? sqrt(of->squares / of->n) + SCALE_FLOOR : 1);
        }
    }
}

static bool are_numbers(const struct moments *moments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite((float)moments[i].mean) || !isfinite((float)sqrt(moments[i].squares)))
            return false;
    return true;
}

int encode_fit_constants(struct model *model, const struct record *const *records, size_t n)
{
    const struct tree *tree = model->tree;
    struct moments *moments = calloc(tree->n_constant_values + 1, sizeof *moments);
    struct batch *batch = NULL;
    int r = moments == NULL ? -ENOMEM : batch_new(&batch, tree);

    for (size_t done = 0; r == 0 && done < n; done += ENCODE_CHUNK) {
        r = encode(batch, NULL, records + done, at_most(n - done, ENCODE_CHUNK), ENCODE_TRAINING);
        for (size_t i = 0; r == 0 && i < tree->n_elements; i++)
            if (tree->elements[i].normalise != SIZE_MAX)
                element_moments(batch, i, moments + tree->constants[tree->elements[i].normalise].offset);
    }
    if (r == 0 && !are_numbers(moments, tree->n_constant_values))
        r = -ERANGE;
    if (r == 0)
        set_constants(model, moments);
    batch_free(batch);
    free(moments);
    return r;
}

#include "core/cuda/fused_fill.h"

#include <stdbool.h>
#include <string.h>

enum {
    ALIGNMENT = 256,
    CHUNK = 16384, /* values that one task takes, about */
    LINE = 64,     /* octets of a cache line, which tasks do not share */
};

size_t fused_fill_section(size_t octets)
{
    return (octets + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* First row of an element's columns that belongs to a flow. */
static uint32_t row_of(const struct batch_input *input, uint32_t flow)
{
    return input->first_row != NULL ? input->first_row[flow] : flow;
}

/* Rows of an element's columns. */
static uint32_t n_rows(const struct fused_fill *fill, size_t element)
{
    const struct batch_input *input = &fill->batch->inputs[element];

    return row_of(input, fill->first + fill->n) - row_of(input, fill->first);
}

size_t fused_fill_columns(const struct tree *tree)
{
    size_t n = 0;

    for (size_t i = 0; i < tree->n_elements; i++)
        n += tree->elements[i].n_columns;
    return n;
}

size_t fused_fill_octets(const struct fused_fill *fill)
{
    const struct tree *tree = fill->batch->tree;
    size_t octets = fused_fill_section(fused_fill_columns(tree) * sizeof(struct fused_column));

    for (size_t i = 0; i < tree->n_elements; i++)
        octets += tree->elements[i].n_columns * fused_fill_section(n_rows(fill, i) * sizeof(float)) +
                  fused_fill_section((fill->n + (size_t)1) * sizeof(uint32_t)) +
                  fused_fill_section(fill->n * sizeof(uint16_t));
    return octets;
}

static uint32_t most_steps(const struct batch *batch, size_t element)
{
    uint32_t first = (uint32_t)batch->tree->elements[element].first;

    return first > batch->inputs[element].padded_rows ? first : batch->inputs[element].padded_rows;
}

/* Counts of an element, and of all. */
static size_t n_counts(const struct batch *batch)
{
    size_t n = 0;

    for (size_t i = 0; i < batch->tree->n_elements; i++)
        n = n > most_steps(batch, i) ? n : most_steps(batch, i);
    return n + 2;
}

size_t fused_fill_counts(const struct batch *batch)
{
    return n_counts(batch) * batch->tree->n_elements;
}

void *fused_fill_take(struct fused_fill *fill, size_t octets, const void **device)
{
    void *at = fill->host + fill->taken;

    *device = fill->device + fill->taken;
    fill->taken += fused_fill_section(octets);
    return at;
}

/* A portion in the making: where its lists go, and which tasks write what. First come the lists, then the
 * columns of each element, some rows a task. */
struct job {
    struct fused_fill *fill;
    uint32_t *first_row[TREE_ELEMENTS_MAX];
    uint16_t *order[TREE_ELEMENTS_MAX];
    size_t columns[TREE_ELEMENTS_MAX];        /* where an element's begin among all */
    size_t first_task[TREE_ELEMENTS_MAX + 1]; /* of an element's columns */
};

static uint32_t rows_of_task(size_t n_columns)
{
    return (uint32_t)(CHUNK / n_columns > LINE ? CHUNK / n_columns / LINE * LINE : LINE);
}

static void take_lists(struct job *job)
{
    struct fused_fill *fill = job->fill;
    const struct tree *tree = fill->batch->tree;
    const void *device;

    for (size_t i = 0; i < tree->n_elements; i++) {
        if (!tree->elements[i].is_list)
            continue;
        job->first_row[i] = fused_fill_take(fill, (fill->n + (size_t)1) * sizeof(uint32_t), &device);
        fill->elements[i].first_row = device;
    }
}

static void take_columns(struct job *job)
{
    struct fused_fill *fill = job->fill;
    const struct tree *tree = fill->batch->tree;
    struct fused_fill_column *column = fill->columns;
    const void *table, *device;
    struct fused_column *at =
        fused_fill_take(fill, fused_fill_columns(tree) * sizeof(struct fused_column), &table);

    for (size_t i = 0; i < tree->n_elements; i++) {
        size_t n_columns = tree->elements[i].n_columns;
        uint32_t rows = n_rows(fill, i);

        job->columns[i] = (size_t)(column - fill->columns);
        fill->elements[i].columns = (const struct fused_column *)table + job->columns[i];
        for (size_t k = 0; k < n_columns; k++, column++) {
            column->octets = column->octets > 0 ? column->octets : 1;
            atomic_store(&column->needs, 0);
            column->host = fused_fill_take(fill, (size_t)rows * column->octets, &device);
            *at++ = (struct fused_column){device, column->octets};
        }
        job->first_task[i + 1] = job->first_task[i];
        if (n_columns > 0)
            job->first_task[i + 1] += (rows + rows_of_task(n_columns) - 1) / rows_of_task(n_columns);
    }
}

/* Last, so that they can be left out. */
static void take_orders(struct job *job)
{
    struct fused_fill *fill = job->fill;
    const struct tree *tree = fill->batch->tree;
    const void *device;

    for (size_t i = 0; i < tree->n_elements; i++) {
        if (!element_is_sequence(&tree->elements[i]))
            continue;
        job->order[i] = fused_fill_take(fill, fill->n * sizeof(uint16_t), &device);
        fill->elements[i].order = device;
    }
}

static uint32_t steps_of(const struct batch_input *input, uint32_t flow)
{
    uint32_t rows = input->first_row[flow + 1] - input->first_row[flow];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

/* Sort the flows of a list by falling number of steps, equal ones as they come. counts: zeros.
 * Return: false: all are equal. */
static bool sort_flows(const struct fused_fill *fill, const struct batch_input *input, uint32_t *counts,
                       uint16_t *order, uint64_t *all_steps)
{
    uint32_t most = 0, least = UINT32_MAX;

    *all_steps = 0;
    for (uint32_t i = 0; i < fill->n; i++) {
        uint32_t steps = steps_of(input, fill->first + i);

        most = steps > most ? steps : most;
        least = steps < least ? steps : least;
        *all_steps += steps;
    }
    if (most == least)
        return false;
    for (uint32_t i = 0; i < fill->n; i++)
        counts[most - steps_of(input, fill->first + i) + 1]++;
    for (uint32_t steps = 1; steps <= most; steps++)
        counts[steps] += counts[steps - 1];
    for (uint32_t i = 0; i < fill->n; i++)
        order[counts[most - steps_of(input, fill->first + i)]++] = (uint16_t)i;
    return true;
}

static void write_list(const struct job *job, size_t element)
{
    struct fused_fill *fill = job->fill;
    const struct batch_input *input = &fill->batch->inputs[element];
    size_t n = n_counts(fill->batch);
    uint32_t *counts = fill->counts + element * n;

    if (input->first_row == NULL)
        return;
    for (uint32_t i = 0; i <= fill->n; i++)
        job->first_row[element][i] = input->first_row[fill->first + i] - row_of(input, fill->first);
    if (element_is_sequence(&fill->batch->tree->elements[element])) {
        memset(counts, 0, n * sizeof *counts);
        if (!sort_flows(fill, input, counts, job->order[element], &fill->elements[element].steps))
            fill->elements[element].order = NULL;
    }
}

/* Some columns of an element, side by side. row: of the portion's. */
static void write_columns(struct fused_fill_column *columns, size_t n_columns, const float *values,
                          size_t stride, uint32_t row, uint32_t n)
{
    uint8_t octets[FUSED_COLUMNS_MAX], needs[FUSED_COLUMNS_MAX];
    void *to[FUSED_COLUMNS_MAX];

    for (size_t k = 0; k < n_columns; k++) {
        octets[k] = columns[k].octets;
        to[k] = columns[k].host + (size_t)row * octets[k];
    }
    fused_columns_write(values, stride, n, n_columns, to, octets, needs);
    for (size_t k = 0; k < n_columns; k++)
        atomic_fetch_or(&columns[k].needs, needs[k]);
}

/* The index-th rows of an element. */
static void write_rows(const struct job *job, size_t element, size_t index)
{
    const struct fused_fill *fill = job->fill;
    const struct batch_input *input = &fill->batch->inputs[element];
    size_t stride = fill->batch->tree->elements[element].n_columns;
    uint32_t row = (uint32_t)index * rows_of_task(stride), rows = n_rows(fill, element) - row;
    const float *values = input->values + (size_t)(row_of(input, fill->first) + row) * stride;

    for (size_t k = 0; k < stride; k += FUSED_COLUMNS_MAX)
        write_columns(&fill->columns[job->columns[element] + k],
                      stride - k < FUSED_COLUMNS_MAX ? stride - k : FUSED_COLUMNS_MAX, values + k, stride,
                      row, rows < rows_of_task(stride) ? rows : rows_of_task(stride));
}

static void task(void *context, unsigned worker, size_t index)
{
    const struct job *job = context;
    size_t n_elements = job->fill->batch->tree->n_elements, element = 0;

    if (index < n_elements) {
        write_list(job, index);
        return;
    }
    index -= n_elements;
    while (index >= job->first_task[element + 1])
        element++;
    write_rows(job, element, index - job->first_task[element]);
}

/* A few tasks are done sooner than others are woken. */
static void run(struct job *job)
{
    size_t n_elements = job->fill->batch->tree->n_elements,
           n_tasks = n_elements + job->first_task[n_elements];

    pool_run(job->first_task[n_elements] > n_elements + 4 ? job->fill->pool : NULL, n_tasks, task, job);
}

static bool is_any_ordered(const struct fused_fill *fill)
{
    for (size_t i = 0; i < fill->batch->tree->n_elements; i++)
        if (fill->elements[i].order != NULL)
            return true;
    return false;
}

/* The fewest octets that do for all that were needed. */
static uint8_t widest(unsigned needs)
{
    return needs >= 4 ? 4 : needs >= 2 ? 2 : 1;
}

/* Give columns that have had too few octets what they need. Return: whether there are any. */
static bool widen(struct fused_fill *fill)
{
    bool any = false;

    for (size_t i = 0; i < fused_fill_columns(fill->batch->tree); i++) {
        struct fused_fill_column *column = &fill->columns[i];

        if (widest(column->needs) > column->octets) {
            column->octets = widest(column->needs);
            any = true;
        }
    }
    return any;
}

/* And those that have needed fewer for some time, fewer. */
static void narrow(struct fused_fill *fill)
{
    for (size_t i = 0; i < fused_fill_columns(fill->batch->tree); i++) {
        struct fused_fill_column *column = &fill->columns[i];

        column->spare = widest(column->needs) < column->octets ? column->spare + 1 : 0;
        if (column->spare == FUSED_FILL_SPARE_MAX) {
            column->octets = widest(column->needs);
            column->spare = 0;
        }
    }
}

/* Return: false: some column has had too few octets; next time they will be enough. */
static bool write_all(struct fused_fill *fill)
{
    struct job job = {.fill = fill};
    size_t columns_end;

    take_lists(&job);
    take_columns(&job);
    columns_end = fill->taken;
    take_orders(&job);
    run(&job);
    if (!is_any_ordered(fill))
        fill->taken = columns_end;
    return !widen(fill);
}

void fused_fill_elements(struct fused_fill *fill)
{
    size_t begin = fill->taken;

    while (!write_all(fill))
        fill->taken = begin;
    narrow(fill);
}

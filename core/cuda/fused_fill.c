#include "core/cuda/fused_fill.h"

#include <stdatomic.h>
#include <string.h>

#include "core/vector.h"

enum {
    ALIGNMENT = 256,
    CHUNK = 16384, /* values that one task takes */
    PROBE = 64,    /* values that are looked at before all are */
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

/* Values of an element's columns. */
static size_t n_values(const struct fused_fill *fill, size_t element)
{
    const struct batch_input *input = &fill->batch->inputs[element];
    uint32_t rows = row_of(input, fill->first + fill->n) - row_of(input, fill->first);

    return rows * fill->batch->tree->elements[element].n_columns;
}

size_t fused_fill_octets(const struct fused_fill *fill)
{
    size_t octets = 0;

    for (size_t i = 0; i < fill->batch->tree->n_elements; i++)
        octets += fused_fill_section(n_values(fill, i) * sizeof(float)) +
                  2 * fused_fill_section((fill->n + (size_t)1) * sizeof(uint32_t));
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

static uint32_t steps_of(const struct batch_input *input, uint32_t flow)
{
    uint32_t rows = input->first_row[flow + 1] - input->first_row[flow];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

/* Sort the flows of a list by falling number of steps, equal ones as they come. counts: zeros.
 * Return: false: all are equal. */
static bool sort_flows(const struct fused_fill *fill, const struct batch_input *input, uint32_t *counts,
                       uint32_t *order, uint64_t *all_steps)
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
        order[counts[most - steps_of(input, fill->first + i)]++] = i;
    return true;
}

/* Where the first rows and the order of an element go. */
struct list_job {
    struct fused_fill *fill;
    uint32_t *first_row[TREE_ELEMENTS_MAX], *order[TREE_ELEMENTS_MAX];
};

static void list_task(void *context, unsigned worker, size_t element)
{
    struct list_job *job = context;
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

/* A few tasks are done sooner than others are woken. */
static void run(struct pool *pool, size_t n_tasks, size_t values,
                void (*task)(void *context, unsigned worker, size_t index), void *context)
{
    if (values > 4 * CHUNK)
        pool_run(pool, n_tasks, task, context);
    else
        for (size_t i = 0; i < n_tasks; i++)
            task(context, 0, i);
}

static void fill_lists(struct fused_fill *fill)
{
    const struct tree *tree = fill->batch->tree;
    struct list_job job = {.fill = fill};
    const void *device;

    for (size_t i = 0; i < tree->n_elements; i++) {
        if (!tree->elements[i].is_list)
            continue;
        job.first_row[i] = fused_fill_take(fill, (fill->n + (size_t)1) * sizeof(uint32_t), &device);
        fill->elements[i].first_row = device;
        if (element_is_sequence(&tree->elements[i])) {
            job.order[i] = fused_fill_take(fill, fill->n * sizeof(uint32_t), &device);
            fill->elements[i].order = device;
        }
    }
    run(fill->pool, tree->n_elements, fill->n * tree->n_elements, list_task, &job);
}

/* Write floats as 16 bits. Return: whether all of them are such numbers. */
VECTOR_CLONES
static bool write_shorts(const float *from, uint16_t *to, size_t n)
{
    int differ = 0;

    for (size_t i = 0; i < n; i++) {
        float limited = from[i] > 0 ? from[i] : 0;
        int whole = (int)(limited < UINT16_MAX ? limited : UINT16_MAX);

        differ |= (float)whole != from[i];
        to[i] = (uint16_t)whole;
    }
    return !differ;
}

struct values_job {
    const float *from;
    void *to;
    size_t n;
    bool shorts;
    atomic_bool differ;
};

static void values_task(void *context, unsigned worker, size_t index)
{
    struct values_job *job = context;
    size_t at = index * CHUNK, n = job->n - at < CHUNK ? job->n - at : CHUNK;

    if (!job->shorts)
        memcpy((float *)job->to + at, job->from + at, n * sizeof *job->from);
    else if (!write_shorts(job->from + at, (uint16_t *)job->to + at, n))
        atomic_store(&job->differ, true);
}

static bool write_values(struct fused_fill *fill, struct values_job *job)
{
    run(fill->pool, (job->n + CHUNK - 1) / CHUNK, job->n, values_task, job);
    return !job->differ;
}

static void fill_values(struct fused_fill *fill, size_t element)
{
    struct fused_fill_element *at = &fill->elements[element];
    const struct batch_input *input = &fill->batch->inputs[element];
    size_t n_columns = fill->batch->tree->elements[element].n_columns;
    uint16_t probe[PROBE];
    struct values_job job = {
        .from = input->values + row_of(input, fill->first) * n_columns,
        .to = fill->host + fill->taken,
        .n = n_values(fill, element),
    };

    job.shorts = write_shorts(job.from, probe, job.n < PROBE ? job.n : PROBE);
    if (!write_values(fill, &job)) { /* whole numbers at first, and others later */
        job.shorts = false;
        (void)write_values(fill, &job);
    }
    at->shorts = job.shorts;
    (void)fused_fill_take(fill, job.n * (job.shorts ? sizeof(uint16_t) : sizeof(float)), &at->values);
}

void fused_fill_elements(struct fused_fill *fill)
{
    fill_lists(fill);
    for (size_t i = 0; i < fill->batch->tree->n_elements; i++)
        if (fill->batch->tree->elements[i].n_columns > 0)
            fill_values(fill, i);
}

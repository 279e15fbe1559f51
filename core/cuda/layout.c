/* All that crosses is 32 bits wide, values, rows and lengths alike. So the staging memory is an array of
 * words in which every array has its place, and the device's memory begins with the same; behind that is what
 * the device works out for itself.
 *
 * First stand lists and targets, then the values, which are most of it. To write them down is cut into tasks,
 * which the threads of a pool share where there are enough, and what crosses into pieces of some tasks each.
 * Only the calling thread talks to the device: between its own tasks it sends off what has been completed.
 */
#include "core/cuda/layout.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/kernels.h"
#include "core/cuda/status.h"

enum {
    WORD = sizeof(uint32_t),
    PLACE_WORDS = 64,     /* arrays begin at multiples of 256 octets */
    SHARED_WORDS = 65536, /* fewer are written sooner than others are woken */
    TASK_WORDS = 32768,   /* of values */
    PIECE_TASKS = 32,     /* at least: 4 MiB, which take 80 us to cross, and 3 to start */
    PIECES_MAX = 64,
};

/* Where the arrays of an element begin, in words. */
struct places {
    size_t values, first_row;
    size_t lengths, order, rank, first_step;
    size_t source, instance, step, input;
};

/* Some of what crosses, in words. The first has all lists and targets. */
struct piece {
    size_t begin, end;
    atomic_size_t unwritten; /* tasks */
    bool sent;
};

/* One batch on its way. */
struct taking {
    struct layout *layout;
    struct device *device;
    const struct batch *batch;
    const struct engine_targets *targets;
    struct pool *pool; /* NULL: not worth it */
    struct places places[TREE_ELEMENTS_MAX];
    uint64_t positions[TREE_ELEMENTS_MAX];
    size_t labels, shares;      /* places */
    size_t n_lists, n_crossing; /* words before the values; that cross */
    size_t n_words;             /* with those behind them */
    uint32_t *host, *to;

    size_t piece_tasks, n_pieces;
    struct piece pieces[PIECES_MAX];
    int rc; /* of what has been sent */
    struct error *err;
};

int layout_init(struct layout *layout, const struct tree *tree, struct pool *pool, struct error *err)
{
    *layout = (struct layout){.tree = tree, .pool = pool};
    layout->elements = calloc(tree->n_elements, sizeof *layout->elements);
    if (layout->elements == NULL)
        return error_set(err, -ENOMEM, "cuda engine: out of memory");
    return 0;
}

void layout_deinit(struct layout *layout)
{
    free(layout->elements);
    pinned_buffer_deinit(&layout->staging);
    device_buffer_deinit(&layout->memory);
    *layout = (struct layout){0};
}

static uint32_t steps_of(const struct batch_input *input, uint32_t instance)
{
    uint32_t rows = input->first_row[instance + 1] - input->first_row[instance];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

/* How many positions and steps an element has; positions may be too many for 32 bits. */
static void measure_task(void *context, unsigned worker, size_t index)
{
    struct taking *taking = context;
    const struct batch_input *input = &taking->batch->inputs[index];
    uint64_t positions = input->n_instances;
    uint32_t longest = 1;

    if (element_is_sequence(&taking->layout->tree->elements[index])) {
        positions = 0;
        for (uint32_t i = 0; i < input->n_instances; i++) {
            uint32_t steps = steps_of(input, i);

            positions += steps;
            longest = steps > longest ? steps : longest;
        }
    }
    taking->positions[index] = positions;
    taking->layout->elements[index] = (struct layout_element){
        .n_instances = input->n_instances,
        .n_rows = input->n_rows,
        .n_positions = (uint32_t)positions,
        .n_steps = longest,
    };
}

/* Whether the libraries can count all positions, and the kernels what stands there. */
static bool countable(const struct taking *taking, size_t index)
{
    const struct element *element = &taking->layout->tree->elements[index];
    size_t apart = element_is_sequence(element) ? element->n_columns + 1
                   : element->is_list           ? element->first
                                                : 1;

    return taking->positions[index] <= INT_MAX && taking->batch->inputs[index].n_instances <= INT_MAX / apart;
}

static size_t place(size_t *words, size_t n)
{
    size_t at = *words;

    *words += (n + PLACE_WORDS - 1) / PLACE_WORDS * PLACE_WORDS;
    return at;
}

static bool is_input(const struct element *element)
{
    return element->n_children == 0;
}

/* Give every array that crosses its place. */
static void place_crossing(struct taking *taking)
{
    const struct tree *tree = taking->layout->tree;
    size_t words = 0, n_targets = taking->targets != NULL ? taking->batch->n_flows : 0;

    taking->labels = place(&words, n_targets);
    taking->shares = place(&words, n_targets);
    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct layout_element *at = &taking->layout->elements[i];
        struct places *places = &taking->places[i];

        if (tree->elements[i].is_list)
            places->first_row = place(&words, at->n_instances + (size_t)1);
        if (!element_is_sequence(&tree->elements[i]))
            continue;
        places->lengths = place(&words, at->n_instances);
        places->order = place(&words, at->n_instances);
        places->rank = place(&words, at->n_instances);
        places->first_step = place(&words, at->n_steps + (size_t)1);
    }
    taking->n_lists = words;
    for (size_t i = 0; i < tree->n_elements; i++)
        taking->places[i].values =
            place(&words, taking->layout->elements[i].n_rows * tree->elements[i].n_columns);
    taking->n_crossing = words;
}

/* And every one that is worked out. */
static void place_others(struct taking *taking)
{
    const struct tree *tree = taking->layout->tree;
    size_t words = taking->n_crossing;

    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct element *element = &tree->elements[i];
        const struct layout_element *at = &taking->layout->elements[i];
        struct places *places = &taking->places[i];
        size_t items = at->n_positions;

        if (!element->is_list)
            continue;
        if (element_is_sequence(element)) {
            places->instance = place(&words, items);
            places->step = place(&words, items);
        } else {
            items *= element->first;
        }
        places->source = place(&words, items);
        if (is_input(element))
            places->input = place(&words, items * element->n_columns);
    }
    taking->n_words = words;
}

/* Rank instances by falling number of steps, equal ones as they come, by counting. */
static void rank_instances(const struct layout_element *at, const struct batch_input *input,
                           const struct places *places, uint32_t *host)
{
    uint32_t *lengths = host + places->lengths, *order = host + places->order, *rank = host + places->rank;
    uint32_t *counts = host + places->first_step, before = 0; /* (n_steps + 1) by length */

    memset(counts, 0, (at->n_steps + (size_t)1) * sizeof *counts);
    for (uint32_t i = 0; i < at->n_instances; i++)
        counts[steps_of(input, i)]++;
    for (uint32_t steps = at->n_steps + 1; steps-- > 0;) {
        uint32_t n = counts[steps];

        counts[steps] = before;
        before += n;
    }
    for (uint32_t i = 0; i < at->n_instances; i++) {
        uint32_t steps = steps_of(input, i);

        rank[i] = counts[steps]++;
        order[rank[i]] = i;
        lengths[rank[i]] = steps;
    }
    /* Each count is now how many have so many steps or more: positions of the step before. */
    counts[0] = 0;
    for (uint32_t step = 0; step < at->n_steps; step++)
        counts[step + 1] += counts[step];
}

static void write_list(const struct taking *taking, size_t index)
{
    const struct element *element = &taking->layout->tree->elements[index];
    const struct layout_element *at = &taking->layout->elements[index];
    const struct batch_input *input = &taking->batch->inputs[index];
    const struct places *places = &taking->places[index];

    if (element->is_list)
        memcpy(taking->host + places->first_row, input->first_row,
               (at->n_instances + (size_t)1) * sizeof *input->first_row);
    if (element_is_sequence(element))
        rank_instances(at, input, places, taking->host);
}

/* Labels and each flow's share of the loss. */
static void write_targets(const struct taking *taking)
{
    const struct engine_targets *targets = taking->targets;
    float *shares = (float *)(taking->host + taking->shares);
    uint32_t n = taking->batch->n_flows;
    double total = 0;

    memcpy(taking->host + taking->labels, targets->labels, n * sizeof *targets->labels);
    for (uint32_t i = 0; i < n; i++)
        total += targets->weights != NULL ? (double)targets->weights[i] : 1.0;
    for (uint32_t i = 0; i < n; i++)
        shares[i] =
            total > 0 ? (float)((targets->weights != NULL ? (double)targets->weights[i] : 1.0) / total) : 0;
}

/* What of [begin, end) is values. */
static void write_values(const struct taking *taking, size_t begin, size_t end)
{
    for (size_t i = 0; i < taking->layout->tree->n_elements; i++) {
        const struct batch_input *input = &taking->batch->inputs[i];
        size_t first = taking->places[i].values;
        size_t last = first + input->n_rows * taking->layout->tree->elements[i].n_columns;
        size_t from = begin > first ? begin : first, until = end < last ? end : last;

        if (from < until)
            memcpy(taking->host + from, input->values + (from - first), (until - from) * WORD);
    }
}

/* Tasks: the lists of each element, the targets, then the values. */
static size_t first_value_task(const struct taking *taking)
{
    return taking->layout->tree->n_elements + 1;
}

static size_t count_tasks(const struct taking *taking)
{
    return first_value_task(taking) + (taking->n_crossing - taking->n_lists + TASK_WORDS - 1) / TASK_WORDS;
}

/* Cut what crosses into pieces. */
static void cut(struct taking *taking)
{
    size_t tasks = count_tasks(taking) - first_value_task(taking), begin = 0;
    size_t apart = (tasks + PIECES_MAX - 1) / PIECES_MAX;

    taking->piece_tasks = apart > PIECE_TASKS ? apart : PIECE_TASKS;
    do {
        struct piece *piece = &taking->pieces[taking->n_pieces++];
        size_t here = tasks < taking->piece_tasks ? tasks : taking->piece_tasks;

        tasks -= here;
        piece->begin = begin;
        piece->end = tasks == 0 ? taking->n_crossing
                                : taking->n_lists + taking->n_pieces * taking->piece_tasks * TASK_WORDS;
        atomic_init(&piece->unwritten, taking->n_pieces == 1 ? here + first_value_task(taking) : here);
        begin = piece->end;
    } while (tasks > 0);
}

static int send(const struct taking *taking, const struct piece *piece, struct error *err)
{
    CUDA_TRY(cudaMemcpyAsync(taking->to + piece->begin, taking->host + piece->begin,
                             (piece->end - piece->begin) * WORD, cudaMemcpyHostToDevice,
                             taking->device->stream));
    return 0;
}

static void send_written(struct taking *taking)
{
    for (size_t i = 0; i < taking->n_pieces; i++) {
        struct piece *piece = &taking->pieces[i];

        if (piece->sent || atomic_load(&piece->unwritten) > 0)
            continue;
        piece->sent = true;
        if (taking->rc == 0)
            taking->rc = send(taking, piece, taking->err);
    }
}

static void write_task(void *context, unsigned worker, size_t index)
{
    struct taking *taking = context;
    size_t first = first_value_task(taking), piece = 0;

    if (index >= first) {
        size_t begin = taking->n_lists + (index - first) * TASK_WORDS;

        write_values(taking, begin, begin + TASK_WORDS);
        piece = (index - first) / taking->piece_tasks;
    } else if (index + 1 < first) {
        write_list(taking, index);
    } else if (taking->targets != NULL) {
        write_targets(taking);
    }
    atomic_fetch_sub(&taking->pieces[piece].unwritten, 1);
    if (worker == 0)
        send_written(taking);
}

/* Where an element's arrays are. */
static void name_arrays(const struct taking *taking, size_t index)
{
    const struct element *element = &taking->layout->tree->elements[index];
    const struct places *places = &taking->places[index];
    struct layout_element *at = &taking->layout->elements[index];
    const uint32_t *to = taking->to;

    if (element->n_columns > 0 && at->n_rows > 0)
        at->values = (const float *)(to + places->values);
    if (is_input(element))
        at->input = element->is_list ? (const float *)(to + places->input) : at->values;
    if (element->is_list)
        at->source = to + places->source;
    if (!element_is_sequence(element))
        return;
    at->lengths = taking->host + places->lengths;
    at->first_step = taking->host + places->first_step;
    at->instance = to + places->instance;
    at->step = to + places->step;
    at->rank = to + places->rank;
    at->order = to + places->order;
    at->step_lengths = (const int32_t *)(to + places->lengths);
    at->step_firsts = to + places->first_step;
}

/* A list for the kernel. */
static struct kernel_list list_of(const struct taking *taking, size_t index)
{
    const struct element *element = &taking->layout->tree->elements[index];
    const struct layout_element *at = &taking->layout->elements[index];
    const struct places *places = &taking->places[index];
    struct kernel_list list = {
        .n_instances = at->n_instances,
        .first_row = taking->to + places->first_row,
        .source = taking->to + places->source,
    };

    if (is_input(element)) {
        list.n_columns = (uint32_t)element->n_columns;
        list.values = at->values;
        list.input = (float *)(taking->to + places->input);
    }
    if (!element_is_sequence(element)) {
        list.first = (uint32_t)element->first;
        return list;
    }
    list.n_steps = at->n_steps;
    list.order = at->order;
    list.lengths = taking->to + places->lengths;
    list.first_step = taking->to + places->first_step;
    list.instance = taking->to + places->instance;
    list.step = taking->to + places->step;
    return list;
}

/* Have the device work out the positions of all lists. */
static int work_out(const struct taking *taking, struct error *err)
{
    const struct tree *tree = taking->layout->tree;
    struct kernel_lists lists = {0};

    for (size_t i = 0; i < tree->n_elements; i++) {
        name_arrays(taking, i);
        if (tree->elements[i].is_list)
            lists.lists[lists.n++] = list_of(taking, i);
        if (lists.n < KERNEL_LISTS_MAX && i + 1 < tree->n_elements)
            continue;
        CUDA_TRY(kernel_lists(taking->device->stream, &lists));
        lists.n = 0;
    }
    return 0;
}

/* A guess at the work, before anything is measured. */
static size_t count_words(const struct batch *batch)
{
    size_t words = batch->n_flows;

    for (size_t i = 0; i < batch->tree->n_elements; i++)
        words += batch->inputs[i].n_instances + batch->inputs[i].n_rows * batch->tree->elements[i].n_columns;
    return words;
}

int layout_take(struct layout *layout, struct device *device, const struct batch *batch,
                const struct engine_targets *targets, struct error *err)
{
    struct taking taking = {
        .layout = layout, .device = device, .batch = batch, .targets = targets, .err = err};
    int rc;

    taking.pool = count_words(batch) > SHARED_WORDS ? layout->pool : NULL;
    pool_run(taking.pool, layout->tree->n_elements, measure_task, &taking);
    for (size_t i = 0; i < layout->tree->n_elements; i++)
        if (!countable(&taking, i))
            return error_set(err, -ENOMEM, "cuda engine: a batch of %u flows is too large", batch->n_flows);
    place_crossing(&taking);
    place_others(&taking);
    rc = pinned_buffer_reserve(&layout->staging, taking.n_crossing, WORD, err);
    if (rc == 0)
        rc = device_buffer_reserve(device, &layout->memory, taking.n_words, WORD, err);
    if (rc < 0)
        return rc;
    taking.host = layout->staging.at;
    taking.to = layout->memory.at;
    layout->labels = taking.to + taking.labels;
    layout->shares = (const float *)(taking.to + taking.shares);
    cut(&taking);
    pool_run(taking.pool, count_tasks(&taking), write_task, &taking);
    send_written(&taking);
    return taking.rc < 0 ? taking.rc : work_out(&taking, err);
}

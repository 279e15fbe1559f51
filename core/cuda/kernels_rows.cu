/* Where rows come from: items made of several parts, positions of sequences. */
#include "core/cuda/cells.cuh"
#include "core/cuda/kernels.h"

/* The parts stand side by side: columns [begin, begin + width) of the whole. */
static uint32_t parts_begin(const struct kernel_items *items)
{
    return items->parts[0].column;
}

static uint32_t parts_width(const struct kernel_items *items)
{
    const struct kernel_part *last = &items->parts[items->n_parts - 1];

    return last->column + last->width - parts_begin(items);
}

static __device__ const struct kernel_part *part_of(const struct kernel_items *items, uint32_t column)
{
    unsigned k = 0;

    while (k + 1 < items->n_parts && items->parts[k + 1].column <= column)
        k++;
    return &items->parts[k];
}

static __global__ void join(struct kernel_items items, uint32_t begin, uint32_t width)
{
    for (struct cells at = cells_begin(width); at.row < items.n; cells_next(&at, width)) {
        uint32_t column = begin + at.column;
        const struct kernel_part *part = part_of(&items, column);
        size_t from = items.index != NULL ? items.index[at.row] : at.row;

        items.whole[at.row * items.width + column] =
            from == KERNEL_NOTHING ? 0.0F : part->from[from * part->width + column - part->column];
    }
}

static __global__ void split(struct kernel_items items, uint32_t begin, uint32_t width)
{
    for (struct cells at = cells_begin(width); at.row < items.n; cells_next(&at, width)) {
        uint32_t column = begin + at.column;
        const struct kernel_part *part = part_of(&items, column);
        size_t to = items.index != NULL ? items.index[at.row] : at.row;

        if (to != KERNEL_NOTHING)
            part->to[to * part->width + column - part->column] = items.whole[at.row * items.width + column];
    }
}

cudaError_t kernel_join(cudaStream_t stream, const struct kernel_items *items)
{
    uint32_t width = parts_width(items);

    if (items->n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(join, cells_blocks(items->n, width), CELLS_THREADS, 0, stream, *items, parts_begin(items),
                  width);
    return cudaGetLastError();
}

cudaError_t kernel_split(cudaStream_t stream, const struct kernel_items *items)
{
    uint32_t width = parts_width(items);

    if (items->n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(split, cells_blocks(items->n, width), CELLS_THREADS, 0, stream, *items, parts_begin(items),
                  width);
    return cudaGetLastError();
}

/* A position, and the row of the batch that stands there. */
struct stand {
    uint32_t instance, step;
    size_t position;
    bool is; /* there is one */
};

/* Not each step and rank has a position. */
static __device__ struct stand stand_of(const struct kernel_list *list, uint32_t row, uint32_t item)
{
    struct stand stand;

    if (list->first > 0) {
        stand.instance = row;
        stand.step = item;
        stand.position = (size_t)row * list->first + item;
        stand.is = true;
    } else {
        stand.instance = list->order[item];
        stand.step = row;
        stand.position = list->first_step[row] + item;
        stand.is = row < list->lengths[item];
    }
    return stand;
}

/* Cells of a list: steps and ranks, or instances and their items; in each as many as there are columns. */
static __host__ __device__ uint32_t list_rows(const struct kernel_list *list)
{
    return list->first > 0 ? list->n_instances : list->n_steps;
}

static __host__ __device__ uint32_t list_columns(const struct kernel_list *list)
{
    return list->n_columns > 0 ? list->n_columns : 1;
}

static __host__ __device__ uint32_t list_width(const struct kernel_list *list)
{
    return (list->first > 0 ? list->first : list->n_instances) * list_columns(list);
}

/* A row of the grid for each list. */
static __global__ void arrange_lists(struct kernel_lists lists)
{
    const struct kernel_list *list = &lists.lists[blockIdx.y];
    uint32_t columns = list_columns(list), width = list_width(list), rows = list_rows(list);

    if (width == 0)
        return;
    for (struct cells at = cells_begin(width); at.row < rows; cells_next(&at, width)) {
        uint32_t column = at.column % columns;
        struct stand stand = stand_of(list, (uint32_t)at.row, at.column / columns);
        size_t row;
        bool within;

        if (!stand.is)
            continue;
        row = (size_t)list->first_row[stand.instance] + stand.step;
        within = row < list->first_row[stand.instance + 1];
        if (list->input != NULL)
            list->input[stand.position * columns + column] =
                within ? list->values[row * columns + column] : 0.0F;
        if (column > 0)
            continue;
        list->source[stand.position] = within ? (uint32_t)row : KERNEL_NOTHING;
        if (list->step != NULL) {
            list->instance[stand.position] = stand.instance;
            list->step[stand.position] = stand.step;
        }
    }
}

cudaError_t kernel_lists(cudaStream_t stream, const struct kernel_lists *lists)
{
    unsigned blocks = 0;

    for (unsigned i = 0; i < lists->n; i++) {
        const struct kernel_list *list = &lists->lists[i];
        unsigned here = cells_blocks(list_rows(list), list_width(list));

        blocks = here > blocks ? here : blocks;
    }
    if (blocks == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(arrange_lists, dim3(blocks, lists->n), CELLS_THREADS, 0, stream, *lists);
    return cudaGetLastError();
}

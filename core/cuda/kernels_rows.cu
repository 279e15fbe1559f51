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

/* A cell for each step and rank, though not each has a position. */
static __global__ void sequence_positions(struct kernel_sequence s)
{
    for (struct cells at = cells_begin(s.n_instances); at.row < s.n_steps; cells_next(&at, s.n_instances)) {
        uint32_t step = (uint32_t)at.row, rank = at.column, instance, position, row;

        if (step >= s.lengths[rank])
            continue;
        instance = s.order[rank];
        position = s.first_step[step] + rank;
        row = s.first_row[instance] + step;
        s.source[position] = row < s.first_row[instance + 1] ? row : KERNEL_NOTHING;
        s.instance[position] = instance;
        s.step[position] = step;
    }
}

cudaError_t kernel_sequence(cudaStream_t stream, const struct kernel_sequence *sequence)
{
    if (sequence->n_instances == 0 || sequence->n_steps == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(sequence_positions, cells_blocks(sequence->n_steps, sequence->n_instances), CELLS_THREADS,
                  0, stream, *sequence);
    return cudaGetLastError();
}

static __global__ void flat_items(uint32_t *source, const uint32_t *first_row, uint32_t n, uint32_t first)
{
    for (struct cells at = cells_begin(first); at.row < n; cells_next(&at, first)) {
        uint32_t row = first_row[at.row] + at.column;

        source[at.row * first + at.column] = row < first_row[at.row + 1] ? row : KERNEL_NOTHING;
    }
}

cudaError_t kernel_flat(cudaStream_t stream, uint32_t *source, const uint32_t *first_row,
                        uint32_t n_instances, uint32_t first)
{
    if (n_instances == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(flat_items, cells_blocks(n_instances, first), CELLS_THREADS, 0, stream, source, first_row,
                  n_instances, first);
    return cudaGetLastError();
}

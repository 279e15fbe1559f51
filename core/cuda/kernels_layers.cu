/* Layers that no library has: activations, dropout, embeddings; and the sums over rows of their gradients.
 *
 * A sum over many rows is cut into chunks: one block adds up a chunk, then a second kernel the chunks, both
 * in the order of the rows.
 */
#include "core/cuda/activation.cuh"
#include "core/cuda/cells.cuh"
#include "core/cuda/kernels.h"
#include "core/dropout.h"

enum {
    CHUNK_ROWS = 256, /* of a sum, at least */
    CHUNKS_MAX = 128,
    EMBEDDING_TILE = 4096,           /* floats of a table that a block adds to, and of what it adds */
    EMBEDDING_SCRATCH_MAX = 1 << 22, /* floats; at least one table */
};

static __global__ void add_and_activate(float *y, const float *bias, uint32_t n, uint32_t width,
                                        enum activation activation)
{
    for (struct cells at = cells_begin(width); at.row < n; cells_next(&at, width)) {
        float *value = y + at.row * width + at.column;

        *value = activated(activation, *value + bias[at.column]);
    }
}

cudaError_t kernel_bias_activation(cudaStream_t stream, float *y, const float *bias, uint32_t n,
                                   uint32_t width, enum activation activation)
{
    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(add_and_activate, cells_blocks(n, width), CELLS_THREADS, 0, stream, y, bias, n, width,
                  activation);
    return cudaGetLastError();
}

static __global__ void drop(float *y, const float *x, uint32_t n, uint32_t width, const uint32_t *instance,
                            const uint32_t *step, uint32_t layer_key, float rate)
{
    for (struct cells at = cells_begin(width); at.row < n; cells_next(&at, width)) {
        uint32_t key =
            dropout_instance_key(layer_key, instance != NULL ? instance[at.row] : (uint32_t)at.row);
        uint32_t value = (step != NULL ? step[at.row] : 0) * width + at.column;
        size_t i = at.row * width + at.column;

        y[i] = x[i] * dropout_factor(key, value, rate);
    }
}

cudaError_t kernel_dropout(cudaStream_t stream, float *y, const float *x, uint32_t n, uint32_t width,
                           const uint32_t *instance, const uint32_t *step, uint32_t layer_key, float rate)
{
    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(drop, cells_blocks(n, width), CELLS_THREADS, 0, stream, y, x, n, width, instance, step,
                  layer_key, rate);
    return cudaGetLastError();
}

static uint32_t chunks_of(uint32_t n)
{
    uint32_t chunks = (n + CHUNK_ROWS - 1) / CHUNK_ROWS;

    return chunks < CHUNKS_MAX ? chunks : (uint32_t)CHUNKS_MAX;
}

/* Sums in the making. */
struct sums {
    float *to; /* (size) is added to */
    size_t size;
    float *chunks; /* (n_chunks, size) */
    uint32_t n_chunks;
};

static __device__ void put_sum(const struct sums *sums, uint32_t chunk, size_t at, float sum)
{
    if (sums->n_chunks == 1)
        sums->to[at] += sum;
    else
        sums->chunks[chunk * sums->size + at] = sum;
}

static __global__ void add_chunks(struct sums sums)
{
    for (struct cells at = cells_begin(1); at.row < sums.size; cells_next(&at, 1)) {
        float sum = 0.0F;

        for (uint32_t k = 0; k < sums.n_chunks; k++)
            sum += sums.chunks[k * sums.size + at.row];
        sums.to[at.row] += sum;
    }
}

/* After the start of what makes the chunks. */
static cudaError_t finish_sums(cudaStream_t stream, const struct sums *sums)
{
    cudaError_t failed = cudaGetLastError();

    if (failed != cudaSuccess || sums->n_chunks == 1)
        return failed;
    KERNEL_LAUNCH(add_chunks, cells_blocks(sums->size, 1), CELLS_THREADS, 0, stream, *sums);
    return cudaGetLastError();
}

/* Rows of a chunk, for as many columns as there are threads: where the matrix is narrow, several rows side by
 * side, which are added up at the end. */
static __global__ void bias_chunk(struct sums to, float *dy, const float *y, uint32_t n, uint32_t width,
                                  enum activation activation)
{
    __shared__ float sums[CELLS_THREADS];
    uint32_t chunk = blockIdx.x % to.n_chunks, first_column = blockIdx.x / to.n_chunks * CELLS_THREADS;
    uint32_t columns = width - first_column < CELLS_THREADS ? width - first_column : CELLS_THREADS;
    uint32_t rows = CELLS_THREADS / columns, row = threadIdx.x / columns, column = threadIdx.x % columns;
    size_t begin = (size_t)n * chunk / to.n_chunks, end = (size_t)n * (chunk + 1) / to.n_chunks;
    bool straight = is_straight(activation);
    float sum = 0.0F;

    for (size_t p = begin + row; row < rows && p < end; p += rows) {
        size_t i = p * width + first_column + column;

        if (!straight)
            dy[i] *= slope(activation, y[i]);
        sum += dy[i];
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (row > 0)
        return;
    for (uint32_t k = 1; k < rows; k++)
        sum += sums[k * columns + column];
    put_sum(&to, chunk, first_column + column, sum);
}

size_t kernel_bias_scratch(uint32_t n, uint32_t width)
{
    return (size_t)chunks_of(n) * width;
}

cudaError_t kernel_bias_backward(cudaStream_t stream, float *dbias, float *dy, const float *y, uint32_t n,
                                 uint32_t width, enum activation activation, float *scratch)
{
    struct sums to = {dbias, width, scratch, chunks_of(n)};
    uint32_t tiles = (width + CELLS_THREADS - 1) / CELLS_THREADS;

    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(bias_chunk, tiles * to.n_chunks, CELLS_THREADS, 0, stream, to, dy, y, n, width, activation);
    return finish_sums(stream, &to);
}

/* Row of a table for a value: cut to a whole number, limited to the table. */
static __device__ uint32_t chosen_row(float x, uint32_t rows)
{
    if (!(x > 0.0F))
        return 0;
    return x < (float)rows ? (uint32_t)x : rows - 1;
}

static __global__ void choose_rows(float *y, const float *table, uint32_t rows, const float *x, uint32_t n,
                                   uint32_t units)
{
    for (struct cells at = cells_begin(units); at.row < n; cells_next(&at, units))
        y[at.row * units + at.column] = table[(size_t)chosen_row(x[at.row], rows) * units + at.column];
}

cudaError_t kernel_embedding(cudaStream_t stream, float *y, const float *table, uint32_t rows, const float *x,
                             uint32_t n, uint32_t units)
{
    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(choose_rows, cells_blocks(n, units), CELLS_THREADS, 0, stream, y, table, rows, x, n, units);
    return cudaGetLastError();
}

/* One tile of the table, one chunk of the rows, some of which are at hand at a time. Each row of the table is
 * the business of one group of threads, in which each has its own columns: so nobody needs to wait for
 * others, and what a cell is made of comes in the order of the rows. */
static __global__ void embedding_chunk(struct sums to, uint32_t rows, const float *dy, const float *x,
                                       uint32_t n, uint32_t units, uint32_t tile_rows)
{
    __shared__ float tile[EMBEDDING_TILE], here[EMBEDDING_TILE];
    __shared__ uint32_t chosen[CELLS_THREADS], group_of[CELLS_THREADS];
    uint32_t chunk = blockIdx.x % to.n_chunks, first = blockIdx.x / to.n_chunks * tile_rows;
    uint32_t n_rows = rows - first < tile_rows ? rows - first : tile_rows, thread = threadIdx.x;
    size_t begin = (size_t)n * chunk / to.n_chunks, end = (size_t)n * (chunk + 1) / to.n_chunks;
    uint32_t at_once = EMBEDDING_TILE / units < CELLS_THREADS ? EMBEDDING_TILE / units : CELLS_THREADS;
    uint32_t lanes = units < CELLS_THREADS ? units : CELLS_THREADS, groups = CELLS_THREADS / lanes;

    for (uint32_t i = thread; i < n_rows * units; i += CELLS_THREADS)
        tile[i] = 0.0F;
    for (size_t p = begin; p < end; p += at_once) {
        uint32_t m = end - p < at_once ? (uint32_t)(end - p) : at_once;

        __syncthreads();
        if (thread < m) {
            chosen[thread] = chosen_row(x[p + thread], rows) - first; /* those before the tile wrap round */
            group_of[thread] = chosen[thread] < n_rows ? chosen[thread] % groups : KERNEL_NOTHING;
        }
        for (uint32_t i = thread; i < m * units; i += CELLS_THREADS)
            here[i] = dy[p * units + i];
        __syncthreads();
        for (uint32_t k = 0; k < m; k++)
            if (group_of[k] == thread / lanes)
                for (uint32_t u = thread % lanes; u < units; u += lanes)
                    tile[chosen[k] * units + u] += here[k * units + u];
    }
    __syncthreads();
    for (uint32_t i = thread; i < n_rows * units; i += CELLS_THREADS)
        put_sum(&to, chunk, (size_t)first * units + i, tile[i]);
}

static uint32_t embedding_chunks(uint32_t rows, uint32_t n, uint32_t units)
{
    size_t chunks = chunks_of(n), limit = EMBEDDING_SCRATCH_MAX / ((size_t)rows * units);

    if (chunks > limit)
        chunks = limit;
    return chunks > 0 ? (uint32_t)chunks : 1;
}

size_t kernel_embedding_scratch(uint32_t rows, uint32_t n, uint32_t units)
{
    return (size_t)embedding_chunks(rows, n, units) * rows * units;
}

cudaError_t kernel_embedding_backward(cudaStream_t stream, float *dtable, uint32_t rows, const float *dy,
                                      const float *x, uint32_t n, uint32_t units, float *scratch)
{
    struct sums to = {dtable, (size_t)rows * units, scratch, embedding_chunks(rows, n, units)};
    uint32_t tile_rows = EMBEDDING_TILE / units, tiles = (rows + tile_rows - 1) / tile_rows;

    if (n == 0)
        return cudaSuccess;
    KERNEL_LAUNCH(embedding_chunk, tiles * to.n_chunks, CELLS_THREADS, 0, stream, to, rows, dy, x, n, units,
                  tile_rows);
    return finish_sums(stream, &to);
}

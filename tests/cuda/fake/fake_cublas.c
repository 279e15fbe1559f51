/* cuBLAS: products of matrices, one number after the other, added up in float64. */
#include <stdlib.h>

#include "tests/cuda/fake/cublas_v2.h"
#include "tests/cuda/fake/fake_parts.h"

struct fake_cublas {
    cudaStream_t stream;
    cublasMath_t math;
};

static const struct {
    cublasStatus_t status;
    const char *text;
} texts[] = {
    {CUBLAS_STATUS_SUCCESS, "the operation completed successfully"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "the library was not initialized"},
    {CUBLAS_STATUS_ALLOC_FAILED, "the resource allocation failed"},
    {CUBLAS_STATUS_INVALID_VALUE, "an unsupported value or parameter was passed to the function"},
    {CUBLAS_STATUS_ARCH_MISMATCH, "the device is too old for the function"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "the function failed to launch on the GPU"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "the requested functionality is not supported"},
};

const char *cublasGetStatusString(cublasStatus_t status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "an internal operation failed";
}

static cublasStatus_t enter(enum fake_call kind)
{
    static const cublasStatus_t statuses[] = {
        [FAKE_NO_MEMORY] = CUBLAS_STATUS_ALLOC_FAILED,
        [FAKE_REFUSED] = CUBLAS_STATUS_NOT_SUPPORTED,
        [FAKE_GONE] = CUBLAS_STATUS_EXECUTION_FAILED,
        [FAKE_LATER] = CUBLAS_STATUS_SUCCESS,
    };
    enum fake_failure failure;

    return fake_enter(kind, &failure) ? statuses[failure] : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    cublasStatus_t r = enter(FAKE_CUBLAS);

    if (r != CUBLAS_STATUS_SUCCESS)
        return r;
    *handle = fake_new(sizeof **handle);
    fake_hold(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    cublasStatus_t r = enter(FAKE_RELEASE);

    if (handle == NULL)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    free(handle);
    fake_hold(-1);
    return r;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    cublasStatus_t r = enter(FAKE_CUBLAS);

    if (r == CUBLAS_STATUS_SUCCESS)
        handle->stream = stream;
    return r;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    cublasStatus_t r = enter(FAKE_CUBLAS);

    if (r == CUBLAS_STATUS_SUCCESS)
        handle->math = mode;
    return r;
}

/* C(row, column) = alpha sum over i of A(row, i) B(i, column) + beta C, each matrix by its two strides. */
struct product {
    int m, n, k;
    float alpha, beta;
    const float *a, *b;
    float *c;
    size_t a_row, a_step, b_step, b_column, c_row, c_column;
};

static void product_run(void *context)
{
    const struct product *p = context;

    for (size_t row = 0; row < (size_t)p->m; row++)
        for (size_t column = 0; column < (size_t)p->n; column++) {
            float *to = p->c + row * p->c_row + column * p->c_column;
            double sum = 0;

            for (size_t i = 0; i < (size_t)p->k; i++)
                sum += (double)p->a[row * p->a_row + i * p->a_step] *
                       (double)p->b[i * p->b_step + column * p->b_column];
            sum *= (double)p->alpha;
            if (p->beta != 0)
                sum += (double)p->beta * (double)*to;
            *to = (float)sum;
        }
}

/* Octets from the first to the last number of a matrix. */
static size_t extent(int rows, int columns, size_t row, size_t column)
{
    return rows == 0 || columns == 0
               ? 0
               : (((size_t)rows - 1) * row + ((size_t)columns - 1) * column + 1) * sizeof(float);
}

static cublasStatus_t product_queue(const char *call, cublasHandle_t handle, const struct product *product)
{
    const struct product *p = product;
    struct product *mine;

    if (p->m == 0 || p->n == 0)
        return CUBLAS_STATUS_SUCCESS;
    if (handle->math == CUBLAS_TF32_TENSOR_OP_MATH)
        fake_die("%s: in TF32, which is not exact enough", call);
    if (p->k > 0) {
        fake_need(call, "A", p->a, extent(p->m, p->k, p->a_row, p->a_step));
        fake_need(call, "B", p->b, extent(p->k, p->n, p->b_step, p->b_column));
    }
    fake_need(call, "C", p->c, extent(p->m, p->n, p->c_row, p->c_column));
    mine = fake_new(sizeof *mine);
    *mine = *product;
    fake_stream_queue(handle->stream, product_run, free, mine);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                           int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
                           const float *beta, float *c, int ldc)
{
    cublasStatus_t r = enter(FAKE_CUBLAS);

    if (r != CUBLAS_STATUS_SUCCESS)
        return r;
    if (m < 0 || n < 0 || k < 0 || lda < 1 || ldb < 1 || lda < (op_a == CUBLAS_OP_N ? m : k) ||
        ldb < (op_b == CUBLAS_OP_N ? k : n) || ldc < 1 || ldc < m)
        return CUBLAS_STATUS_INVALID_VALUE;
    return product_queue("cublasSgemm", handle,
                         &(struct product){
                             .m = m,
                             .n = n,
                             .k = k,
                             .alpha = *alpha,
                             .beta = *beta,
                             .a = a,
                             .b = b,
                             .c = c,
                             .a_row = op_a == CUBLAS_OP_N ? 1 : (size_t)lda,
                             .a_step = op_a == CUBLAS_OP_N ? (size_t)lda : 1,
                             .b_step = op_b == CUBLAS_OP_N ? 1 : (size_t)ldb,
                             .b_column = op_b == CUBLAS_OP_N ? (size_t)ldb : 1,
                             .c_row = 1,
                             .c_column = (size_t)ldc,
                         });
}

cublasStatus_t cublasSgemv(cublasHandle_t handle, cublasOperation_t op, int m, int n, const float *alpha,
                           const float *a, int lda, const float *x, int incx, const float *beta, float *y,
                           int incy)
{
    cublasStatus_t r = enter(FAKE_CUBLAS);

    if (r != CUBLAS_STATUS_SUCCESS)
        return r;
    if (m < 0 || n < 0 || lda < 1 || lda < m || incx < 1 || incy < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    return product_queue("cublasSgemv", handle,
                         &(struct product){
                             .m = op == CUBLAS_OP_N ? m : n,
                             .n = 1,
                             .k = op == CUBLAS_OP_N ? n : m,
                             .alpha = *alpha,
                             .beta = *beta,
                             .a = a,
                             .b = x,
                             .c = y,
                             .a_row = op == CUBLAS_OP_N ? 1 : (size_t)lda,
                             .a_step = op == CUBLAS_OP_N ? (size_t)lda : 1,
                             .b_step = (size_t)incx,
                             .b_column = 1,
                             .c_row = (size_t)incy,
                             .c_column = 1,
                         });
}

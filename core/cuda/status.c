#include "core/cuda/status.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* call: only the function's name is told; its arguments mean nothing to who reads the message. */
static int fail(struct error *err, int code, const char *call, const char *why)
{
    return error_set(err, code, "cuda engine: %.*s(): %s", (int)strcspn(call, "("), call, why);
}

int status_cuda(cudaError_t status, const char *call, struct error *err)
{
    if (status == cudaSuccess)
        return 0;
    /* What is told here must not be found again by whoever asks after the next kernel's start. */
    (void)cudaGetLastError();
    return fail(err, status == cudaErrorMemoryAllocation ? -ENOMEM : -ENODEV, call,
                cudaGetErrorString(status));
}

int status_cublas(cublasStatus_t status, const char *call, struct error *err)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    (void)cudaGetLastError();
    return fail(err, status == CUBLAS_STATUS_ALLOC_FAILED ? -ENOMEM : -ENODEV, call,
                cublasGetStatusString(status));
}

int status_cudnn(cudnnStatus_t status, const char *call, struct error *err)
{
    bool no_memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                     status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    bool refused = CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;

    if (status == CUDNN_STATUS_SUCCESS)
        return 0;
    (void)cudaGetLastError();
    return fail(err, no_memory ? -ENOMEM : refused ? -ENOTSUP : -ENODEV, call, cudnnGetErrorString(status));
}

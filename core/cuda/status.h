/* status.h - what CUDA, cuBLAS and cuDNN return, as the errors of the engine.
 *
 * Everything in this folder calls the three libraries directly and checks each call with CUDA_TRY() and its
 * sisters. Two kinds of failure matter to the caller (engine.h): no memory, which a smaller batch may not
 * meet, and a device that is no longer there or no longer works.
 */
#ifndef CORE_CUDA_STATUS_H
#define CORE_CUDA_STATUS_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include "flowtrack/error.h"

/* Turn a status into 0, -ENOMEM (out of device or host memory) or -ENODEV (all else: no driver, a driver too
 * old, no device, a failed kernel, a device that has gone); of cuDNN also -ENOTSUP (it has no way to do
 * this).
 *
 * call: the call as written, for the message "cuda engine: cudaMalloc(): out of memory".
 */
int status_cuda(cudaError_t status, const char *call, struct error *err);
int status_cublas(cublasStatus_t status, const char *call, struct error *err);
int status_cudnn(cudnnStatus_t status, const char *call, struct error *err);

/* Make a call; leave the function with its error if it fails. For functions that return int and have `err`
 * in scope and nothing to release; others keep the code and go on by hand. */
#define CUDA_TRY(call) STATUS_TRY(status_cuda, call)
#define CUBLAS_TRY(call) STATUS_TRY(status_cublas, call)
#define CUDNN_TRY(call) STATUS_TRY(status_cudnn, call)
#define STATUS_TRY(translate, call)                                                                          \
    do {                                                                                                     \
        int status_try_ = translate((call), #call, err);                                                     \
        if (status_try_ < 0)                                                                                 \
            return status_try_;                                                                              \
    } while (0)

#endif

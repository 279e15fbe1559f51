/* Taking a device: it must be there, and have kernels made for it. The kernels are compiled for some
 * capabilities and, as PTX, for all later ones; asking the runtime about one of them says whether it found
 * one for this device.
 */
#include "core/cuda/device.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/cuda/kernels_rnn.h"
#include "core/cuda/status.h"

/* Of what is asked for: room for batches that are a little larger. */
enum { SLACK_SHARE = 8 };

static int describe(struct device *device, struct error *err)
{
    struct cudaDeviceProp properties;

    CUDA_TRY(cudaGetDeviceProperties(&properties, device->index));
    (void)snprintf(device->name, sizeof device->name, "%.*s", DEVICE_NAME_MAX - 1, properties.name);
    device->capability = 10 * properties.major + properties.minor;
    device->multiprocessors = properties.multiProcessorCount;
    return 0;
}

static int make_handles(struct device *device, struct error *err)
{
    CUDA_TRY(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking));
    CUBLAS_TRY(cublasCreate(&device->cublas));
    CUBLAS_TRY(cublasSetStream(device->cublas, device->stream));
    CUDNN_TRY(cudnnCreate(&device->cudnn));
    CUDNN_TRY(cudnnSetStream(device->cudnn, device->stream));
    return 0;
}

static int check_kernels(const struct device *device, struct error *err)
{
    cudaError_t status = kernel_image();

    if (status == cudaErrorNoKernelImageForDevice) {
        (void)cudaGetLastError();
        return error_set(err, -ENODEV,
                         "cuda engine: %s has compute capability %d.%d, and no kernels were built for it",
                         device->name, device->capability / 10, device->capability % 10);
    }
    return status_cuda(status, "cudaFuncGetAttributes", err);
}

static int open_one(struct device *device, struct error *err)
{
    int r = device_enter(device, err);

    if (r == 0)
        r = describe(device, err);
    if (r == 0)
        r = check_kernels(device, err);
    if (r == 0)
        r = make_handles(device, err);
    if (r == -ENOTSUP) /* a library that refuses the device */
        r = err != NULL ? (err->code = -ENODEV) : -ENODEV;
    return r;
}

/* How many devices there are. */
static int count(int *n, struct error *err)
{
    cudaError_t status = cudaGetDeviceCount(n);

    if (status == cudaErrorInsufficientDriver)
        return error_set(err, -ENODEV, "cuda engine: no NVIDIA driver, or one too old for CUDA %d.%d",
                         CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (status == cudaErrorNoDevice || (status == cudaSuccess && *n < 1))
        return error_set(err, -ENODEV, "cuda engine: no GPU that the NVIDIA driver knows");
    return status_cuda(status, "cudaGetDeviceCount", err);
}

int device_open(struct device *device, struct error *err)
{
    int n = 0, r = count(&n, err);

    if (r < 0)
        return r;
    for (int i = 0; i < n; i++) {
        *device = (struct device){.index = i};
        r = open_one(device, err);
        if (r == 0)
            return 0;
        device_close(device);
    }
    return r;
}

void device_close(struct device *device)
{
    if (device->cudnn != NULL)
        (void)cudnnDestroy(device->cudnn);
    if (device->cublas != NULL)
        (void)cublasDestroy(device->cublas);
    if (device->stream != NULL)
        (void)cudaStreamDestroy(device->stream);
    *device = (struct device){0};
}

int device_enter(const struct device *device, struct error *err)
{
    CUDA_TRY(cudaSetDevice(device->index));
    return 0;
}

int device_wait(struct device *device, struct error *err)
{
    CUDA_TRY(cudaStreamSynchronize(device->stream));
    return 0;
}

/* Octets of n items. Return: false: more than there can be. */
static bool octets_of(size_t n, size_t size, size_t *octets)
{
    if (n > SIZE_MAX / 2 / size)
        return false;
    *octets = n * size;
    return true;
}

static int too_large(struct error *err)
{
    return error_set(err, -ENOMEM, "cuda engine: a batch too large to count its octets");
}

int device_buffer_reserve(struct device *device, struct device_buffer *buffer, size_t n, size_t size,
                          struct error *err)
{
    size_t octets, slack;
    int rc;

    if (!octets_of(n, size, &octets))
        return too_large(err);
    if (octets <= buffer->octets)
        return 0;
    slack = octets / SLACK_SHARE;
    rc = buffer->at != NULL ? device_wait(device, err) : 0;
    if (rc < 0)
        return rc;
    device_buffer_deinit(buffer);
    if (cudaMalloc(&buffer->at, octets + slack) == cudaSuccess) {
        buffer->octets = octets + slack;
        return 0;
    }
    (void)cudaGetLastError();
    buffer->at = NULL;
    CUDA_TRY(cudaMalloc(&buffer->at, octets));
    buffer->octets = octets;
    return 0;
}

void device_buffer_deinit(struct device_buffer *buffer)
{
    if (buffer->at != NULL)
        (void)cudaFree(buffer->at);
    *buffer = (struct device_buffer){0};
}

int pinned_buffer_reserve(struct pinned_buffer *buffer, size_t n, size_t size, struct error *err)
{
    size_t octets;

    if (!octets_of(n, size, &octets))
        return too_large(err);
    if (octets <= buffer->octets)
        return 0;
    octets += octets / SLACK_SHARE;
    pinned_buffer_deinit(buffer);
    CUDA_TRY(cudaMallocHost(&buffer->at, octets));
    buffer->octets = octets;
    return 0;
}

void pinned_buffer_deinit(struct pinned_buffer *buffer)
{
    if (buffer->at != NULL)
        (void)cudaFreeHost(buffer->at);
    *buffer = (struct pinned_buffer){0};
}

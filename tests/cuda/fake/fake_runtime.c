/* Devices, memory, copies and kernels of the runtime. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/fake/fake_parts.h"

enum { SHARED_USUAL = 48 << 10, SHARED_MOST = 227 << 10, THREADS_MOST = 1024, KERNELS_MAX = 512 };
enum { MULTIPROCESSORS = 4, BUILT_FOR = 80, BLOCKS_MOST = 65535 };

static const struct {
    cudaError_t error;
    const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "driver too old for the runtime"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable", "devices busy or unavailable"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice", "no kernel image for the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "not ready"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "not supported"},
};

static size_t row_of(cudaError_t error)
{
    size_t i = 0;

    while (i + 1 < sizeof errors / sizeof *errors && errors[i].error != error)
        i++;
    return i;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return errors[row_of(error)].text;
}

const char *cudaGetErrorName(cudaError_t error)
{
    return errors[row_of(error)].name;
}

/* Devices. */

cudaError_t cudaGetDeviceCount(int *count)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r == cudaSuccess)
        *count = (int)fake_setup.devices;
    return r;
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    if (device < 0 || device >= (int)fake_setup.devices)
        return cudaErrorInvalidDevice;
    return device < (int)fake_setup.refused ? cudaErrorDevicesUnavailable : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    if (device < 0 || device >= (int)fake_setup.devices)
        return cudaErrorInvalidDevice;
    *properties = (struct cudaDeviceProp){
        .totalGlobalMem = fake_setup.memory,
        .major = fake_setup.capability / 10,
        .minor = fake_setup.capability % 10,
        .multiProcessorCount = MULTIPROCESSORS,
        .sharedMemPerBlockOptin = SHARED_MOST,
    };
    (void)snprintf(properties->name, sizeof properties->name, "fake device %d", device);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    if (device < 0 || device >= (int)fake_setup.devices)
        return cudaErrorInvalidDevice;
    switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = MULTIPROCESSORS;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = fake_setup.capability / 10;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = fake_setup.capability % 10;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = SHARED_MOST;
        return cudaSuccess;
    }
    return cudaErrorInvalidValue;
}

/* Memory. */

cudaError_t cudaMalloc(void **at, size_t size)
{
    cudaError_t r = fake_enter_cuda(FAKE_MEMORY);
    void *block;

    if (r != cudaSuccess)
        return r;
    *at = NULL;
    if (size == 0)
        return cudaSuccess;
    block = fake_memory_new(size);
    if (block == NULL) {
        fake_set_error(cudaErrorMemoryAllocation);
        return cudaErrorMemoryAllocation;
    }
    fake_hold(1);
    *at = block;
    return cudaSuccess;
}

cudaError_t cudaFree(void *at)
{
    cudaError_t r = fake_enter_cuda(FAKE_RELEASE);

    if (at == NULL)
        return r;
    (void)fake_streams_run();
    if (!fake_memory_free(at))
        fake_die("cudaFree() of what is no allocation of the device");
    fake_hold(-1);
    return r;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess)
        return r;
    *total = fake_setup.memory;
    *available = fake_setup.memory - fake_memory_used();
    return cudaSuccess;
}

/* Page-locked memory: a list of what was given out. */
struct pinned {
    struct pinned *next;
    size_t size;
    unsigned char *at;
};
static struct pinned *all_pinned;

bool fake_is_pinned(const void *at, size_t size)
{
    const unsigned char *from = at;

    for (const struct pinned *p = all_pinned; p != NULL; p = p->next)
        if (from >= p->at && from < p->at + p->size)
            return size <= (size_t)(p->at + p->size - from);
    return false;
}

cudaError_t cudaHostAlloc(void **at, size_t size, unsigned flags)
{
    cudaError_t r = fake_enter_cuda(FAKE_MEMORY);
    struct pinned *p;

    (void)flags;
    if (r != cudaSuccess)
        return r;
    p = fake_new(sizeof *p);
    if (posix_memalign((void **)&p->at, 256, size + (size == 0)) != 0)
        fake_die("out of memory");
    memset(p->at, 0xff, size);
    p->size = size;
    p->next = all_pinned;
    all_pinned = p;
    fake_hold(1);
    *at = p->at;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **at, size_t size)
{
    return cudaHostAlloc(at, size, cudaHostAllocDefault);
}

static bool unpin(const void *at)
{
    for (struct pinned **p = &all_pinned; *p != NULL; p = &(*p)->next)
        if ((*p)->at == at) {
            struct pinned *found = *p;

            *p = found->next;
            free(found->at);
            free(found);
            return true;
        }
    return false;
}

cudaError_t cudaFreeHost(void *at)
{
    cudaError_t r = fake_enter_cuda(FAKE_RELEASE);

    if (at == NULL)
        return r;
    (void)fake_streams_run();
    if (!unpin(at))
        fake_die("cudaFreeHost() of what is no page-locked memory");
    fake_hold(-1);
    return r;
}

void fake_pinned_reset(void)
{
    while (all_pinned != NULL)
        (void)unpin(all_pinned->at);
}

/* Copies. */

struct copy {
    unsigned char *to;
    const unsigned char *from; /* NULL: fill with `value` */
    size_t to_pitch, from_pitch, width, height;
    int value;
};

static void copy_run(void *context)
{
    const struct copy *copy = context;

    for (size_t y = 0; y < copy->height; y++)
        if (copy->from == NULL)
            memset(copy->to + y * copy->to_pitch, copy->value, copy->width);
        else
            memmove(copy->to + y * copy->to_pitch, copy->from + y * copy->from_pitch, copy->width);
}

/* Octets from the first to the last of them. */
static size_t extent(const struct copy *copy, size_t pitch)
{
    return copy->height == 0 || copy->width == 0 ? 0 : (copy->height - 1) * pitch + copy->width;
}

/* Queue it. host: the side that is host memory, if any: it may be touched later only if it is page-locked,
 * else the copy is over when this returns. */
static cudaError_t copy_queue(const struct copy *copy, const void *host, size_t size, cudaStream_t stream)
{
    struct copy *mine = fake_new(sizeof *mine);

    *mine = *copy;
    fake_stream_queue(stream, copy_run, free, mine);
    return host != NULL && !fake_is_pinned(host, size) ? fake_stream_run(stream) : cudaSuccess;
}

static cudaError_t copy_check(const struct copy *copy, enum cudaMemcpyKind kind, const void **host,
                              size_t *size)
{
    size_t to_size = extent(copy, copy->to_pitch), from_size = extent(copy, copy->from_pitch);
    bool to_device = fake_on_device(copy->to, to_size), from_device = fake_on_device(copy->from, from_size);

    if ((!to_device && fake_memory_touches(copy->to, to_size)) ||
        (!from_device && fake_memory_touches(copy->from, from_size)))
        fake_die("a copy goes beyond an allocation of the device");
    if (kind != cudaMemcpyDefault &&
        (to_device != (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) ||
         from_device != (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice)))
        fake_die("a copy goes from or to the wrong side");
    *host = !to_device ? copy->to : !from_device ? copy->from : NULL;
    *size = !to_device ? to_size : from_size;
    return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    struct copy copy = {to, from, to_pitch, from_pitch, width, height, 0};
    cudaError_t r = fake_enter_cuda(FAKE_COPY);
    const void *host;
    size_t size;

    if (r != cudaSuccess)
        return r;
    if (to_pitch < width || from_pitch < width)
        return cudaErrorInvalidValue;
    if (width == 0 || height == 0)
        return cudaSuccess;
    r = copy_check(&copy, kind, &host, &size);
    return r != cudaSuccess ? r : copy_queue(&copy, host, size, stream);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    return cudaMemcpy2DAsync(to, size, from, size, size, 1, kind, stream);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind)
{
    cudaError_t r = cudaMemcpyAsync(to, from, size, kind, NULL);

    return r != cudaSuccess ? r : fake_stream_run(NULL);
}

cudaError_t cudaMemsetAsync(void *at, int value, size_t size, cudaStream_t stream)
{
    struct copy copy = {at, NULL, size, size, size, 1, value};
    cudaError_t r = fake_enter_cuda(FAKE_COPY);

    if (r != cudaSuccess || size == 0)
        return r;
    fake_need("cudaMemsetAsync", "at", at, size);
    return copy_queue(&copy, NULL, 0, stream);
}

cudaError_t cudaMemset(void *at, int value, size_t size)
{
    return cudaMemsetAsync(at, value, size, NULL);
}

/* Kernels, and how much shared memory each was allowed. */
static struct {
    const void *kernel;
    size_t shared;
} allowed[KERNELS_MAX];
static size_t n_allowed;

static size_t *allowed_shared(const void *kernel)
{
    size_t i = 0;

    while (i < n_allowed && allowed[i].kernel != kernel)
        i++;
    if (i == KERNELS_MAX)
        fake_die("more than %d kernels", KERNELS_MAX);
    if (i == n_allowed) {
        allowed[i].kernel = kernel;
        allowed[i].shared = SHARED_USUAL;
        n_allowed++;
    }
    return &allowed[i].shared;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute attribute, int value)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    if (r != cudaSuccess || attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return r;
    if (value < 0 || value > SHARED_MOST)
        return cudaErrorInvalidValue;
    *allowed_shared(kernel) = (size_t)value;
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *kernel)
{
    cudaError_t r = fake_enter_cuda(FAKE_OTHER);

    (void)kernel;
    if (r != cudaSuccess)
        return r;
    if (fake_setup.capability < BUILT_FOR)
        return cudaErrorNoKernelImageForDevice;
    *attributes = (struct cudaFuncAttributes){
        .maxThreadsPerBlock = THREADS_MOST,
        .binaryVersion = fake_setup.capability,
    };
    return cudaSuccess;
}

static void launch_run(void *context)
{
    fake_threads_run(context);
}

static void launch_drop(void *context)
{
    struct fake_launch *launch = context;

    launch->drop(launch->arguments);
    free(launch);
}

static cudaError_t launch_check(const struct fake_launch *launch)
{
    const struct fake_dim *b = &launch->blocks, *t = &launch->threads;
    size_t threads = (size_t)t->x * t->y * t->z;

    if (b->x == 0 || b->y == 0 || b->z == 0 || b->y > BLOCKS_MOST || b->z > BLOCKS_MOST || threads == 0 ||
        threads > THREADS_MOST || launch->shared > SHARED_MOST)
        return cudaErrorInvalidConfiguration;
    if (launch->shared > *allowed_shared(launch->kernel))
        return cudaErrorInvalidValue;
    return fake_setup.capability < BUILT_FOR ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

void fake_launch_queue(const struct fake_launch *launch, cudaStream_t stream)
{
    cudaError_t r = fake_enter_cuda(FAKE_LAUNCH);
    struct fake_launch *mine;

    if (r == cudaSuccess)
        r = launch_check(launch);
    if (r != cudaSuccess) { /* a start that succeeds leaves an error as it was */
        fake_set_error(r);
        launch->drop(launch->arguments);
        return;
    }
    mine = fake_new(sizeof *mine);
    *mine = *launch;
    fake_stream_queue(stream, launch_run, launch_drop, mine);
}

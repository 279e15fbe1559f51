/* device.h - one CUDA device in the hands of one engine: its stream, its library handles, its memory.
 *
 * All work of an engine goes to one stream, in order; the host waits for it only when it needs a result.
 */
#ifndef CORE_CUDA_DEVICE_H
#define CORE_CUDA_DEVICE_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <stddef.h>

#include "flowtrack/error.h"

enum { DEVICE_NAME_MAX = 64 };

struct device {
    int index;
    char name[DEVICE_NAME_MAX]; /* "NVIDIA H100 80GB HBM3" */
    int capability;             /* 90 for 9.0 */
    int multiprocessors;
    cudaStream_t stream;
    cublasHandle_t cublas; /* on the stream; plain float32, no TF32 */
    cudnnHandle_t cudnn;   /* on the stream */
};

/* Take the first device that works and whose capability the kernels were built for.
 *
 * Return: 0; -ENODEV: no driver, no device, none that fits, with the reason of the last one; -ENOMEM.
 */
int device_open(struct device *device, struct error *err);

/* Release it; fine on zeros and on a device that has gone. */
void device_close(struct device *device);

/* Have the calling thread use it: first of all in whatever an engine is asked to do, since the thread may be
 * another one than last time. Return: 0, -ENODEV.
 */
int device_enter(const struct device *device, struct error *err);

/* Wait for all work given so far. Return: 0; -ENODEV: some of it has failed. */
int device_wait(struct device *device, struct error *err);

/* Device memory that grows and never shrinks; {0} is an empty one. */
struct device_buffer {
    void *at;
    size_t octets;
};

/* Have room for n items of some octets each; what it held is lost when it grows, once the device's stream is
 * done with it (freeing alone promises no wait). Some room is left for the next, slightly larger batch.
 *
 * Return: 0; -ENOMEM (the buffer is empty then), -ENODEV.
 */
int device_buffer_reserve(struct device *device, struct device_buffer *buffer, size_t n, size_t size,
                          struct error *err);

/* Free it; fine on zeros. */
void device_buffer_deinit(struct device_buffer *buffer);

/* The same in page-locked host memory, from which copies run beside kernels. */
struct pinned_buffer {
    void *at;
    size_t octets;
};

int pinned_buffer_reserve(struct pinned_buffer *buffer, size_t n, size_t size, struct error *err);
void pinned_buffer_deinit(struct pinned_buffer *buffer);

#endif

/* fake_parts.h - what the files of the fake device share. */
#ifndef TESTS_CUDA_FAKE_FAKE_PARTS_H
#define TESTS_CUDA_FAKE_FAKE_PARTS_H

#include "tests/cuda/fake/fake.h"
#include "tests/cuda/fake/fake_device.h"

extern struct fake_setup fake_setup;

/* End the program with a sentence: the code under test did what no device would forgive. */
_Noreturn void fake_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeros for the fake's own needs; die if there are none. Not from malloc(), which tests let fail. */
void *fake_new(size_t size);

/* Every call of the three libraries begins here.
 *
 * Return: it shall fail, and *failure says how.
 */
bool fake_enter(enum fake_call kind, enum fake_failure *failure);

/* The same for calls of the runtime. Return: the status to leave with, or cudaSuccess. */
cudaError_t fake_enter_cuda(enum fake_call kind);

/* Whether the work in hand fails (FAKE_LATER): asked once by whoever runs it. The device is gone then. */
bool fake_work_fails(void);

/* Things held: +1 and -1. */
void fake_hold(int change);

/* A launch that cannot be: what cudaGetLastError() will say. */
void fake_set_error(cudaError_t error);

/* Streams. A task's context is given away with it. */
struct fake_task {
    struct fake_task *next;
    void (*run)(void *context);
    void (*drop)(void *context); /* also when it was not run */
    void *context;
};
void fake_stream_queue(cudaStream_t stream, void (*run)(void *), void (*drop)(void *), void *context);
/* Do what was queued. Return: cudaSuccess, or it failed and the device is gone. */
cudaError_t fake_stream_run(cudaStream_t stream);
cudaError_t fake_streams_run(void);
void fake_streams_reset(void);

/* Device memory. Between unlock and lock it can be touched. */
void fake_memory_reset(void);
void *fake_memory_new(size_t size);
bool fake_memory_free(void *at);
void fake_memory_unlock(void);
void fake_memory_lock(void);
/* Whether any of it is device memory. */
bool fake_memory_touches(const void *at, size_t size);
bool fake_is_pinned(const void *at, size_t size);
void fake_pinned_reset(void);

/* A pointer that a library is about to use; die if it is not on the device. */
void fake_need(const char *call, const char *argument, const void *at, size_t size);

/* Run a kernel, memory unlocked. */
void fake_threads_run(const struct fake_launch *launch);

#endif

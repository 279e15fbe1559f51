/* fake.h - a CUDA device for tests: the same sources, on a processor, on any machine.
 *
 * core/cuda is compiled once more against the headers of this folder (put before all others on the include
 * path), its .cu files as plain C++, and linked with what is here. Results are those of a real device up to
 * rounding; what a real device may do later is done as late as possible, and what it would silently get wrong
 * ends the test:
 *
 * - Work given to a stream is done when somebody waits for it, and not before. So a host that reads a result
 *   or changes a page-locked input too early is found out.
 * - The host cannot touch device memory: reading or writing it is a segmentation fault. Kernels can touch
 *   nothing but their allocations: red zones lie around them (checked to the octet under the address
 *   sanitizer). New memory, and shared memory at the start of each block, is full of NaN.
 * - Threads of a block take turns: each runs until it waits. A kernel that waits for what never comes, or
 *   whose lanes come to different operations, ends the program and says where.
 * - cuDNN keeps weights in an order of its own, and checks sizes, lengths and layouts as the real one does.
 * - Any call can be made to fail, by its number: so a test goes through all the places where one may.
 *
 * A test says `fake_device` in its meson.build, includes this file and calls fake_reset() first:
 *
 *     fake_reset(NULL);
 *     ... engine_cuda, kernels, rnn.h as usual ...
 *     ck_assert_uint_eq(fake_leaks(), 0);
 *
 *     for (uint64_t n = 0; !done; n++) {   every call fails once
 *         fake_reset(NULL);
 *         fake_fail(FAKE_ANY, n, FAKE_NO_MEMORY, false);
 *         done = run() == 0;
 *     }
 *
 * One thread of the test at a time may use it. For operations of a warp that have no words in CUDA C++ see
 * fake_device.h.
 */
#ifndef TESTS_CUDA_FAKE_FAKE_H
#define TESTS_CUDA_FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fake_setup {
    bool no_driver;     /* every call says that there is none */
    unsigned devices;   /* 0: the machine has a driver and no device */
    unsigned refused;   /* the first so many cannot be used */
    int capability;     /* of each; kernels are built for 80 and more */
    size_t memory;      /* octets */
    bool small_refused; /* cuDNN has no CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H for any layer */
    bool backwards;     /* threads of a block run from the last to the first */
};

/* Begin anew: no work, no faults, counts at 0. Memory and handles that are still held are forgotten.
 *
 * setup: NULL: one device, capability 90, 256 MiB.
 */
void fake_reset(const struct fake_setup *setup);

enum fake_call {
    FAKE_MEMORY,  /* allocations, on the device and page-locked */
    FAKE_RELEASE, /* what gives something back */
    FAKE_COPY,    /* copies and memset */
    FAKE_LAUNCH,  /* kernels */
    FAKE_WAIT,    /* for a stream, an event, the device */
    FAKE_CUBLAS,
    FAKE_CUDNN,
    FAKE_OTHER, /* devices, streams, events */
    FAKE_ANY,   /* all of them together */
    FAKE_CALLS
};

/* Calls of a kind since the reset. */
uint64_t fake_calls(enum fake_call kind);

enum fake_failure {
    FAKE_NO_MEMORY, /* the status of the library that is called which says so */
    FAKE_REFUSED,   /* ... which says "not supported" */
    FAKE_GONE,      /* the device is no longer there; nor for any later call */
    FAKE_LATER,     /* the call is taken; its work fails, which the next wait tells, and then all calls */
};

/* Let a call fail: of this kind, after so many more of it. for_good: and all of the kind after it. */
void fake_fail(enum fake_call kind, uint64_t after, enum fake_failure failure, bool for_good);

/* Allocations, streams, events, handles and descriptors that nobody has given back. */
size_t fake_leaks(void);

/* Whether [at, at + size) lies in one allocation of the device. */
bool fake_on_device(const void *at, size_t size);

/* Octets allocated on the device. */
size_t fake_memory_used(void);

#ifdef __cplusplus
}
#endif

#endif

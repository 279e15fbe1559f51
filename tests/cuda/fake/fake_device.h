/* fake_device.h - between kernels and the fake device: how they are queued and how their threads wait.
 *
 * For kernels in their own words see cuda_kernel.h. What is here serves the few operations that CUDA C++ has
 * no words for (core/cuda/warp.cuh): write them as a warp operation. Every lane of a mask calls fake_warp()
 * with the same operation and an argument of its own; the last to come runs the operation once for all of
 * them, with everyone's argument in hand. So a product of matrices that lie spread over the registers of a
 * warp is one plain loop over 32 structs.
 */
#ifndef TESTS_CUDA_FAKE_FAKE_DEVICE_H
#define TESTS_CUDA_FAKE_FAKE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/cuda/fake/cuda_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The compilers say in two ways that the address sanitizer is on. */
#ifdef __SANITIZE_ADDRESS__
#define FAKE_SANITIZED 1
#elif defined __has_feature
#define FAKE_SANITIZED __has_feature(address_sanitizer)
#else
#define FAKE_SANITIZED 0
#endif

enum { FAKE_WARP = 32, FAKE_BARRIERS = 16 };

struct fake_dim {
    unsigned x, y, z;
};

/* Of the thread that runs. */
struct fake_position {
    struct fake_dim thread, block, threads, blocks;
};
extern struct fake_position fake_index;

/* Number of the running thread in its block. */
unsigned fake_thread(void);

/* The block's dynamic shared memory, aligned to 128 octets. */
void *fake_shared_memory(void);

/* A kernel's start. Who queues it gives the arguments away. */
struct fake_launch {
    const void *kernel; /* tells kernels apart */
    struct fake_dim blocks, threads;
    size_t shared;
    void (*run)(void *arguments); /* one thread */
    void (*drop)(void *arguments);
    void *arguments;
};
void fake_launch_queue(const struct fake_launch *launch, cudaStream_t stream);

/* Wait until n threads of the block have come to barrier `id`; __syncthreads() is 0 for all. The second only
 * counts and goes on (bar.arrive). */
void fake_barrier(unsigned id, unsigned n);
void fake_barrier_arrive(unsigned id, unsigned n);

/* A warp operation. lanes: those of the mask that still run. arguments: (FAKE_WARP) of each of them. */
typedef void fake_warp_operation(uint32_t lanes, void *const *arguments);
void fake_warp(uint32_t mask, fake_warp_operation *operation, void *argument);

/* Those that cuda_kernel.h needs. */
struct fake_shuffle {
    uint64_t given, taken; /* all ones from a lane that did not come */
    unsigned source;
};
enum fake_reduce { FAKE_ADD, FAKE_MIN, FAKE_MAX, FAKE_AND, FAKE_OR, FAKE_BALLOT };
struct fake_reduction {
    enum fake_reduce operation;
    int64_t given, taken;
};
fake_warp_operation fake_warp_nothing, fake_warp_shuffle, fake_warp_reduce;

#ifdef __cplusplus
}
#endif

#endif

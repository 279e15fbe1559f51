/* launch.h - how the kernels are written and started.
 *
 * A .cu file is CUDA C++ in its plainest form: functions over arrays, no classes. Kernels are started through
 * KERNEL_LAUNCH() only, name the shared memory of that size by KERNEL_SHARED(), and the few operations of a
 * warp that C has no words for stand in warp.cuh, so that the tests can run the very same sources thread by
 * thread on a processor (tests/cuda/fake). The wrappers that C code calls are declared in kernels.h and
 * fused.h; they return what cudaGetLastError() says after the start.
 */
#ifndef CORE_CUDA_LAUNCH_H
#define CORE_CUDA_LAUNCH_H

#include <cuda_runtime.h>

#ifndef KERNEL_LAUNCH /* the tests bring their own */
/* kernel(...) over `blocks` blocks of `threads` threads with `shared` octets of dynamic shared memory. A
 * kernel that is a template with several arguments goes into parentheses. */
#define KERNEL_LAUNCH(kernel, blocks, threads, shared, stream, ...)                                          \
    kernel<<<(blocks), (threads), (shared), (stream)>>>(__VA_ARGS__)

/* Declare `type *name`: the block's dynamic shared memory. */
#define KERNEL_SHARED(type, name)                                                                            \
    extern __shared__ __align__(128) unsigned char kernel_shared_octets[];                                   \
    type *name = (type *)kernel_shared_octets
#endif

#endif

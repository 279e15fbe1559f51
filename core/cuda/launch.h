/* launch.h - how the kernels are written and started.
 *
 * A .cu file is CUDA C++ in its plainest form: functions over arrays, no classes. Kernels are started through
 * KERNEL_LAUNCH() only, and the few operations of a warp that C has no words for stand in warp.h, so that the
 * tests can run the very same sources thread by thread on a processor (tests/cuda). The wrappers that C code
 * calls are declared in kernels.h and fused.h; they return what cudaGetLastError() says after the start.
 */
#ifndef CORE_CUDA_LAUNCH_H
#define CORE_CUDA_LAUNCH_H

#include <cuda_runtime.h>

#ifndef KERNEL_LAUNCH /* the tests bring their own */
/* kernel(...) over `blocks` blocks of `threads` threads with `shared` octets of dynamic shared memory. */
#define KERNEL_LAUNCH(kernel, blocks, threads, shared, stream, ...)                                          \
    kernel<<<(blocks), (threads), (shared), (stream)>>>(__VA_ARGS__)
#endif

#endif

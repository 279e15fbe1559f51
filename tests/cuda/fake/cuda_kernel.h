/* cuda_kernel.h - the words of CUDA C++ that a kernel may use, on the fake device. C++ only.
 *
 * A kernel is an ordinary function here. KERNEL_LAUNCH() keeps its arguments and queues it on the stream;
 * when its turn comes, its threads are run one after the other (fake_threads.c). Only one thread runs at a
 * time, so atomics are plain arithmetic, and shared memory is a static variable.
 */
#ifndef TESTS_CUDA_FAKE_CUDA_KERNEL_H
#define TESTS_CUDA_FAKE_CUDA_KERNEL_H

#ifdef __cplusplus

#include <math.h>
#include <string.h>
#include <tuple>
#include <type_traits>

#include "tests/cuda/fake/cuda_runtime.h"
#include "tests/cuda/fake/fake_device.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

/* What a block leaves in shared memory, the next one must not find: it is filled with NaN in between. The
 * address sanitizer guards variables only where it places them itself. */
#if FAKE_SANITIZED
#define __shared__ static
#else
#define __shared__ static __attribute__((section("fake_shared")))
#endif

#define KERNEL_SHARED(type, name) type *name = (type *)fake_shared_memory()
#define KERNEL_LAUNCH(kernel, blocks, threads, shared, stream, ...)                                          \
    fake_kernel_launch((kernel), (blocks), (threads), (shared), (stream), ##__VA_ARGS__)

/* Vectors. */
#define FAKE_VECTOR(type, name)                                                                              \
    struct name##2                                                                                           \
    {                                                                                                        \
        type x, y;                                                                                           \
    };                                                                                                       \
    struct name##3                                                                                           \
    {                                                                                                        \
        type x, y, z;                                                                                        \
    };                                                                                                       \
    struct alignas(16) name##4                                                                               \
    {                                                                                                        \
        type x, y, z, w;                                                                                     \
    };                                                                                                       \
    static inline name##2 make_##name##2(type x, type y)                                                     \
    {                                                                                                        \
        return name##2 {x, y};                                                                               \
    }                                                                                                        \
    static inline name##4 make_##name##4(type x, type y, type z, type w)                                     \
    {                                                                                                        \
        return name##4 {x, y, z, w};                                                                         \
    }
FAKE_VECTOR(float, float)
FAKE_VECTOR(int, int)
FAKE_VECTOR(unsigned, uint)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

static const int warpSize = FAKE_WARP;
#define threadIdx (fake_index.thread)
#define blockIdx (fake_index.block)
#define blockDim (fake_index.threads)
#define gridDim (fake_index.blocks)

/* Start. */
template <class... P> struct fake_arguments {
    void (*kernel)(P...);
    std::tuple<P...> values;
};

template <class... P> void fake_kernel_run(void *arguments)
{
    fake_arguments<P...> *it = static_cast<fake_arguments<P...> *>(arguments);

    std::apply(it->kernel, it->values);
}

template <class... P> void fake_kernel_drop(void *arguments)
{
    delete static_cast<fake_arguments<P...> *>(arguments);
}

template <class... P, class... A>
void fake_kernel_launch(void (*kernel)(P...), dim3 blocks, dim3 threads, size_t shared, cudaStream_t stream,
                        A... arguments)
{
    fake_launch launch = {};

    launch.kernel = reinterpret_cast<const void *>(kernel);
    launch.blocks = {blocks.x, blocks.y, blocks.z};
    launch.threads = {threads.x, threads.y, threads.z};
    launch.shared = shared;
    launch.run = fake_kernel_run<P...>;
    launch.drop = fake_kernel_drop<P...>;
    launch.arguments = new fake_arguments<P...>{kernel, std::tuple<P...>(arguments...)};
    fake_launch_queue(&launch, stream);
}

/* Waiting. */
static inline void __syncthreads()
{
    fake_barrier(0, fake_index.threads.x * fake_index.threads.y * fake_index.threads.z);
}

static inline void __syncwarp(unsigned mask = 0xffffffffU)
{
    fake_warp(mask, fake_warp_nothing, nullptr);
}

static inline void __threadfence()
{
}

static inline void __threadfence_block()
{
}

/* From lane to lane. */
template <class T> T fake_shuffle_of(unsigned mask, T value, int source)
{
    fake_shuffle shuffle = {};

    static_assert(sizeof(T) <= sizeof shuffle.given, "at most 8 octets");
    memcpy(&shuffle.given, &value, sizeof value);
    shuffle.source = (unsigned)source;
    fake_warp(mask, fake_warp_shuffle, &shuffle);
    memcpy(&value, &shuffle.taken, sizeof value);
    return value;
}

static inline int fake_lane()
{
    return (int)(fake_thread() % FAKE_WARP);
}

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = FAKE_WARP)
{
    int first = fake_lane() & ~(width - 1);

    return fake_shuffle_of(mask, value, first + (source & (width - 1)));
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, int with, int width = FAKE_WARP)
{
    int lane = fake_lane(), source = lane ^ with;

    return fake_shuffle_of(mask, value, source < (lane & ~(width - 1)) + width ? source : lane);
}

template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = FAKE_WARP)
{
    int lane = fake_lane(), source = lane - (int)by;

    return fake_shuffle_of(mask, value, source >= (lane & ~(width - 1)) ? source : lane);
}

template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = FAKE_WARP)
{
    int lane = fake_lane(), source = lane + (int)by;

    return fake_shuffle_of(mask, value, source < (lane & ~(width - 1)) + width ? source : lane);
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    fake_reduction reduction = {FAKE_BALLOT, predicate != 0, 0};

    fake_warp(mask, fake_warp_reduce, &reduction);
    return (unsigned)reduction.taken;
}

static inline int __any_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) != 0;
}

static inline int __all_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, !predicate) == 0;
}

#define FAKE_REDUCE(type, name, operation)                                                                   \
    static inline type __reduce_##name##_sync(unsigned mask, type value)                                     \
    {                                                                                                        \
        fake_reduction reduction = {operation, (int64_t)value, 0};                                           \
                                                                                                             \
        fake_warp(mask, fake_warp_reduce, &reduction);                                                       \
        return (type)reduction.taken;                                                                        \
    }
FAKE_REDUCE(int, add, FAKE_ADD)
FAKE_REDUCE(int, min, FAKE_MIN)
FAKE_REDUCE(int, max, FAKE_MAX)
FAKE_REDUCE(unsigned, add, FAKE_ADD)
FAKE_REDUCE(unsigned, min, FAKE_MIN)
FAKE_REDUCE(unsigned, max, FAKE_MAX)
FAKE_REDUCE(unsigned, and, FAKE_AND)
FAKE_REDUCE(unsigned, or, FAKE_OR)

/* Atomics: what was there before. */
template <class T> T atomicAdd(T *at, T value)
{
    T before = *at;

    *at = before + value;
    return before;
}

template <class T> T atomicMax(T *at, T value)
{
    T before = *at;

    *at = before < value ? value : before;
    return before;
}

template <class T> T atomicExch(T *at, T value)
{
    T before = *at;

    *at = value;
    return before;
}

template <class T> T atomicCAS(T *at, T expected, T value)
{
    T before = *at;

    *at = before == expected ? value : before;
    return before;
}

/* Arithmetic. Some names are the C library's own already. */
#define __expf(x) expf(x)
#define __logf(x) logf(x)

template <class A, class B> typename std::common_type<A, B>::type min(A a, B b)
{
    typename std::common_type<A, B>::type x = a, y = b;

    return y < x ? y : x;
}

template <class A, class B> typename std::common_type<A, B>::type max(A a, B b)
{
    typename std::common_type<A, B>::type x = a, y = b;

    return x < y ? y : x;
}

template <class T> T __ldg(const T *at)
{
    return *at;
}

static inline float __fdividef(float a, float b)
{
    return a / b;
}

static inline float rsqrtf(float x)
{
    return 1.0F / sqrtf(x);
}

static inline unsigned __float_as_uint(float x)
{
    unsigned bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int __float_as_int(float x)
{
    return (int)__float_as_uint(x);
}

static inline float __int_as_float(int bits)
{
    return __uint_as_float((unsigned)bits);
}

static inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

static inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

static inline int __clz(int x)
{
    return x == 0 ? 32 : __builtin_clz((unsigned)x);
}

static inline size_t __cvta_generic_to_shared(const void *at)
{
    return (size_t)at;
}

#endif

#endif

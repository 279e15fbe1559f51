/* The fake device: what it computes, when it does so, and that it finds what it says it finds. */
#include "tests/cuda/fake/fake.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cuda/fake_kernels.h"
#include "tests/unit/unit.h"

enum { N = 1000 };

static cudaStream_t stream;

static void begin(const struct fake_setup *setup)
{
    fake_reset(setup);
    ck_assert_int_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
}

static void *device_new(size_t size)
{
    void *at;

    ck_assert_int_eq(cudaMalloc(&at, size), cudaSuccess);
    ck_assert(fake_on_device(at, size));
    return at;
}

static void *pinned_new(size_t size)
{
    void *at;

    ck_assert_int_eq(cudaMallocHost(&at, size), cudaSuccess);
    return at;
}

static void copy_in(void *to, const void *from, size_t size)
{
    ck_assert_int_eq(cudaMemcpyAsync(to, from, size, cudaMemcpyHostToDevice, stream), cudaSuccess);
}

static void copy_out(void *to, const void *from, size_t size)
{
    ck_assert_int_eq(cudaMemcpyAsync(to, from, size, cudaMemcpyDeviceToHost, stream), cudaSuccess);
}

static void wait_all(void)
{
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaSuccess);
}

START_TEST(test_axpy)
{
    float x[N], y[N], *dx, *dy;

    begin(NULL);
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
        y[i] = 1;
    }
    dx = device_new(sizeof x);
    dy = device_new(sizeof y);
    copy_in(dx, x, sizeof x);
    copy_in(dy, y, sizeof y);
    ck_assert_int_eq(kernel_axpy(stream, dy, dx, 2, N), cudaSuccess);
    copy_out(y, dy, sizeof y);
    for (int i = 0; i < N; i++)
        ck_assert_float_eq(y[i], 2 * (float)i + 1);
    ck_assert_uint_eq(fake_calls(FAKE_LAUNCH), 1);
    ck_assert_uint_eq(fake_calls(FAKE_COPY), 3);
    ck_assert_uint_eq(fake_leaks(), 3);
    ck_assert_int_eq(cudaFree(dx), cudaSuccess);
    ck_assert_int_eq(cudaFree(dy), cudaSuccess);
    ck_assert_int_eq(cudaStreamDestroy(stream), cudaSuccess);
    ck_assert_uint_eq(fake_leaks(), 0);
}
END_TEST

/* Nothing happens before somebody waits; events order streams. */
START_TEST(test_order)
{
    float *pinned, *device, result;
    cudaStream_t other;
    cudaEvent_t event;

    begin(NULL);
    ck_assert_int_eq(cudaStreamCreate(&other), cudaSuccess);
    ck_assert_int_eq(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
    pinned = pinned_new(sizeof *pinned);
    device = device_new(sizeof *device);
    *pinned = 1;
    copy_in(device, pinned, sizeof *pinned);
    *pinned = 2; /* too early: the copy has not been done */
    ck_assert_int_eq(cudaEventRecord(event, stream), cudaSuccess);
    ck_assert_int_eq(cudaMemsetAsync(device, 0, sizeof *device, stream), cudaSuccess);
    ck_assert_int_eq(cudaStreamWaitEvent(other, event, 0), cudaSuccess);
    ck_assert_int_eq(cudaMemcpyAsync(&result, device, sizeof result, cudaMemcpyDeviceToHost, other),
                     cudaSuccess);
    ck_assert_float_eq(result, 2);
    *pinned = 3;
    copy_out(pinned, device, sizeof *pinned);
    ck_assert_float_eq(*pinned, 3);
    wait_all();
    ck_assert_float_eq(*pinned, 0);
    ck_assert_int_eq(cudaEventDestroy(event), cudaSuccess);
}
END_TEST

START_TEST(test_new_memory_is_nan)
{
    float value;

    begin(NULL);
    copy_out(&value, device_new(sizeof value), sizeof value);
    ck_assert(isnan(value));
}
END_TEST

START_TEST(test_memory_ends)
{
    void *at[3];
    size_t available, total;

    begin(&(struct fake_setup){.devices = 1, .capability = 90, .memory = 3000});
    ck_assert_int_eq(cudaMalloc(&at[0], 1000), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&at[1], 1000), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&at[2], 1001), cudaErrorMemoryAllocation);
    ck_assert_int_eq(cudaGetLastError(), cudaErrorMemoryAllocation);
    ck_assert_int_eq(cudaMemGetInfo(&available, &total), cudaSuccess);
    ck_assert_uint_eq(available, 1000);
    ck_assert_uint_eq(total, 3000);
    ck_assert_int_eq(cudaFree(at[0]), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&at[2], 1001), cudaSuccess);
}
END_TEST

static void check_block_sums(cudaError_t (*sum)(cudaStream_t, float *, const float *, unsigned, unsigned),
                             bool backwards)
{
    enum { BLOCKS = 3, THREADS = 64 };
    float x[BLOCKS * THREADS], sums[BLOCKS], expected[BLOCKS] = {0}, *dx, *dsums;

    begin(&(struct fake_setup){.devices = 1, .capability = 90, .memory = 1 << 20, .backwards = backwards});
    for (int i = 0; i < BLOCKS * THREADS; i++) {
        x[i] = (float)(i * 7 % 11);
        expected[i / THREADS] += x[i];
    }
    dx = device_new(sizeof x);
    dsums = device_new(sizeof sums);
    copy_in(dx, x, sizeof x);
    ck_assert_int_eq(sum(stream, dsums, dx, BLOCKS, THREADS), cudaSuccess);
    copy_out(sums, dsums, sizeof sums);
    for (int i = 0; i < BLOCKS; i++)
        ck_assert_float_eq(sums[i], expected[i]);
}

START_TEST(test_barriers)
{
    for (int backwards = 0; backwards < 2; backwards++) {
        check_block_sums(kernel_block_sums, backwards);
        check_block_sums(kernel_warp_sums, backwards);
    }
}
END_TEST

START_TEST(test_lanes)
{
    int v[KERNEL_LANES][KERNEL_LANE_VALUES], *device;

    begin(NULL);
    device = device_new(sizeof v);
    ck_assert_int_eq(kernel_lanes(stream, device), cudaSuccess);
    copy_out(v, device, sizeof v);
    for (int t = 0; t < KERNEL_LANES; t++) {
        int first = t / 32 * 32, last = first == 0 ? 31 : KERNEL_LANES - 1, lane = t - first, value = t + 100;
        unsigned ballot = 0;
        int sum = 0;

        for (int i = first; i <= last; i++) {
            ballot |= (unsigned)(i % 3 == 0) << (i - first);
            sum += i + 100;
        }
        ck_assert_int_eq(v[t][0], lane == 0 ? value : value - 1);
        ck_assert_int_eq(v[t][1], lane % 8 + 2 < 8 ? value + 2 : value);
        ck_assert_int_eq(v[t][2], (first + (lane ^ 5)) + 100);
        ck_assert_int_eq(v[t][3], first + 3 + 100);
        ck_assert_uint_eq((unsigned)v[t][4], ballot);
        ck_assert_int_eq(v[t][5], sum);
        ck_assert_int_eq(v[t][6], first + 100);
        ck_assert_int_eq(v[t][7], last + 100);
    }
}
END_TEST

START_TEST(test_atomics)
{
    unsigned count = 5, *device;

    begin(NULL);
    device = device_new(sizeof count);
    copy_in(device, &count, sizeof count);
    ck_assert_int_eq(kernel_count(stream, device, 7, 100), cudaSuccess);
    copy_out(&count, device, sizeof count);
    ck_assert_uint_eq(count, 705);
}
END_TEST

START_TEST(test_shared_memory_is_new)
{
    float found[3], *device;

    begin(NULL);
    device = device_new(sizeof found);
    ck_assert_int_eq(kernel_left_over(stream, device, 3), cudaSuccess);
    copy_out(found, device, sizeof found);
    for (int i = 0; i < 3; i++)
        ck_assert(isnan(found[i]));
}
END_TEST

START_TEST(test_launch_limits)
{
    float *device;

    begin(NULL);
    device = device_new(64);
    ck_assert_int_eq(kernel_warp_sums(stream, device, device, 1, 2048), cudaErrorInvalidConfiguration);
    ck_assert_int_eq(kernel_block_sums(stream, device, device, 0, 64), cudaErrorInvalidConfiguration);
    begin(&(struct fake_setup){.devices = 1, .capability = 75, .memory = 1000});
    device = device_new(64);
    ck_assert_int_eq(kernel_axpy(stream, device, device, 1, 1), cudaErrorNoKernelImageForDevice);
}
END_TEST

/* C = A B and its three other forms, against sums by hand. */
START_TEST(test_gemm)
{
    enum { M = 2, K = 3, COLUMNS = 4 };
    const float one = 1, half = 0.5F;
    cublasHandle_t cublas;
    float *a, *b, *c, host[M * K], wide[K * COLUMNS], result[M * COLUMNS];

    begin(NULL);
    ck_assert_int_eq(cublasCreate(&cublas), CUBLAS_STATUS_SUCCESS);
    ck_assert_int_eq(cublasSetStream(cublas, stream), CUBLAS_STATUS_SUCCESS);
    a = device_new(sizeof host);
    b = device_new(sizeof wide);
    c = device_new(sizeof result);
    for (int i = 0; i < M * K; i++)
        host[i] = (float)(i + 1);
    for (int i = 0; i < K * COLUMNS; i++)
        wide[i] = (float)(i * i % 7);
    copy_in(a, host, sizeof host);
    copy_in(b, wide, sizeof wide);
    for (int form = 0; form < 4; form++) {
        bool ta = form & 1, tb = form & 2;

        ck_assert_int_eq(cudaMemsetAsync(c, 0, sizeof result, stream), cudaSuccess);
        ck_assert_int_eq(cublasSgemm(cublas, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N,
                                     M, COLUMNS, K, &half, a, ta ? K : M, b, tb ? COLUMNS : K, &one, c, M),
                         CUBLAS_STATUS_SUCCESS);
        copy_out(result, c, sizeof result);
        for (int row = 0; row < M; row++)
            for (int column = 0; column < COLUMNS; column++) {
                float sum = 0;

                for (int k = 0; k < K; k++)
                    sum += host[ta ? row * K + k : k * M + row] *
                           wide[tb ? k * COLUMNS + column : column * K + k];
                ck_assert_float_eq_tol(result[column * M + row], sum / 2, 1e-5F);
            }
    }
    ck_assert_int_eq(cublasSgemv(cublas, CUBLAS_OP_N, M, K, &one, a, M, b, 1, &one, c, 1),
                     CUBLAS_STATUS_SUCCESS);
    ck_assert_int_eq(
        cublasSgemm(cublas, CUBLAS_OP_N, CUBLAS_OP_N, M, COLUMNS, K, &one, a, 1, b, K, &one, c, M),
        CUBLAS_STATUS_INVALID_VALUE);
    ck_assert_int_eq(cublasDestroy(cublas), CUBLAS_STATUS_SUCCESS);
}
END_TEST

START_TEST(test_faults)
{
    void *at;

    begin(NULL);
    fake_fail(FAKE_MEMORY, 1, FAKE_NO_MEMORY, false);
    ck_assert_int_eq(cudaMalloc(&at, 8), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&at, 8), cudaErrorMemoryAllocation);
    ck_assert_int_eq(cudaMalloc(&at, 8), cudaSuccess);

    begin(NULL);
    at = device_new(sizeof(unsigned));
    fake_fail(FAKE_LAUNCH, 0, FAKE_LATER, false);
    ck_assert_int_eq(kernel_count(stream, at, 1, 1), cudaSuccess);
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
    ck_assert_int_ne(kernel_count(stream, at, 1, 1), cudaSuccess);
    ck_assert_int_ne(cudaFree(at), cudaSuccess);

    begin(NULL);
    fake_fail(FAKE_ANY, 0, FAKE_GONE, false);
    ck_assert_int_eq(cudaMalloc(&at, 8), cudaErrorDevicesUnavailable);
    ck_assert_int_eq(cudaStreamSynchronize(stream), cudaErrorDevicesUnavailable);
}
END_TEST

/* What the fake device forgives as little as a real one. Each ends the process. */

static void host_reads(void)
{
    ck_assert_float_eq(*(const volatile float *)device_new(64), 0);
}

static void stuck(void)
{
    (void)kernel_stuck(stream);
}

static void mismatch(void)
{
    (void)kernel_mismatch(stream, device_new(32 * sizeof(int)));
}

static void write_beyond(void)
{
    (void)kernel_write(stream, device_new(64), 16);
}

static void harmless(void)
{
    (void)kernel_write(stream, device_new(64), 15);
}

static bool survives(void (*act)(void))
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        begin(NULL);
        act();
        (void)cudaStreamSynchronize(stream);
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

START_TEST(test_crashes)
{
    ck_assert(survives(harmless));
    ck_assert(!survives(host_reads));
    ck_assert(!survives(stuck));
    ck_assert(!survives(mismatch));
    ck_assert(!survives(write_beyond));
}
END_TEST

int main(void)
{
    return UNIT_RUN("fake", test_axpy, test_order, test_new_memory_is_nan, test_memory_ends, test_barriers,
                    test_lanes, test_atomics, test_shared_memory_is_new, test_launch_limits, test_gemm,
                    test_faults, test_crashes);
}

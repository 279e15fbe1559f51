/* What the test has asked for, and what has been counted. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/fake/fake_parts.h"

static const struct fake_setup usual = {.devices = 1, .capability = 90, .memory = (size_t)256 << 20};

struct fake_setup fake_setup = {.devices = 1, .capability = 90, .memory = (size_t)256 << 20};

static uint64_t calls[FAKE_CALLS];
static long held;
static cudaError_t last_error;

/* The fault that was asked for. */
static struct {
    bool set, for_good;
    enum fake_call kind;
    enum fake_failure failure;
    uint64_t at; /* number of the call, by calls[kind] */
} fault;

/* Where the device stands. */
static bool work_fails; /* of what is queued, something will */
static cudaError_t gone;

void fake_reset(const struct fake_setup *setup)
{
    fake_streams_reset();
    fake_memory_reset();
    fake_pinned_reset();
    fake_setup = setup != NULL ? *setup : usual;
    memset(calls, 0, sizeof calls);
    held = 0;
    memset(&fault, 0, sizeof fault);
    work_fails = false;
    gone = last_error = cudaSuccess;
}

void fake_fail(enum fake_call kind, uint64_t after, enum fake_failure failure, bool for_good)
{
    fault.set = true;
    fault.for_good = for_good;
    fault.kind = kind;
    fault.failure = failure;
    fault.at = calls[kind] + after;
}

uint64_t fake_calls(enum fake_call kind)
{
    return calls[kind];
}

size_t fake_leaks(void)
{
    return (size_t)held;
}

void fake_hold(int change)
{
    held += change;
    if (held < 0)
        fake_die("something is given back that nobody held");
}

bool fake_enter(enum fake_call kind, enum fake_failure *failure)
{
    uint64_t number;
    bool hit;

    calls[FAKE_ANY]++;
    calls[kind]++;
    number = calls[fault.kind] - 1;
    hit = fault.set && (fault.kind == kind || fault.kind == FAKE_ANY) &&
          (number == fault.at || (fault.for_good && number > fault.at));
    *failure = fault.failure;
    if (hit && fault.failure == FAKE_LATER) {
        work_fails = true;
        hit = false;
    }
    if (hit && fault.failure == FAKE_GONE)
        gone = cudaErrorDevicesUnavailable;
    if (gone != cudaSuccess) {
        *failure = FAKE_GONE;
        return true;
    }
    return hit;
}

cudaError_t fake_enter_cuda(enum fake_call kind)
{
    enum fake_failure failure;

    if (fake_setup.no_driver)
        last_error = cudaErrorInsufficientDriver;
    else if (fake_setup.devices == 0)
        last_error = cudaErrorNoDevice;
    else if (!fake_enter(kind, &failure))
        return cudaSuccess;
    else if (failure == FAKE_GONE)
        last_error = gone;
    else
        last_error = failure == FAKE_NO_MEMORY ? cudaErrorMemoryAllocation : cudaErrorNotSupported;
    return last_error;
}

bool fake_work_fails(void)
{
    if (work_fails)
        gone = cudaErrorLaunchFailure;
    return gone != cudaSuccess;
}

void fake_set_error(cudaError_t error)
{
    last_error = error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return gone != cudaSuccess ? gone : last_error;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = cudaPeekAtLastError();

    last_error = cudaSuccess;
    return error;
}

void *fake_new(size_t size)
{
    void *zeros;

    if (posix_memalign(&zeros, 64, size) != 0)
        fake_die("out of memory");
    memset(zeros, 0, size);
    return zeros;
}

void fake_die(const char *format, ...)
{
    va_list arguments;

    fputs("fake device: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

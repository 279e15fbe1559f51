#include "tests/unit/allocations.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long fail_at = ULONG_MAX, n_made;

void allocations_fail_at(unsigned long n)
{
    fail_at = n;
    n_made = 0;
}

unsigned long allocations_fail_none(void)
{
    fail_at = ULONG_MAX;
    return n_made;
}

static bool allowed(void)
{
    return n_made++ != fail_at;
}

/* Names that the linker's --wrap gives. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **textp, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
    return allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return allowed() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allowed() ? __real_realloc(memory, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allowed() ? __real_aligned_alloc(alignment, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return allowed() ? __real_strdup(text) : NULL;
}

int __wrap_asprintf(char **textp, const char *format, ...)
{
    va_list arguments;
    int length;

    if (!allowed())
        return -1;
    va_start(arguments, format);
    length = vasprintf(textp, format, arguments);
    va_end(arguments);
    return length;
}

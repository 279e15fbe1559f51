/* Which kernel sets there are, and which this processor can run. */
#include "core/cpu/kernels.h"

#include <string.h>

extern const struct kernels kernel_set_generic;
#if KERNELS_X86
extern const struct kernels kernel_set_avx2, kernel_set_avx512;
#endif

const struct kernels *const kernels_all[] = {
#if KERNELS_X86
    &kernel_set_avx512,
    &kernel_set_avx2,
#endif
    &kernel_set_generic,
    NULL,
};

bool kernels_supported(const struct kernels *kernels)
{
#if KERNELS_X86
    if (kernels == &kernel_set_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (kernels == &kernel_set_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return true;
}

const struct kernels *kernels_find(const char *name)
{
    for (const struct kernels *const *k = kernels_all; *k != NULL; k++)
        if (name != NULL ? strcmp((*k)->name, name) == 0 : kernels_supported(*k))
            return *k;
    return NULL;
}

#include "tests/unit/tested_engines.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cpu/kernels.h"
#ifdef TEST_CUDA_FAKE
#include "core/cuda/engine_cuda.h"
#include "tests/cuda/fake/fake.h"
#endif

static struct tested_engine *add(struct tested_engine *engines, size_t *n, const struct engine_ops *ops)
{
    struct tested_engine *engine = &engines[(*n)++];

    *engine = (struct tested_engine){.ops = ops};
    (void)snprintf(engine->name, sizeof engine->name, "%s", ops->name);
    return engine;
}

static void add_cpu(struct tested_engine *engines, size_t *n)
{
    for (const struct kernels *const *k = kernels_all; *k != NULL; k++) {
        if (!kernels_supported(*k)) {
            printf("skipped: this processor has no %s\n", (*k)->name);
            continue;
        }
        for (unsigned threads = 1; threads <= 3; threads += 2) {
            struct tested_engine *engine = add(engines, n, &engine_cpu);

            engine->options = (struct engine_options){.threads = threads, .instruction = (*k)->name};
            (void)snprintf(engine->name, sizeof engine->name, "cpu, %s, %u threads", (*k)->name, threads);
        }
    }
}

static void add_cuda_fake(struct tested_engine *engines, size_t *n)
{
#ifdef TEST_CUDA_FAKE
    struct tested_engine *engine = add(engines, n, &engine_cuda);

    fake_reset(NULL);
    (void)snprintf(engine->name, sizeof engine->name, "cuda, fake device");
#endif
}

/* The module stays loaded, as in the program. */
static void add_cuda(struct tested_engine *engines, size_t *n)
{
    const struct engine_ops *ops = NULL;
    struct engine *engine;
    struct error err;
    void *module;

    if (CUDA_MODULE[0] == '\0') {
        printf("skipped: no GPU engine in this build\n");
        return;
    }
    module = dlopen(CUDA_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (module != NULL)
        ops = dlsym(module, "engine_cuda");
    if (ops == NULL)
        (void)error_set(&err, -1, "%s", dlerror());
    if (ops == NULL || engine_open(&engine, ops, &(struct engine_options){0}, &err) < 0) {
        printf("skipped: no GPU: %s\n", err.text);
        return;
    }
    engine_close(engine);
    (void)setenv("CK_FORK", "no", 1); /* a device that was used does not survive a fork */
    (void)add(engines, n, ops);
}

size_t tested_engines(struct tested_engine engines[ENGINES_MAX])
{
    size_t n = 0;

    add_cpu(engines, &n);
    add_cuda_fake(engines, &n);
    add_cuda(engines, &n);
    return n;
}

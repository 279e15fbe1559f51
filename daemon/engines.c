/* The CUDA engine is a module that is loaded here and nowhere else, so that the program starts, and runs, on
 * a machine without CUDA. It stays loaded until the program ends.
 */
#include "daemon/engines.h"

#include <dlfcn.h>
#include <errno.h>

#include "daemon/paths.h"

static int cuda_find(const struct engine_ops **opsp, struct error *err)
{
    void *module = dlopen(PATHS_CUDA_MODULE, RTLD_NOW | RTLD_LOCAL);
    const struct engine_ops *ops;
    struct engine *probe;
    int r;

    if (module == NULL)
        return error_set(err, -ENODEV, "the CUDA engine cannot be loaded: %s", dlerror());
    ops = dlsym(module, "engine_cuda");
    if (ops == NULL || ops->interface != ENGINE_INTERFACE) {
        (void)dlclose(module);
        return error_set(err, -ENODEV, "%s is no engine%s", PATHS_CUDA_MODULE,
                         ops == NULL ? "" : " for this version of flowclassd");
    }
    r = engine_open(&probe, ops, &(struct engine_options){0}, err);
    if (r < 0)
        return r;
    engine_close(probe);
    *opsp = ops;
    return 0;
}

int engines_find(const struct engine_ops **opsp, enum config_engine wanted, struct error *err)
{
    struct error why;
    int r = -ENODEV;

    if (wanted != CONFIG_ENGINE_CPU)
        r = cuda_find(opsp, wanted == CONFIG_ENGINE_CUDA ? err : &why);
    if (r < 0 && wanted != CONFIG_ENGINE_CUDA) {
        *opsp = &engine_cpu;
        r = 0;
    }
    return r;
}

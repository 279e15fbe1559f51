/* The CUDA engine is a module that is loaded here and nowhere else, so that the program starts, and runs, on
 * a machine without CUDA. It stays loaded until the program ends.
 */
#include "daemon/engines.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "daemon/accelerator.h"
#include "daemon/log.h"
#include "daemon/paths.h"

const char *engines_module(const struct config_classify *config)
{
    return config->module[0] != '\0' ? config->module : PATHS_CUDA_MODULE;
}

static int module_load(const struct engine_ops **opsp, const char *path, struct error *err)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct engine_ops *ops;

    if (module == NULL)
        return error_set(err, -ENODEV, "the CUDA engine cannot be loaded: %s", dlerror());
    ops = dlsym(module, "engine_cuda");
    if (ops == NULL || ops->interface != ENGINE_INTERFACE) {
        (void)dlclose(module);
        return error_set(err, -ENODEV, "%s is no engine%s", path,
                         ops == NULL ? "" : " for this version of flowclassd");
    }
    *opsp = ops;
    return 0;
}

int engines_find(const struct engine_ops **opsp, const struct config_classify *config, struct error *err)
{
    bool demanded = config->engine == CONFIG_ENGINE_CUDA;
    const char *module = engines_module(config);
    struct error why;
    int r;

    *opsp = NULL;
    if (config->engine == CONFIG_ENGINE_CPU || (!demanded && access(module, F_OK) < 0))
        return 0;
    r = module_load(opsp, module, demanded ? err : &why);
    if (r < 0 && !demanded) {
        log_event(LOG_EVENT_engine_failed, &(struct log_fields){.engine = "cuda", .reason = why.text},
                  "%s; the CPU goes on", why.text);
        r = 0;
    }
    return r;
}

/* Whether the module's engine gives the right answers. */
static int try_out(struct accelerator *accelerator, const struct model *model, struct error *err)
{
    struct engine *cpu;
    int r = engine_open(&cpu, &engine_cpu, &accelerator->options, err);

    if (r < 0)
        return r;
    r = cpu->ops->load(cpu, model, err);
    if (r == 0)
        r = accelerator_load(accelerator, model, cpu, err);
    engine_close(cpu);
    return r;
}

int engines_choose(const struct engine_ops **opsp, const struct config_classify *config,
                   const struct model *model, struct error *err)
{
    struct accelerator accelerator = {.options = {.threads = config->threads}, .always = true};
    bool demanded = config->engine == CONFIG_ENGINE_CUDA;
    char text[ACCELERATOR_TEXT_MAX];
    int r = engines_find(&accelerator.ops, config, err);

    if (r < 0)
        return r;
    *opsp = &engine_cpu;
    if (accelerator.ops == NULL)
        return 0;
    r = try_out(&accelerator, model, err);
    if (r == 0) {
        accelerator_describe(&accelerator, text);
        log_notice("engine %s works: %s", accelerator.ops->name, text);
        *opsp = accelerator.ops;
    } else if (demanded) {
        (void)error_prefix(err, "engine %s cannot be used: ", accelerator.ops->name);
        r = err->code = -ENODEV;
    } else {
        log_warning("engine %s is not used, the CPU goes on: %s", accelerator.ops->name, err->text);
        r = 0;
    }
    accelerator_deinit(&accelerator);
    return r;
}

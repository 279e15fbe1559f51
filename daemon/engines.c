/* The CUDA engine is a module that is loaded here and nowhere else, so that the program starts, and runs, on
 * a machine without CUDA. It stays loaded until the program ends.
 */
#include "daemon/engines.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "core/break_even.h"
#include "core/self_test.h"
#include "daemon/accelerator.h"
#include "daemon/log.h"
#include "daemon/paths.h"

/* Microseconds that measuring a step of training may take. */
enum { MEASURE_BUDGET = 200000 };

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

/* The module's engine beside the CPU's, and what was found about it. */
struct candidate {
    const struct config_classify *config;
    struct accelerator accelerator;
    struct engine *cpu;
    size_t flows; /* of a batch of training; 0: it is to judge only */
    struct self_test_learning learning;
    double share; /* of the CPU's time for a step of training */
};

static bool demanded(const struct candidate *candidate)
{
    return candidate->config->engine == CONFIG_ENGINE_CUDA;
}

/* Whether it learns as the CPU does, and how fast. */
static int try_learning(struct candidate *candidate, const struct model *model, struct error *err)
{
    struct engine *engine = candidate->accelerator.engine, *cpu = candidate->cpu;
    int r = self_test_learning(&candidate->learning, engine, cpu, model, candidate->flows, err);

    return r < 0 ? r
                 : break_even_learning(&candidate->share, engine, cpu, model, candidate->flows,
                                       MEASURE_BUDGET, err);
}

static int try_out(struct candidate *candidate, const struct model *model, struct error *err)
{
    struct accelerator *accelerator = &candidate->accelerator;
    int r = engine_open(&candidate->cpu, &engine_cpu, &accelerator->options, err);

    if (r < 0)
        return r;
    r = candidate->cpu->ops->load(candidate->cpu, model, err);
    if (r == 0)
        r = accelerator_load(accelerator, model, candidate->cpu, err);
    if (r == 0 && candidate->flows > 0)
        r = try_learning(candidate, model, err);
    engine_close(candidate->cpu);
    return r;
}

/* Whether one that works is used. */
static bool is_worth_it(const struct candidate *candidate)
{
    return candidate->flows == 0 || demanded(candidate) || candidate->share < 1;
}

static void tell(const struct candidate *candidate)
{
    const struct self_test_learning *learning = &candidate->learning;
    const char *name = candidate->accelerator.ops->name;
    char text[ACCELERATOR_TEXT_MAX];

    if (candidate->flows == 0) {
        accelerator_describe(&candidate->accelerator, text);
        log_notice("engine %s works: %s", name, text);
        return;
    }
    (void)accelerator_describe_answers(&candidate->accelerator, text);
    log_notice("engine %s works and learns%s: %s, gradients to %.1e, weights to %.1e of a step; "
               "learning a batch of %zu takes it %.*f times as long as the CPU",
               name, is_worth_it(candidate) ? "" : ", but the CPU is faster and goes on", text,
               learning->gradient, learning->weights, candidate->flows, candidate->share < 10 ? 2 : 0,
               candidate->share);
}

static int choose(const struct engine_ops **opsp, struct candidate *candidate, const struct model *model,
                  struct error *err)
{
    struct accelerator *accelerator = &candidate->accelerator;
    int r = engines_find(&accelerator->ops, candidate->config, err);

    if (r < 0)
        return r;
    *opsp = &engine_cpu;
    if (accelerator->ops == NULL)
        return 0;
    accelerator->options.threads = candidate->config->threads;
    accelerator->always = true;
    r = try_out(candidate, model, err);
    if (r == 0) {
        tell(candidate);
        if (is_worth_it(candidate))
            *opsp = accelerator->ops;
    } else if (demanded(candidate)) {
        (void)error_prefix(err, "engine %s cannot be used: ", accelerator->ops->name);
        r = err->code = -ENODEV;
    } else {
        log_warning("engine %s is not used, the CPU goes on: %s", accelerator->ops->name, err->text);
        r = 0;
    }
    accelerator_deinit(accelerator);
    return r;
}

int engines_choose(const struct engine_ops **opsp, const struct config_classify *config,
                   const struct model *model, struct error *err)
{
    return choose(opsp, &(struct candidate){.config = config}, model, err);
}

int engines_choose_for_learning(const struct engine_ops **opsp, const struct config_classify *config,
                                const struct model *model, size_t flows, struct error *err)
{
    return choose(opsp, &(struct candidate){.config = config, .flows = flows}, model, err);
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/service_state.h"

/* A retraining run has ended (retrain_config.on_end): say what became of it, and use the new model. */
static void on_end(void *context, const struct retrain_status *status, const char *path)
{
    struct service *service = context;
    struct error err;

    if (status->outcome == RETRAIN_FAILED)
        log_error("retraining failed: %s", status->text);
    else
        log_notice("retraining: %s", status->text);
    if (status->outcome != RETRAIN_PROMOTED)
        return;
    if (service_serve(service, path, service->config.classify.threshold, &err) < 0)
        log_error("the model goes on that was in use: %s", err.text);
}

/* Cut retrain.directories into names. */
static int directories_name(struct service *service, const char *names[RETRAIN_DIRECTORIES_MAX + 1],
                            struct error *err)
{
    size_t n = 0;
    char *rest;

    service->retrain_list = strdup(service->config.retrain.directories);
    if (service->retrain_list == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    for (char *name = strtok_r(service->retrain_list, " \t", &rest); name != NULL;
         name = strtok_r(NULL, " \t", &rest)) {
        if (n == RETRAIN_DIRECTORIES_MAX)
            return error_set(err, -EINVAL, "retrain.directories names more than %d folders",
                             RETRAIN_DIRECTORIES_MAX);
        names[n++] = name;
    }
    names[n] = NULL;
    return 0;
}

int service_retrain_open(struct service *service, struct error *err)
{
    const struct config_retrain *config = &service->config.retrain;
    struct retrain_config retrain = {
        .base = service->base,
        .store = &service->store,
        .program = "/proc/self/exe",
        .fallback = service->model_at_start,
        .tree = config->tree[0] != '\0' ? config->tree : PATHS_TREE_STANDARD,
        .interval = config->interval,
        .min_flows = config->min_flows,
        .holdout = config->holdout,
        .on_end = on_end,
        .context = service,
    };
    int r;

    if (config->directories[0] == '\0' || service->options->records_only)
        return 0;
    installed_model(&service->config, service->model_at_start);
    r = model_store_open(&service->store, config->store, config->keep, err);
    if (r == 0)
        r = directories_name(service, retrain.directories, err);
    return r == 0 ? retrain_new(&service->retrain, &retrain, err) : r;
}

int service_rollback(struct service *service, struct model_store_entry *entry, struct error *err)
{
    char path[MODEL_STORE_PATH_MAX];
    int r;

    if (service->retrain == NULL)
        return error_set(err, -ENOENT, "there is no store of models: retrain.directories is empty");
    r = model_store_rollback(&service->store, entry, err);
    if (r == 0)
        r = model_store_current(&service->store, path, err);
    if (r == 0)
        r = service_serve(service, path, service->config.classify.threshold, err);
    if (r == 0)
        log_notice("rolled back to model %s", entry->id);
    return r;
}

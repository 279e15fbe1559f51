#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/service_state.h"

/* Judge with the model that is current in the store, or go on as before and say so. */
static int serve_current(struct service *service, const char *path, struct error *err)
{
    struct error why;
    int r = service_serve(service, path, service->config.classify.threshold, &why);

    if (r == 0)
        return 0;
    log_event(LOG_EVENT_model_not_served, &(struct log_fields){.reason = why.text},
              "the model goes on that was in use: %s", why.text);
    return error_set(err, r, "%s", why.text);
}

/* A retraining run has ended (retrain_config.on_end): say what became of it, and use the new model. */
static void on_end(void *context, const struct retrain_status *status, const char *path)
{
    struct service *service = context;
    static const enum log_event_kind kinds[] = {[RETRAIN_PROMOTED] = LOG_EVENT_model_promoted,
                                                [RETRAIN_REFUSED] = LOG_EVENT_model_refused,
                                                [RETRAIN_FAILED] = LOG_EVENT_retrain_failed};
    const struct log_fields about = {.model = status->model[0] != '\0' ? status->model : NULL,
                                     .model_before = status->has_gate && status->gate.current_id[0] != '\0'
                                                         ? status->gate.current_id
                                                         : NULL,
                                     .reason = status->text};

    log_event(kinds[status->outcome], &about, "retraining%s: %s",
              status->outcome == RETRAIN_FAILED ? " failed" : "", status->text);
    if (status->outcome == RETRAIN_PROMOTED)
        (void)serve_current(service, path, NULL);
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
        .configuration = service->options->config,
        .settings = service->options->assignments,
        .n_settings = service->options->n_assignments,
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
    if (r < 0)
        return r;
    log_event(LOG_EVENT_model_rolled_back, &(struct log_fields){.model = entry->id},
              "rolled back to model %s", entry->id);
    r = model_store_current(&service->store, path, err);
    return r == 0 ? serve_current(service, path, err) : r;
}

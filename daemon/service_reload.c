#include <errno.h>
#include <string.h>

#include "daemon/classifier.h"
#include "daemon/configure.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/served_model.h"
#include "daemon/service_state.h"
#include "daemon/writer.h"

/* One model has taken over from another, which may be the same read again. */
static void served_say(const struct model *model, const struct model *before)
{
    if (strcmp(model->id, before->id) != 0)
        log_event(LOG_EVENT_model_served,
                  &(struct log_fields){.model = model->id, .model_before = before->id},
                  "model %s judges from now on, and model %s no more", model->id, before->id);
}

int service_serve(struct service *service, const char *path, double threshold, struct error *err)
{
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct served_model *served, *before;
    int r;

    if (classifier == NULL)
        return 0;
    r = served_model_load(&served, path, threshold, err);
    if (r < 0)
        return r;
    before = classifier_model(classifier);
    r = classifier_serve(classifier, served, err);
    if (r == 0)
        served_say(served->model, before->model);
    served_model_unref(before);
    served_model_unref(served);
    return r;
}

static int reload(struct service *service, struct error *err)
{
    struct config config;
    char path[INSTALLED_PATH_MAX];
    const char *fixed;
    int r = configure(&config, service->options, NULL, err);

    if (r < 0)
        return r;
    fixed = config_fixed_change(&service->config, &config);
    installed_model(&config, path);
    if (fixed != NULL)
        r = error_set(err, -EINVAL, "%s cannot be changed while the program runs: restart it", fixed);
    else
        r = service_serve(service, path, config.classify.threshold, err);
    if (r == 0) {
        config_exchange(&service->config, &config);
        if (pipeline_writer(service->pipeline) != NULL)
            writer_ask(pipeline_writer(service->pipeline), WRITER_REOPEN);
    }
    config_deinit(&config);
    return r;
}

int service_reload(struct service *service, struct error *err)
{
    struct error why;
    int r = reload(service, &why);

    service->reloads += r == 0;
    service->reloads_failed += r < 0;
    if (r == 0) {
        log_event(LOG_EVENT_reloaded, NULL, "configuration and model have been read again");
        return 0;
    }
    log_event(LOG_EVENT_reload_failed, &(struct log_fields){.reason = why.text},
              "nothing has been changed: %s", why.text);
    return error_set(err, r, "%s", why.text);
}

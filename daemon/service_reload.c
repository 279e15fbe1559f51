#include <errno.h>

#include "daemon/classifier.h"
#include "daemon/configure.h"
#include "daemon/installed.h"
#include "daemon/served_model.h"
#include "daemon/service_state.h"
#include "daemon/writer.h"

int service_serve(struct service *service, const char *path, double threshold, struct error *err)
{
    struct classifier *classifier = pipeline_classifier(service->pipeline);
    struct served_model *served;
    int r;

    if (classifier == NULL)
        return 0;
    r = served_model_load(&served, path, threshold, err);
    if (r < 0)
        return r;
    r = classifier_serve(classifier, served, err);
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
    int r = reload(service, err);

    service->reloads += r == 0;
    service->reloads_failed += r < 0;
    return r;
}

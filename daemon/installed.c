#include "daemon/installed.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/paths.h"

void installed_model(const struct config *config, char *path)
{
    const char *model = config->classify.model[0] != '\0' ? config->classify.model : PATHS_MODEL_SHIPPED;

    (void)snprintf(path, INSTALLED_PATH_MAX, "%s/current", config->retrain.store);
    if (config->classify.model[0] != '\0' || access(path, F_OK) < 0)
        (void)snprintf(path, INSTALLED_PATH_MAX, "%s", model);
}

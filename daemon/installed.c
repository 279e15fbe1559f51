#include "daemon/installed.h"

#include <unistd.h>

#include "daemon/paths.h"

const char *installed_model(const struct config *config)
{
    if (config->classify.model[0] != '\0')
        return config->classify.model;
    return access(PATHS_MODEL_CURRENT, F_OK) == 0 ? PATHS_MODEL_CURRENT : PATHS_MODEL_SHIPPED;
}

#include "daemon/configure.h"

#include <errno.h>

#include "daemon/paths.h"

static int assign(struct config *config, const struct options *options, struct error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < options->n_assignments; i++)
        r = config_set(config, options->assignments[i], err);
    return r;
}

int configure(struct config *config, const struct options *options, enum configure_fault *fault,
              struct error *err)
{
    const char *path = options->config != NULL ? options->config : PATHS_CONFIG;
    enum configure_fault where = CONFIGURE_FILE;
    struct config made;
    int r;

    if (config_init(&made) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    r = config_load(&made, path, options->config != NULL, err);
    if (r == 0) {
        r = assign(&made, options, err);
        if (r < 0)
            where = CONFIGURE_OPTIONS;
    }
    if (r == 0)
        r = config_check(&made, err);
    if (r < 0) {
        if (fault != NULL)
            *fault = where;
        config_deinit(&made);
        return r;
    }
    *config = made;
    return 0;
}

/* Which files the daemon has to reach, from its configuration. Folders are named rather than files where a
 * file is replaced by rename, or made anew.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engines.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/sandbox.h"
#include "daemon/service_state.h"

enum { PATHS_MAX = 64 };

struct fence {
    size_t n;
    struct sandbox_path paths[PATHS_MAX]; /* (n) paths are owned */
    bool failed;                          /* no memory, or too many */
};

static void allow(struct fence *fence, const char *path, enum sandbox_access access)
{
    char *copy = fence->n < PATHS_MAX ? strdup(path) : NULL;

    if (copy == NULL) {
        fence->failed = true;
        return;
    }
    fence->paths[fence->n++] = (struct sandbox_path){copy, access};
}

/* The folder that a file is in. */
static void allow_folder_of(struct fence *fence, const char *file, enum sandbox_access access)
{
    char *folder = strdup(file);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;

    if (folder == NULL)
        fence->failed = true;
    else if (slash == NULL)
        allow(fence, ".", access);
    else if (slash == folder)
        allow(fence, "/", access);
    else {
        *slash = '\0';
        allow(fence, folder, access);
    }
    free(folder);
}

/* Each name of a list separated by blanks. */
static void allow_list(struct fence *fence, const char *list, enum sandbox_access access)
{
    char *copy = strdup(list);
    char *rest;

    if (copy == NULL) {
        fence->failed = true;
        return;
    }
    for (char *name = strtok_r(copy, " \t", &rest); name != NULL; name = strtok_r(NULL, " \t", &rest))
        allow(fence, name, access);
    free(copy);
}

static void allow_outputs(struct fence *fence, const struct service *service)
{
    const struct config *config = &service->config;
    const struct options *options = service->options;
    const char *verdicts = options->output != NULL ? options->output : config->log.verdicts;

    if (strcmp(verdicts, "-") != 0 && strcmp(verdicts, "none") != 0 && strcmp(verdicts, "journal") != 0)
        allow_folder_of(fence, verdicts, SANDBOX_WRITE);
    if (options->write_records != NULL && strcmp(options->write_records, "-") != 0)
        allow_folder_of(fence, options->write_records, SANDBOX_WRITE);
    if (config->archive.directory[0] != '\0')
        allow_folder_of(fence, config->archive.directory, SANDBOX_WRITE);
    if (config->control.socket[0] != '\0')
        allow_folder_of(fence, config->control.socket, SANDBOX_WRITE);
    if (config->control.metrics_file[0] != '\0')
        allow_folder_of(fence, config->control.metrics_file, SANDBOX_WRITE);
    allow(fence, config->retrain.store, SANDBOX_WRITE);
}

/* The module of the GPU engine, and what the driver opens; none of it on a machine without a GPU. */
static void allow_accelerator(struct fence *fence, const struct config_classify *config)
{
    glob_t found;

    allow_folder_of(fence, engines_module(config), SANDBOX_EXECUTE);
    if (glob("/dev/nvidia*", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            allow(fence, found.gl_pathv[i], SANDBOX_WRITE);
    globfree(&found);
}

static void allow_inputs(struct fence *fence, const struct service *service)
{
    static const char *const system[] = {"/etc", "/proc", "/sys", "/dev/null", "/run/systemd"};
    static const char *const programs[] = {"/usr", "/lib", "/lib64", "/proc/self/exe"};
    const struct config *config = &service->config;
    const char *file = service->options->config != NULL ? service->options->config : PATHS_CONFIG;
    char model[INSTALLED_PATH_MAX];

    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        allow(fence, system[i], i < 3 ? SANDBOX_READ : SANDBOX_WRITE);
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        allow(fence, programs[i], SANDBOX_EXECUTE);
    allow_folder_of(fence, file, SANDBOX_READ);
    installed_model(config, model);
    allow_folder_of(fence, model, SANDBOX_READ);
    if (config->retrain.tree[0] != '\0')
        allow(fence, config->retrain.tree, SANDBOX_READ);
    allow_list(fence, config->retrain.directories, SANDBOX_READ);
    if (config->classify.engine != CONFIG_ENGINE_CPU)
        allow_accelerator(fence, &config->classify);
}

/* What this kernel does not have is said, and done without. */
static int without(int r, const struct error *err)
{
    if (r != -ENOTSUP)
        return r;
    log_event(LOG_EVENT_sandbox_missing, &(struct log_fields){.reason = err->text}, "%s", err->text);
    return 0;
}

static int files_fence(struct service *service, struct error *err)
{
    struct fence fence = {0};
    int r;

    allow_inputs(&fence, service);
    allow_accelerator(&fence, &service->config.classify);
    allow_outputs(&fence, service);
    r = fence.failed ? error_set(err, -ENOMEM, "out of memory, or too many paths for sandbox.files")
                     : without(sandbox_files(fence.paths, fence.n, err), err);
    for (size_t i = 0; i < fence.n; i++)
        free((char *)fence.paths[i].path);
    return r;
}

int service_sandbox(void *context, struct error *err)
{
    struct service *service = context;
    const struct config_sandbox *config = &service->config.sandbox;
    int r = 0;

    if (config->capabilities)
        r = sandbox_capabilities(true, err);
    if (r == 0 && config->files)
        r = files_fence(service, err);
    if (r == 0)
        r = without(sandbox_system_calls((enum sandbox_seccomp)config->system_calls, err), err);
    return r;
}

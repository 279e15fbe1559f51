/* Which files the daemon has to reach, from its configuration. Folders are named rather than files where a
 * file is replaced by rename, or made anew.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/engines.h"
#include "daemon/installed.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "daemon/sandbox.h"
#include "daemon/service_state.h"

enum { PATHS_AT_FIRST = 32 };

/* How many paths there are is up to the machine: a host with eight GPUs has more than twenty device files. */
struct fence {
    size_t n, room;
    struct sandbox_path *paths; /* (n) they and their names are owned; there is room for `room` */
    bool failed;                /* no memory */
};

static void fence_deinit(struct fence *fence)
{
    for (size_t i = 0; i < fence->n; i++)
        free((char *)fence->paths[i].path);
    free(fence->paths);
}

static bool make_room(struct fence *fence)
{
    size_t room = fence->room > 0 ? 2 * fence->room : PATHS_AT_FIRST;
    struct sandbox_path *paths;

    if (fence->n < fence->room)
        return true;
    paths = realloc(fence->paths, room * sizeof *paths);
    if (paths == NULL)
        return false;
    fence->paths = paths;
    fence->room = room;
    return true;
}

static void allow(struct fence *fence, const char *path, enum sandbox_access access)
{
    char *copy = make_room(fence) ? strdup(path) : NULL;

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

/* What the GPU's driver opens when it is called.
 *
 * It gives its threads names, which from version 570 on it does not do without: it writes to
 * /proc/PID/task/TID/comm, in the daemon and in a training child. A rule can name the daemon's own folder,
 * but not that of a child to come, only all of /proc. For an ordinary user the kernel itself lets nothing be
 * changed there but what is of that user's own processes. Root, with no capabilities even, could change the
 * kernel's settings: there the child goes without a GPU.
 */
static void allow_driver(struct fence *fence, const struct config *config, char *const *devices, size_t n)
{
    const char *cache = getenv("CUDA_CACHE_PATH");
    bool root = geteuid() == 0;

    if (root && config->retrain.directories[0] != '\0')
        log_warning("sandbox.files leaves training no GPU, since the daemon runs as root");
    for (size_t i = 0; i < n; i++)
        allow(fence, devices[i], SANDBOX_UPDATE);
    allow(fence, root ? "/proc/self/task" : "/proc", SANDBOX_UPDATE);
    if (cache != NULL)
        allow(fence, cache, SANDBOX_WRITE);
}

/* The module of the GPU engine, and where there is a GPU, what it takes. */
static void allow_accelerator(struct fence *fence, const struct config *config)
{
    glob_t found;

    allow_folder_of(fence, engines_module(&config->classify), SANDBOX_EXECUTE);
    if (glob("/dev/nvidia*", 0, NULL, &found) == 0)
        allow_driver(fence, config, found.gl_pathv, found.gl_pathc);
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
        allow_accelerator(fence, config);
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
    allow_outputs(&fence, service);
    r = fence.failed ? error_set(err, -ENOMEM, "out of memory for the paths of sandbox.files")
                     : without(sandbox_files(fence.paths, fence.n, err), err);
    fence_deinit(&fence);
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

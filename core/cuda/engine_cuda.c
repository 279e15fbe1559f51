/* The CUDA engine: a tree that fused kernels know goes through them, every other layer by layer (network.h).
 * Learning always goes the second way. The weights live in the network; after a step the fused kernels get
 * theirs when the next batch is to be judged.
 */
#include "core/cuda/engine_cuda.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cpu/pool.h"
#include "core/cuda/fused.h"
#include "core/cuda/network.h"
#include "core/cuda/status.h"

enum {
    /* Flows that are encoded and judged at once: enough to fill any device, if a share of its memory holds
     * the longest of them. Through cuDNN fewer: some of its kernels count lists in 16 bits. */
    PORTION_FLOWS = 65536,
    PORTION_FLOWS_CUDNN = 32768,
    PORTION_SHARE = 4,

    PATH_MAX_LENGTH = DEVICE_NAME_MAX + 16,
};

struct engine_cuda {
    struct engine base;
    struct device device;
    struct pool *pool;            /* writes large batches down for the copy */
    struct cuda_network *network; /* NULL: nothing is loaded */
    struct fused *fused;          /* NULL: not for this tree */
    float *weights;               /* (n_weights) on their way to the fused kernels */
    bool fused_outdated;          /* they have the weights of an earlier step */
    const struct batch *judged;   /* went through the fused kernels last; else NULL */
    char path[PATH_MAX_LENGTH];
};

static struct engine_cuda *engine_cuda_from(struct engine *engine)
{
    return (struct engine_cuda *)engine;
}

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "cuda engine: out of memory");
}

static int cuda_open(struct engine **enginep, const struct engine_options *options, struct error *err)
{
    struct engine_cuda *cuda = calloc(1, sizeof *cuda);
    int rc;

    if (cuda == NULL)
        return no_memory(err);
    cuda->base.ops = &engine_cuda;
    rc = device_open(&cuda->device, err);
    if (rc == 0)
        rc = pool_new(&cuda->pool, options->threads, err);
    if (rc < 0) {
        device_close(&cuda->device);
        free(cuda);
        return rc;
    }
    *enginep = &cuda->base;
    return 0;
}

static void unload(struct engine_cuda *cuda)
{
    fused_free(cuda->fused);
    cuda_network_free(cuda->network);
    free(cuda->weights);
    cuda->fused = NULL;
    cuda->network = NULL;
    cuda->weights = NULL;
    cuda->judged = NULL;
    cuda->fused_outdated = false;
    cuda->base.tree = NULL;
    cuda->base.portion = 0;
}

static int set_portion(struct engine_cuda *cuda, const struct tree *tree, struct error *err)
{
    bool by_cudnn = cuda->fused == NULL && cuda_network_needs_cudnn(cuda->network);
    size_t unused, all, flows, most = by_cudnn ? PORTION_FLOWS_CUDNN : PORTION_FLOWS;

    CUDA_TRY(cudaMemGetInfo(&unused, &all));
    flows = unused / PORTION_SHARE / cuda_network_flow_octets(tree);
    flows = flows < most ? flows : most;
    cuda->base.portion = flows > 0 ? flows : 1;
    return 0;
}

/* The fused kernels, if they know all of the tree. */
static int load_fused(struct engine_cuda *cuda, const struct model *model, struct error *err)
{
    int rc = fused_new(&cuda->fused, &cuda->device, model->tree, model->weights, cuda->pool, err);

    if (rc == -ENOTSUP) {
        cuda->fused = NULL;
        return 0;
    }
    if (rc < 0)
        return rc;
    cuda->weights = calloc(model->tree->n_weights, sizeof *cuda->weights);
    return cuda->weights == NULL ? no_memory(err) : 0;
}

/* How flows are judged: in fused kernels, layer by layer in ours alone, or with cuDNN's. */
static void set_path(struct engine_cuda *cuda)
{
    const char *way = cuda->fused != NULL                       ? "fused"
                      : cuda_network_needs_cudnn(cuda->network) ? "cuDNN"
                                                                : "layers";

    (void)snprintf(cuda->path, sizeof cuda->path, "%s, %s", way, cuda->device.name);
}

static int cuda_load(struct engine *engine, const struct model *model, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc;

    rc = device_enter(&cuda->device, err);
    if (rc < 0)
        return rc;
    unload(cuda);
    rc = cuda_network_new(&cuda->network, &cuda->device, cuda->pool, model->tree, model->weights, err);
    if (rc == 0)
        rc = load_fused(cuda, model, err);
    if (rc == 0)
        rc = set_portion(cuda, model->tree, err);
    if (rc < 0) {
        unload(cuda);
        return rc;
    }
    set_path(cuda);
    cuda->base.tree = model->tree;
    return 0;
}

static int refresh_fused(struct engine_cuda *cuda, struct error *err)
{
    int rc = cuda_network_weights(cuda->network, cuda->weights, err);

    if (rc == 0)
        rc = fused_weights(cuda->fused, cuda->weights, err);
    if (rc == 0)
        cuda->fused_outdated = false;
    return rc;
}

static int cuda_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    cuda->judged = NULL;
    if (rc == 0 && cuda->fused == NULL)
        return cuda_network_forward(cuda->network, batch, logits, err);
    if (rc == 0 && cuda->fused_outdated)
        rc = refresh_fused(cuda, err);
    if (rc == 0)
        rc = fused_forward(cuda->fused, batch, logits, err);
    if (rc == 0)
        cuda->judged = batch;
    return rc;
}

static int cuda_backward(struct engine *engine, const struct batch *batch,
                         const struct engine_targets *targets, double *loss, float *logits, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    cuda->judged = NULL;
    return rc < 0 ? rc : cuda_network_backward(cuda->network, batch, targets, loss, logits, err);
}

static int cuda_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    cuda->fused_outdated = true;
    return rc < 0 ? rc : cuda_network_step(cuda->network, optimizer, err);
}

static int cuda_weights(struct engine *engine, float *weights, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    return rc < 0 ? rc : cuda_network_weights(cuda->network, weights, err);
}

static int cuda_gradient(struct engine *engine, float *gradient, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    return rc < 0 ? rc : cuda_network_gradient(cuda->network, gradient, err);
}

/* The fused kernels keep nothing of what elements give: the batch goes through the network once more. */
static int cuda_output(struct engine *engine, size_t element, float *values, struct error *err)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int rc = device_enter(&cuda->device, err);

    if (rc == 0 && cuda->judged != NULL)
        rc = cuda_network_forward(cuda->network, cuda->judged, NULL, err);
    if (rc < 0)
        return rc;
    cuda->judged = NULL;
    return cuda_network_output(cuda->network, element, values, err);
}

static const char *cuda_path(const struct engine *engine)
{
    return ((const struct engine_cuda *)engine)->path;
}

/* The kernels that are for few flows and those that are for many. */
static bool cuda_take_way(struct engine *engine, int way)
{
    static const enum fused_kernels kernels[] = {FUSED_KERNELS_LANES, FUSED_KERNELS_TENSOR};
    struct engine_cuda *cuda = engine_cuda_from(engine);
    int n = cuda->fused != NULL ? (int)(sizeof kernels / sizeof *kernels) : 0;

    if (way >= n)
        return false;
    if (cuda->fused != NULL)
        fused_choose(cuda->fused, way == ENGINE_WAY_BY_SIZE ? FUSED_KERNELS_BY_SIZE : kernels[way]);
    return true;
}

static void cuda_close(struct engine *engine)
{
    struct engine_cuda *cuda = engine_cuda_from(engine);

    (void)device_enter(&cuda->device, NULL); /* gone or not, all is given back */
    unload(cuda);
    device_close(&cuda->device);
    pool_free(cuda->pool);
    free(cuda);
}

const struct engine_ops engine_cuda = {
    .interface = ENGINE_INTERFACE,
    .name = "cuda",
    .open = cuda_open,
    .load = cuda_load,
    .forward = cuda_forward,
    .backward = cuda_backward,
    .step = cuda_step,
    .weights = cuda_weights,
    .gradient = cuda_gradient,
    .output = cuda_output,
    .path = cuda_path,
    .take_way = cuda_take_way,
    .close = cuda_close,
};

#include "core/cuda/fused.h"

#include <errno.h>
#include <stdlib.h>

#include "core/cuda/fused_pack.h"
#include "core/cuda/fused_portion.h"
#include "core/cuda/status.h"

enum {
    PORTIONS = 2, /* under way at once: a prototype gained nothing by a third */

    /* Flows of one: enough for the kernels to fill a device, few enough that the first are on their way soon
     * while the host packs the next. */
    PORTION_FLOWS = 16384,
};

_Static_assert((int)PORTION_FLOWS <= (int)FUSED_FILL_FLOWS_MAX, "a portion's flows are numbered in 16 bits");

struct fused {
    struct device *device;
    struct fused_program program;
    struct device_buffer weights; /* program.packed */
    void *packed;                 /* the same on the host */
    struct fused_portion portions[PORTIONS];
};

static int fused_init(struct fused *fused, const struct tree *tree, const float *weights, struct pool *pool,
                      struct error *err)
{
    int r = fused_plan_init(&fused->program.plan, tree, err);

    if (r < 0)
        return r;
    fused->packed = malloc(fused->program.plan.octets);
    fused->program.columns = calloc(fused_fill_columns(tree), sizeof *fused->program.columns);
    if (fused->packed == NULL || fused->program.columns == NULL)
        return error_set(err, -ENOMEM, "fused kernels: no memory for the weights and columns");
    fused->program.pool = pool;
    r = device_buffer_reserve(fused->device, &fused->weights, fused->program.plan.octets, 1, err);
    for (size_t i = 0; r == 0 && i < PORTIONS; i++)
        r = fused_portion_init(&fused->portions[i], fused->device, err);
    return r == 0 ? fused_weights(fused, weights, err) : r;
}

int fused_new(struct fused **fusedp, struct device *device, const struct tree *tree, const float *weights,
              struct pool *pool, struct error *err)
{
    struct fused *fused = calloc(1, sizeof *fused);
    int r;

    if (fused == NULL)
        return error_set(err, -ENOMEM, "fused kernels: no memory");
    fused->device = device;
    r = fused_init(fused, tree, weights, pool, err);
    if (r < 0) {
        fused_free(fused);
        return r;
    }
    *fusedp = fused;
    return 0;
}

void fused_free(struct fused *fused)
{
    if (fused == NULL)
        return;
    for (size_t i = 0; i < PORTIONS; i++)
        fused_portion_deinit(&fused->portions[i]);
    device_buffer_deinit(&fused->weights);
    fused_plan_deinit(&fused->program.plan);
    free(fused->program.columns);
    free(fused->packed);
    free(fused);
}

int fused_weights(struct fused *fused, const float *weights, struct error *err)
{
    fused->program.has_tensor = fused_pack(&fused->program.plan, weights, fused->packed);
    fused->program.packed = fused->weights.at;
    CUDA_TRY(cudaMemcpyAsync(fused->weights.at, fused->packed, fused->program.plan.octets,
                             cudaMemcpyHostToDevice, fused->device->stream));
    return device_wait(fused->device, err);
}

void fused_choose(struct fused *fused, enum fused_kernels kernels)
{
    fused->program.kernels = kernels;
}

/* Portion after portion, by turns; a portion's logits are handed out when its turn comes again. */
static int forward(struct fused *fused, const struct batch *batch, float *logits, struct error *err)
{
    uint32_t first = 0;
    int r = 0;

    for (size_t i = 0; i < PORTIONS; i++)
        fused->portions[i].launch.n_flows = 0;
    for (size_t turn = 0; r == 0 && first < batch->n_flows; turn++) {
        struct fused_portion *portion = &fused->portions[turn % PORTIONS];
        uint32_t n = batch->n_flows - first < PORTION_FLOWS ? batch->n_flows - first : PORTION_FLOWS;

        r = fused_portion_finish(portion, err);
        if (r == 0)
            r = fused_portion_start(portion, &fused->program, batch, first, n,
                                    logits + first * batch->tree->n_labels, err);
        first += n;
    }
    for (size_t i = 0; r == 0 && i < PORTIONS; i++)
        r = fused_portion_finish(&fused->portions[i], err);
    return r;
}

int fused_forward(struct fused *fused, const struct batch *batch, float *logits, struct error *err)
{
    int r = forward(fused, batch, logits, err);

    for (size_t i = 0; r < 0 && i < PORTIONS; i++)
        fused_portion_abandon(&fused->portions[i]);
    return r;
}

int fused_repeat(struct fused *fused, unsigned times, uint64_t *n_flows, struct error *err)
{
    int r = 0;

    *n_flows = 0;
    for (unsigned i = 0; r == 0 && i < times * PORTIONS; i++) {
        struct fused_portion *portion = &fused->portions[i % PORTIONS];

        r = fused_portion_repeat(portion, &fused->program, err);
        *n_flows += portion->launch.n_flows;
    }
    for (size_t i = 0; i < PORTIONS; i++)
        CUDA_TRY(cudaStreamSynchronize(fused->portions[i].stream));
    return r;
}

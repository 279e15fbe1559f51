/* fused_portion.h - a part of a batch on its way through the fused kernels, on a stream of its own.
 *
 * Everything a portion needs goes to the device in one copy (fused_fill.h), headed by a table of walks and
 * one of sources; what comes back are the logits. Two portions under way at once keep copies and kernels busy
 * both.
 */
#ifndef CORE_CUDA_FUSED_PORTION_H
#define CORE_CUDA_FUSED_PORTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/cuda/device.h"
#include "core/cuda/fused.h"
#include "core/cuda/fused_fill.h"
#include "core/cuda/fused_plan.h"

/* A plan and its weights on the device. */
struct fused_program {
    struct fused_plan plan;
    const char *packed;                /* device: fused_pack() */
    bool has_tensor;                   /* the weights are within what tensor cores take */
    enum fused_kernels kernels;        /* as chosen */
    struct pool *pool;                 /* threads that fill portions; borrowed */
    struct fused_fill_column *columns; /* what the last portion's columns were like; owned */
};

/* The kernels of a portion. */
struct fused_launch {
    const struct fused_walk *walks, *device_walks; /* (plan->n_walks) the former in the staging memory */
    const struct fused_source *sources;            /* device */
    uint32_t n_flows;                              /* 0: none yet */
    bool tensor;                                   /* walks that can go to the tensor cores do */
};

struct fused_portion {
    struct device *device;
    cudaStream_t stream;
    struct pinned_buffer staging, result;
    struct device_buffer input, output;
    uint32_t *counts; /* (n_counts) for sorting; owned */
    size_t n_counts;
    float *logits; /* of the portion under way, borrowed; NULL: none */
    size_t n_logits;
    struct fused_launch launch; /* what was started last */
};

/* Make an empty one with its stream. Return: 0, -ENODEV, -ENOMEM. */
int fused_portion_init(struct fused_portion *portion, struct device *device, struct error *err);

/* Wait for its work and free what it holds; fine on zeros. */
void fused_portion_deinit(struct fused_portion *portion);

/* Start flows [first, first + n) of a batch. The batch may change when this returns. Nothing else of the
 * portion may be under way.
 *
 * logits: (n, n_labels), filled by fused_portion_finish().
 *
 * Return: 0, -ENOMEM, -ENODEV.
 */
int fused_portion_start(struct fused_portion *portion, const struct fused_program *program,
                        const struct batch *batch, uint32_t first, uint32_t n, float *logits,
                        struct error *err);

/* Wait for what is under way and hand its logits out. Return: 0, -ENODEV. */
int fused_portion_finish(struct fused_portion *portion, struct error *err);

/* Start the same kernels once more over what lies on the device since then, if there was anything. Return: 0,
 * -ENODEV. */
int fused_portion_repeat(const struct fused_portion *portion, const struct fused_program *program,
                         struct error *err);

/* Wait for what is under way, if anything, and forget it. */
void fused_portion_abandon(struct fused_portion *portion);

#endif

/* engine.h - scores from batches, gradients from labels: the interface that the CPU and the CUDA engine
 * implement with equal answers.
 *
 * An engine holds one loaded tree, its weights, the optimiser's state and scratch memory. One thread at a
 * time may call it; it may use threads of its own inside. A failed call leaves it in a state where close()
 * works; after -ENODEV (the device is gone) nothing else does.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/tree/model.h"
#include "flowtrack/error.h"

struct engine; /* implementations embed it first */

struct engine_options {
    unsigned threads;        /* 0: as many as the process may run on */
    const char *instruction; /* cpu: "avx512", "avx2", "generic"; NULL: the best there is */
};

enum optimizer_kind {
    OPTIMIZER_ADAM,  /* Keras 2.2 form: epsilon outside the bias correction */
    OPTIMIZER_ADAMW, /* decoupled weight decay, PyTorch form (Loshchilov and Hutter, 2019) */
};

struct optimizer {
    enum optimizer_kind kind;
    double rate;         /* of this step */
    double beta1, beta2; /* 0.9, 0.999 */
    double epsilon;      /* 1e-7 */
    double weight_decay; /* adamw */
    double clip;         /* global norm; 0: none */
};

/* One training example set beside a batch. */
struct engine_targets {
    const uint32_t *labels; /* (n_flows) index of the label */
    const float *weights;   /* (n_flows) weight of each flow's loss; NULL: 1 */
    uint64_t dropout_seed;  /* decides which values dropout leaves out (dropout.h); 0: no dropout */
};

/* What a module and the program must agree on: grows whenever this header, or a struct in it, changes. */
enum { ENGINE_INTERFACE = 2 };

/* No certain way (take_way()). */
enum { ENGINE_WAY_BY_SIZE = -1 };

/* What an implementation provides; callers use the engine_*() functions below. */
struct engine_ops {
    uint32_t interface; /* ENGINE_INTERFACE: a module that was built with another is refused. Stays first. */
    const char *name;   /* "cpu", "cuda" */

    /* Make an engine. Return: 0, -ENODEV (cannot run here, why in err), -ENOMEM. */
    int (*open)(struct engine **enginep, const struct engine_options *options, struct error *err);

    /* Take a tree and its weights; copies what it needs, resets the optimiser. model need not outlive the
     * call, but its tree must outlive the load. Return: 0, -ENOTSUP (a tree it cannot run), -ENODEV, -ENOMEM.
     */
    int (*load)(struct engine *engine, const struct model *model, struct error *err);

    /* Logits of a batch. logits: (n_flows, n_labels), before softmax and temperature. Return: 0, -ENODEV,
     * -ENOMEM. */
    int (*forward)(struct engine *engine, const struct batch *batch, float *logits, struct error *err);

    /* Forward, loss and gradient; the gradient replaces the one of the call before. The loss is the weighted
     * mean over the batch of -log softmax(logits)[label] in the log-sum-exp form: sum of weight * loss
     * divided by the sum of weights (0 if that is 0). logits: as in forward, may be NULL. */
    int (*backward)(struct engine *engine, const struct batch *batch, const struct engine_targets *targets,
                    double *loss, float *logits, struct error *err);

    /* One step of the optimiser with the gradient in hand. */
    int (*step)(struct engine *engine, const struct optimizer *optimizer, struct error *err);

    /* Read the weights or the gradient: (n_weights) floats in the order of tree->tensors. */
    int (*weights)(struct engine *engine, float *weights, struct error *err);
    int (*gradient)(struct engine *engine, float *gradient, struct error *err);

    /* Output of one element for the batch that went through last: (n_instances, out_width); of the root, the
     * logits. For tests; the batch must still be as it was. Return: 0, -EINVAL (no batch has gone through
     * since the load), -ENODEV, -ENOMEM. */
    int (*output)(struct engine *engine, size_t element, float *values, struct error *err);

    /* Which of several ways the loaded tree takes, and on what, for people: "fused, NVIDIA H100 PCIe". The
     * text is the engine's and holds until the next load. NULL: an engine with one way. */
    const char *(*path)(const struct engine *engine);

    /* Take one of the ways to judge between which the engine chooses by the size of a batch, counted from 0,
     * for all batches until the next call or load, so that a self-test sees each; ENGINE_WAY_BY_SIZE: choose
     * again. Return: false: there is no such way, and nothing changes. NULL: an engine with one way. */
    bool (*take_way)(struct engine *engine, int way);

    void (*close)(struct engine *engine);
};

struct engine {
    const struct engine_ops *ops;
    const struct tree *tree; /* NULL before load */
    size_t portion;          /* flows that are best encoded and go forward together, so that what lies between
                                stays in the cache; 0: all that there are */
};

extern const struct engine_ops
    engine_reference; /* plain C, float64 inside: the truth that the others are tested against */
extern const struct engine_ops engine_cpu; /* flows side by side in vector lanes, float32 */

static inline int engine_open(struct engine **enginep, const struct engine_ops *ops,
                              const struct engine_options *options, struct error *err)
{
    return ops->open(enginep, options, err);
}

/* The way that the loaded tree takes. Return: "" for an engine with one way. */
static inline const char *engine_path(const struct engine *engine)
{
    return engine->ops->path == NULL ? "" : engine->ops->path(engine);
}

static inline void engine_close(struct engine *engine)
{
    if (engine != NULL)
        engine->ops->close(engine);
}

#endif

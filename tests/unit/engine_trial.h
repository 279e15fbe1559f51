/* engine_trial.h - one random tree with a random batch, what an engine says about it, and how near that is to
 * what another says. */
#ifndef TESTS_UNIT_ENGINE_TRIAL_H
#define TESTS_UNIT_ENGINE_TRIAL_H

#include "core/engine.h"
#include "core/random.h"

enum { TRIAL_FLOWS_MAX = 150, TRIAL_STEPS = 3 };

/* A random tree with weights and a batch; half of them learn with dropout. */
struct trial {
    struct model *model;
    struct batch *batch;
    struct engine_targets targets; /* of the first step; others drop other values */
    uint32_t labels[TRIAL_FLOWS_MAX];
    float weights[TRIAL_FLOWS_MAX];
};

void trial_init(struct trial *trial, struct random *random, size_t n_flows);
/* The same with a certain tree, which goes over to the trial. */
void trial_init_tree(struct trial *trial, struct tree *tree, struct random *random, size_t n_flows);

void trial_deinit(struct trial *trial);

/* An engine with the trial's model. */
struct engine *trial_engine(const struct trial *trial, const struct engine_ops *ops,
                            const struct engine_options *options);

/* What an engine says. */
struct answers {
    float judged[TRIAL_FLOWS_MAX * TREE_LABELS_MAX]; /* by forward */
    float logits[TRIAL_FLOWS_MAX * TREE_LABELS_MAX]; /* by the first backward */
    float *outputs[TREE_ELEMENTS_MAX];
    float *gradient;
    float *weights; /* after TRIAL_STEPS steps */
    double losses[TRIAL_STEPS];
};

void answers_init(struct answers *answers, struct engine *engine, const struct trial *trial);
void answers_deinit(struct answers *answers, const struct trial *trial);

/* Fail unless all of it is as near as float32 allows. name: of who said `got`. */
void answers_compare(const struct answers *got, const struct answers *want, const struct trial *trial,
                     const char *name);

#endif

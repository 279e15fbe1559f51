/* fused_trial.h - a tree, weights and a batch, what the reference engine says of them in float64, and what
 * the fused kernels say on the fake device. */
#ifndef TESTS_UNIT_FUSED_TRIAL_H
#define TESTS_UNIT_FUSED_TRIAL_H

#include <stdbool.h>

#include "core/cuda/fused.h"
#include "core/encode.h"
#include "core/random.h"
#include "core/tree/model.h"

struct fused_trial {
    struct model *model;
    struct batch *batch;
    double *logits; /* (n_flows, n_labels) of the reference engine */
};

struct fused_inputs {
    size_t n;         /* flows */
    unsigned packets; /* listed by each, at most */
    bool full;        /* every list as long as a record's can be */
    enum encode_purpose purpose;
};

/* Make one. tree: is taken over. scale: of the weights, 1: as PyTorch starts them. The columns are random
 * numbers within -1 and 1. */
void fused_trial_init(struct fused_trial *trial, struct random *random, struct tree *tree, double scale,
                      const struct fused_inputs *inputs);
void fused_trial_deinit(struct fused_trial *trial);

/* Let the reference engine answer again, after a change of weights or inputs. */
void fused_trial_answer(struct fused_trial *trial);

/* The same through the fused kernels. logits: (n_flows, n_labels). Return: of fused_new() or fused_forward().
 */
int fused_trial_run(const struct fused_trial *trial, enum fused_kernels kernels, float *logits,
                    struct error *err);

/* Run, and return the largest difference of a probability from the reference's. */
double fused_trial_difference(const struct fused_trial *trial, enum fused_kernels kernels);

/* The largest difference of a probability. got, want: (n_flows, n_labels) logits. */
double fused_trial_compare(const struct fused_trial *trial, const float *got, const double *want);

/* A tree of the shipped ones; of a text. */
struct tree *fused_trial_tree_file(const char *name);
struct tree *fused_trial_tree_text(const char *text);

#endif

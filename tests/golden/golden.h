/* golden.h - the reference numbers of ../shared/data/model as a tree, a batch and vectors of doubles.
 *
 * A set is one file of outputs, loss, gradients and steps. Everything by weight is laid out as tree->tensors
 * says. Numbers that are missing or of the wrong count end the program: the data is part of the test.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"
#include "core/engine.h"
#include "core/tree/model.h"
#include "flowtrack/record.h"

enum { GOLDEN_FLOWS = 24 };

struct golden_set {
    const char *name;
    const char *file;    /* of the numbers */
    const char *weights; /* file that holds the weights */
    const char *inputs;  /* file that holds the inputs */
    const char *inputs_key;
    const char *tree; /* in etc/trees */
    bool masked;      /* the tree with padding "none" */
    bool raw;         /* saturated: probabilities have a wider limit */
};

struct golden {
    const struct golden_set *set;
    struct model *model; /* weights as floats, and the tree */
    struct batch *batch; /* inputs as floats */
    double *weights;     /* (n_weights) */
    double **inputs;     /* (n_elements) own columns of the rows of the batch; NULL without columns */
    uint32_t labels[GOLDEN_FLOWS];
    cJSON *numbers;
};

/* seed_raw, seed_conditioned, seed_conditioned_masked, v1_golden. */
enum { GOLDEN_SETS = 4 };
extern const struct golden_set golden_sets[GOLDEN_SETS];

/* Whether the data is there. */
bool golden_present(void);

void golden_open(struct golden *golden, const struct golden_set *set);
void golden_close(struct golden *golden);

/* A tensor of the file by keys, as in ("outputs", "pkt"); key NULL: the first names it alone. NULL if there
 * is none. To free(). */
double *golden_tensor(const struct golden *golden, const char *part, const char *key, size_t size);

/* A number of the file: "loss". */
double golden_number(const struct golden *golden, const char *part, const char *key);

/* One value for each weight: ("gradients"), ("adamw", "after_5_steps"). NULL if the set has none. To free().
 */
double *golden_by_weight(const struct golden *golden, const char *part, const char *key);

/* Give the model the reference's normalisation constants, if the set has some. */
void golden_constants(struct golden *golden);

/* The records that the inputs were made from. */
void golden_records(struct record records[GOLDEN_FLOWS]);

#endif

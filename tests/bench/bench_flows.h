/* bench_flows.h - flows for the benchmarks of engines: records with lists as long as those of real traffic, a
 * tree, an engine with it, and a batch.
 */
#ifndef TESTS_BENCH_BENCH_FLOWS_H
#define TESTS_BENCH_BENCH_FLOWS_H

#include "core/batch.h"
#include "core/encode.h"
#include "core/engine.h"

/* Packets, ids out and ids in that a flow lists: every twentieth of the sorted lengths. */
struct bench_lengths {
    uint8_t packets[20], ids_out[20], ids_in[20];
};

/* 8,513 flows of test captures of all kinds of traffic, scans and lookups included. */
extern const struct bench_lengths bench_mixed;

/* 870 flows of news, social media and video, labelled; those too short to label left out. */
extern const struct bench_lengths bench_labelled;

/* What is measured. lengths: NULL: every flow has as many as said. */
struct bench_work {
    const char *name, *tree;
    const struct bench_lengths *lengths;
    uint8_t packets, ids;
    bool training;
};

/* Everything that a measurement needs. */
struct bench_setup {
    struct model *model;
    struct batch *batch;
    struct engine *engine;
    size_t n_flows;
    struct record *records;         /* (n_flows) */
    const struct record **pointers; /* (n_flows) */
    uint32_t *labels;               /* (n_flows) */
    float *logits;                  /* (n_flows, n_labels) */
};

/* Make it; ends the program if that fails. folder: of the trees. */
void bench_setup_init(struct bench_setup *s, const struct bench_work *work, size_t n_flows,
                      const char *folder, const struct engine_ops *ops, const struct engine_options *options);
void bench_setup_deinit(struct bench_setup *s);

/* Median of n times, which it sorts. */
double bench_median(double *times, size_t n);

/* End the program. */
_Noreturn void bench_fail(const char *what);

#endif

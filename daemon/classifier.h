/* classifier.h - the thread that judges: batches of flows in, the same batches with verdicts out.
 *
 * Batches come through a bounded queue and go on to the writer, in order, whatever happens: a batch that
 * cannot be judged goes on without verdicts and with the cause. When the engine fails, the CPU engine takes
 * over within the same batch, and the engine that was asked for is tried again from time to time. A new model
 * is exchanged between two batches.
 */
#ifndef DAEMON_CLASSIFIER_H
#define DAEMON_CLASSIFIER_H

#include <stdbool.h>

#include "core/engine.h"
#include "daemon/flow_batch.h"
#include "daemon/served_model.h"
#include "daemon/stats.h"
#include "daemon/writer.h"

struct classifier_config {
    const struct engine_ops *engine; /* that is asked for */
    struct engine_options engine_options;
    size_t capacity;       /* flows of the largest batch */
    size_t queue;          /* batches that may wait */
    struct stats *stats;   /* borrowed */
    struct writer *writer; /* borrowed */
};

struct classifier;

/* Load the model and start the thread.
 *
 * served: the classifier takes a reference of its own.
 *
 * Return: 0; -ENODEV, -ENOTSUP, -ENOMEM, -EAGAIN with err filled.
 */
int classifier_start(struct classifier **classifierp, const struct classifier_config *config,
                     struct served_model *served, struct error *err);

/* Give a batch to be judged.
 *
 * wait: true: wait for room.
 *
 * Return: true: the batch is the classifier's; false: there is no room, it stays the caller's.
 */
bool classifier_take(struct classifier *classifier, struct flow_batch *batch, bool wait);

/* Load a model and judge with it from the next batch on. Any thread.
 *
 * served: the classifier takes a reference of its own.
 *
 * Return: 0; -ENODEV, -ENOTSUP, -ENOMEM with err filled: the model in use goes on.
 */
int classifier_serve(struct classifier *classifier, struct served_model *served, struct error *err);

struct classifier_status {
    const char *engine; /* that judges now */
    bool fallen_back;   /* it stands in for the one asked for */
    size_t waiting;     /* batches */
    uint64_t batches;   /* that have been judged, or given up: moves while the thread does */
};

/* How it is. Any thread. */
void classifier_status(struct classifier *classifier, struct classifier_status *status);

/* The model in use. Any thread. Return: a reference, for served_model_unref(). */
struct served_model *classifier_model(struct classifier *classifier);

/* Judge everything that was given, end the thread, and free. NULL is fine. */
void classifier_stop(struct classifier *classifier);

#endif

/* classifier.h - the thread that judges: batches of flows in, the same batches with verdicts out.
 *
 * Batches come through a bounded queue and go on to the writer, in order, whatever happens: a batch that
 * cannot be judged goes on without verdicts and with the cause. A new model is exchanged between two batches.
 *
 * The CPU engine is always ready. Beside it there may be the engine of a module (accelerator.h), which takes
 * the batches for which it is faster, or all. When it fails, the CPU takes over within the same batch, and
 * the other is tried again from time to time, and with every new model.
 */
#ifndef DAEMON_CLASSIFIER_H
#define DAEMON_CLASSIFIER_H

#include <stdbool.h>

#include "core/engine.h"
#include "daemon/accelerator.h"
#include "daemon/flow_batch.h"
#include "daemon/served_model.h"
#include "daemon/stats.h"
#include "daemon/writer.h"

struct classifier_config {
    const struct engine_ops *accelerator; /* NULL: the CPU alone */
    bool demanded;                        /* it has to work at the start, and takes every batch */
    int64_t retry;                        /* microseconds for which it is left alone when it has failed */
    struct engine_options engine_options;
    size_t capacity;       /* flows of the largest batch */
    size_t queue;          /* batches that may wait */
    struct stats *stats;   /* borrowed */
    struct writer *writer; /* borrowed */
};

struct classifier;

/* Load the model, try the accelerator, say what came of that, and start the thread.
 *
 * served: the classifier takes a reference of its own.
 *
 * Return: 0; -ENODEV: the accelerator was demanded and does not work; -ENOMEM, -EAGAIN; err is filled.
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
 * Return: 0; -ENODEV, -ENOMEM, -EAGAIN with err filled: the model in use goes on.
 */
int classifier_serve(struct classifier *classifier, struct served_model *served, struct error *err);

struct classifier_status {
    const char *engine; /* that takes a full batch now */
    bool fallen_back;   /* the CPU stands in for the accelerator */
    size_t waiting;     /* batches */
    uint64_t batches;   /* that have been judged, or given up: moves while the thread does */
    struct classifier_accelerator {
        const char *name; /* NULL: there is none, and the rest means nothing */
        bool in_use;
        char path[ACCELERATOR_TEXT_MAX]; /* which way the tree takes in it, "": it has one way */
        double difference;               /* to the CPU's logits, of the last self-test */
        size_t break_even;               /* flows from which it is faster; BREAK_EVEN_NEVER */
        uint64_t failures;               /* how often it went out of use, or could not be taken into use */
        uint64_t retries;
        char reason[ERROR_TEXT_MAX]; /* of the last failure, "": there was none */
    } accelerator;
};

/* How it is. Any thread. */
void classifier_status(struct classifier *classifier, struct classifier_status *status);

/* The model in use. Any thread. Return: a reference, for served_model_unref(). */
struct served_model *classifier_model(struct classifier *classifier);

/* Judge everything that was given, end the thread, and free. NULL is fine. */
void classifier_stop(struct classifier *classifier);

#endif

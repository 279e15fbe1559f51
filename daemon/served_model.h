/* served_model.h - a model in use, counted by reference.
 *
 * The classifier may go on to the next model while batches that the last one judged still wait to be written;
 * a model lives until the last of them has been.
 */
#ifndef DAEMON_SERVED_MODEL_H
#define DAEMON_SERVED_MODEL_H

#include <stdatomic.h>

#include "core/tree/model.h"
#include "flowtrack/error.h"

struct served_model {
    struct model *model; /* owned; not changed while it is served */
    atomic_uint references;
};

/* Load a model to serve.
 *
 * threshold: replaces those of the model where it is above 0.
 *
 * Return: 0, the caller holds the one reference; what model_load() returns.
 */
int served_model_load(struct served_model **servedp, const char *path, double threshold, struct error *err);

/* Another reference. Return: served. */
struct served_model *served_model_ref(struct served_model *served);

/* Let a reference go; the last one frees. NULL is fine. */
void served_model_unref(struct served_model *served);

#endif

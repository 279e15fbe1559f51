/* encode.h - records to the inputs of each element: the one function that training and serving share. */
#ifndef CORE_ENCODE_H
#define CORE_ENCODE_H

#include "core/batch.h"
#include "core/tree/model.h"
#include "flowtrack/record.h"

enum encode_purpose {
    ENCODE_SERVING,  /* padding batch: up to the limits of a record, so that a verdict never depends on its
                        neighbours */
    ENCODE_TRAINING, /* padding batch: up to the longest of the batch */
};

/* Fill a batch from records; what it held before is gone.
 *
 * batch: made for model->tree.
 * records: (n) pointers.
 *
 * Return: 0, -ENOMEM (the batch is empty).
 */
int encode_records(struct batch *batch, const struct model *model, const struct record *const *records,
                   size_t n, enum encode_purpose purpose);

/* Fit the normalisation constants of a model (mean, standard deviation + 0.05) to a set of records.
 *
 * Return: 0; -ERANGE (a column has values that are no numbers: its maps go too far), -ENOMEM: the model is as
 * before.
 */
int encode_fit_constants(struct model *model, const struct record *const *records, size_t n);

#endif

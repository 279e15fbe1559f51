/* provenance.h - where a model comes from and how good it is, as the JSON object in model->training. */
#ifndef CORE_LEARN_PROVENANCE_H
#define CORE_LEARN_PROVENANCE_H

#include "core/learn/learn.h"

/* Write all of it into result->model->training: data, split, recipe, epochs, calibration, figures, the
 * gate's answer, seed, date, program.
 *
 * Return: 0, -ENOMEM.
 */
int provenance_write(struct learn_result *result, const struct dataset *dataset,
                     const struct learn_options *options, const struct train_recipe *recipe,
                     struct error *err);

/* What it takes to make the same split again. */
struct provenance_split {
    char hash[65]; /* of the data set */
    double holdout;
    uint64_t seed;
};

/* Read it back from a model.
 *
 * Return: 0, -ENOENT: the model does not say.
 */
int provenance_read(const struct model *model, struct provenance_split *split);

/* The epochs that a model's training object tells of.
 *
 * training: parsed; NULL is fine.
 *
 * Return: 0; -ENOENT: none; -ENOMEM.
 */
int provenance_history(const cJSON *training, struct train_result *history);

#endif

/* split.h - which captures a model learns from, and which it is judged by.
 *
 * Flows of one capture resemble each other far more than flows of one class do, so every split goes by
 * capture: a split by flow would measure how well the model recognises the capture. The shares of each
 * label are kept as near to the wanted ones as whole captures allow, and the seed decides between equals.
 */
#ifndef CORE_LEARN_SPLIT_H
#define CORE_LEARN_SPLIT_H

#include "core/learn/dataset.h"

/* Records of a data set by index: what training and evaluation walk over. */
struct subset {
    size_t n;
    uint32_t *index; /* (n) owned, ascending */
};

/* Free the indices; the subset is empty afterwards. */
void subset_free(struct subset *subset);

/* All records. Return: 0, -ENOMEM. */
int split_all(const struct dataset *dataset, struct subset *all);

/* Captures of a subset (NULL: of all) that hold records of a label; 0 also when memory is short. */
uint32_t split_captures(const struct dataset *dataset, const struct subset *subset, uint32_t label);

/* Split into training and hold-out. Captures are taken in an order that only the seed and their names decide,
 * so that a capture keeps its side, as a rule, while the data set grows around it.
 *
 * share: of each label's records, 0 < share < 1.
 *
 * Return: 0; -EINVAL: a label has fewer than two captures (err names it), or share is out of range; -ENOMEM.
 */
int split_holdout(const struct dataset *dataset, double share, uint64_t seed, struct subset *train,
                  struct subset *held_out, struct error *err);

/* Cut the captures of a subset into folds for cross-validation: each is held out exactly once.
 *
 * subset: of these records; NULL: of all.
 * n_folds: 2 or more.
 * folds: (dataset->n_groups) owned by the caller on success: fold of each capture.
 *
 * Return: 0; -EINVAL: a label has fewer captures than there are folds (err names it); -ENOMEM.
 */
int split_folds(const struct dataset *dataset, const struct subset *subset, unsigned n_folds, uint64_t seed,
                uint32_t **foldsp, struct error *err);

/* The two sides of one fold.
 *
 * subset: as in split_folds().
 *
 * Return: 0, -ENOMEM.
 */
int split_fold(const struct dataset *dataset, const struct subset *subset, const uint32_t *folds,
               uint32_t fold, struct subset *train, struct subset *held_out);

#endif

/* split.c - captures onto sides.
 *
 * A capture is a vector of counts, one a label. The hold-out takes captures in an order that depends on seed
 * and name alone, and keeps each that brings its counts nearer to the wanted ones. Folds are filled greedily,
 * the captures with the most uneven counts first, each into the fold that keeps the labels spread most
 * evenly.
 */
#include "core/learn/split.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"

/* Captures as the splits see them. */
struct captures {
    const struct dataset *dataset;
    uint64_t *counts;   /* (n_groups, n_labels) records of the subset */
    uint64_t *totals;   /* (n_labels) */
    uint32_t *captures; /* (n_labels) with at least one record of the label */
    uint64_t *keys;     /* (n_groups) decided by seed and name */
    double *spread;     /* (n_groups) deviation of the counts over the labels */
    uint32_t *order;    /* (n_groups) */
};

void subset_free(struct subset *subset)
{
    free(subset->index);
    *subset = (struct subset){0};
}

/* FNV-1a of the name, mixed with the seed. Source:
 * Fowler, Noll and Vo, parameters for 64 bits. */
static uint64_t name_key(const char *name, uint64_t seed)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return random_mix(hash ^ random_mix(seed + 1));
}

static void captures_deinit(struct captures *captures)
{
    free(captures->counts);
    free(captures->totals);
    free(captures->captures);
    free(captures->keys);
    free(captures->spread);
    free(captures->order);
}

static uint32_t group_of(const struct dataset *dataset, size_t record)
{
    return dataset->files[dataset->file[record]].group;
}

static int captures_init(struct captures *captures, const struct dataset *dataset,
                         const struct subset *subset, uint64_t seed)
{
    size_t n_labels = dataset->n_labels, n_groups = dataset->n_groups;
    size_t n = subset != NULL ? subset->n : dataset->n;

    *captures = (struct captures){.dataset = dataset,
                                  .counts = calloc(n_groups * n_labels + 1, sizeof(uint64_t)),
                                  .totals = calloc(n_labels + 1, sizeof(uint64_t)),
                                  .captures = calloc(n_labels + 1, sizeof(uint32_t)),
                                  .keys = calloc(n_groups + 1, sizeof(uint64_t)),
                                  .spread = calloc(n_groups + 1, sizeof(double)),
                                  .order = calloc(n_groups + 1, sizeof(uint32_t))};
    if (captures->counts == NULL || captures->totals == NULL || captures->captures == NULL ||
        captures->keys == NULL || captures->spread == NULL || captures->order == NULL) {
        captures_deinit(captures);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        size_t record = subset != NULL ? subset->index[i] : i;

        captures->counts[group_of(dataset, record) * n_labels + dataset->label[record]]++;
        captures->totals[dataset->label[record]]++;
    }
    for (uint32_t g = 0; g < n_groups; g++) {
        double sum = 0, squares = 0;

        for (size_t l = 0; l < n_labels; l++) {
            double count = (double)captures->counts[g * n_labels + l];

            captures->captures[l] += count > 0;
            sum += count;
            squares += count * count;
        }
        captures->spread[g] = squares / (double)n_labels - pow(sum / (double)n_labels, 2);
        captures->keys[g] = name_key(dataset->groups[g], seed);
        captures->order[g] = g;
    }
    return 0;
}

/* Every label that occurs has at least `least` captures? */
static int check_captures(const struct captures *captures, uint32_t least, const char *what,
                          struct error *err)
{
    for (size_t l = 0; l < captures->dataset->n_labels; l++) {
        if (captures->totals[l] > 0 && captures->captures[l] < least)
            return error_set(err, -EINVAL,
                             "label \"%s\" comes from %u capture%s, and %s by capture needs at least %u",
                             captures->dataset->labels[l], captures->captures[l],
                             captures->captures[l] == 1 ? "" : "s", what, least);
    }
    return 0;
}

static int by_key(const void *a, const void *b, void *context)
{
    const struct captures *captures = context;
    uint64_t x = captures->keys[*(const uint32_t *)a], y = captures->keys[*(const uint32_t *)b];

    return (x > y) - (x < y);
}

static int by_spread_then_key(const void *a, const void *b, void *context)
{
    const struct captures *captures = context;
    double x = captures->spread[*(const uint32_t *)a], y = captures->spread[*(const uint32_t *)b];

    return x != y ? (x < y) - (x > y) : by_key(a, b, context);
}

/* Records of a subset whose capture is (or is not) marked. */
static int select_groups(const struct dataset *dataset, const struct subset *subset, const uint32_t *marks,
                         uint32_t mark, bool is, struct subset *selected)
{
    size_t n = subset != NULL ? subset->n : dataset->n;
    struct subset result = {.index = calloc(n + 1, sizeof(uint32_t))};

    if (result.index == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t record = subset != NULL ? subset->index[i] : (uint32_t)i;

        if ((marks[group_of(dataset, record)] == mark) == is)
            result.index[result.n++] = record;
    }
    *selected = result;
    return 0;
}

int split_all(const struct dataset *dataset, struct subset *all)
{
    uint32_t *index = calloc(dataset->n + 1, sizeof(*index));

    if (index == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < dataset->n; i++)
        index[i] = (uint32_t)i;
    *all = (struct subset){.n = dataset->n, .index = index};
    return 0;
}

uint32_t split_captures(const struct dataset *dataset, const struct subset *subset, uint32_t label)
{
    struct captures captures;
    uint32_t n;

    if (captures_init(&captures, dataset, subset, 0) < 0)
        return 0;
    n = captures.captures[label];
    captures_deinit(&captures);
    return n;
}

/* How far the counts held out are from the wanted ones, if this capture were added: sum over the labels of
 * the distance as a share of the label. */
static double distance(const struct captures *captures, const uint64_t *held, double share,
                       const uint64_t *add)
{
    double sum = 0;

    for (size_t l = 0; l < captures->dataset->n_labels; l++) {
        uint64_t count = held[l] + (add != NULL ? add[l] : 0);

        if (captures->totals[l] > 0)
            sum += fabs((double)count / (double)captures->totals[l] - share);
    }
    return sum;
}

/* Hold out one more capture. */
static void hold(const struct captures *captures, uint32_t group, uint32_t *marks, uint64_t *held)
{
    const uint64_t *counts = captures->counts + group * captures->dataset->n_labels;

    marks[group] = 1;
    for (size_t l = 0; l < captures->dataset->n_labels; l++)
        held[l] += counts[l];
}

/* Smallest capture with a label, for labels of which nothing is held out: their captures are so large that
 * none came near the wanted share. */
static uint32_t smallest_with(const struct captures *captures, size_t label)
{
    size_t n_labels = captures->dataset->n_labels;
    uint32_t best = UINT32_MAX;

    for (uint32_t i = 0; i < captures->dataset->n_groups; i++) {
        uint32_t g = captures->order[i];
        uint64_t count = captures->counts[g * n_labels + label];

        if (count > 0 && (best == UINT32_MAX || count < captures->counts[best * n_labels + label]))
            best = g;
    }
    return best;
}

/* marks: (n_groups) 1: held out. held: (n_labels) zeros. */
static void mark_holdout(const struct captures *captures, double share, uint32_t *marks, uint64_t *held)
{
    size_t n_labels = captures->dataset->n_labels;

    for (uint32_t i = 0; i < captures->dataset->n_groups; i++) {
        uint32_t g = captures->order[i];
        const uint64_t *counts = captures->counts + g * n_labels;

        if (distance(captures, held, share, counts) < distance(captures, held, share, NULL))
            hold(captures, g, marks, held);
    }
    for (size_t l = 0; l < n_labels; l++) {
        if (captures->totals[l] > 0 && held[l] == 0)
            hold(captures, smallest_with(captures, l), marks, held);
    }
}

/* A label may be held out entirely where captures hold several labels. */
static int check_sides(const struct captures *captures, const uint64_t *held, struct error *err)
{
    for (size_t l = 0; l < captures->dataset->n_labels; l++) {
        if (captures->totals[l] > 0 && held[l] == captures->totals[l])
            return error_set(
                err, -EINVAL,
                "label \"%s\" comes from too few captures to learn from some and hold out others",
                captures->dataset->labels[l]);
    }
    return 0;
}

int split_holdout(const struct dataset *dataset, double share, uint64_t seed, struct subset *train,
                  struct subset *held_out, struct error *err)
{
    struct captures captures;
    struct subset first = {0}, second = {0};
    uint32_t *marks = calloc(dataset->n_groups + 1u, sizeof(*marks));
    uint64_t *held = calloc(dataset->n_labels + 1, sizeof(*held));
    int r;

    if (!(share > 0 && share < 1)) {
        r = error_set(err, -EINVAL, "a hold-out share of %g is not between 0 and 1", share);
        goto end;
    }
    if (marks == NULL || held == NULL || captures_init(&captures, dataset, NULL, seed) < 0) {
        r = error_set(err, -ENOMEM, "no memory to split %zu records", dataset->n);
        goto end;
    }
    r = check_captures(&captures, 2, "a hold-out", err);
    if (r == 0) {
        qsort_r(captures.order, dataset->n_groups, sizeof(uint32_t), by_key, &captures);
        mark_holdout(&captures, share, marks, held);
        r = check_sides(&captures, held, err);
    }
    captures_deinit(&captures);
    if (r < 0)
        goto end;
    if (select_groups(dataset, NULL, marks, 0, true, &first) < 0 ||
        select_groups(dataset, NULL, marks, 1, true, &second) < 0) {
        subset_free(&first);
        r = error_set(err, -ENOMEM, "no memory to split %zu records", dataset->n);
        goto end;
    }
    *train = first;
    *held_out = second;
end:
    free(marks);
    free(held);
    return r;
}

/* How unevenly the labels are spread over the folds: mean over the labels of the standard deviation of the
 * folds' shares of the label. filled: (n_folds, n_labels) counts. */
static double unevenness(const struct captures *captures, const uint64_t *filled, unsigned n_folds)
{
    size_t n_labels = captures->dataset->n_labels;
    double sum = 0;

    for (size_t l = 0; l < n_labels; l++) {
        double total = (double)captures->totals[l], squares = 0;

        if (total == 0)
            continue;
        for (unsigned k = 0; k < n_folds; k++)
            squares += pow((double)filled[k * n_labels + l] / total - 1.0 / n_folds, 2);
        sum += sqrt(squares / n_folds);
    }
    return sum;
}

static void fill(uint64_t *filled, const uint64_t *counts, size_t n_labels, unsigned fold, bool add)
{
    for (size_t l = 0; l < n_labels; l++)
        filled[fold * n_labels + l] += add ? counts[l] : -counts[l];
}

/* The fold in which a capture leaves the labels most evenly spread; of equals the one with the fewest
 * records. */
static unsigned best_fold(const struct captures *captures, uint64_t *filled, unsigned n_folds,
                          const uint64_t *counts)
{
    size_t n_labels = captures->dataset->n_labels;
    double least = INFINITY;
    uint64_t fewest = UINT64_MAX;
    unsigned best = 0;

    for (unsigned k = 0; k < n_folds; k++) {
        double uneven;
        uint64_t records = 0;

        fill(filled, counts, n_labels, k, true);
        uneven = unevenness(captures, filled, n_folds);
        for (size_t l = 0; l < n_labels; l++)
            records += filled[k * n_labels + l];
        fill(filled, counts, n_labels, k, false);
        if (uneven < least - 1e-12 || (uneven < least + 1e-12 && records < fewest)) {
            least = uneven;
            fewest = records;
            best = k;
        }
    }
    return best;
}

/* folds: (n_groups) filled. filled: (n_folds, n_labels) zeros. */
static void deal_captures(struct captures *captures, unsigned n_folds, uint32_t *folds, uint64_t *filled)
{
    size_t n_labels = captures->dataset->n_labels, n_groups = captures->dataset->n_groups;

    qsort_r(captures->order, n_groups, sizeof(uint32_t), by_spread_then_key, captures);
    for (size_t i = 0; i < n_groups; i++) {
        const uint64_t *counts = captures->counts + captures->order[i] * n_labels;
        unsigned fold = best_fold(captures, filled, n_folds, counts);

        folds[captures->order[i]] = fold;
        fill(filled, counts, n_labels, fold, true);
    }
}

int split_folds(const struct dataset *dataset, const struct subset *subset, unsigned n_folds, uint64_t seed,
                uint32_t **foldsp, struct error *err)
{
    struct captures captures;
    uint32_t *folds = NULL;
    uint64_t *filled = NULL;
    int r;

    if (n_folds < 2)
        return error_set(err, -EINVAL, "cross-validation needs two folds or more, not %u", n_folds);
    if (captures_init(&captures, dataset, subset, seed) < 0)
        return error_set(err, -ENOMEM, "no memory to split %zu records", dataset->n);
    r = check_captures(&captures, n_folds, "a split into as many folds", err);
    if (r == 0) {
        folds = calloc(dataset->n_groups + 1u, sizeof(*folds));
        filled = calloc((size_t)n_folds * dataset->n_labels + 1, sizeof(*filled));
        if (folds == NULL || filled == NULL)
            r = error_set(err, -ENOMEM, "no memory to split %zu records", dataset->n);
    }
    if (r == 0) {
        deal_captures(&captures, n_folds, folds, filled);
        *foldsp = folds;
    } else {
        free(folds);
    }
    free(filled);
    captures_deinit(&captures);
    return r;
}

int split_fold(const struct dataset *dataset, const struct subset *subset, const uint32_t *folds,
               uint32_t fold, struct subset *train, struct subset *held_out)
{
    struct subset first = {0}, second = {0};

    if (select_groups(dataset, subset, folds, fold, false, &first) < 0 ||
        select_groups(dataset, subset, folds, fold, true, &second) < 0) {
        subset_free(&first);
        return -ENOMEM;
    }
    *train = first;
    *held_out = second;
    return 0;
}

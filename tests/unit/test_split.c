/* Splits keep captures whole, labels spread, and follow their seed. */
#include "core/learn/split.h"

#include <errno.h>
#include <math.h>

#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char *const labels[] = {"news", "video", "other"};

static uint32_t group_of(const struct dataset *dataset, uint32_t record)
{
    return dataset->files[dataset->file[record]].group;
}

/* No capture on both sides, every record on one. */
static void check_sides(const struct dataset *dataset, const struct subset *train,
                        const struct subset *held_out)
{
    uint8_t side[256] = {0};

    ck_assert_uint_eq(train->n + held_out->n, dataset->n);
    for (size_t i = 0; i < train->n; i++)
        side[group_of(dataset, train->index[i])] |= 1;
    for (size_t i = 0; i < held_out->n; i++)
        side[group_of(dataset, held_out->index[i])] |= 2;
    for (uint32_t g = 0; g < dataset->n_groups; g++)
        ck_assert_msg(side[g] == 1 || side[g] == 2, "capture %u is on %u sides", g, side[g]);
}

/* 40 captures with one to three labels and very unequal sizes. */
static struct dataset *mixed_dataset(void)
{
    unsigned counts[40 * 3];
    struct random random = {.state = 7};

    for (size_t i = 0; i < 40 * 3; i++)
        counts[i] = random_below(&random, 3) == 0 ? 0 : (unsigned)random_below(&random, i % 11 == 0 ? 60 : 8);
    for (size_t g = 0; g < 40; g++)
        counts[g * 3] += 1;
    return flows_of_counts(labels, 3, 40, counts);
}

static double share_of(const struct dataset *dataset, const struct subset *subset, uint32_t label)
{
    double part = 0, whole = 0;

    for (size_t i = 0; i < subset->n; i++)
        part += dataset->label[subset->index[i]] == label;
    for (size_t i = 0; i < dataset->n; i++)
        whole += dataset->label[i] == label;
    return part / whole;
}

START_TEST(holdout_keeps_captures_whole_and_labels_in_proportion)
{
    struct dataset *dataset = mixed_dataset();

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct subset train, held_out;

        ck_assert_int_eq(split_holdout(dataset, 0.25, seed, &train, &held_out, NULL), 0);
        check_sides(dataset, &train, &held_out);
        for (uint32_t label = 0; label < 3; label++)
            ck_assert_double_eq_tol(share_of(dataset, &held_out, label), 0.25, 0.15);
        subset_free(&train);
        subset_free(&held_out);
    }
    dataset_free(dataset);
}
END_TEST

START_TEST(seed_decides_the_holdout)
{
    struct dataset *dataset = mixed_dataset();
    struct subset train[3], held_out[3];
    const uint64_t seeds[] = {5, 5, 6};

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(split_holdout(dataset, 0.25, seeds[i], &train[i], &held_out[i], NULL), 0);
    ck_assert_uint_eq(held_out[0].n, held_out[1].n);
    ck_assert_mem_eq(held_out[0].index, held_out[1].index, held_out[0].n * sizeof(uint32_t));
    ck_assert(held_out[0].n != held_out[2].n ||
              memcmp(held_out[0].index, held_out[2].index, held_out[0].n * sizeof(uint32_t)) != 0);
    for (int i = 0; i < 3; i++) {
        subset_free(&train[i]);
        subset_free(&held_out[i]);
    }
    dataset_free(dataset);
}
END_TEST

START_TEST(a_capture_mostly_keeps_its_side_while_the_data_grows)
{
    struct dataset *small = flows_even(labels, 2, 40, 10), *large = flows_even(labels, 2, 60, 10);
    struct subset train, held_out, train_later, held_out_later;
    bool before[80] = {false}, after[120] = {false};
    unsigned held = 0, still = 0;

    ck_assert_int_eq(split_holdout(small, 0.2, 1, &train, &held_out, NULL), 0);
    ck_assert_int_eq(split_holdout(large, 0.2, 1, &train_later, &held_out_later, NULL), 0);
    for (size_t i = 0; i < held_out.n; i++)
        before[group_of(small, held_out.index[i])] = true;
    for (size_t i = 0; i < held_out_later.n; i++)
        after[group_of(large, held_out_later.index[i])] = true;
    for (int g = 0; g < 80; g++) {
        held += before[g];
        still += before[g] && after[g];
    }
    ck_assert_uint_eq(held, 16);
    ck_assert_uint_ge(still, 12);
    subset_free(&train);
    subset_free(&held_out);
    subset_free(&train_later);
    subset_free(&held_out_later);
    dataset_free(small);
    dataset_free(large);
}
END_TEST

START_TEST(two_large_captures_still_leave_one_on_each_side)
{
    const unsigned counts[] = {50, 0, 0, 50, 0, 0, 0, 30, 0, 0, 40, 0};
    struct dataset *dataset = flows_of_counts(labels, 3, 4, counts);
    struct subset train, held_out;

    ck_assert_int_eq(split_holdout(dataset, 0.2, 1, &train, &held_out, NULL), 0);
    check_sides(dataset, &train, &held_out);
    for (uint32_t label = 0; label < 2; label++) {
        ck_assert_double_gt(share_of(dataset, &held_out, label), 0);
        ck_assert_double_lt(share_of(dataset, &held_out, label), 1);
    }
    subset_free(&train);
    subset_free(&held_out);
    dataset_free(dataset);
}
END_TEST

START_TEST(one_capture_cannot_be_split)
{
    const unsigned counts[] = {5, 0, 5, 0, 0, 9};
    struct dataset *dataset = flows_of_counts(labels, 2, 3, counts);
    struct subset train = {0}, held_out = {0};
    struct error err;

    ck_assert_int_eq(split_holdout(dataset, 0.2, 1, &train, &held_out, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "video"));
    ck_assert_int_eq(split_holdout(dataset, 0, 1, &train, &held_out, &err), -EINVAL);
    ck_assert_int_eq(split_holdout(dataset, 1, 1, &train, &held_out, &err), -EINVAL);
    ck_assert_ptr_null(train.index);
    dataset_free(dataset);
}
END_TEST

START_TEST(folds_hold_out_every_capture_once)
{
    struct dataset *dataset = mixed_dataset();
    struct random random = {.state = 1};

    for (uint64_t seed = 0; seed < 5; seed++) {
        unsigned n_folds = 2 + (unsigned)random_below(&random, 4);
        uint32_t *folds;
        size_t held = 0;

        ck_assert_int_eq(split_folds(dataset, NULL, n_folds, seed, &folds, NULL), 0);
        for (uint32_t fold = 0; fold < n_folds; fold++) {
            struct subset train, held_out;

            ck_assert_int_eq(split_fold(dataset, NULL, folds, fold, &train, &held_out), 0);
            check_sides(dataset, &train, &held_out);
            held += held_out.n;
            for (uint32_t label = 0; label < 3; label++)
                ck_assert_double_eq_tol(share_of(dataset, &held_out, label), 1.0 / n_folds, 0.15);
            subset_free(&train);
            subset_free(&held_out);
        }
        ck_assert_uint_eq(held, dataset->n);
        free(folds);
    }
    dataset_free(dataset);
}
END_TEST

START_TEST(folds_of_a_subset_stay_in_it)
{
    struct dataset *dataset = mixed_dataset();
    struct subset train, held_out, inner, outer;
    uint32_t *folds;
    size_t seen = 0;

    ck_assert_int_eq(split_holdout(dataset, 0.25, 3, &train, &held_out, NULL), 0);
    ck_assert_int_eq(split_folds(dataset, &train, 3, 3, &folds, NULL), 0);
    for (uint32_t fold = 0; fold < 3; fold++) {
        ck_assert_int_eq(split_fold(dataset, &train, folds, fold, &inner, &outer), 0);
        ck_assert_uint_eq(inner.n + outer.n, train.n);
        seen += outer.n;
        subset_free(&inner);
        subset_free(&outer);
    }
    ck_assert_uint_eq(seen, train.n);
    free(folds);
    subset_free(&train);
    subset_free(&held_out);
    dataset_free(dataset);
}
END_TEST

START_TEST(too_many_folds_are_refused)
{
    struct dataset *dataset = flows_even(labels, 2, 3, 2);
    struct error err;
    uint32_t *folds;

    ck_assert_int_eq(split_folds(dataset, NULL, 4, 1, &folds, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "news"));
    ck_assert_int_eq(split_folds(dataset, NULL, 1, 1, &folds, &err), -EINVAL);
    ck_assert_int_eq(split_folds(dataset, NULL, UINT32_MAX, 1, &folds, &err), -EINVAL);
    dataset_free(dataset);
}
END_TEST

int main(void)
{
    return UNIT_RUN("split", holdout_keeps_captures_whole_and_labels_in_proportion, seed_decides_the_holdout,
                    a_capture_mostly_keeps_its_side_while_the_data_grows,
                    two_large_captures_still_leave_one_on_each_side, one_capture_cannot_be_split,
                    folds_hold_out_every_capture_once, folds_of_a_subset_stay_in_it,
                    too_many_folds_are_refused);
}

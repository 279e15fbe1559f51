/* The fused kernels, each kind of them, against the reference numbers. */
#include "tests/cuda/fake/fake.h"
#include "tests/golden/golden.h"
#include "tests/golden/golden_limits.h"
#include "tests/unit/fused_trial.h"
#include "tests/unit/unit.h"

static const enum fused_kernels each_kernels[] = {FUSED_KERNELS_LANES, FUSED_KERNELS_TENSOR};
enum { KERNELS = 2 };

START_TEST(logits_are_those_of_the_reference)
{
    const struct golden_limit limit = {2e-5, 1e-6};

    fake_reset(NULL);
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        for (size_t k = 0; k < KERNELS; k++) {
            struct golden golden;
            struct fused_trial trial = {0};
            float logits[GOLDEN_FLOWS * 3];
            double wide[GOLDEN_FLOWS * 3];
            struct error err;

            golden_open(&golden, &golden_sets[i]);
            trial.model = golden.model;
            trial.batch = golden.batch;
            ck_assert_msg(fused_trial_run(&trial, each_kernels[k], logits, &err) == 0, "%s", err.text);
            for (size_t at = 0; at < GOLDEN_FLOWS * 3; at++)
                wide[at] = (double)logits[at];
            golden_check_rows(&golden, "outputs", "logits", wide, 3, limit);
            golden_check_probabilities(&golden, wide, golden.set->raw ? 1e-4 : 5e-6);
            golden_close(&golden);
        }
}
END_TEST

int main(void)
{
    if (!golden_present())
        return unit_skip("no ../shared/data/model");
    return UNIT_RUN("golden_fused", logits_are_those_of_the_reference);
}

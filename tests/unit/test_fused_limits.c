/* What the fused kernels do not take, and what happens when the device or memory fails them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/fused_plan.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/allocations.h"
#include "tests/unit/fused_trial.h"
#include "tests/unit/unit.h"

#define LAST "{\"dense\": \"labels\", \"activation\": \"softmax\"}"
#define TREE(root) "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", " root "}}"
#define LIST(list, select, layers)                                                                           \
    TREE("\"input\": {\"select\": [\"udp\"]}, \"children\": [{\"name\": \"list\", \"input\": {\"each\": "    \
         "\"" list "\", \"select\": [" select "]}, \"layers\": [" layers "]}], \"layers\": [" LAST "]")

static const struct {
    const char *tree, *reason;
} refused[] = {
    {LIST("packets", "\"b\"", "{\"lstm\": 33}"), "root/list.layers[0]: lstm with more units"},
    {LIST("packets", "\"b\"", "{\"gru\": 64}"), "root/list.layers[0]: gru with more units"},
    {LIST("packets", "\"b\",\"b\",\"b\",\"b\",\"b\",\"b\",\"b\",\"b\",\"b\"", "{\"lstm\": 4}"),
     "root/list.layers[0]: lstm with more units or inputs"},
    {LIST("packets", "\"b\"", "{\"lstm\": 4}, {\"gru\": 4}"), "root/list.layers[0]: lstm before another"},
    {LIST("packets", "\"b\"", "{\"dense\": 4}, {\"gru\": 4}"), "root/list.layers[0]: dense item by item"},
    {LIST("packets", "\"b\"", "{\"embedding\": [9, 4]}, {\"gru\": 4}"),
     "root/list.layers[0]: embedding item by item"},
    {TREE("\"input\": {\"each\": \"sides\", \"select\": [\"bytes\"]}, \"children\": [{\"name\": \"ids\", "
          "\"input\": {\"each\": \"ip.id\"}, \"layers\": [{\"lstm\": 4}]}], \"layers\": [{\"lstm\": 4}, " LAST
          "]"),
     "root: children of a list"},
    {TREE("\"input\": {\"each\": \"sides\", \"first\": 2, \"flatten\": true, \"select\": [\"bytes\"]}, "
          "\"children\": [{\"name\": \"ttl\", \"input\": {\"select\": [\"ip.ttl\"]}, \"layers\": "
          "[{\"dense\": 4}]}], "
          "\"layers\": [" LAST "]"),
     "root: children of a list"},
    {TREE("\"input\": {\"select\": [\"udp\"]}, \"children\": [{\"name\": \"one\", \"input\": {\"each\": "
          "\"packets\", "
          "\"first\": 1, \"flatten\": true, \"select\": [\"b\"]}, \"layers\": [{\"embedding\": [9, 4]}]}], "
          "\"layers\": [" LAST "]"),
     "root/one.layers[0]: embedding of a list"},
    {TREE("\"input\": {\"select\": [\"udp\"]}, \"layers\": [{\"dense\": 600}, {\"dense\": 600}, " LAST "]"),
     "root: the tree's vectors together are too wide"},
};

START_TEST(other_shapes_are_refused_by_name)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct tree *tree = fused_trial_tree_text(refused[i].tree);
        struct fused_plan plan;
        struct error err = {0};

        ck_assert_int_eq(fused_plan_init(&plan, tree, &err), -ENOTSUP);
        ck_assert_int_eq(err.code, -ENOTSUP);
        ck_assert_msg(strstr(err.text, refused[i].reason) != NULL, "%s, not %s", err.text, refused[i].reason);
        tree_free(tree);
    }
}
END_TEST

/* All kinds of operations and both kinds of walks in few weights. */
static const char small_tree[] = TREE(
    "\"input\": {\"select\": [\"udp\", \"bytes_in\"]}, \"children\": ["
    "{\"name\": \"list\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", \"out\"]}, "
    "\"layers\": [{\"lstm\": 8, \"bidirectional\": true}, {\"dropout\": 0.5}, {\"dense\": 4}]}, "
    "{\"name\": \"wide\", \"input\": {\"each\": \"ip.in.id\"}, \"layers\": [{\"gru\": 20}]}, "
    "{\"name\": \"ttl\", \"input\": {\"select\": [\"ip.out.ttl\"]}, \"layers\": [{\"embedding\": [9, 4]}]}, "
    "{\"name\": \"head\", \"input\": {\"each\": \"packets\", \"first\": 3, \"flatten\": true, "
    "\"select\": [\"b\", \"ipt\"]}, \"layers\": [{\"dense\": 5, \"activation\": \"tanh\"}]}, "
    "{\"name\": \"past\", \"input\": {\"select\": [\"duration\"]}}], "
    "\"layers\": [{\"dense\": 6, \"activation\": \"sigmoid\"}, " LAST "]");

static void small_trial(struct fused_trial *trial)
{
    struct fused_inputs inputs = {.n = 18, .packets = 5, .purpose = ENCODE_SERVING};
    struct random random = {.state = 1};

    fused_trial_init(trial, &random, fused_trial_tree_text(small_tree), 2, &inputs);
}

/* Each call of the device fails once, in each way. */
START_TEST(a_failing_device_is_an_error_and_no_more)
{
    static const enum fake_failure failures[] = {FAKE_NO_MEMORY, FAKE_GONE, FAKE_LATER};
    struct fused_trial trial;
    float logits[18 * 3];
    uint64_t calls;

    fake_reset(NULL);
    small_trial(&trial);
    ck_assert_int_eq(fused_trial_run(&trial, FUSED_KERNELS_TENSOR, logits, NULL), 0);
    calls = fake_calls(FAKE_ANY);
    for (size_t i = 0; i < 3; i++) {
        unsigned failed = 0;

        for (uint64_t n = 0; n < calls; n++) {
            struct error err = {0};
            int rc;

            fake_reset(NULL);
            fake_fail(FAKE_ANY, n, failures[i], false);
            rc = fused_trial_run(&trial, FUSED_KERNELS_TENSOR, logits, &err);
            if (rc < 0) {
                failed++;
                ck_assert_int_eq(err.code, rc);
                ck_assert_uint_gt(strlen(err.text), 0);
                ck_assert(rc == -ENOMEM || rc == -ENODEV);
            } else { /* only what gives back may fail unnoticed */
                ck_assert_double_lt(fused_trial_compare(&trial, logits, trial.logits), 1e-6);
            }
            if (failures[i] == FAKE_NO_MEMORY)
                ck_assert_uint_eq(fake_leaks(), 0);
        }
        ck_assert_uint_gt(failed, 20);
    }
    fused_trial_deinit(&trial);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error_and_no_more)
{
    struct tree *tree = fused_trial_tree_text(small_tree);
    struct fused_plan plan;
    unsigned long allowed = 0;
    int rc;

    do {
        allocations_fail_at(allowed++);
        rc = fused_plan_init(&plan, tree, NULL);
        (void)allocations_fail_none();
        if (rc != 0)
            ck_assert_int_eq(rc, -ENOMEM);
    } while (rc != 0);
    ck_assert_uint_gt(allowed, 3);
    fused_plan_deinit(&plan);
    tree_free(tree);
}
END_TEST

/* No memory for this batch: a smaller one, or the same later, goes through. */
START_TEST(after_a_failure_the_next_batch_goes_through)
{
    struct fused_trial trial;
    struct device device;
    struct fused *fused;
    struct pool *pool;
    float logits[18 * 3];

    fake_reset(NULL);
    small_trial(&trial);
    ck_assert_int_eq(pool_new(&pool, 2, NULL), 0);
    ck_assert_int_eq(device_open(&device, NULL), 0);
    ck_assert_int_eq(fused_new(&fused, &device, trial.model->tree, trial.model->weights, pool, NULL), 0);
    for (unsigned buffers = 0; buffers < 4; buffers++) { /* one more is there each time */
        fake_fail(FAKE_MEMORY, buffers > 0 ? 1 : 0, FAKE_NO_MEMORY, true);
        ck_assert_int_eq(fused_forward(fused, trial.batch, logits, NULL), -ENOMEM);
    }
    fake_fail(FAKE_LAUNCH, 1, FAKE_NO_MEMORY, false);
    ck_assert_int_eq(fused_forward(fused, trial.batch, logits, NULL), -ENOMEM);
    ck_assert_int_eq(fused_forward(fused, trial.batch, logits, NULL), 0);
    ck_assert_double_lt(fused_trial_compare(&trial, logits, trial.logits), 1e-6);
    fused_free(fused);
    device_close(&device);
    pool_free(pool);
    ck_assert_uint_eq(fake_leaks(), 0);
    fused_trial_deinit(&trial);
}
END_TEST

int main(void)
{
    return UNIT_RUN("fused_limits", other_shapes_are_refused_by_name,
                    a_failing_device_is_an_error_and_no_more, running_out_of_memory_is_an_error_and_no_more,
                    after_a_failure_the_next_batch_goes_through);
}

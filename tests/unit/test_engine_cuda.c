/* The CUDA engine on the fake device: every call that can fail does, once. What the engine computes is tested
 * with the other engines (tests/unit/test_engine_answers.c). */
#include "core/cuda/engine_cuda.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/allocations.h"
#include "tests/unit/engine_trial.h"
#include "tests/unit/unit.h"

enum { FLOWS = 6, WEIGHTS_MAX = 1 << 14 };

static const struct optimizer adam = {OPTIMIZER_ADAM, 1e-3, 0.9, 0.999, 1e-7, 0, 1.0};

/* What a whole life leaves behind. */
struct legacy {
    float logits[FLOWS * TREE_LABELS_MAX];
    float gradient[WEIGHTS_MAX], weights[WEIGHTS_MAX];
    double loss;
};

/* One thing that an engine does. Return: as the engine's function. */
typedef int deed(struct engine *engine, const struct trial *trial, struct legacy *legacy, struct error *err);

static int load(struct engine *engine, const struct trial *trial, struct legacy *legacy, struct error *err)
{
    return engine->ops->load(engine, trial->model, err);
}

static int judge(struct engine *engine, const struct trial *trial, struct legacy *legacy, struct error *err)
{
    return engine->ops->forward(engine, trial->batch, legacy->logits, err);
}

static int learn(struct engine *engine, const struct trial *trial, struct legacy *legacy, struct error *err)
{
    return engine->ops->backward(engine, trial->batch, &trial->targets, &legacy->loss, NULL, err);
}

static int read_gradient(struct engine *engine, const struct trial *trial, struct legacy *legacy,
                         struct error *err)
{
    return engine->ops->gradient(engine, legacy->gradient, err);
}

static int read_output(struct engine *engine, const struct trial *trial, struct legacy *legacy,
                       struct error *err)
{
    float values[FLOWS * TREE_WIDTH_MAX / 16];

    ck_assert_uint_le(trial->model->tree->elements[0].out_width * trial->batch->inputs[0].n_instances,
                      sizeof values / sizeof *values);
    return engine->ops->output(engine, 0, values, err);
}

static int step(struct engine *engine, const struct trial *trial, struct legacy *legacy, struct error *err)
{
    return engine->ops->step(engine, &adam, err);
}

static int read_weights(struct engine *engine, const struct trial *trial, struct legacy *legacy,
                        struct error *err)
{
    return engine->ops->weights(engine, legacy->weights, err);
}

/* All of them, in an order that makes sense. The second judging is the one with other weights. */
static deed *const deeds[] = {load, judge, learn, read_gradient, read_output, step, read_weights, judge};
enum { DEEDS = sizeof deeds / sizeof deeds[0] };

static int whole_life(const struct trial *trial, struct legacy *legacy, struct error *err)
{
    struct engine *engine;
    int rc = engine_open(&engine, &engine_cuda, &(struct engine_options){0}, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < DEEDS; i++)
        rc = deeds[i](engine, trial, legacy, err);
    engine_close(engine);
    return rc;
}

/* One of everything that the engine calls: lists walked twice, in both directions and laid side by side, one
 * time by our own kernels and one by cuDNN, shared embeddings, dense layers too large to go together,
 * dropout. The second goes through the fused kernels; the third has no layer for cuDNN. */
static const char *const trees[] = {
    "{\"format\": 1, \"name\": \"several\", \"padding\": \"none\", \"root\": {\"name\": \"root\","
    " \"input\": {\"select\": [\"bytes_in\"]}, \"children\": ["
    "  {\"name\": \"pkt\", \"input\": {\"each\": \"packets\", \"first\": 4, \"select\": [\"b\", \"out\"]},"
    "   \"layers\": [{\"gru\": 2, \"bidirectional\": true}, {\"lstm\": 17}]},"
    "  {\"name\": \"ttl_out\", \"input\": {\"select\": [\"ip.out.ttl\"]}, \"layers\": [{\"embedding\": [7, "
    "2]}]},"
    "  {\"name\": \"ttl_in\", \"input\": {\"select\": [\"ip.in.ttl\"]}, \"share\": \"ttl_out\"},"
    "  {\"name\": \"head\", \"input\": {\"each\": \"packets\", \"first\": 3, \"flatten\": true,"
    "   \"select\": [\"ipt\"]}, \"layers\": [{\"dense\": 90}, {\"dense\": 92, \"activation\": \"relu\"},"
    "   {\"dense\": 2}]}],"
    " \"layers\": [{\"dense\": 3, \"activation\": \"tanh\"}, {\"dropout\": 0.25},"
    "  {\"dense\": \"labels\", \"activation\": \"softmax\"}]}}",
    "{\"format\": 1, \"name\": \"fused\", \"padding\": \"none\", \"root\": {\"name\": \"root\","
    " \"input\": {\"select\": [\"bytes_in\"]}, \"children\": ["
    "  {\"name\": \"pkt\", \"input\": {\"each\": \"packets\", \"first\": 4, \"select\": [\"b\", \"out\"]},"
    "   \"layers\": [{\"lstm\": 8}]}],"
    " \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}",
    "{\"format\": 1, \"name\": \"layers\", \"padding\": \"none\", \"root\": {\"name\": \"root\","
    " \"input\": {\"select\": [\"bytes_in\"]}, \"children\": ["
    "  {\"name\": \"pkt\", \"input\": {\"each\": \"packets\", \"first\": 4, \"select\": [\"b\", \"out\"]},"
    "   \"layers\": [{\"gru\": 2, \"bidirectional\": true}, {\"lstm\": 3}]}],"
    " \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}",
};
static const char *const ways[] = {"cuDNN", "fused", "layers"};
enum { TREES = sizeof trees / sizeof trees[0] };

static void small_trial(struct trial *trial, size_t which)
{
    static const char *const labels[] = {"news", "video", "other"};
    struct random random = {.state = 21};
    struct error err = {0};
    struct tree *tree;

    ck_assert_msg(tree_parse(&tree, "test", trees[which], strlen(trees[which]), labels, 3, &err) == 0, "%s",
                  err.text);
    ck_assert_uint_le(tree->n_weights, WEIGHTS_MAX);
    trial_init_tree(trial, tree, &random, FLOWS);
    trial->targets.dropout_seed = 5;
}

static void same_legacy(const struct legacy *a, const struct legacy *b, const struct trial *trial)
{
    const struct tree *tree = trial->model->tree;

    ck_assert_double_eq(a->loss, b->loss);
    ck_assert_mem_eq(a->logits, b->logits, FLOWS * tree->n_labels * sizeof *a->logits);
    ck_assert_mem_eq(a->gradient, b->gradient, tree->n_weights * sizeof *a->gradient);
    ck_assert_mem_eq(a->weights, b->weights, tree->n_weights * sizeof *a->weights);
}

/* Codes that a failure may end in. */
static bool fits(int rc, enum fake_failure failure)
{
    switch (failure) {
    case FAKE_NO_MEMORY:
        return rc == -ENOMEM;
    case FAKE_REFUSED:
        return rc == -ENODEV || rc == -ENOTSUP;
    default:
        return rc == -ENODEV;
    }
}

static void every_call_fails(enum fake_failure failure)
{
    for (size_t i = 0; i < TREES; i++) {
        static struct legacy whole, legacy;
        struct trial trial;
        struct error err = {0};
        uint64_t n_calls;

        small_trial(&trial, i);
        fake_reset(NULL);
        ck_assert_msg(whole_life(&trial, &whole, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(fake_leaks(), 0);
        n_calls = fake_calls(FAKE_ANY);
        ck_assert_uint_gt(n_calls, 50);
        for (uint64_t n = 0; n < n_calls; n++) {
            int rc;

            fake_reset(NULL);
            fake_fail(FAKE_ANY, n, failure, false);
            err = (struct error){0};
            rc = whole_life(&trial, &legacy, &err);
            ck_assert_msg(rc == 0 || fits(rc, failure), "call %lu: %d: %s", (unsigned long)n, rc, err.text);
            ck_assert_msg(rc == 0 || (err.code == rc && err.text[0] != '\0'), "call %lu: %d but %d: %s",
                          (unsigned long)n, rc, err.code, err.text);
            if (rc == 0 && failure != FAKE_REFUSED) /* cuDNN has several ways, and each rounds as it likes */
                same_legacy(&legacy, &whole, &trial);
            ck_assert_msg(fake_leaks() == 0, "call %lu: %zu left", (unsigned long)n, fake_leaks());
        }
        trial_deinit(&trial);
    }
}

START_TEST(every_call_without_memory_is_an_error_and_no_more)
{
    every_call_fails(FAKE_NO_MEMORY);
}
END_TEST

START_TEST(every_call_refused_is_an_error_and_no_more)
{
    every_call_fails(FAKE_REFUSED);
}
END_TEST

START_TEST(a_device_that_goes_is_an_error_and_no_more)
{
    every_call_fails(FAKE_GONE);
}
END_TEST

START_TEST(a_kernel_that_fails_is_an_error_and_no_more)
{
    every_call_fails(FAKE_LATER);
}
END_TEST

/* Whatever was at hand when memory ran out, the same deed done again does all that it would have done. */
START_TEST(after_a_lack_of_memory_the_engine_goes_on)
{
    for (size_t i = 0; i < TREES; i++) {
        static struct legacy whole, legacy;
        struct trial trial;
        struct error err = {0};
        bool failed = true;

        small_trial(&trial, i);
        fake_reset(NULL);
        ck_assert_int_eq(whole_life(&trial, &whole, &err), 0);
        for (uint64_t n = 0; failed; n++) {
            struct engine *engine;

            failed = false;
            fake_reset(NULL);
            ck_assert_int_eq(engine_open(&engine, &engine_cuda, &(struct engine_options){0}, &err), 0);
            for (size_t k = 0; k < DEEDS; k++) {
                int rc;

                fake_fail(FAKE_ANY, n, FAKE_NO_MEMORY, false);
                rc = deeds[k](engine, &trial, &legacy, &err);
                fake_fail(FAKE_ANY, UINT64_MAX, FAKE_NO_MEMORY, false);
                failed = failed || rc < 0;
                if (rc < 0) {
                    ck_assert_int_eq(rc, -ENOMEM);
                    rc = deeds[k](engine, &trial, &legacy, &err);
                }
                ck_assert_msg(rc == 0, "deed %zu, call %lu: %s", k, (unsigned long)n, err.text);
            }
            engine_close(engine);
            ck_assert_uint_eq(fake_leaks(), 0);
        }
        same_legacy(&legacy, &whole, &trial);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(running_out_of_host_memory_is_an_error_and_no_more)
{
    for (size_t i = 0; i < TREES; i++) {
        static struct legacy legacy;
        struct trial trial;
        struct error err = {0};
        unsigned long allowed = 0;
        int rc;

        small_trial(&trial, i);
        do {
            fake_reset(NULL);
            allocations_fail_at(allowed++);
            rc = whole_life(&trial, &legacy, &err);
            (void)allocations_fail_none();
            if (rc != 0)
                ck_assert_msg(rc == -ENOMEM, "allocation %lu: %d: %s", allowed - 1, rc, err.text);
            ck_assert_uint_eq(fake_leaks(), 0);
        } while (rc != 0);
        ck_assert_uint_gt(allowed, 3);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(a_device_too_small_for_a_batch_takes_a_smaller_one)
{
    struct random random = {.state = 24}, same;
    struct fake_setup setup = {.devices = 1, .capability = 90};
    struct trial trial, small;
    struct engine *engine;
    struct error err = {0};
    float logits[TRIAL_FLOWS_MAX * TREE_LABELS_MAX];
    double loss;
    size_t taken;

    same = random;
    trial_init(&trial, &random, TRIAL_FLOWS_MAX);
    trial_init(&small, &same, 1);
    fake_reset(NULL);
    engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
    ck_assert_int_eq(engine->ops->backward(engine, small.batch, &small.targets, &loss, NULL, &err), 0);
    taken = fake_memory_used();
    engine_close(engine);

    setup.memory = taken;
    fake_reset(&setup);
    engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
    ck_assert_int_eq(engine->ops->backward(engine, trial.batch, &trial.targets, &loss, logits, &err),
                     -ENOMEM);
    ck_assert_int_eq(engine->ops->backward(engine, small.batch, &small.targets, &loss, logits, &err), 0);
    ck_assert_uint_ge(engine->portion, 1);
    engine_close(engine);
    ck_assert_uint_eq(fake_leaks(), 0);
    trial_deinit(&small);
    trial_deinit(&trial);
}
END_TEST

/* The way of a tree, and how many flows go that way at once. */
START_TEST(the_way_of_a_tree_is_told)
{
    const struct fake_setup large = {.devices = 1, .capability = 90, .memory = (size_t)16 << 30};

    for (size_t i = 0; i < TREES; i++) {
        struct trial trial;
        struct engine *engine;

        small_trial(&trial, i);
        fake_reset(&large);
        engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
        ck_assert_ptr_nonnull(strstr(engine_path(engine), ways[i]));
        ck_assert_ptr_nonnull(strstr(engine_path(engine), "fake device"));
        ck_assert_uint_eq(engine->portion, strcmp(ways[i], "cuDNN") == 0 ? 32768 : 65536);
        engine_close(engine);
        trial_deinit(&trial);
    }
}
END_TEST

START_TEST(no_device_is_said_with_its_reason)
{
    struct fake_setup none = {.no_driver = true};
    struct engine *engine;
    struct error err = {0};

    fake_reset(&none);
    ck_assert_int_eq(engine_open(&engine, &engine_cuda, &(struct engine_options){0}, &err), -ENODEV);
    ck_assert_ptr_nonnull(strstr(err.text, "cuda engine"));
    ck_assert_uint_eq(fake_leaks(), 0);
}
END_TEST

/* What few flows go through and what many do can be had for any batch; the last bits tell which it was. */
START_TEST(each_way_to_judge_can_be_taken)
{
    static struct legacy by_size, few, many;

    for (size_t i = 0; i < TREES; i++) {
        bool fused = strcmp(ways[i], "fused") == 0;
        struct engine *engine;
        struct trial trial;

        small_trial(&trial, i);
        fake_reset(NULL);
        engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
        ck_assert(engine_cuda.take_way(engine, ENGINE_WAY_BY_SIZE));
        ck_assert_int_eq(judge(engine, &trial, &by_size, NULL), 0);
        ck_assert_int_eq(engine_cuda.take_way(engine, 0), fused);
        ck_assert_int_eq(judge(engine, &trial, &few, NULL), 0);
        ck_assert_int_eq(engine_cuda.take_way(engine, 1), fused);
        ck_assert_int_eq(judge(engine, &trial, &many, NULL), 0);
        ck_assert(!engine_cuda.take_way(engine, 2));
        ck_assert_mem_eq(by_size.logits, few.logits, sizeof few.logits);
        ck_assert_int_eq(memcmp(few.logits, many.logits, sizeof few.logits) != 0, fused);
        engine_close(engine);
        trial_deinit(&trial);
    }
}
END_TEST

/* The host waits once for what forward gives and once for the loss, and for nothing else; but for memory that
 * has to grow, which it has after the first batch. */
START_TEST(a_pass_waits_once)
{
    for (size_t i = 0; i < TREES; i++) {
        static struct legacy legacy;
        struct trial trial;
        struct engine *engine;
        uint64_t waits;

        small_trial(&trial, i);
        fake_reset(NULL);
        engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
        ck_assert_int_eq(judge(engine, &trial, &legacy, NULL), 0);
        ck_assert_int_eq(learn(engine, &trial, &legacy, NULL), 0);
        ck_assert_int_eq(step(engine, &trial, &legacy, NULL), 0);
        ck_assert_int_eq(judge(engine, &trial, &legacy, NULL), 0);
        waits = fake_calls(FAKE_WAIT);
        ck_assert_int_eq(judge(engine, &trial, &legacy, NULL), 0);
        ck_assert_uint_le(fake_calls(FAKE_WAIT) - waits, 2); /* two streams, if fused */
        waits = fake_calls(FAKE_WAIT);
        ck_assert_int_eq(learn(engine, &trial, &legacy, NULL), 0);
        ck_assert_uint_eq(fake_calls(FAKE_WAIT) - waits, 1);
        waits = fake_calls(FAKE_WAIT);
        ck_assert_int_eq(step(engine, &trial, &legacy, NULL), 0);
        ck_assert_uint_eq(fake_calls(FAKE_WAIT) - waits, 0);
        engine_close(engine);
        trial_deinit(&trial);
    }
}
END_TEST

/* What a step of training asks of the device: every start costs the host some microseconds, so that a small
 * batch takes as long as it takes to say. No tree may come to need more unseen. */
struct starts {
    const char *tree;
    uint64_t launches, products, copies;
};
static const struct starts most_starts[] = {
    {"notebook", 22, 0, 3},
    {"flowtree", 23, 0, 3},
};

static void starts_add(struct starts *starts, int sign)
{
    starts->launches += (uint64_t)sign * fake_calls(FAKE_LAUNCH);
    starts->products += (uint64_t)sign * fake_calls(FAKE_CUBLAS);
    starts->copies += (uint64_t)sign * fake_calls(FAKE_COPY);
}

START_TEST(a_step_starts_no_more_than_it_must)
{
    enum { BATCH = 128 };

    for (size_t i = 0; i < sizeof most_starts / sizeof *most_starts; i++) {
        const struct starts *most = &most_starts[i];
        struct starts starts = {0};
        struct random random = {.state = 22};
        struct trial trial;
        struct engine *engine;
        struct tree *tree;
        struct error err;
        char path[512];
        float logits[BATCH * TREE_LABELS_MAX];
        double loss;

        (void)snprintf(path, sizeof path, "%s/etc/trees/%s.json", SOURCE_ROOT, most->tree);
        ck_assert_msg(tree_load(&tree, path, NULL, 0, &err) == 0, "%s", err.text);
        trial_init_tree(&trial, tree, &random, BATCH);
        trial.targets.dropout_seed = 3;
        fake_reset(NULL);
        engine = trial_engine(&trial, &engine_cuda, &(struct engine_options){0});
        for (int turn = 0; turn < 2; turn++) { /* the second finds all memory in place */
            starts_add(&starts, -turn);
            ck_assert_int_eq(engine->ops->backward(engine, trial.batch, &trial.targets, &loss, logits, NULL),
                             0);
            ck_assert_int_eq(step(engine, &trial, NULL, NULL), 0);
            starts_add(&starts, turn);
        }
        ck_assert_msg(starts.launches <= most->launches && starts.products <= most->products &&
                          starts.copies <= most->copies,
                      "%s: %lu launches, %lu products, %lu copies", most->tree,
                      (unsigned long)starts.launches, (unsigned long)starts.products,
                      (unsigned long)starts.copies);
        engine_close(engine);
        trial_deinit(&trial);
    }
}
END_TEST

int main(void)
{
    return UNIT_RUN("engine_cuda", every_call_without_memory_is_an_error_and_no_more,
                    every_call_refused_is_an_error_and_no_more, a_device_that_goes_is_an_error_and_no_more,
                    a_kernel_that_fails_is_an_error_and_no_more, after_a_lack_of_memory_the_engine_goes_on,
                    running_out_of_host_memory_is_an_error_and_no_more,
                    a_device_too_small_for_a_batch_takes_a_smaller_one, no_device_is_said_with_its_reason,
                    the_way_of_a_tree_is_told, a_pass_waits_once, each_way_to_judge_can_be_taken,
                    a_step_starts_no_more_than_it_must);
}

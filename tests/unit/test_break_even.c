/* The batch from which one engine is faster, and how fast it learns, found with engines that take the time
 * they are told: by a clock that nothing else moves (meson.build puts it in the place of clock_gettime()). */
#include "core/break_even.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

enum { CAPACITY = 100, SECOND = 1000000 };

static int64_t now; /* microseconds */

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = (struct timespec){now / SECOND, now % SECOND * 1000};
    return 0;
}

/* An engine that takes its time for each pass and for each flow, microseconds. */
struct sleeper {
    struct engine base;
    unsigned pass, flow;
    unsigned step;  /* for each step of the optimiser, slept when somebody asks for what came of it */
    unsigned first; /* for the first pass, besides */
    int failure;
    size_t largest; /* batch that it has seen */
};

static int sleeper_forward(struct engine *engine, const struct batch *batch, float *logits, struct error *err)
{
    struct sleeper *sleeper = (struct sleeper *)engine;

    if (sleeper->failure < 0)
        return error_set(err, sleeper->failure, "told to fail");
    if (batch->n_flows > sleeper->largest)
        sleeper->largest = batch->n_flows;
    memset(logits, 0, batch->n_flows * batch->tree->n_labels * sizeof *logits);
    now += sleeper->pass + sleeper->flow * batch->n_flows + sleeper->first;
    sleeper->first = 0;
    return 0;
}

static int sleeper_backward(struct engine *engine, const struct batch *batch,
                            const struct engine_targets *targets, double *loss, float *logits,
                            struct error *err)
{
    for (size_t i = 0; i < batch->n_flows; i++)
        ck_assert_uint_lt(targets->labels[i], batch->tree->n_labels);
    *loss = 1;
    return sleeper_forward(engine, batch, logits, err);
}

static int sleeper_step(struct engine *engine, const struct optimizer *optimizer, struct error *err)
{
    ck_assert_double_eq(optimizer->rate, 0);
    return 0;
}

static int sleeper_weights(struct engine *engine, float *weights, struct error *err)
{
    now += ((struct sleeper *)engine)->step;
    return 0;
}

static const struct engine_ops sleeper_ops = {.name = "sleeper",
                                              .forward = sleeper_forward,
                                              .backward = sleeper_backward,
                                              .step = sleeper_step,
                                              .weights = sleeper_weights};

static struct model *model;

static size_t measure(struct sleeper *device, struct sleeper *processor, int64_t budget)
{
    struct error err = {0};
    size_t flows = 0;

    device->base.ops = processor->base.ops = &sleeper_ops;
    ck_assert_int_eq(
        break_even_measure(&flows, &device->base, &processor->base, model, CAPACITY, budget, &err), 0);
    return flows;
}

START_TEST(the_smallest_batch_that_is_won)
{
    struct sleeper device = {.pass = 4000}, processor = {.flow = 400};

    ck_assert_uint_eq(measure(&device, &processor, 10 * SECOND), 16);
    ck_assert_uint_eq(device.largest, 32); /* and the next one, to be sure */
}
END_TEST

START_TEST(the_first_and_the_last)
{
    struct sleeper device = {.pass = 100}, processor = {.pass = 2000};
    struct sleeper late = {.pass = 9000}, steady = {.flow = 100};

    ck_assert_uint_eq(measure(&device, &processor, 10 * SECOND), 1);
    ck_assert_uint_eq(measure(&late, &steady, 10 * SECOND), CAPACITY);
}
END_TEST

START_TEST(never)
{
    struct sleeper device = {.pass = 3000}, processor = {.flow = 1};

    ck_assert_uint_eq(measure(&device, &processor, 10 * SECOND), BREAK_EVEN_NEVER);
    ck_assert_uint_eq(device.largest, CAPACITY);
}
END_TEST

START_TEST(a_processor_works_in_portions)
{
    struct sleeper device = {.pass = 3000}, processor = {.base = {.portion = 8}, .flow = 100};

    ck_assert_uint_eq(measure(&device, &processor, 10 * SECOND), 32);
    ck_assert_uint_eq(processor.largest, 8);
}
END_TEST

START_TEST(time_is_bounded)
{
    struct sleeper device = {.pass = 30000}, processor = {.pass = 10000};
    int64_t begin = now;

    ck_assert_uint_eq(measure(&device, &processor, SECOND / 20), BREAK_EVEN_NEVER);
    ck_assert_int_lt(now - begin, SECOND);
    ck_assert_uint_lt(device.largest, CAPACITY);
}
END_TEST

START_TEST(a_failure_is_passed_on)
{
    struct sleeper device = {.base = {.ops = &sleeper_ops}, .failure = -ENODEV};
    struct sleeper processor = {.base = {.ops = &sleeper_ops}};
    struct error err = {0};
    size_t flows;
    double share;

    ck_assert_int_eq(break_even_measure(&flows, &device.base, &processor.base, model, CAPACITY, SECOND, &err),
                     -ENODEV);
    ck_assert_str_eq(err.text, "told to fail");
    err = (struct error){0};
    ck_assert_int_eq(break_even_learning(&share, &device.base, &processor.base, model, 1, SECOND, &err),
                     -ENODEV);
    ck_assert_str_eq(err.text, "told to fail");
}
END_TEST

static double learning(struct sleeper *device, struct sleeper *processor, size_t flows, int64_t budget)
{
    struct error err = {0};
    double share = 0;

    device->base.ops = processor->base.ops = &sleeper_ops;
    ck_assert_int_eq(break_even_learning(&share, &device->base, &processor->base, model, flows, budget, &err),
                     0);
    return share;
}

START_TEST(a_step_of_training)
{
    struct sleeper device = {.pass = 300, .step = 100, .first = 5000}, processor = {.flow = 40, .step = 160};

    ck_assert_double_eq_tol(learning(&device, &processor, 16, SECOND), 0.5, 1e-9);
    ck_assert_double_eq_tol(learning(&device, &processor, 1, SECOND), 2, 1e-9);
}
END_TEST

/* A processor likes to judge few flows at once; what it is to learn from is one batch. */
START_TEST(a_batch_of_training_is_not_portioned)
{
    struct sleeper device = {.pass = 100}, processor = {.base = {.portion = 8}, .pass = 100};

    ck_assert_double_eq_tol(learning(&device, &processor, 32, SECOND), 1, 1e-9);
    ck_assert_uint_eq(processor.largest, 32);
}
END_TEST

START_TEST(learning_is_bounded)
{
    struct sleeper device = {.pass = SECOND}, processor = {.pass = SECOND / 10};
    int64_t begin = now;

    ck_assert_double_eq_tol(learning(&device, &processor, 8, SECOND / 5), 10, 1e-9);
    ck_assert_int_lt(now - begin, 3 * SECOND); /* one turn that does not count, and one that does */
}
END_TEST

int main(void)
{
    static const char json[] = "{\"format\": 1, \"name\": \"small\", \"labels\": [\"a\", \"b\"],"
                               " \"padding\": \"none\", \"root\": {\"name\": \"root\","
                               " \"input\": {\"select\": [\"num_pkts_out\"]},"
                               " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}";
    struct tree *tree;
    int status;

    if (tree_parse(&tree, "small", json, strlen(json), NULL, 0, NULL) < 0 || model_new(&model, tree, 1) < 0)
        return EXIT_FAILURE;
    status = UNIT_RUN("break_even", the_smallest_batch_that_is_won, the_first_and_the_last, never,
                      a_processor_works_in_portions, time_is_bounded, a_failure_is_passed_on,
                      a_step_of_training, a_batch_of_training_is_not_portioned, learning_is_bounded);
    model_free(model);
    return status;
}

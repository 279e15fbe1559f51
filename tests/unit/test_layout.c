/* A batch on the fake device, large and small: what arrives there is what was sent, and every position has
 * what belongs to it. */
#include "core/cuda/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/kernels.h"
#include "core/random.h"
#include "core/tree/tree_json.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/unit.h"

enum { FEW = 100, MANY = 6000, THREADS = 3 };

static struct random dice;

static struct tree *tree_of(const char *name)
{
    char path[512];
    struct tree *tree;
    struct error err;

    (void)snprintf(path, sizeof path, "%s/etc/trees/%s.json", SOURCE_ROOT, name);
    ck_assert_msg(tree_load(&tree, path, NULL, 0, &err) == 0, "%s", err.text);
    return tree;
}

/* Lists of several lengths; every other list is padded. */
static struct batch *batch_of(const struct tree *tree, uint32_t n_flows)
{
    struct batch *batch;

    ck_assert_int_eq(batch_new(&batch, tree), 0);
    batch->n_flows = n_flows;
    for (size_t i = 0; i < tree->n_elements; i++) {
        const struct element *element = &tree->elements[i];
        struct batch_input *input = &batch->inputs[i];
        uint32_t most = element->is_list ? (uint32_t)element->first : 1, rows = 0;

        ck_assert_int_eq(batch_reserve(batch, i, n_flows, n_flows * most), 0);
        for (uint32_t flow = 0; flow < n_flows; flow++) {
            if (element->is_list)
                input->first_row[flow] = rows;
            rows += most - (uint32_t)random_below(&dice, most / 4 + 1);
        }
        if (element->is_list)
            input->first_row[n_flows] = rows;
        input->n_instances = n_flows;
        input->n_rows = rows;
        input->padded_rows = element_is_sequence(element) && i % 2 == 0 ? most - 1 : 0;
        for (size_t k = 0; k < rows * element->n_columns; k++)
            input->values[k] = (float)random_unit(&dice);
    }
    return batch;
}

/* What stands on the device, to free(). */
static void *fetch(const void *at, size_t n, size_t size)
{
    void *copy = malloc(n * size);

    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(cudaMemcpy(copy, at, n * size, cudaMemcpyDeviceToHost), 0);
    return copy;
}

/* Whether a position has its row of the batch, or zeros. (An assertion for each of millions takes long.) */
static bool is_item(const struct element *element, const struct batch_input *input, uint32_t instance,
                    uint32_t step, uint32_t source, const float *item)
{
    uint32_t row = input->first_row[instance] + step;
    bool within = row < input->first_row[instance + 1], is = source == (within ? row : KERNEL_NOTHING);

    for (size_t c = 0; c < element->n_columns; c++)
        is = is && item[c] == (within ? input->values[row * element->n_columns + c] : 0);
    return is;
}

static void check_flat(const struct element *element, const struct layout_element *at,
                       const struct batch_input *input)
{
    size_t items = at->n_instances * element->first;
    uint32_t *source = fetch(at->source, items, sizeof *source);
    float *values = fetch(at->input, items * element->n_columns, sizeof *values);
    bool is = true;

    ck_assert_uint_eq(at->n_positions, at->n_instances);
    for (size_t i = 0; i < items; i++)
        is = is && is_item(element, input, (uint32_t)(i / element->first), (uint32_t)(i % element->first),
                           source[i], values + i * element->n_columns);
    ck_assert_msg(is, "%s", element->name);
    free(source);
    free(values);
}

static uint32_t steps_of(const struct batch_input *input, uint32_t instance)
{
    uint32_t rows = input->first_row[instance + 1] - input->first_row[instance];

    return rows > input->padded_rows ? rows : input->padded_rows;
}

/* Ranks by falling length, and equal ones as they come. */
static void check_ranks(const struct layout_element *at, const struct batch_input *input,
                        const uint32_t *order)
{
    uint32_t *rank = fetch(at->rank, at->n_instances, sizeof *rank);
    int32_t *lengths = fetch(at->step_lengths, at->n_instances, sizeof *lengths);
    bool is = true;

    for (uint32_t r = 0; r < at->n_instances; r++) {
        is = is && order[r] < at->n_instances && rank[order[r]] == r &&
             at->lengths[r] == steps_of(input, order[r]) && lengths[r] == (int32_t)at->lengths[r];
        if (r > 0)
            is = is && (at->lengths[r] < at->lengths[r - 1] ||
                        (at->lengths[r] == at->lengths[r - 1] && order[r] > order[r - 1]));
    }
    ck_assert(is);
    free(rank);
    free(lengths);
}

static void check_sequence(const struct element *element, const struct layout_element *at,
                           const struct batch_input *input)
{
    uint32_t *order = fetch(at->order, at->n_instances, sizeof *order), position = 0;
    uint32_t *source = fetch(at->source, at->n_positions, sizeof *source);
    uint32_t *instance = fetch(at->instance, at->n_positions, sizeof *instance);
    uint32_t *step = fetch(at->step, at->n_positions, sizeof *step);
    float *values = fetch(at->input, at->n_positions * element->n_columns, sizeof *values);
    bool is = true;

    check_ranks(at, input, order);
    for (uint32_t s = 0; s < at->n_steps; s++) {
        ck_assert_uint_eq(at->first_step[s], position);
        for (uint32_t r = 0; r < at->n_instances && at->lengths[r] > s; r++, position++)
            is = is && instance[position] == order[r] && step[position] == s &&
                 is_item(element, input, order[r], s, source[position],
                         values + position * element->n_columns);
    }
    ck_assert_msg(is, "%s", element->name);
    ck_assert_uint_eq(at->n_positions, position);
    ck_assert_uint_eq(at->first_step[at->n_steps], position);
    free(order);
    free(source);
    free(instance);
    free(step);
    free(values);
}

static void check_element(const struct element *element, const struct layout_element *at,
                          const struct batch_input *input)
{
    if (element->n_columns > 0) {
        float *values = fetch(at->values, at->n_rows * element->n_columns, sizeof *values);

        ck_assert_mem_eq(values, input->values, at->n_rows * element->n_columns * sizeof *values);
        free(values);
    }
    if (element_is_sequence(element))
        check_sequence(element, at, input);
    else if (element->is_list)
        check_flat(element, at, input);
    else
        ck_assert(at->source == NULL && at->input == (element->n_children > 0 ? NULL : at->values));
}

static void check_targets(const struct layout *layout, const struct engine_targets *targets, uint32_t n)
{
    uint32_t *labels = fetch(layout->labels, n, sizeof *labels);
    float *shares = fetch(layout->shares, n, sizeof *shares);
    double sum = 0;

    ck_assert_mem_eq(labels, targets->labels, n * sizeof *labels);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_double_eq_tol((double)shares[i] * (double)targets->weights[0],
                                (double)shares[0] * (double)targets->weights[i], 1e-7);
        sum += (double)shares[i];
    }
    ck_assert_double_eq_tol(sum, 1, 1e-5);
    free(labels);
    free(shares);
}

/* Lay a batch out and look at all of it. Return: copies to the device. */
static uint64_t check_batch(struct layout *layout, struct device *device, uint32_t n_flows)
{
    struct batch *batch = batch_of(layout->tree, n_flows);
    uint32_t labels[MANY];
    float weights[MANY];
    struct engine_targets targets = {.labels = labels, .weights = weights};
    uint64_t copies = fake_calls(FAKE_COPY), launches = fake_calls(FAKE_LAUNCH);
    struct error err = {0};

    for (uint32_t i = 0; i < n_flows; i++) {
        labels[i] = (uint32_t)random_below(&dice, 3);
        weights[i] = (float)(0.5 + random_unit(&dice));
    }
    ck_assert_msg(layout_take(layout, device, batch, &targets, &err) == 0, "%s", err.text);
    copies = fake_calls(FAKE_COPY) - copies;
    ck_assert_uint_eq(fake_calls(FAKE_LAUNCH) - launches, 1);
    ck_assert_int_eq(device_wait(device, &err), 0);
    for (size_t i = 0; i < layout->tree->n_elements; i++)
        check_element(&layout->tree->elements[i], &layout->elements[i], &batch->inputs[i]);
    check_targets(layout, &targets, n_flows);
    batch_free(batch);
    return copies;
}

/* A layout of a tree on a device. */
struct rig {
    struct tree *tree;
    struct device device;
    struct pool *pool;
    struct layout layout;
};

static void rig_init(struct rig *rig, const char *tree, uint64_t seed)
{
    dice.state = seed;
    fake_reset(NULL);
    rig->tree = tree_of(tree);
    ck_assert_int_eq(device_open(&rig->device, NULL), 0);
    ck_assert_int_eq(pool_new(&rig->pool, THREADS, NULL), 0);
    ck_assert_int_eq(layout_init(&rig->layout, rig->tree, rig->pool, NULL), 0);
}

static void rig_deinit(struct rig *rig)
{
    layout_deinit(&rig->layout);
    pool_free(rig->pool);
    device_close(&rig->device);
    ck_assert_uint_eq(fake_leaks(), 0);
    tree_free(rig->tree);
}

START_TEST(all_of_a_batch_arrives)
{
    static const char *const trees[] = {"notebook", "flowtree"};

    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        struct rig rig;

        rig_init(&rig, trees[i], 41);
        ck_assert_uint_eq(check_batch(&rig.layout, &rig.device, FEW), 1);
        ck_assert_uint_gt(check_batch(&rig.layout, &rig.device, MANY), 1);
        ck_assert_uint_eq(check_batch(&rig.layout, &rig.device, 1), 1);
        rig_deinit(&rig);
    }
}
END_TEST

/* Whichever piece fails, the call says so. */
START_TEST(a_piece_that_cannot_be_sent_is_an_error)
{
    struct batch *batch;
    struct rig rig;
    int rc = -1;

    rig_init(&rig, "notebook", 42);
    batch = batch_of(rig.tree, MANY);
    for (uint64_t n = 0; rc != 0; n++) {
        struct error err = {0};

        fake_fail(FAKE_COPY, n, FAKE_NO_MEMORY, false);
        rc = layout_take(&rig.layout, &rig.device, batch, NULL, &err);
        ck_assert_msg(rc == 0 ? n > 1 : rc == -ENOMEM && err.code == rc, "copy %lu: %d: %s", (unsigned long)n,
                      rc, err.text);
        ck_assert_int_eq(device_wait(&rig.device, NULL), 0);
    }
    batch_free(batch);
    rig_deinit(&rig);
}
END_TEST

int main(void)
{
    return UNIT_RUN("layout", all_of_a_batch_arrives, a_piece_that_cannot_be_sent_is_an_error);
}

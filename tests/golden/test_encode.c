/* Records become the reference's inputs, within the rounding of float; the constants of the reference
 * normalise as it does. */
#include <math.h>
#include <string.h>

#include "core/encode.h"
#include "tests/golden/golden.h"
#include "tests/unit/unit.h"

/* Of the reference's value, and of the largest in its column: normalised values lie near 0 by cancellation.
 */
static const double RELATIVE = 1e-6, OF_COLUMN = 2e-7;

/* The reference subtracts seconds since 1970 as doubles, which are good to 2.4e-7; records have microseconds.
 * Of the shortest durations this changes the sixth digit. */
static const double OF_DURATION = 1e-5;

static void encode_all(struct batch *batch, const struct model *model)
{
    static struct record records[GOLDEN_FLOWS];
    const struct record *pointers[GOLDEN_FLOWS];

    golden_records(records);
    for (size_t i = 0; i < GOLDEN_FLOWS; i++)
        pointers[i] = &records[i];
    ck_assert_int_eq(encode_records(batch, model, pointers, GOLDEN_FLOWS, ENCODE_TRAINING), 0);
}

/* The first rows of each list: a flattened one is filled up with zeros in the reference. */
static void check_element(const struct golden *golden, const struct batch *batch, size_t index)
{
    const struct element *element = &golden->model->tree->elements[index];
    const struct batch_input *input = &batch->inputs[index], *reference = &golden->batch->inputs[index];
    size_t width = element->n_columns;
    double largest[64] = {0};

    ck_assert_uint_le(width, 64);
    for (size_t i = 0; i < reference->n_rows * width; i++)
        largest[i % width] = fmax(largest[i % width], fabs(golden->inputs[index][i]));
    ck_assert_uint_eq(input->n_instances, GOLDEN_FLOWS);
    ck_assert_uint_eq(input->padded_rows, reference->padded_rows);
    for (size_t flow = 0; flow < GOLDEN_FLOWS; flow++) {
        size_t row = element->is_list ? input->first_row[flow] : flow;
        size_t end = element->is_list ? input->first_row[flow + 1] : flow + 1;
        size_t from = element->is_list ? reference->first_row[flow] : flow;

        for (size_t i = 0; i < (end - row) * width; i++) {
            double value = (double)input->values[row * width + i];
            double wanted = golden->inputs[index][from * width + i];

            double limit = RELATIVE * fabs(wanted) + OF_COLUMN * largest[i % width];

            if (strcmp(field_name(element->columns[i % width].field), "duration") == 0)
                limit += OF_DURATION;
            ck_assert_msg(fabs(value - wanted) <= limit, "%s: flow %zu, value %zu is %.9g, not %.17g",
                          element->name, flow, i, value, wanted);
        }
        if (element_is_sequence(element))
            ck_assert_uint_eq(end - row, reference->first_row[flow + 1] - from);
    }
}

static void check_set(const struct golden_set *set)
{
    struct golden golden;
    struct batch *batch;

    golden_open(&golden, set);
    golden_constants(&golden);
    ck_assert_int_eq(batch_new(&batch, golden.model->tree), 0);
    encode_all(batch, golden.model);
    for (size_t i = 0; i < golden.model->tree->n_elements; i++)
        check_element(&golden, batch, i);
    batch_free(batch);
    golden_close(&golden);
}

START_TEST(test_notebook)
{
    for (size_t i = 0; i < GOLDEN_SETS; i++)
        if (golden_sets[i].masked)
            check_set(&golden_sets[i]);
}
END_TEST

START_TEST(test_flowtree)
{
    check_set(&golden_sets[GOLDEN_SETS - 1]);
}
END_TEST

int main(void)
{
    if (!golden_present())
        return unit_skip("no ../shared/data/model");
    return UNIT_RUN("encode", test_notebook, test_flowtree);
}

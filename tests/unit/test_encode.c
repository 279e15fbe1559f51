#include <math.h>
#include <string.h>

#include "core/encode.h"
#include "core/tree/tree_json.h"
#include "tests/unit/random_tree.h"
#include "tests/unit/unit.h"

enum { MANY = 300 }; /* more than a chunk */

/* Models of one element below the root. */
static struct model *model_of(const char *padding, const char *element)
{
    char text[2048];
    struct error err;
    struct tree *tree;
    struct model *model;

    (void)snprintf(text, sizeof text,
                   "{\"format\": 1, \"name\": \"t\", \"padding\": \"%s\", \"root\": {\"name\": \"root\", "
                   "\"children\": [%s], \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}",
                   padding, element);
    ck_assert_msg(tree_parse(&tree, "FILE", text, strlen(text), NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_new(&model, tree, 1), 0);
    return model;
}

static struct batch *encode(const struct model *model, const struct record *records, size_t n,
                            enum encode_purpose purpose)
{
    const struct record *pointers[MANY];
    struct batch *batch;

    for (size_t i = 0; i < n; i++)
        pointers[i] = &records[i];
    ck_assert_int_eq(batch_new(&batch, model->tree), 0);
    ck_assert_int_eq(encode_records(batch, model, pointers, n, purpose), 0);
    return batch;
}

static void check_values(const float *values, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(values[i] - expected[i]) <= 1e-6F * fabsf(expected[i]),
                      "value %zu is %.9g, not %.9g", i, (double)values[i], (double)expected[i]);
}

static const struct record two_records[2] = {
    {.protocol = 17,
     .n_packets = 3,
     .time_start = 1000000,
     .time_end = 2500000,
     .out = {.present = true, .bytes = 40, .packets = 2, .has_ip = true, .ttl = 60, .n_ids = 3},
     .in = {.present = true, .bytes = 1500, .packets = 1, .has_ip = true, .ttl = 0, .n_ids = 1},
     .ids_out = {65535, 0, 1},
     .ids_in = {7},
     .packets = {{.ipt_ms = 0, .bytes = 10, .out = 1},
                 {.ipt_ms = 5, .bytes = 1500, .out = 0},
                 {.ipt_ms = 2, .bytes = 30, .out = 1}}},
    {.protocol = 6, .out = {.present = true, .packets = 1}},
};

START_TEST(test_record_fields)
{
    struct model *model = model_of(
        "none", "{\"name\": \"x\", \"input\": {\"select\": [\"bytes_in\", \"bytes_out\", \"duration\", "
                "\"udp\", \"bytes_balance\", \"packets.out.mean\", \"packets.out.deviation\", "
                "\"packets.in.max\", \"packets.in.small\", \"packets.turns\", \"packets.ipt.zeros\", "
                "\"ip.out.ttl.from_64\", \"ip.out.hops\", \"ip.in.ttl.absent\", \"ip.out.id.zeros\", "
                "\"ip.out.id.ones\", \"ip.out.id.step\", \"ip.in.id.few\", "
                "{\"field\": \"bytes_in\", \"map\": [{\"min\": 999}, {\"divide\": 2}, \"log1p\"]}]}}");
    static const float expected[2][19] = {{1500, 40, 1.5F, 1, 1460.F / 1541, 20, 10, 1500, 0, 1, 1.F / 3, 1,
                                           4, 1, 1.F / 3, 1, 1, 1, 6.21560797F},
                                          {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0}};
    struct batch *batch = encode(model, two_records, 2, ENCODE_SERVING);

    ck_assert_uint_eq(batch->n_flows, 2);
    ck_assert_uint_eq(batch->inputs[0].n_instances, 2);
    ck_assert_uint_eq(batch->inputs[0].n_rows, 2);
    check_values(batch->inputs[0].values, expected[0], 2 * 19);
    batch_free(batch);
    model_free(model);
}
END_TEST

START_TEST(test_list)
{
    struct model *model = model_of(
        "none", "{\"name\": \"x\", \"input\": {\"each\": \"packets\", \"select\": [\"out\", \"direction\", "
                "{\"field\": \"b\", \"map\": [\"sign\"]}, {\"field\": \"b\", \"map\": [\"delta\", "
                "{\"max\": -5}]}, \"ipt\"]}, \"layers\": [{\"gru\": 2}]}");
    /* The second record has no packets: one row of zeros, though the maps would make -5 of 0. */
    static const float expected[4][5] = {
        {1, 1, 10, 0, 0}, {0, -1, -1500, 1490, 5}, {1, 1, 30, -5, 2}, {0, 0, 0, 0, 0}};
    struct batch *batch = encode(model, two_records, 2, ENCODE_SERVING);
    const struct batch_input *input = &batch->inputs[0];

    ck_assert_uint_eq(input->n_instances, 2);
    ck_assert_uint_eq(input->n_rows, 4);
    ck_assert_uint_eq(input->first_row[1], 3);
    ck_assert_uint_eq(input->first_row[2], 4);
    ck_assert_uint_eq(input->padded_rows, 0);
    check_values(input->values, (const float *)expected, 20);
    batch_free(batch);
    model_free(model);
}
END_TEST

START_TEST(test_list_in_list)
{
    struct model *model = model_of(
        "batch", "{\"name\": \"sides\", \"input\": {\"each\": \"sides\", \"select\": [\"bytes\", \"out\"]}, "
                 "\"children\": [{\"name\": \"ids\", \"input\": {\"each\": \"ip.id\", \"first\": 2}, "
                 "\"layers\": [{\"gru\": 2}]}, {\"name\": \"ttl\", \"input\": {\"select\": [\"ip.ttl\"]}}], "
                 "\"layers\": [{\"gru\": 2}]}");
    static const float sides[] = {40, 1, 1500, 0, 0, 1}, ids[] = {65535, 0, 7, 0}, ttl[] = {60, 0, 0};
    struct batch *batch = encode(model, two_records, 2, ENCODE_TRAINING);
    size_t of_sides = tree_element(model->tree, "sides"), of_ids = tree_element(model->tree, "ids");
    size_t of_ttl = tree_element(model->tree, "ttl");

    ck_assert_uint_eq(batch->inputs[of_sides].n_instances, 2);
    ck_assert_uint_eq(batch->inputs[of_sides].n_rows, 3);
    ck_assert_uint_eq(batch->inputs[of_sides].first_row[1], 2);
    ck_assert_uint_eq(batch->inputs[of_sides].padded_rows, 2);
    check_values(batch->inputs[of_sides].values, sides, 6);
    ck_assert_uint_eq(batch->inputs[of_ids].n_instances, 3);
    ck_assert_uint_eq(batch->inputs[of_ids].n_rows, 4);
    ck_assert_uint_eq(batch->inputs[of_ids].first_row[1], 2);
    ck_assert_uint_eq(batch->inputs[of_ids].first_row[2], 3);
    check_values(batch->inputs[of_ids].values, ids, 4);
    ck_assert_uint_eq(batch->inputs[of_ttl].n_instances, 3);
    check_values(batch->inputs[of_ttl].values, ttl, 3);
    batch_free(batch);
    model_free(model);
}
END_TEST

START_TEST(test_padding)
{
    struct model *model =
        model_of("batch", "{\"name\": \"x\", \"input\": {\"each\": \"ip.out.id\"}, "
                          "\"layers\": [{\"gru\": 2}]}, "
                          "{\"name\": \"y\", \"input\": {\"each\": \"ip.out.id\", \"first\": 9, "
                          "\"flatten\": true}}");
    struct batch *batch = encode(model, two_records, 2, ENCODE_SERVING);

    ck_assert_uint_eq(batch->inputs[0].padded_rows, RECORD_IDS_MAX);
    ck_assert_uint_eq(batch->inputs[1].padded_rows, 0);
    batch_free(batch);
    batch = encode(model, two_records, 2, ENCODE_TRAINING);
    ck_assert_uint_eq(batch->inputs[0].padded_rows, 3);
    batch_free(batch);
    model_free(model);
}
END_TEST

/* Any tree: a record's values do not depend on how many others go through with it. */
START_TEST(test_alone_and_together)
{
    static struct record records[MANY];
    struct random random = {.state = 3};

    for (int t = 0; t < 40; t++) {
        struct model *model;
        struct batch *together;
        uint32_t row[TREE_ELEMENTS_MAX] = {0};

        ck_assert_int_eq(model_new(&model, random_tree(&random), 1), 0);
        for (size_t i = 0; i < MANY; i++)
            random_record(&random, &records[i], i % 3 == 0 ? 100 : 10);
        together = encode(model, records, MANY, ENCODE_SERVING);
        for (size_t i = 0; i < MANY; i++) {
            struct batch *alone = encode(model, &records[i], 1, ENCODE_SERVING);

            for (size_t e = 0; e < model->tree->n_elements; e++) {
                size_t width = model->tree->elements[e].n_columns;

                ck_assert_mem_eq(alone->inputs[e].values, together->inputs[e].values + row[e] * width,
                                 alone->inputs[e].n_rows * width * sizeof(float));
                row[e] += alone->inputs[e].n_rows;
            }
            batch_free(alone);
        }
        for (size_t e = 0; e < model->tree->n_elements; e++)
            ck_assert_uint_eq(row[e], together->inputs[e].n_rows);
        batch_free(together);
        model_free(model);
    }
}
END_TEST

START_TEST(test_fit)
{
    struct model *model =
        model_of("none", "{\"name\": \"x\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", "
                         "\"out\"], \"standardise\": {\"clip\": 1}}, \"layers\": [{\"gru\": 2}]}");
    const struct record *pointers[] = {&two_records[0], &two_records[1]};
    /* Over the three packets; the empty list says nothing. */
    const double mean = (10 + 1500 + 30) / 3.0, deviation = sqrt((100 + 2250000 + 900) / 3.0 - mean * mean);
    struct batch *batch;

    ck_assert_float_eq(model->constants[0], 0);
    ck_assert_float_eq(model->constants[2], 1);
    ck_assert_int_eq(encode_fit_constants(model, pointers, 2), 0);
    ck_assert_double_eq_tol((double)model->constants[0], mean, 1e-4);
    ck_assert_double_eq_tol((double)model->constants[1], 2.0 / 3, 1e-6);
    ck_assert_double_eq_tol((double)model->constants[2], deviation + 0.05, 1e-3);
    ck_assert_double_eq_tol((double)model->constants[3], sqrt(2) / 3 + 0.05, 1e-6);
    batch = encode(model, two_records, 2, ENCODE_SERVING);
    ck_assert_double_eq_tol((double)batch->inputs[0].values[0], (10 - mean) / (deviation + 0.05), 1e-6);
    ck_assert_float_eq(batch->inputs[0].values[2], 1); /* clipped */
    ck_assert_float_eq(batch->inputs[0].values[6], 0); /* the empty list */
    batch_free(batch);
    model_free(model);
}
END_TEST

int main(void)
{
    return UNIT_RUN("encode", test_record_fields, test_list, test_list_in_list, test_padding,
                    test_alone_and_together, test_fit);
}

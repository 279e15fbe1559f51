/* Two models of one input, whose weights are set by hand, so that what they say is known. */
#include "core/learn/gate.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

enum { FLOWS = 30 };

static struct dataset dataset;
static struct record records[FLOWS];
static struct record *pointers[FLOWS];
static uint32_t truth[FLOWS];
static uint32_t indices[FLOWS];
static struct subset held_out;

/* Flows with octets out are "b", those without are "a". */
static void set_up(void)
{
    dataset = (struct dataset){.n_labels = 2, .n = FLOWS, .records = pointers, .label = truth};
    strcpy(dataset.labels[0], "a");
    strcpy(dataset.labels[1], "b");
    for (uint32_t i = 0; i < FLOWS; i++) {
        records[i] = (struct record){.out = {.present = true, .bytes = i % 2}};
        pointers[i] = &records[i];
        truth[i] = i % 2;
        indices[i] = i;
    }
    held_out = (struct subset){FLOWS, indices};
}

/* A model with logits (bias, weight * bytes_out). */
static struct model *model_make(const char *labels, float bias, float weight)
{
    char text[512];
    struct tree *tree;
    struct model *model;
    struct error err = {0};

    (void)snprintf(text, sizeof text,
                   "{\"format\": 1, \"name\": \"tiny\", \"labels\": [%s], \"padding\": \"none\","
                   " \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"bytes_out\"]},"
                   " \"layers\": [{\"dense\": 2, \"activation\": \"softmax\"}]}}",
                   labels);
    ck_assert_msg(tree_parse(&tree, "tiny", text, strlen(text), NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(model_new(&model, tree, 1), 0);
    memset(model->weights, 0, tree->n_weights * sizeof *model->weights);
    model->weights[tree_tensor(tree, "root/dense0/W")->offset + 1] = weight;
    model->weights[tree_tensor(tree, "root/dense0/b")->offset] = bias;
    strcpy(model->id, "0123456789ab");
    return model;
}

static struct gate judge(const struct model *candidate, const struct model *current)
{
    const struct engine_options options = {.threads = 1};
    struct error err = {0};
    struct gate gate;

    ck_assert_msg(
        gate_judge(&gate, candidate, current, &dataset, &held_out, &engine_reference, &options, &err) == 0,
        "%s", err.text);
    return gate;
}

START_TEST(the_better_one_may_pass)
{
    set_up();
    struct model *right = model_make("\"a\", \"b\"", 0.5f, 1);
    struct model *always_a = model_make("\"a\", \"b\"", 9, 1);
    struct gate gate = judge(right, always_a);

    ck_assert(gate.better);
    ck_assert_double_eq(gate.candidate.accuracy, 1);
    ck_assert_double_eq(gate.candidate.macro_f1, 1);
    ck_assert_double_eq(gate.current.accuracy, 0.5);
    ck_assert_double_eq_tol(gate.current.macro_f1, 1.0 / 3, 1e-12);
    ck_assert_uint_eq(gate.flows, FLOWS);
    ck_assert_str_eq(gate.current_id, always_a->id);
    ck_assert_ptr_nonnull(strstr(gate.why, "1.000 against 0.333"));
    ck_assert(!judge(always_a, right).better);
    ck_assert(!judge(right, right).better); /* as good is not better */
    model_free(right);
    model_free(always_a);
}
END_TEST

START_TEST(labels_are_matched_by_name)
{
    set_up();
    struct model *right = model_make("\"a\", \"b\"", 0.5f, 1);
    struct model *swapped = model_make("\"b\", \"a\"", 0.5f, 1); /* says b for a */
    struct model *strange = model_make("\"a\", \"c\"", 0.5f, 1); /* knows no b */
    struct gate gate = judge(right, swapped);

    ck_assert_double_eq(gate.current.accuracy, 0);
    gate = judge(right, strange);
    ck_assert_double_eq(gate.current.accuracy, 0.5);
    ck_assert(gate.better);
    model_free(right);
    model_free(swapped);
    model_free(strange);
}
END_TEST

START_TEST(too_little_tells_nothing)
{
    set_up();
    struct model *right = model_make("\"a\", \"b\"", 0.5f, 1);

    ck_assert(judge(right, NULL).better);
    ck_assert(isnan(judge(right, NULL).current.macro_f1));
    held_out.n = GATE_FLOWS_MIN - 1;
    ck_assert(!judge(right, NULL).better);
    held_out.n = 0;
    ck_assert(!judge(right, right).better);
    model_free(right);
}
END_TEST

START_TEST(the_answer_is_written_and_read)
{
    const struct gate written = {.current_id = "0123456789ab",
                                 .flows = 120,
                                 .candidate = {0.75, 0.5},
                                 .current = {NAN, NAN},
                                 .better = true,
                                 .why = "because"};
    struct error err = {0};
    struct gate read;
    cJSON *training = cJSON_CreateObject();

    ck_assert(cJSON_AddItemToObject(training, "gate", gate_json(&written)));
    char *text = cJSON_PrintUnformatted(training);
    ck_assert_int_eq(gate_read(&read, text, &err), 0);
    ck_assert_str_eq(read.current_id, written.current_id);
    ck_assert_str_eq(read.why, written.why);
    ck_assert_uint_eq(read.flows, 120);
    ck_assert_double_eq(read.candidate.accuracy, 0.75);
    ck_assert_double_eq(read.candidate.macro_f1, 0.5);
    ck_assert(isnan(read.current.accuracy));
    ck_assert(read.better);
    cJSON_free(text);
    cJSON_Delete(training);

    static const char *const damaged[] = {
        NULL,
        "",
        "{}",
        "{\"gate\":{}}",
        "{\"gate\":{\"better\":true}}",
        "{\"gate\":{\"better\":1,\"why\":\"\",\"current_id\":\"\",\"flows\":1}}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        ck_assert_int_eq(gate_read(&read, damaged[i], &err), -EBADMSG);
}
END_TEST

int main(void)
{
    return UNIT_RUN("gate", the_better_one_may_pass, labels_are_matched_by_name, too_little_tells_nothing,
                    the_answer_is_written_and_read);
}

/* Columns of every width through every kernel that reads them, against the reference engine. */
#include <math.h>
#include <string.h>

#include "tests/cuda/fake/fake.h"
#include "tests/unit/fused_trial.h"
#include "tests/unit/unit.h"

enum { EMBEDDING_ROWS = 400 };

static const enum fused_kernels each_kernels[] = {FUSED_KERNELS_LANES, FUSED_KERNELS_TENSOR};
static const double PROBABILITY_LIMIT = 1e-6;

/* What columns may hold. */
static const struct kind {
    uint8_t octets; /* that it goes over in */
    double scale;   /* about its largest value */
} kinds[] = {{1, 255}, {2, 65535}, {4, 4294967295.0}, {4, 1}};
enum { KINDS = 4 };

static float draw(struct random *random, const struct kind *kind)
{
    return kind->scale == 1 ? (float)(2 * random_unit(random) - 1)
                            : (float)random_below(random, (uint64_t)kind->scale + 1);
}

/* Walks of one and of two columns a lane, forward and backward, and of a shape that tensor cores have not;
 * rows, items, an embedding. */
static const char tree_text[] =
    "{\"format\": 1, \"name\": \"t\", \"padding\": \"%s\", \"root\": {\"name\": \"root\", "
    "\"input\": {\"select\": [\"udp\", \"bytes_in\", \"bytes_out\", \"duration\"]}, \"children\": ["
    "{\"name\": \"one\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", \"out\", \"ipt\"]}, "
    "\"layers\": [{\"lstm\": 8, \"bidirectional\": true}]}, "
    "{\"name\": \"two\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", \"b\", \"b\", \"b\", \"b\", "
    "\"b\", \"b\"]}, \"layers\": [{\"gru\": 16, \"bidirectional\": true}]}, "
    "{\"name\": \"wide\", \"input\": {\"each\": \"packets\", \"select\": [\"b\", \"b\", \"b\", \"b\"]}, "
    "\"layers\": [{\"gru\": 20}]}, "
    "{\"name\": \"ids\", \"input\": {\"each\": \"ip.in.id\"}, \"layers\": [{\"lstm\": 16}]}, "
    "{\"name\": \"ttl\", \"input\": {\"select\": [\"ip.out.ttl\"]}, \"layers\": [{\"embedding\": [400, "
    "4]}]}, "
    "{\"name\": \"head\", \"input\": {\"each\": \"packets\", \"first\": 3, \"flatten\": true, "
    "\"select\": [\"b\", \"b\", \"b\", \"b\"]}, \"layers\": [{\"dense\": 5}]}], "
    "\"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";

/* The kind of a column in a round: in each, neighbours differ; in all together, each is of every kind. */
static const struct kind *kind_of(size_t round, size_t element, size_t column)
{
    return &kinds[(round + element + column) % KINDS];
}

/* Divide the weights of inputs [first, first + n) of a (rows, in) matrix by what their columns hold, so that
 * each has its say and none saturates what it goes into. */
static void divide_weights(struct fused_trial *trial, size_t tensor, size_t first, size_t n, size_t n_columns,
                           size_t round, size_t element)
{
    const struct tensor *t = &trial->model->tree->tensors[tensor];

    for (size_t row = 0; row < t->shape[0]; row++)
        for (size_t i = 0; i < n; i++) {
            float *weight = &trial->model->weights[t->offset + row * t->shape[1] + first + i];

            *weight = (float)((double)*weight / kind_of(round, element, i % n_columns)->scale);
        }
}

/* Draw the columns of flows [first, end). */
static void draw_flows(struct fused_trial *trial, struct random *random, size_t round, uint32_t first,
                       uint32_t end)
{
    const struct tree *tree = trial->model->tree;

    for (size_t e = 0; e < tree->n_elements; e++) {
        struct batch_input *input = &trial->batch->inputs[e];
        size_t n_columns = tree->elements[e].n_columns;
        uint32_t from = input->first_row != NULL ? input->first_row[first] : first;
        uint32_t to = input->first_row != NULL ? input->first_row[end] : end;

        for (uint32_t row = from; row < to; row++)
            for (size_t k = 0; k < n_columns; k++)
                input->values[row * n_columns + k] = draw(random, kind_of(round, e, k));
    }
}

static void fit_weights(struct fused_trial *trial, size_t round)
{
    const struct tree *tree = trial->model->tree;

    for (size_t e = 0; e < tree->n_elements; e++) {
        const struct element *element = &tree->elements[e];
        const struct layer *layer = &element->layers[0];
        size_t own = element->flatten ? element->in_width : element->n_columns;

        for (size_t direction = 0; layer->kind != LAYER_EMBEDDING && 4 * direction < layer->n_tensors;
             direction++)
            divide_weights(trial, layer->tensors[4 * direction], layer->in - own, own, element->n_columns,
                           round, e);
    }
}

/* An embedding's column, which chooses rows: below 256, beyond, fractions too. */
static void draw_choices(struct fused_trial *trial, struct random *random, size_t round)
{
    size_t e = tree_element(trial->model->tree, "ttl");
    struct batch_input *input = &trial->batch->inputs[e];

    for (uint32_t row = 0; row < input->n_rows; row++)
        input->values[row] = (float)random_below(random, round % 3 == 0 ? 256 : EMBEDDING_ROWS + 10) +
                             (round % 3 == 2 ? 0.5F : 0);
}

START_TEST(every_kernel_reads_every_width)
{
    struct random random = {.state = 1};

    fake_reset(NULL);
    for (size_t round = 0; round < 3 * KINDS; round++) {
        struct fused_inputs inputs = {.n = 61, .packets = 11, .purpose = ENCODE_SERVING};
        struct fused_trial trial;
        char text[sizeof tree_text + 8];

        (void)snprintf(text, sizeof text, tree_text, round % 2 == 0 ? "none" : "batch");
        fused_trial_init(&trial, &random, fused_trial_tree_text(text), 2, &inputs);
        draw_flows(&trial, &random, round, 0, trial.batch->n_flows);
        draw_choices(&trial, &random, round);
        fit_weights(&trial, round);
        fused_trial_answer(&trial);
        for (size_t k = 0; k < 2; k++) {
            double difference = fused_trial_difference(&trial, each_kernels[k]);

            ck_assert_msg(difference < PROBABILITY_LIMIT, "round %zu, kernels %zu: off by %g", round, k,
                          difference);
        }
        ck_assert_uint_eq(fake_leaks(), 0);
        fused_trial_deinit(&trial);
    }
}
END_TEST

/* Numbers just within and just beyond a width, alone among others; wherever they stand. */
START_TEST(one_value_decides)
{
    static const float others[] = {1, 255, 256, 65535, 65536, -1, -0.0F, 0.5F, 1e9F};
    struct fused_inputs inputs = {.n = 60, .packets = 12, .full = true, .purpose = ENCODE_SERVING};
    struct random random = {.state = 9};

    fake_reset(NULL);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct fused_trial trial;
        const struct tree *tree;

        fused_trial_init(&trial, &random, fused_trial_tree_file("notebook"), 1, &inputs);
        tree = trial.model->tree;
        for (size_t e = 0; e < tree->n_elements; e++) {
            struct batch_input *input = &trial.batch->inputs[e];
            size_t n = input->n_rows * tree->elements[e].n_columns;

            for (size_t k = 0; k < n; k++)
                input->values[k] = (float)random_below(&random, 3);
            input->values[random_below(&random, n)] = others[i];
        }
        fused_trial_answer(&trial);
        for (size_t k = 0; k < 2; k++)
            ck_assert_double_lt(fused_trial_difference(&trial, each_kernels[k]), PROBABILITY_LIMIT);
        fused_trial_deinit(&trial);
    }
}
END_TEST

/* Portions one after the other, each of other widths than the one before. */
START_TEST(portions_of_other_widths)
{
    static const char text[] =
        "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\", "
        "\"bytes_in\"]}, \"children\": [{\"name\": \"one\", \"input\": {\"each\": \"packets\", \"first\": 4, "
        "\"select\": [\"b\", \"out\", \"ipt\"]}, \"layers\": [{\"gru\": 6}]}], "
        "\"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}";
    enum { PORTION = 16384, FLOWS = 2 * PORTION + 500 };
    struct fused_inputs inputs = {.n = FLOWS, .packets = 4, .purpose = ENCODE_SERVING};
    struct random random = {.state = 4};
    struct fused_trial trial;

    fake_reset(NULL);
    fused_trial_init(&trial, &random, fused_trial_tree_text(text), 1, &inputs);
    for (uint32_t first = 0; first < FLOWS; first += PORTION)
        draw_flows(&trial, &random, first / PORTION, first,
                   first + PORTION < FLOWS ? first + PORTION : FLOWS);
    for (size_t k = 0; k < trial.model->tree->n_weights; k++)
        trial.model->weights[k] *= 1e-4F;
    fused_trial_answer(&trial);
    for (size_t k = 0; k < 2; k++) {
        double difference = fused_trial_difference(&trial, each_kernels[k]);

        ck_assert_msg(difference < PROBABILITY_LIMIT, "kernels %zu: off by %g", k, difference);
    }
    fused_trial_deinit(&trial);
}
END_TEST

int main(void)
{
    return UNIT_RUN("fused_widths", every_kernel_reads_every_width, one_value_decides,
                    portions_of_other_widths);
}

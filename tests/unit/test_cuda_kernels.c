/* Each kernel of core/cuda against the same thing done plainly, on the fake device, with sizes around those
 * of threads, blocks and chunks. */
#include "core/cuda/kernels.h"

#include <math.h>
#include <string.h>

#include "core/cpu/adam.h"
#include "core/dropout.h"
#include "core/random.h"
#include "tests/cuda/fake/fake.h"
#include "tests/unit/activations.h"
#include "tests/unit/unit.h"

static struct random dice;
static cudaStream_t stream;

static void begin(void)
{
    dice.state = 31;
    fake_reset(NULL);
    ck_assert_int_eq(cudaStreamCreate(&stream), 0);
}

static void end(void)
{
    ck_assert_int_eq(cudaStreamDestroy(stream), 0);
    ck_assert_uint_eq(fake_leaks(), 0);
}

/* An array on both sides: host is sent by put(), and fetched by get(). */
struct array {
    void *host, *device;
    size_t octets;
};

static struct array array_new(size_t n, size_t size)
{
    struct array a = {.octets = n * size};

    a.host = calloc(n + 1, size);
    ck_assert_ptr_nonnull(a.host);
    ck_assert_int_eq(cudaMalloc(&a.device, a.octets), 0);
    return a;
}

static void array_free(struct array *a)
{
    free(a->host);
    ck_assert_int_eq(cudaFree(a->device), 0);
}

static void put(const struct array *a)
{
    ck_assert_int_eq(cudaMemcpy(a->device, a->host, a->octets, cudaMemcpyHostToDevice), 0);
}

static void get(struct array *a)
{
    ck_assert_int_eq(cudaStreamSynchronize(stream), 0);
    ck_assert_int_eq(cudaMemcpy(a->host, a->device, a->octets, cudaMemcpyDeviceToHost), 0);
}

/* Numbers in -1 .. 1. */
static struct array floats_new(size_t n)
{
    struct array a = array_new(n, sizeof(float));

    for (size_t i = 0; i < n; i++)
        ((float *)a.host)[i] = (float)(2 * random_unit(&dice) - 1);
    put(&a);
    return a;
}

static const uint32_t counts[] = {1, 2, 31, 255, 256, 257, 700, 5000};
static const uint32_t widths[] = {1, 3, 16, 255, 257, 600};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* dy times the slope, and its rows added up. */
static void check_bias(uint32_t n, uint32_t width, enum activation activation)
{
    struct array dy = floats_new((size_t)n * width), y = floats_new((size_t)n * width);
    struct array sums = floats_new(width);
    struct array scratch = array_new(kernel_bias_scratch(n, width), sizeof(float));
    double *want = calloc(width, sizeof *want);
    float *before = calloc((size_t)n * width, sizeof *before);
    double most = 0;

    memcpy(before, dy.host, dy.octets);
    for (uint32_t c = 0; c < width; c++)
        want[c] = (double)((float *)sums.host)[c];
    ck_assert_int_eq(
        kernel_bias_backward(stream, sums.device, dy.device, y.device, n, width, activation, scratch.device),
        0);
    get(&sums);
    get(&dy);
    for (size_t i = 0; i < (size_t)n * width; i++) {
        double product = (double)before[i] * slope_of(activation, (double)((float *)y.host)[i]);

        most = fmax(most, fabs((double)((float *)dy.host)[i] - product));
        want[i % width] += product;
    }
    ck_assert_double_le(most, 1e-6);
    for (uint32_t c = 0; c < width; c++)
        ck_assert_double_eq_tol((double)((float *)sums.host)[c], want[c], 1e-6 * (10 + sqrt(n)));
    free(before);
    free(want);
    array_free(&dy);
    array_free(&y);
    array_free(&sums);
    array_free(&scratch);
}

START_TEST(a_bias_gets_the_sum_of_its_column)
{
    begin();
    for (size_t i = 0; i < COUNT(counts); i++)
        for (size_t k = 0; k < COUNT(widths); k++)
            if ((size_t)counts[i] * widths[k] <= 1 << 20)
                check_bias(counts[i], widths[k], (enum activation)((i + k) % ACTIVATIONS));
    end();
}
END_TEST

static uint32_t table_row(float x, uint32_t rows)
{
    if (!(x >= 1))
        return 0;
    return x >= (float)rows ? rows - 1 : (uint32_t)x;
}

static void check_embedding(uint32_t rows, uint32_t units, uint32_t n)
{
    static const float odd[] = {-1.0F, -0.5F, 0.0F, 0.99F, 1.99F, NAN, INFINITY, -INFINITY, 1e30F};
    struct array x = floats_new(n), y = array_new((size_t)n * units, sizeof(float));
    struct array table = floats_new((size_t)rows * units), dy = floats_new((size_t)n * units);
    struct array dtable = array_new((size_t)rows * units, sizeof(float));
    struct array scratch = array_new(kernel_embedding_scratch(rows, n, units), sizeof(float));
    const float *chosen = x.host;
    double *want = calloc((size_t)rows * units, sizeof *want);

    for (uint32_t i = 0; i < n; i++)
        ((float *)x.host)[i] = i < COUNT(odd) ? odd[i] : (float)(random_unit(&dice) * 1.2 * (double)rows);
    put(&x);
    put(&dtable);
    ck_assert_int_eq(kernel_embedding(stream, y.device, table.device, rows, x.device, n, units), 0);
    ck_assert_int_eq(
        kernel_embedding_backward(stream, dtable.device, rows, dy.device, x.device, n, units, scratch.device),
        0);
    get(&y);
    get(&dtable);
    for (uint32_t i = 0; i < n; i++) {
        size_t row = table_row(chosen[i], rows);

        ck_assert_mem_eq((float *)y.host + (size_t)i * units, (float *)table.host + row * units,
                         units * sizeof(float));
        for (uint32_t u = 0; u < units; u++)
            want[row * units + u] += (double)((float *)dy.host)[(size_t)i * units + u];
    }
    for (size_t i = 0; i < (size_t)rows * units; i++)
        ck_assert_double_eq_tol((double)((float *)dtable.host)[i], want[i], 1e-6 * (10 + sqrt(n)));
    free(want);
    array_free(&x);
    array_free(&y);
    array_free(&table);
    array_free(&dy);
    array_free(&dtable);
    array_free(&scratch);
}

START_TEST(embeddings_choose_rows_and_give_back_to_them)
{
    begin();
    check_embedding(1, 1, 9);
    check_embedding(7, 3, 300);
    check_embedding(256, 8, 2000);
    check_embedding(600, 33, 700);   /* several tiles */
    check_embedding(3, 4096, 20);    /* a row a tile */
    check_embedding(66000, 64, 300); /* one chunk, as more would not fit */
    end();
}
END_TEST

/* Three parts and an index with holes, there and back. */
START_TEST(items_are_joined_from_parts_and_split_again)
{
    enum { N = 300, ROWS = 400, PARTS = 3, WIDTH = 9, FIRST = 1 };
    static const uint32_t part_widths[PARTS] = {1, 5, 2};
    struct array whole, index, parts[PARTS], back[PARTS];
    struct kernel_items items = {.n = N, .width = WIDTH, .n_parts = PARTS};
    uint32_t column = FIRST;
    float first[1];

    begin();
    whole = floats_new((size_t)N * WIDTH);
    index = array_new(N, sizeof(uint32_t));
    for (uint32_t i = 0; i < N; i++)
        ((uint32_t *)index.host)[i] = i % 7 == 0 ? KERNEL_NOTHING : ROWS - 1 - i;
    put(&index);
    items.whole = whole.device;
    items.index = index.device;
    for (unsigned k = 0; k < PARTS; k++) {
        parts[k] = floats_new((size_t)ROWS * part_widths[k]);
        back[k] = floats_new((size_t)ROWS * part_widths[k]);
        items.parts[k] = (struct kernel_part){parts[k].device, back[k].device, part_widths[k], column};
        column += part_widths[k];
    }
    ck_assert_int_eq(kernel_join(stream, &items), 0);
    ck_assert_int_eq(kernel_split(stream, &items), 0);
    ck_assert_int_eq(cudaStreamSynchronize(stream), 0);
    for (unsigned k = 0; k < PARTS; k++) {
        float *before = calloc(ROWS, part_widths[k] * sizeof *before);

        memcpy(before, back[k].host, back[k].octets);
        get(&back[k]);
        for (uint32_t row = 0; row < ROWS; row++) {
            uint32_t i = ROWS - 1 - row;
            const void *want = i < N && i % 7 != 0 ? parts[k].host : before;

            ck_assert_mem_eq((float *)back[k].host + row * part_widths[k],
                             (const float *)want + row * part_widths[k], part_widths[k] * sizeof(float));
        }
        free(before);
    }
    memcpy(first, whole.host, sizeof first);
    get(&whole);
    for (uint32_t i = 0; i < N; i++) {
        const float *row = (float *)whole.host + (size_t)i * WIDTH;

        for (uint32_t c = FIRST; i % 7 == 0 && c < WIDTH; c++)
            ck_assert_float_eq(row[c], 0);
    }
    ck_assert_float_eq(((float *)whole.host)[0], first[0]); /* no part's */
    for (unsigned k = 0; k < PARTS; k++) {
        array_free(&parts[k]);
        array_free(&back[k]);
    }
    array_free(&whole);
    array_free(&index);
    end();
}
END_TEST

START_TEST(activations_after_their_bias)
{
    enum { N = 300, WIDTH = 7 };

    begin();
    for (int a = 0; a < ACTIVATIONS; a++) {
        struct array y = floats_new(N * WIDTH), bias = floats_new(WIDTH);
        float *x = calloc(N * WIDTH, sizeof *x);

        ((float *)y.host)[0] = 90.0F; /* beyond what exp() in float32 holds */
        ((float *)y.host)[1] = -90.0F;
        put(&y);
        memcpy(x, y.host, y.octets);
        ck_assert_int_eq(kernel_bias_activation(stream, y.device, bias.device, N, WIDTH, (enum activation)a),
                         0);
        get(&y);
        for (size_t i = 0; i < N * WIDTH; i++) {
            double got = (double)((float *)y.host)[i];

            ck_assert_double_eq_tol(
                got,
                activation_of((enum activation)a, (double)x[i] + (double)((float *)bias.host)[i % WIDTH]),
                1e-5);
        }
        free(x);
        array_free(&y);
        array_free(&bias);
    }
    end();
}
END_TEST

/* Layers of a run, and what they are made of on the host. */
enum { RUN = 3 };
static const struct {
    uint32_t in, out;
    enum activation activation;
} run_layers[RUN] = {{37, 10, ACTIVATION_RELU}, {10, 90, ACTIVATION_TANH}, {90, 3, ACTIVATION_SOFTMAX}};

struct run_layer {
    struct array weights, bias, y, dweights, dbias, dx;
};

static void near_all(const struct array *got, const double *want, double limit)
{
    double most = 0;

    for (size_t i = 0; i < got->octets / sizeof(float); i++)
        most = fmax(most, fabs((double)((float *)got->host)[i] - want[i]));
    ck_assert_double_le(most, limit);
}

/* y of one layer. */
static void check_dense_forward(struct run_layer *layer, unsigned l, const float *x, uint32_t n)
{
    uint32_t in = run_layers[l].in, out = run_layers[l].out;
    double *want = calloc((size_t)n * out, sizeof *want);

    get(&layer->y);
    for (uint32_t i = 0; i < n * out; i++) {
        double sum = (double)((float *)layer->bias.host)[i % out];

        for (uint32_t k = 0; k < in; k++)
            sum += (double)x[i / out * in + k] * (double)((float *)layer->weights.host)[i % out * in + k];
        want[i] = activation_of(run_layers[l].activation, sum);
    }
    near_all(&layer->y, want, 1e-5);
    free(want);
}

/* Gradients of one layer, which adds to those of the weights what it finds there: zeros. dx: is there. */
static void check_dense_backward(struct run_layer *layer, unsigned l, const float *x, const float *dy,
                                 uint32_t n, bool dx)
{
    uint32_t in = run_layers[l].in, out = run_layers[l].out;
    double *dweights = calloc(in * out, sizeof *dweights), *dbias = calloc(out, sizeof *dbias);
    double *inputs = calloc((size_t)n * in, sizeof *inputs);

    for (uint32_t i = 0; i < n * out; i++) {
        double slope = slope_of(run_layers[l].activation, (double)((float *)layer->y.host)[i]);
        double dz = (double)dy[i] * slope;

        dbias[i % out] += dz;
        for (uint32_t k = 0; k < in; k++) {
            dweights[i % out * in + k] += dz * (double)x[i / out * in + k];
            inputs[i / out * in + k] += dz * (double)((float *)layer->weights.host)[i % out * in + k];
        }
    }
    get(&layer->dweights);
    get(&layer->dbias);
    near_all(&layer->dweights, dweights, 1e-6 * (10 + n));
    near_all(&layer->dbias, dbias, 1e-6 * (10 + n));
    if (dx) {
        get(&layer->dx);
        near_all(&layer->dx, inputs, 1e-5);
    }
    free(dweights);
    free(dbias);
    free(inputs);
}

static struct array zeros_new(size_t n)
{
    struct array a = array_new(n, sizeof(float));

    put(&a);
    return a;
}

static void check_dense(uint32_t n, bool asked)
{
    struct kernel_dense_run run = {.n = n, .n_layers = RUN};
    struct array x = floats_new((size_t)n * run_layers[0].in);
    struct array dy = floats_new((size_t)n * run_layers[RUN - 1].out);
    struct run_layer layers[RUN];

    for (unsigned l = 0; l < RUN; l++) {
        uint32_t in = run_layers[l].in, out = run_layers[l].out;

        layers[l] =
            (struct run_layer){floats_new((size_t)in * out), floats_new(out), zeros_new((size_t)n * out),
                               zeros_new((size_t)in * out),  zeros_new(out),  zeros_new((size_t)n * in)};
        run.layers[l] = (struct kernel_dense){
            .in = in,
            .out = out,
            .activation = run_layers[l].activation,
            .weights = layers[l].weights.device,
            .bias = layers[l].bias.device,
            .x = l > 0 ? layers[l - 1].y.device : x.device,
            .y = layers[l].y.device,
            .dweights = layers[l].dweights.device,
            .dbias = layers[l].dbias.device,
            .dx = l > 0 || asked ? layers[l].dx.device : NULL,
            .dy = dy.device,
        };
        if (l > 0)
            run.layers[l - 1].dy = layers[l].dx.device;
    }
    ck_assert_int_eq(kernel_dense_forward(stream, &run), 0);
    ck_assert_int_eq(kernel_dense_backward(stream, &run), 0);
    for (unsigned l = 0; l < RUN; l++)
        check_dense_forward(&layers[l], l, l > 0 ? layers[l - 1].y.host : x.host, n);
    for (unsigned l = RUN; l-- > 0;)
        check_dense_backward(&layers[l], l, l > 0 ? layers[l - 1].y.host : x.host,
                             l + 1 < RUN ? layers[l + 1].dx.host : dy.host, n, l > 0 || asked);
    for (unsigned l = 0; l < RUN; l++) {
        array_free(&layers[l].weights);
        array_free(&layers[l].bias);
        array_free(&layers[l].y);
        array_free(&layers[l].dweights);
        array_free(&layers[l].dbias);
        array_free(&layers[l].dx);
    }
    array_free(&x);
    array_free(&dy);
}

START_TEST(dense_layers_go_together)
{
    static const uint32_t rows[] = {1, 3, 4, 5, KERNEL_DENSE_ROWS};

    begin();
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_dense(rows[i], false);
        check_dense(rows[i], true);
    }
    end();
}
END_TEST

START_TEST(dropout_is_that_of_the_other_engines)
{
    enum { N = 300, WIDTH = 5 };
    const float rate = 0.3F;
    struct array x, y, instance, step;

    begin();
    x = floats_new(N * WIDTH);
    y = array_new(N * WIDTH, sizeof(float));
    instance = array_new(N, sizeof(uint32_t));
    step = array_new(N, sizeof(uint32_t));
    for (uint32_t i = 0; i < N; i++) {
        ((uint32_t *)instance.host)[i] = (uint32_t)random_below(&dice, 40);
        ((uint32_t *)step.host)[i] = (uint32_t)random_below(&dice, 100);
    }
    put(&instance);
    put(&step);
    for (int sequence = 0; sequence < 2; sequence++) {
        ck_assert_int_eq(kernel_dropout(stream, y.device, x.device, N, WIDTH,
                                        sequence ? instance.device : NULL, sequence ? step.device : NULL,
                                        dropout_layer_key(9, 2, 1), rate),
                         0);
        get(&y);
        for (uint32_t i = 0; i < N * WIDTH; i++) {
            uint32_t row = i / WIDTH;
            uint32_t key = dropout_instance_key(dropout_layer_key(9, 2, 1),
                                                sequence ? ((uint32_t *)instance.host)[row] : row);
            uint32_t value = (sequence ? ((uint32_t *)step.host)[row] : 0) * WIDTH + i % WIDTH;

            ck_assert_float_eq(((float *)y.host)[i], ((float *)x.host)[i] * dropout_factor(key, value, rate));
        }
    }
    array_free(&x);
    array_free(&y);
    array_free(&instance);
    array_free(&step);
    end();
}
END_TEST

/* Loss of one flow, and the gradient of its logits, plainly. */
static double flow_loss(const float *z, uint32_t n_labels, uint32_t label, double share, double *gradient)
{
    double largest = (double)z[0], total = 0;

    for (uint32_t i = 0; i < n_labels; i++)
        largest = fmax(largest, (double)z[i]);
    for (uint32_t i = 0; i < n_labels; i++)
        total += exp((double)z[i] - largest);
    for (uint32_t i = 0; i < n_labels; i++)
        gradient[i] = share * (exp((double)z[i] - largest) / total - (i == label));
    return share * (log(total) + largest - (double)z[label]);
}

START_TEST(the_loss_is_a_weighted_mean)
{
    static const uint32_t flows[] = {1, 255, 257, 3000};

    begin();
    for (size_t k = 0; k < COUNT(flows); k++)
        for (uint32_t n_labels = 1; n_labels <= TREE_LABELS_MAX; n_labels += 31) {
            uint32_t n = flows[k];
            struct array logits = floats_new((size_t)n * n_labels), shares = floats_new(n);
            struct array labels = array_new(n, sizeof(uint32_t));
            struct array each = array_new(n, sizeof(double));
            struct array copy = array_new((size_t)n * n_labels, sizeof(float));
            struct array gradient = array_new((size_t)n * n_labels, sizeof(float));
            double want = 0, got = 0, flow_gradient[TREE_LABELS_MAX];

            for (uint32_t i = 0; i < n; i++) {
                ((uint32_t *)labels.host)[i] = (uint32_t)random_below(&dice, n_labels);
                for (uint32_t c = 0; i % 3 == 0 && c < n_labels; c++) /* sure of itself */
                    ((float *)logits.host)[i * n_labels + c] *= 800.0F;
            }
            put(&logits);
            put(&labels);
            ck_assert_int_eq(kernel_loss(stream, logits.device, labels.device, shares.device, n, n_labels,
                                         each.device, copy.device, gradient.device),
                             0);
            get(&each);
            get(&copy);
            get(&gradient);
            ck_assert_mem_eq(copy.host, logits.host, logits.octets);
            for (uint32_t i = 0; i < n; i++) {
                got += ((double *)each.host)[i];
                want +=
                    flow_loss((float *)logits.host + (size_t)i * n_labels, n_labels,
                              ((uint32_t *)labels.host)[i], (double)((float *)shares.host)[i], flow_gradient);
                for (uint32_t c = 0; c < n_labels; c++)
                    ck_assert_double_eq_tol((double)((float *)gradient.host)[i * n_labels + c],
                                            flow_gradient[c], 1e-7);
            }
            ck_assert_double_eq_tol(got, want, 1e-9 * n);
            array_free(&logits);
            array_free(&shares);
            array_free(&labels);
            array_free(&each);
            array_free(&copy);
            array_free(&gradient);
        }
    end();
}
END_TEST

static void check_adam(const struct optimizer *optimizer, uint32_t n)
{
    struct array weights = floats_new(n), gradient = floats_new(n);
    struct array mean = array_new(n, sizeof(float)), variance = array_new(n, sizeof(float));
    struct array scratch = array_new(KERNEL_NORM_SCRATCH, sizeof(double));
    float *want = calloc(n, sizeof *want), *m = calloc(n, sizeof *m), *v = calloc(n, sizeof *v);

    memcpy(want, weights.host, weights.octets);
    put(&mean);
    put(&variance);
    for (uint64_t step = 1; step <= 3; step++) {
        ck_assert_int_eq(kernel_adam(stream, optimizer, step, n, weights.device, gradient.device, mean.device,
                                     variance.device, scratch.device),
                         0);
        adam_step(optimizer, step, n, want, gradient.host, m, v);
    }
    get(&weights);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_double_eq_tol((double)((float *)weights.host)[i], (double)want[i], 1e-6);
    free(want);
    free(m);
    free(v);
    array_free(&weights);
    array_free(&gradient);
    array_free(&mean);
    array_free(&variance);
    array_free(&scratch);
}

START_TEST(a_step_is_that_of_the_cpu_engine)
{
    static const struct optimizer optimizers[] = {
        {OPTIMIZER_ADAM, 1e-3, 0.9, 0.999, 1e-7, 0, 0},
        {OPTIMIZER_ADAM, 1e-2, 0.9, 0.99, 1e-7, 0, 0.5},
        {OPTIMIZER_ADAMW, 5e-3, 0.9, 0.999, 1e-8, 1e-2, 0},
        {OPTIMIZER_ADAMW, 5e-3, 0.9, 0.999, 1e-8, 1e-2, 1e6}, /* a limit that is not met */
    };
    static const uint32_t sizes[] = {1, 255, 257, 9000};

    begin();
    for (size_t i = 0; i < COUNT(optimizers); i++)
        for (size_t k = 0; k < COUNT(sizes); k++)
            check_adam(&optimizers[i], sizes[k]);
    end();
}
END_TEST

START_TEST(nothing_to_do_starts_nothing)
{
    struct kernel_items items = {.width = 1, .n_parts = 1, .parts = {{.width = 1}}};
    struct kernel_dense_run run = {.n_layers = 1};
    struct kernel_lists lists = {.n = 2, .lists = {{.first = 3}, {.n_columns = 2}}};
    uint64_t launches;

    begin();
    launches = fake_calls(FAKE_LAUNCH);
    ck_assert_int_eq(kernel_join(stream, &items), 0);
    ck_assert_int_eq(kernel_split(stream, &items), 0);
    ck_assert_int_eq(kernel_lists(stream, &lists), 0);
    ck_assert_int_eq(kernel_bias_activation(stream, NULL, NULL, 0, 3, ACTIVATION_RELU), 0);
    ck_assert_int_eq(kernel_dense_forward(stream, &run), 0);
    ck_assert_int_eq(kernel_dense_backward(stream, &run), 0);
    ck_assert_int_eq(kernel_bias_backward(stream, NULL, NULL, NULL, 0, 3, ACTIVATION_RELU, NULL), 0);
    ck_assert_int_eq(kernel_embedding(stream, NULL, NULL, 3, NULL, 0, 3), 0);
    ck_assert_int_eq(kernel_embedding_backward(stream, NULL, 3, NULL, NULL, 0, 3, NULL), 0);
    ck_assert_int_eq(kernel_dropout(stream, NULL, NULL, 0, 3, NULL, NULL, 0, 0.5F), 0);
    ck_assert_int_eq(kernel_loss(stream, NULL, NULL, NULL, 0, 3, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(fake_calls(FAKE_LAUNCH), launches);
    end();
}
END_TEST

int main(void)
{
    return UNIT_RUN("cuda_kernels", a_bias_gets_the_sum_of_its_column,
                    embeddings_choose_rows_and_give_back_to_them, items_are_joined_from_parts_and_split_again,
                    activations_after_their_bias, dense_layers_go_together,
                    dropout_is_that_of_the_other_engines, the_loss_is_a_weighted_mean,
                    a_step_is_that_of_the_cpu_engine, nothing_to_do_starts_nothing);
}

/* A pass takes a batch's layout, finds memory for it, starts all its kernels and then waits once, for what
 * the caller asked for. Nothing is waited for after a step of the optimiser.
 *
 * Whatever fails, the work that was started is waited for before the call returns: it may still read the
 * staging memory that the next call writes.
 */
#include "core/cuda/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cuda/network_parts.h"
#include "core/cuda/status.h"

static int no_memory(struct error *err)
{
    return error_set(err, -ENOMEM, "cuda engine: out of memory");
}

static bool is_recurrent(const struct layer *layer)
{
    return layer->kind == LAYER_LSTM || layer->kind == LAYER_GRU;
}

static int init_element(struct cuda_network *network, size_t index, struct error *err)
{
    const struct element *element = &network->tree->elements[index];
    struct cuda_element *e = &network->elements[index];
    const struct rnn_block block = {network->tree, network->weights, network->gradient};
    bool sequence = element_is_sequence(element);
    int rc = 0;

    e->element = element;
    e->index = index;
    for (size_t l = 0; rc == 0 && l < element->n_layers; l++) {
        struct cuda_layer *at = &e->layers[l];

        at->layer = &element->layers[l];
        at->sequence = sequence;
        sequence = sequence && !layer_reduces(at->layer);
        if (is_recurrent(at->layer) && element->share == index)
            rc = rnn_new(&at->rnn, network->device, &block, at->layer, RNN_KERNELS_BY_SHAPE, err);
    }
    return rc;
}

static void share_rnns(struct cuda_network *network)
{
    for (size_t i = 0; i < network->tree->n_elements; i++) {
        const struct element *element = &network->tree->elements[i];

        for (size_t l = 0; l < element->n_layers; l++)
            network->elements[i].layers[l].rnn = network->elements[element->share].layers[l].rnn;
    }
}

/* Do something with every rnn once. */
static int each_rnn(struct cuda_network *network,
                    int (*act)(struct cuda_network *network, struct rnn *rnn, struct error *err),
                    struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < network->tree->n_elements; i++)
        for (size_t l = 0; rc == 0 && l < network->tree->elements[i].n_layers; l++)
            if (network->tree->elements[i].share == i && network->elements[i].layers[l].rnn != NULL)
                rc = act(network, network->elements[i].layers[l].rnn, err);
    return rc;
}

static int pack(struct cuda_network *network, struct rnn *rnn, struct error *err)
{
    (void)network;
    return rnn_pack(rnn, err);
}

/* Let the rnns take the weights, where a step has changed them. */
static int pack_all(struct cuda_network *network, struct error *err)
{
    int rc = network->packed ? 0 : each_rnn(network, pack, err);

    network->packed = rc == 0;
    return rc;
}

static int clear_gradient(struct cuda_network *network, struct rnn *rnn, struct error *err)
{
    (void)network;
    return rnn_gradient_clear(rnn, err);
}

static int add_gradient(struct cuda_network *network, struct rnn *rnn, struct error *err)
{
    (void)network;
    return rnn_gradient_add(rnn, err);
}

/* One block: four times as many floats as there are weights, then the scratch of the norm. */
static int take_weights(struct cuda_network *network, const float *weights, struct error *err)
{
    size_t n = (network->tree->n_weights + 1) / 2 * 2; /* so that doubles may follow */
    size_t octets = 4 * n * sizeof(float) + KERNEL_NORM_SCRATCH * sizeof(double);
    int rc = device_buffer_reserve(network->device, &network->memory, octets, 1, err);

    if (rc < 0)
        return rc;
    network->weights = network->memory.at;
    network->gradient = network->weights + n;
    network->mean = network->gradient + n;
    network->variance = network->mean + n;
    network->norm = (double *)(network->variance + n);
    CUDA_TRY(cudaMemsetAsync(network->memory.at, 0, octets, network->device->stream));
    CUDA_TRY(cudaMemcpyAsync(network->weights, weights, network->tree->n_weights * sizeof *weights,
                             cudaMemcpyHostToDevice, network->device->stream));
    return 0;
}

static int init(struct cuda_network *network, struct pool *pool, const float *weights, struct error *err)
{
    size_t n_elements = network->tree->n_elements;
    int rc;

    network->elements = calloc(n_elements, sizeof *network->elements);
    if (network->elements == NULL)
        return no_memory(err);
    rc = layout_init(&network->layout, network->tree, pool, err);
    if (rc == 0)
        rc = take_weights(network, weights, err);
    for (size_t i = 0; rc == 0 && i < n_elements; i++)
        rc = init_element(network, i, err);
    if (rc == 0)
        share_rnns(network);
    if (rc == 0)
        rc = pack_all(network, err);
    return rc < 0 ? rc : device_wait(network->device, err);
}

int cuda_network_new(struct cuda_network **networkp, struct device *device, struct pool *pool,
                     const struct tree *tree, const float *weights, struct error *err)
{
    struct cuda_network *network = calloc(1, sizeof *network);
    int rc;

    if (network == NULL)
        return no_memory(err);
    network->device = device;
    network->tree = tree;
    rc = init(network, pool, weights, err);
    if (rc < 0) {
        cuda_network_free(network);
        return rc;
    }
    *networkp = network;
    return 0;
}

bool cuda_network_needs_cudnn(const struct cuda_network *network)
{
    for (size_t i = 0; i < network->tree->n_elements; i++)
        for (size_t l = 0; l < network->tree->elements[i].n_layers; l++) {
            const struct rnn *rnn = network->elements[i].layers[l].rnn;

            if (rnn != NULL && rnn_is_cudnn(rnn))
                return true;
        }
    return false;
}

static void deinit_element(struct cuda_element *e, size_t index)
{
    for (size_t l = 0; e->element != NULL && l < e->element->n_layers; l++) {
        rnn_use_deinit(&e->layers[l].use);
        if (e->element->share == index)
            rnn_free(e->layers[l].rnn);
    }
}

void cuda_network_free(struct cuda_network *network)
{
    if (network == NULL)
        return;
    for (size_t i = 0; network->elements != NULL && i < network->tree->n_elements; i++)
        deinit_element(&network->elements[i], i);
    free(network->elements);
    layout_deinit(&network->layout);
    device_buffer_deinit(&network->memory);
    device_buffer_deinit(&network->kept.memory);
    device_buffer_deinit(&network->passing.memory);
    pinned_buffer_deinit(&network->results);
    free(network);
}

/* Memory for a batch, on both sides, and its way to the device. targets: NULL in inference. */
static int begin(struct cuda_network *network, const struct batch *batch,
                 const struct engine_targets *targets, struct error *err)
{
    int rc =
        pinned_buffer_reserve(&network->results, network_answers_octets(network, batch->n_flows), 1, err);

    if (rc == 0)
        rc = layout_take(&network->layout, network->device, batch, targets, err);
    if (rc == 0)
        rc = network_arrange(network, batch->n_flows, err);
    return rc < 0 ? rc : pack_all(network, err);
}

/* What the caller finds in the results once the device is done. */
static int fetch_results(struct cuda_network *network, const void *from, size_t octets, struct error *err)
{
    CUDA_TRY(
        cudaMemcpyAsync(network->results.at, from, octets, cudaMemcpyDeviceToHost, network->device->stream));
    return 0;
}

static size_t logits_octets(const struct cuda_network *network, uint32_t n_flows)
{
    return n_flows * network->tree->n_labels * sizeof(float);
}

static int release_rnn(struct cuda_network *network, struct rnn *rnn, struct error *err)
{
    (void)network;
    (void)err;
    rnn_release(rnn);
    return 0;
}

/* Give back all memory that has grown with batches: what a large one took in part a small one may need. */
static void release(struct cuda_network *network)
{
    for (size_t i = 0; i < network->tree->n_elements; i++)
        for (size_t l = 0; l < network->tree->elements[i].n_layers; l++)
            rnn_use_deinit(&network->elements[i].layers[l].use);
    (void)each_rnn(network, release_rnn, NULL);
    device_buffer_deinit(&network->layout.memory);
    device_buffer_deinit(&network->kept.memory);
    device_buffer_deinit(&network->passing.memory);
    pinned_buffer_deinit(&network->layout.staging);
    pinned_buffer_deinit(&network->results);
}

/* The end of a pass. rc: how it went so far. */
static int finish(struct cuda_network *network, int rc, struct error *err)
{
    if (rc < 0) {
        (void)device_wait(network->device, NULL);
        if (rc == -ENOMEM)
            release(network);
        return rc;
    }
    rc = device_wait(network->device, err);
    network->complete = rc == 0;
    return rc;
}

/* A batch without flows: nothing comes out, and nothing is started. */
static int pass_nothing(struct cuda_network *network)
{
    for (size_t i = 0; i < network->tree->n_elements; i++) {
        network->layout.elements[i] = (struct layout_element){0};
        network->elements[i].layout = &network->layout.elements[i];
    }
    network->complete = true;
    return 0;
}

int cuda_network_forward(struct cuda_network *network, const struct batch *batch, float *logits,
                         struct error *err)
{
    const struct cuda_element *root = &network->elements[network->tree->n_elements - 1];
    size_t octets = logits_octets(network, batch->n_flows);
    int rc;

    network->complete = network->training = false;
    if (batch->n_flows == 0)
        return pass_nothing(network);
    rc = begin(network, batch, NULL, err);
    if (rc == 0)
        rc = network_go_forward(network, err);
    if (rc == 0 && logits != NULL)
        rc = fetch_results(network, root->output, octets, err);
    rc = finish(network, rc, err);
    if (rc == 0 && logits != NULL)
        memcpy(logits, network->results.at, octets);
    return rc;
}

/* From logits to what is to be learnt from them. */
static int go_to_loss(struct cuda_network *network, uint32_t n, struct error *err)
{
    struct cuda_element *root = &network->elements[network->tree->n_elements - 1];
    double *losses = network->answers;

    CUDA_TRY(kernel_loss(network->device->stream, root->output, network->layout.labels,
                         network->layout.shares, n, (uint32_t)network->tree->n_labels, losses,
                         (float *)(losses + n), root->gradient));
    return fetch_results(network, network->answers, network_answers_octets(network, n), err);
}

/* Hand out what has come back. logits: may be NULL. */
static void read_results(const struct cuda_network *network, uint32_t n, double *loss, float *logits)
{
    const double *losses = network->results.at;

    *loss = 0;
    for (uint32_t i = 0; i < n; i++)
        *loss += losses[i];
    if (logits != NULL)
        memcpy(logits, losses + n, logits_octets(network, n));
}

static int clear(struct cuda_network *network, struct error *err)
{
    CUDA_TRY(cudaMemsetAsync(network->gradient, 0, network->tree->n_weights * sizeof *network->gradient,
                             network->device->stream));
    return each_rnn(network, clear_gradient, err);
}

int cuda_network_backward(struct cuda_network *network, const struct batch *batch,
                          const struct engine_targets *targets, double *loss, float *logits,
                          struct error *err)
{
    int rc;

    network->complete = false;
    network->training = true;
    network->dropout_seed = targets->dropout_seed;
    rc = clear(network, err);
    if (rc == 0 && batch->n_flows == 0) {
        *loss = 0;
        return pass_nothing(network);
    }
    if (rc == 0)
        rc = begin(network, batch, targets, err);
    if (rc == 0)
        rc = network_go_forward(network, err);
    if (rc == 0)
        rc = go_to_loss(network, batch->n_flows, err);
    if (rc == 0)
        rc = network_go_backward(network, err);
    if (rc == 0)
        rc = each_rnn(network, add_gradient, err);
    rc = finish(network, rc, err);
    if (rc == 0)
        read_results(network, batch->n_flows, loss, logits);
    return rc;
}

int cuda_network_step(struct cuda_network *network, const struct optimizer *optimizer, struct error *err)
{
    CUDA_TRY(kernel_adam(network->device->stream, optimizer, network->steps + 1,
                         (uint32_t)network->tree->n_weights, network->weights, network->gradient,
                         network->mean, network->variance, network->norm));
    network->steps++;
    network->packed = false;
    return 0;
}

static int fetch(struct cuda_network *network, float *to, const float *from, size_t n, struct error *err)
{
    if (n > 0)
        CUDA_TRY(cudaMemcpyAsync(to, from, n * sizeof *to, cudaMemcpyDeviceToHost, network->device->stream));
    return device_wait(network->device, err);
}

int cuda_network_weights(struct cuda_network *network, float *weights, struct error *err)
{
    return fetch(network, weights, network->weights, network->tree->n_weights, err);
}

int cuda_network_gradient(struct cuda_network *network, float *gradient, struct error *err)
{
    return fetch(network, gradient, network->gradient, network->tree->n_weights, err);
}

int cuda_network_output(struct cuda_network *network, size_t element, float *values, struct error *err)
{
    const struct cuda_element *e;

    if (!network->complete || element >= network->tree->n_elements)
        return error_set(err, -EINVAL, "cuda engine: no output of element %zu is at hand", element);
    e = &network->elements[element];
    return fetch(network, values, e->output, e->layout->n_instances * e->element->out_width, err);
}

#include "core/cpu/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu/layers.h"

/* Which layers of an element see a sequence, and which give one. */
static void link_layers(struct network_element *e)
{
    bool sequence = e->sequence;

    for (size_t i = 0; i < e->element->n_layers; i++) {
        const struct layer *layer = &e->element->layers[i];
        bool recurrent = layer->kind == LAYER_LSTM || layer->kind == LAYER_GRU;

        e->layers[i].layer = layer;
        e->layers[i].sequence_in = sequence;
        sequence = recurrent ? layer->sequence_out : sequence;
        e->layers[i].sequence_out = sequence;
    }
}

static int init_packs(struct network_element *e)
{
    e->packs = calloc(e->element->n_layers + 1, sizeof *e->packs);
    if (e->packs == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < e->element->n_layers; i++) {
        const struct layer *layer = &e->element->layers[i];
        int rc = layer_ops[layer->kind].pack_init(&e->packs[i], layer);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static void init_element(struct network *network, size_t index)
{
    const struct element *element = &network->tree->elements[index];
    struct network_element *e = &network->elements[index];

    e->element = element;
    e->index = index;
    e->sequence = element_is_sequence(element);
    for (size_t i = 0; i < element->n_children; i++)
        if (e->wave <= network->elements[element->children[i]].wave)
            e->wave = network->elements[element->children[i]].wave + 1;
    if (network->n_waves <= e->wave)
        network->n_waves = e->wave + 1;
    link_layers(e);
}

int network_init(struct network *network, const struct tree *tree, unsigned lanes)
{
    *network = (struct network){.tree = tree, .lanes = lanes};
    network->elements = calloc(tree->n_elements, sizeof *network->elements);
    if (network->elements == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < tree->n_elements; i++)
        init_element(network, i);
    for (size_t i = 0; i < tree->n_elements; i++)
        if (tree->elements[i].share == i && init_packs(&network->elements[i]) < 0) {
            network_deinit(network);
            return -ENOMEM;
        }
    for (size_t i = 0; i < tree->n_elements; i++)
        for (size_t l = 0; l < tree->elements[i].n_layers; l++)
            network->elements[i].layers[l].pack = &network->elements[tree->elements[i].share].packs[l];
    return 0;
}

static void deinit_element(struct network_element *e)
{
    if (e->packs != NULL)
        for (size_t i = 0; i < e->element->n_layers; i++) {
            dense_pack_deinit(&e->packs[i].forward);
            dense_pack_deinit(&e->packs[i].back);
            recurrent_pack_deinit(&e->packs[i].directions[0]);
            recurrent_pack_deinit(&e->packs[i].directions[1]);
        }
    free(e->packs);
    buffer_deinit(&e->order_buffer);
    buffer_deinit(&e->output_buffer);
    buffer_deinit(&e->gradient_buffer);
}

void network_deinit(struct network *network)
{
    if (network->elements != NULL)
        for (size_t i = 0; i < network->tree->n_elements; i++)
            deinit_element(&network->elements[i]);
    free(network->elements);
    buffer_deinit(&network->tasks_buffer);
    buffer_deinit(&network->counts_buffer);
    *network = (struct network){0};
}

void network_pack(struct network *network, const float *weights)
{
    for (size_t i = 0; i < network->tree->n_elements; i++) {
        struct network_element *e = &network->elements[i];

        if (e->packs != NULL)
            for (size_t l = 0; l < e->element->n_layers; l++)
                layer_ops[e->element->layers[l].kind].pack_fill(&e->packs[l], &e->element->layers[l],
                                                                network->tree, weights);
    }
}

/* Sort the instances of a sequence element by falling number of steps, equal ones as they come. */
static int order_instances(struct network_element *e, struct buffer *counts_buffer)
{
    uint32_t most = 0, least = UINT32_MAX, *counts, *order;

    for (uint32_t i = 0; i < e->n_instances; i++) {
        uint32_t steps = network_steps(e->input, i);

        most = steps > most ? steps : most;
        least = steps < least ? steps : least;
    }
    e->order = NULL;
    if (most <= least)
        return 0;
    if (buffer_reserve(counts_buffer, (size_t)most + 2, sizeof *counts) < 0 ||
        buffer_reserve(&e->order_buffer, e->n_instances, sizeof *order) < 0)
        return -ENOMEM;
    counts = counts_buffer->at;
    order = e->order_buffer.at;
    memset(counts, 0, ((size_t)most + 2) * sizeof *counts);
    for (uint32_t i = 0; i < e->n_instances; i++)
        counts[most - network_steps(e->input, i) + 1]++;
    for (uint32_t steps = 1; steps <= most; steps++)
        counts[steps] += counts[steps - 1];
    for (uint32_t i = 0; i < e->n_instances; i++)
        order[counts[most - network_steps(e->input, i)]++] = i;
    e->order = order;
    return 0;
}

static int prepare_element(struct network *network, struct network_element *e, bool gradients)
{
    size_t values = (size_t)e->n_instances * e->element->out_width;

    if (buffer_reserve(&e->output_buffer, values, sizeof *e->output) < 0)
        return -ENOMEM;
    e->output = e->output_buffer.at;
    if (gradients) {
        if (buffer_reserve(&e->gradient_buffer, values, sizeof *e->output_gradient) < 0)
            return -ENOMEM;
        e->output_gradient = e->gradient_buffer.at;
        memset(e->output_gradient, 0, values * sizeof *e->output_gradient);
    }
    return e->sequence ? order_instances(e, &network->counts_buffer) : 0;
}

static uint32_t block_instances(const struct network *network, const struct network_element *e)
{
    return e->sequence ? network->lanes : network->lanes * BLOCK_GROUPS;
}

static int cut_tasks(struct network *network)
{
    struct network_task *tasks;
    size_t n = 0;

    for (size_t i = 0; i < network->tree->n_elements; i++)
        n += network->elements[i].n_instances / block_instances(network, &network->elements[i]) + 1;
    if (buffer_reserve(&network->tasks_buffer, n, sizeof *tasks) < 0)
        return -ENOMEM;
    network->tasks = tasks = network->tasks_buffer.at;
    n = 0;
    for (unsigned wave = 0; wave < network->n_waves; wave++) {
        network->first_task[wave] = n;
        for (size_t i = 0; i < network->tree->n_elements; i++) {
            const struct network_element *e = &network->elements[i];

            if (e->wave == wave)
                for (size_t first = 0; first < e->n_instances; first += block_instances(network, e))
                    tasks[n++] = (struct network_task){(uint32_t)i, (uint32_t)first};
        }
    }
    network->first_task[network->n_waves] = n;
    return 0;
}

int network_prepare(struct network *network, const struct batch *batch, bool gradients)
{
    for (size_t i = 0; i < network->tree->n_elements; i++) {
        struct network_element *e = &network->elements[i];

        e->input = &batch->inputs[i];
        e->n_instances = e->input->n_instances;
        if (prepare_element(network, e, gradients) < 0)
            return -ENOMEM;
    }
    return cut_tasks(network);
}

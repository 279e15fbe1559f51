#include "core/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode_plan.h"

enum { VALUES_ALIGNMENT = 64 };

int batch_new(struct batch **batchp, const struct tree *tree)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return -ENOMEM;
    batch->tree = tree;
    batch->inputs = calloc(tree->n_elements, sizeof *batch->inputs);
    if (batch->inputs == NULL || encode_plan_new(&batch->plan, tree) < 0) {
        batch_free(batch);
        return -ENOMEM;
    }
    *batchp = batch;
    return 0;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    encode_plan_free(batch->plan);
    for (size_t i = 0; batch->inputs != NULL && i < batch->tree->n_elements; i++) {
        free(batch->inputs[i].first_row);
        free(batch->inputs[i].values);
    }
    free(batch->inputs);
    free(batch);
}

/* Grow by half, so that a batch that is filled piece by piece is copied seldom. */
static size_t grown(size_t capacity, size_t wanted)
{
    size_t larger = capacity + capacity / 2;

    if (larger > UINT32_MAX - 1)
        larger = UINT32_MAX - 1;
    return wanted > larger ? wanted : larger;
}

static int reserve_instances(struct batch_input *input, size_t wanted)
{
    size_t capacity = grown(input->capacity_instances, wanted);
    uint32_t *first_row = realloc(input->first_row, (capacity + 1) * sizeof *first_row);

    if (first_row == NULL)
        return -ENOMEM;
    input->first_row = first_row;
    input->capacity_instances = (uint32_t)capacity;
    return 0;
}

static int reserve_rows(struct batch_input *input, size_t n_columns, size_t wanted)
{
    size_t capacity = grown(input->capacity_rows, wanted);
    size_t octets = capacity * n_columns * sizeof(float);
    float *values;

    octets = (octets + VALUES_ALIGNMENT - 1) / VALUES_ALIGNMENT * VALUES_ALIGNMENT;
    values = aligned_alloc(VALUES_ALIGNMENT, octets);
    if (values == NULL)
        return -ENOMEM;
    if (input->values != NULL)
        memcpy(values, input->values, input->capacity_rows * n_columns * sizeof(float));
    free(input->values);
    input->values = values;
    input->capacity_rows = (uint32_t)capacity;
    return 0;
}

int batch_reserve(struct batch *batch, size_t element, uint32_t n_instances, uint32_t n_rows)
{
    struct batch_input *input = &batch->inputs[element];
    size_t n_columns = batch->tree->elements[element].n_columns;
    int r = 0;

    if (batch->tree->elements[element].is_list && n_instances >= input->capacity_instances)
        r = reserve_instances(input, n_instances + (size_t)1);
    if (r == 0 && n_columns > 0 && n_rows > input->capacity_rows)
        r = reserve_rows(input, n_columns, n_rows);
    return r;
}

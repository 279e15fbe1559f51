#include "core/encode_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Memory for the rows of a list whose parent has at most `parents` rows in a chunk. */
static int rows_init(struct encode_rows *rows, const struct element *element, size_t parents)
{
    size_t max = parents * element->first;

    rows->max = max;
    rows->first_row = malloc((parents + 1) * sizeof *rows->first_row);
    rows->absent = malloc(max * sizeof *rows->absent);
    if (element->scope == SCOPE_PACKET)
        rows->of.packets = rows->packets = calloc(max + FIELD_PACKETS_BEYOND, sizeof *rows->packets);
    if (element->scope == SCOPE_ID)
        rows->of.ids = rows->ids = malloc(max * sizeof *rows->ids);
    if (element->scope == SCOPE_SIDE) {
        rows->of.records = rows->records = malloc(max * sizeof *rows->records);
        rows->of.incoming = rows->incoming = malloc(max * sizeof *rows->incoming);
    }
    if (rows->first_row == NULL || rows->absent == NULL ||
        (element->scope == SCOPE_PACKET && rows->packets == NULL) ||
        (element->scope == SCOPE_ID && rows->ids == NULL) ||
        (element->scope == SCOPE_SIDE && (rows->records == NULL || rows->incoming == NULL)))
        return -ENOMEM;
    return 0;
}

static void rows_deinit(struct encode_rows *rows)
{
    free(rows->first_row);
    free(rows->absent);
    free(rows->records);
    free(rows->incoming);
    free(rows->packets);
    free(rows->ids);
}

static int elements_init(struct encode_plan *plan)
{
    const struct tree *tree = plan->tree;
    int r = 0;

    for (size_t i = tree->n_elements; r == 0 && i-- > 0;) {
        const struct element *element = &tree->elements[i];
        struct encode_rows *above =
            i + 1 == tree->n_elements ? &plan->flows : plan->elements[element->parent].rows;

        for (size_t c = 0; c < element->n_columns; c++)
            plan->elements[i].groups |= field_group(element->columns[c].field);
        plan->elements[i].rows = element->is_list ? &plan->lists[i] : above;
        if (element->is_list)
            r = rows_init(&plan->lists[i], element, above->max);
    }
    return r;
}

int encode_plan_new(struct encode_plan **planp, const struct tree *tree)
{
    struct encode_plan *plan = calloc(1, sizeof *plan);
    size_t octets = FIELDS * sizeof(field_plane);

    if (plan == NULL)
        return -ENOMEM;
    plan->tree = tree;
    plan->flows.max = ENCODE_CHUNK;
    plan->lists = calloc(tree->n_elements, sizeof *plan->lists);
    plan->elements = calloc(tree->n_elements, sizeof *plan->elements);
    plan->planes = aligned_alloc(ALIGNMENT, octets);
    plan->work = aligned_alloc(ALIGNMENT, VECTOR_COLUMNS * sizeof(field_plane));
    if (plan->lists == NULL || plan->elements == NULL || plan->planes == NULL || plan->work == NULL ||
        elements_init(plan) < 0) {
        encode_plan_free(plan);
        return -ENOMEM;
    }
    memset(plan->planes, 0, octets);
    memset(plan->work, 0, VECTOR_COLUMNS * sizeof(field_plane));
    *planp = plan;
    return 0;
}

void encode_plan_free(struct encode_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; plan->lists != NULL && i < plan->tree->n_elements; i++)
        rows_deinit(&plan->lists[i]);
    free(plan->lists);
    free(plan->elements);
    free(plan->planes);
    free(plan->work);
    free(plan);
}

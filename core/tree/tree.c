#include "core/tree/tree.h"

#include <stdlib.h>
#include <string.h>

static void element_deinit(struct element *element)
{
    free(element->path);
    free(element->children);
    free(element->columns);
    free(element->layers);
}

void tree_free(struct tree *tree)
{
    if (tree == NULL)
        return;
    for (size_t i = 0; i < tree->n_elements; i++)
        element_deinit(&tree->elements[i]);
    free(tree->elements);
    free(tree->tensors);
    free(tree->constants);
    free(tree->json);
    free(tree);
}

size_t tree_element(const struct tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->n_elements; i++)
        if (strcmp(tree->elements[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

const struct tensor *tree_tensor(const struct tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->n_tensors; i++)
        if (strcmp(tree->tensors[i].name, name) == 0)
            return &tree->tensors[i];
    return NULL;
}

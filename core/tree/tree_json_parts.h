/* tree_json_parts.h - the readers of one part of a tree file each; tree_json.c puts them together. */
#ifndef CORE_TREE_TREE_JSON_PARTS_H
#define CORE_TREE_TREE_JSON_PARTS_H

#include "core/json_check.h"
#include "core/tree/tree.h"

/* Read the `input` of an element into its list, columns and normalisation.
 *
 * element: its scope is that of the element above; becomes its own. What it is given is freed with it.
 * standardise: set to whether the columns are standardised.
 */
int tree_json_input(const struct json_at *at, const cJSON *value, struct element *element, bool *standardise);

/* Read the `layers` of an element.
 *
 * labels: how wide {"dense": "labels"} is as the last layer; 0: it is not allowed here.
 */
int tree_json_layers(const struct json_at *at, const cJSON *value, size_t labels, struct element *element);

/* Refuse for lack of memory. Return: -ENOMEM. */
int tree_json_out_of_memory(const struct json_at *at);

#endif

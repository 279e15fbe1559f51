/* tree_json.h - trees as JSON files (etc/trees/), checked key by key: what is unknown, missing or cannot work
 * is refused with the path of the element and the reason.
 *
 *     {"format": 1, "name": "...", "labels": ["a", "b"], "padding": "none" | "batch", "root": ELEMENT}
 *
 *     ELEMENT  {"name": "...", "input": INPUT, "children": [ELEMENT...], "layers": [LAYER...], "share":
 * "ELEMENT NAME"} INPUT    {"each": LIST, "first": N, "flatten": true, "select": [COLUMN...], "standardise":
 * {"clip": 5}} COLUMN   "field" | {"field": "...", "map": ["log1p", {"scale": 0.125}, {"min": 1500}, "sign",
 * "delta"]} LAYER    {"dense": UNITS | "labels", "activation": "relu"} | {"lstm": UNITS, "bidirectional":
 * true} | {"gru": UNITS} | {"embedding": [ROWS, UNITS]} | {"dropout": RATE}
 *
 * `labels` may be left out; then the archive folders decide, and the last layer of the root says {"dense":
 * "labels"}. An `each` list of numbers ("ip.out.id") needs no `select`: the one column is the number itself.
 */
#ifndef CORE_TREE_TREE_JSON_H
#define CORE_TREE_TREE_JSON_H

#include <stddef.h>

#include "core/tree/tree.h"
#include "flowtrack/error.h"

/* Read a tree file.
 *
 * labels: (n_labels) the labels to build it for; must be the tree's own where it names some. n_labels 0: the
 * tree's own, and where it names none, the three of the reference data (news, socialmedia, videostreaming).
 *
 * Return: 0; -ENOENT, -EACCES, -EIO, -EBADMSG, -ENOMEM with err filled ("FILE: root.children[2].layers[0]:
 * reason").
 */
int tree_load(struct tree **treep, const char *path, const char *const *labels, size_t n_labels,
              struct error *err);

/* The same from memory; name stands for the file in messages. */
int tree_parse(struct tree **treep, const char *name, const char *json, size_t length,
               const char *const *labels, size_t n_labels, struct error *err);

#endif

/* tree_json.h - trees as JSON files (etc/trees/), checked key by key: what is unknown, missing or cannot work
 * is refused with the path of the key and the reason.
 *
 *     TREE     {"format": 1, "name": "...", "labels": ["a", "b"], "padding": "none" or "batch",
 *               "root": ELEMENT}
 *     ELEMENT  {"name": "...", "input": INPUT, "children": [ELEMENT, ...], "layers": [LAYER, ...],
 *               "share": "NAME OF AN ELEMENT"}
 *     INPUT    {"each": LIST, "first": N, "flatten": true, "select": [COLUMN, ...],
 *               "standardise": {"clip": 5}}
 *     COLUMN   "field"
 *              {"field": "field", "map": [MAP, ...]}
 *     MAP      "log1p" "sign" "delta" {"scale": X} {"divide": X} {"min": X} {"max": X}
 *     LAYER    {"dense": UNITS or "labels", "activation": "relu"}
 *              {"lstm": UNITS, "bidirectional": true}
 *              {"gru": UNITS, "bidirectional": true}
 *              {"embedding": [ROWS, UNITS]}
 *              {"dropout": RATE}
 *
 * `labels` may be left out; then the archive folders decide, and the last layer of the root says
 * {"dense": "labels"}. An `each` list of numbers ("ip.out.id") needs no `select`: the one column is the
 * number itself. An element with `share` may leave out its layers, or repeat those it shares. `activation` is
 * "linear" where it is left out, `padding` "none".
 */
#ifndef CORE_TREE_TREE_JSON_H
#define CORE_TREE_TREE_JSON_H

#include <stddef.h>

#include "core/tree/tree.h"
#include "flowtrack/error.h"

enum { TREE_FILE_MAX = 1 << 20 }; /* octets of the longest tree file that is read */

/* Read a tree file.
 *
 * labels: (n_labels) the labels to build it for; must be the tree's own, in its order, where it names some.
 * n_labels 0: the tree's own, and where it names none, the three of the reference data (news, socialmedia,
 * videostreaming).
 *
 * Return: 0; -ENOENT, -EACCES, -EISDIR, -EIO, -EBADMSG, -ENOMEM with err filled ("FILE:
 * root.children[2].layers[0]: reason"); -EINVAL: the labels asked for are not those of the tree.
 */
int tree_load(struct tree **treep, const char *path, const char *const *labels, size_t n_labels,
              struct error *err);

/* The same from memory; name stands for the file in messages. */
int tree_parse(struct tree **treep, const char *name, const char *json, size_t length,
               const char *const *labels, size_t n_labels, struct error *err);

#endif
